"""Every table and key of a gait-assist session file, with unit, range, default and meaning."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from controller.config.rig_schema import PortSection, RigFile, RigSection, SensorSection, TherapyKind
from controller.config.section import NAME, Section
from controller.core.params import Learning, Readiness
from controller.core.signals import GaitMode


class SessionSection(RigSection):
    """Where and how is walked, and by whose files."""

    mode: GaitMode
    """What is walked where the session has no schedule."""


class TherapySection(Section):
    """What the session does. Left out, it assists gait."""

    kind: TherapyKind = "gait-assist"
    """`gait-assist` lifts the foot in walking; `exercise` and `emg-assist` run a programme
    (docs/exercise.md)."""


class LegSensorSection(SensorSection):
    """One sensor: which device, where it sits, by what name or address the radio finds it."""

    segment: Literal["foot", "shank"]
    """The segment on which it sits."""


class StimulatorSection(PortSection):
    """The stimulator and the pulses of the channel that lifts the foot."""

    channel: int = Field(ge=0, le=7)
    """Output for the dorsiflexors (common peroneal nerve), counted from 0."""
    electrode_area_cm2: float = Field(ge=1, le=200, allow_inf_nan=False)
    """Area of the smaller electrode. Too large a number here hides a current density that is too high."""
    width_us: float = Field(ge=50, le=500, allow_inf_nan=False)
    """Width of each phase of a pulse, the longest one where `width_min_us` is set. More: more force at the
    same current, and more charge."""
    width_min_us: float | None = Field(None, ge=50, le=500, allow_inf_nan=False)
    """Shortest width: weak pulses become shorter and stronger, with less charge for the same force. Left
    out: the width is fixed."""
    rate_hz: float = Field(ge=10, le=60, allow_inf_nan=False)
    """Pulses a second. More: smoother and stronger, earlier fatigue. Less: a rippling force."""


class SecondChannelSection(Section):
    """The channel that turns the foot out, and its steering from stride to stride."""

    channel: int = Field(ge=0, le=7)
    """Output for the evertors, another one than the first channel's."""
    electrode_area_cm2: float = Field(ge=1, le=200, allow_inf_nan=False)
    """Area of the smaller electrode of this channel."""
    width_us: float = Field(ge=50, le=500, allow_inf_nan=False)
    """Width of each phase of this channel's pulses."""
    target_deg: float = Field(0.0, ge=-15, le=15, allow_inf_nan=False)
    """Wanted inversion at initial contact, against the foot flat on the ground. Less: more eversion."""
    band_deg: float = Field(1.0, ge=0, le=10, allow_inf_nan=False)
    """Half width of the band about the target without correction. More: calmer, less precise."""
    swing_band_deg: float = Field(10.0, ge=0, le=40, allow_inf_nan=False)
    """Inversion that is let pass in mid-swing. Less: corrects a turned foot earlier in the swing."""
    step: float = Field(0.8, ge=0, le=1, allow_inf_nan=False)
    """Share of the correction that is taken at each stride. More: quicker, less robust. 0: none."""
    change_max_nm: float = Field(1.0, ge=0, le=5, allow_inf_nan=False)
    """Largest change of the eversion torque from stride to stride. Less: calmer."""


class GaitSection(Section):
    """``readiness`` trades swings not lifted for pulses without a swing (docs/gait.md)."""

    readiness: Readiness = "balanced"
    """Trades swings that are not lifted for pulses without a swing: `cautious` lifts none in doubt,
    `eager` nearly all (docs/gait.md)."""
    assist_percent: float = Field(100.0, ge=60, le=140, allow_inf_nan=False)
    """How high feedback, learning and as-needed are asked to lift the foot: 100 is the reference, 10 more are
    1.5 deg more in swing and at landing. More: more clearance, more current."""


class WalkingEmgSection(Section):
    """Which electrodes lie on shin and calf: the person's own share of the lift, and a second witness of the
    phase. Shown and recorded; they steer nothing. Under stimulation a sensor of 1000 Hz or more is needed.
    """

    sensor: str = Field(pattern=NAME)
    """The sensor of `[[sensors]]` that measures them."""
    tibialis_channel: int = Field(0, ge=0, le=15)
    """Its channel on tibialis anterior, counted from 0."""
    calf_channel: int | None = Field(None, ge=0, le=15)
    """Its channel on the gastrocnemius. Left out: no witness of the phase."""
    tibialis_max_uv: float = Field(100, ge=2, le=20_000, allow_inf_nan=False)
    """The envelope at this person's own strongest lift, as measured: it counts as 100 %."""
    mains_hz: Literal[50, 60] = 50
    """Frequency of the mains, which is taken off the signals."""


class TrapezoidSection(Section):
    """The open-loop train: rise from heel-off, hold, extension past initial contact, fall."""

    current_ma: float = Field(ge=0, le=130, allow_inf_nan=False)
    """Current that is held. More: lifts more, less comfortable."""
    rise_ms: float = Field(ge=20, le=1000, allow_inf_nan=False)
    """Time from nothing to the full current. Less: lifts earlier and is felt more. The limits of rise hold
    as well."""
    extension_ms: float = Field(ge=0, le=500, allow_inf_nan=False)
    """How long the current is held past initial contact. More: less foot slap, a longer train."""
    fall_ms: float = Field(ge=20, le=1000, allow_inf_nan=False)
    """Time down to nothing after the extension. More: a softer end."""


class FeedbackSection(Section):
    """The PID in torque on the foot pitch error, in mode `feedback`."""

    kp_nm_per_rad: float = Field(ge=0, le=30, allow_inf_nan=False)
    """Proportional gain on the foot's pitch error. More: stiffer tracking, and beyond the margins the foot
    trembles."""
    ti_s: float = Field(ge=0.05, le=10, allow_inf_nan=False)
    """Integral time. Less: a lasting error is taken away in fewer strides, with less stability margin."""
    td_s: float = Field(ge=0, le=0.3, allow_inf_nan=False)
    """Derivative time, on the measured pitch. More: more damping, a more restless current."""
    derivative_filter: float = Field(ge=2, le=20, allow_inf_nan=False)
    """N of the derivative's low-pass, whose time constant is td_s / N. Less: smoother and later."""
    torque_max_nm: float = Field(ge=0, le=20, allow_inf_nan=False)
    """Bound of what feedback may add to, or take from, the feed-forward torque."""


class LearningSection(Section):
    """The learning law; a key left out has the core's value."""

    change: float = Field(Learning().change, ge=1e-6, le=1e-1, allow_inf_nan=False)
    """Weight in (rad/Nm)^2 of a changed command against the squared error. More: learns slower and
    steadier."""
    bend: float = Field(Learning().bend, ge=0, le=1, allow_inf_nan=False)
    """Weight in (rad/Nm)^2 of the command's second difference. More: a smoother command, less detail."""
    step: float = Field(Learning().step, ge=0, le=1, allow_inf_nan=False)
    """Share of the optimal change that is taken at each stride. More: quicker, less robust. 0: learns
    nothing."""
    forget: float = Field(Learning().forget, ge=0.5, le=1, allow_inf_nan=False)
    """Share of what was learned beyond the model that is kept from stride to stride. Less: a lasting error
    is left. 1: forgets nothing."""
    change_max: float = Field(Learning().change_max, ge=0, le=1, allow_inf_nan=False)
    """Largest change of the command in one stride, as a share of the torque at full recruitment. Less:
    calmer."""
    kp_nm_per_rad: float = Field(Learning().kp_nm_per_rad, ge=0, le=30, allow_inf_nan=False)
    """Gain of the feedback that runs beside the learning. More: stiffer within the stride, less margin."""
    td_s: float = Field(Learning().td_s, ge=0, le=0.3, allow_inf_nan=False)
    """Derivative time of that feedback. More: more damping, a more restless current."""
    gain_sd: float = Field(Learning().gain_sd, ge=0, le=2, allow_inf_nan=False)
    """Standard deviation of ln(muscle gain) against the identified one, at first. More: the gain is found
    quicker. 0: it is not estimated."""
    gain_drift: float = Field(Learning().gain_drift, ge=0, le=1, allow_inf_nan=False)
    """Standard deviation of the change of ln(muscle gain) from stride to stride. More: follows fatigue
    quicker, noisier."""
    gain_min: float = Field(Learning().gain_min, ge=0.05, le=1, allow_inf_nan=False)
    """Smallest muscle gain that is believed, as a factor on the identified one. It bounds the rise of the
    current against fatigue."""
    gain_max: float = Field(Learning().gain_max, ge=1, le=10, allow_inf_nan=False)
    """Largest muscle gain that is believed, as a factor on the identified one."""
    dead_band: float = Field(Learning().dead_band, ge=0, le=0.5, allow_inf_nan=False)
    """Change of ln(muscle gain) below which nothing changes. More: fewer changes, later ones."""


class TrialSection(Section):
    """How the arms of ``[[schedule]]`` are named and ordered."""

    labels: Literal["open", "blinded"] = "open"
    """Whether the arms have their mode's name, or letters behind which nobody sees the mode. The key is in
    the recording."""
    order: Literal["as written", "shuffled"] = "as written"
    """Whether the arms are walked as written or in a drawn order."""


class ArmSection(Section):
    """One arm of a trial; its length, in strides or in seconds, counts after the wash-out."""

    arm: GaitMode
    """What is walked in this arm."""
    strides: int | None = Field(None, ge=1, le=10_000)
    """Length in strides after the wash-out. Either this or `seconds`."""
    seconds: float | None = Field(None, ge=1, le=14_400, allow_inf_nan=False)
    """Length in seconds after the wash-out. Either this or `strides`."""
    wash_out_strides: int = Field(0, ge=0, le=200)
    """Strides that are walked first in the arm's mode and count in no figure."""
    learned: Literal["discard", "keep"] = "discard"
    """Whether what was learned in earlier arms is forgotten or kept."""


class SessionFile(RigFile):
    session: SessionSection
    therapy: TherapySection = Field(default_factory=lambda: TherapySection.model_validate({}))
    sensors: tuple[LegSensorSection, ...] = Field(min_length=1, max_length=8, strict=False)
    """One table a sensor."""
    stimulator: StimulatorSection
    second_channel: SecondChannelSection | None = None
    gait: GaitSection = Field(default_factory=lambda: GaitSection.model_validate({}))
    emg: WalkingEmgSection | None = None
    trapezoid: TrapezoidSection
    feedback: FeedbackSection
    learning: LearningSection = Field(default_factory=lambda: LearningSection.model_validate({}))
    trial: TrialSection = Field(default_factory=lambda: TrialSection.model_validate({}))
    schedule: tuple[ArmSection, ...] = Field((), max_length=50, strict=False)
    """One table an arm, walked one after the other. None: the session's mode until stopped."""
