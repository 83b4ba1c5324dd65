"""Every table and key of session, patient and clinic files, with unit, range, default and meaning."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from controller.core.control.two_channels import AUTHORITY_NM
from controller.core.params import Learning, Readiness
from controller.core.signals import GaitMode
from controller.safety.judgement.contraindications import Answer
from drivers.catalogue import SENSORS, STIMULATORS
from drivers.interface import Side

CURRENT_STEP_MA = max(device.capability.current_step_ma for device in STIMULATORS.values())
NAME = r"^[A-Za-z0-9_.-]{1,40}$"  # goes into file names: ASCII, no slash
TOPIC_LEVEL = r"^[a-z0-9][a-z0-9_-]{0,39}$"  # goes into MQTT topics, which dashboards want in lower case
HOST = r"^[A-Za-z0-9_.-]+$|^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.%a-z0-9]*$"  # a name, IPv4 or IPv6
RULES = {  # patterns in words
    NAME: "1 to 40 letters, digits, dots, hyphens and underscores, without blanks or accents",
    TOPIC_LEVEL: "1 to 40 lower-case letters, digits, hyphens and underscores, a letter or digit first",
    HOST: "a name or an address alone, without mqtt:// and without the port, which has a key of its own",
}
LIFT_PERCENT = tuple(range(0, 101, 5))  # of the stride: where a reference of one's own is written down


class Section(BaseModel):
    """A strict, frozen table of a TOML file. The text below a key is its description in the docs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class LimitsSection(Section):
    """One layer of limits; layers may only tighten, as docs/safety.md says."""

    current_max_ma: float | None = Field(None, ge=0.5, le=130, allow_inf_nan=False)
    """Largest current of a pulse. Less: safer and more comfortable, but a weak muscle may no longer lift
    the foot."""
    width_max_us: float | None = Field(None, ge=10, le=1000, allow_inf_nan=False)
    """Longest phase of a pulse. Less: less charge at the same current, and less force."""
    rate_max_hz: float | None = Field(None, ge=1, le=100, allow_inf_nan=False)
    """Most pulses a second on a channel. Less: less fatigue; below about 20 Hz the force ripples."""
    charge_max_uc: float | None = Field(None, ge=0.1, le=65, allow_inf_nan=False)
    """Largest charge of one phase, current times width. Less: lower largest current at a given width."""
    density_rms_max_ma_cm2: float | None = Field(None, ge=0.05, le=2, allow_inf_nan=False)
    """Largest r.m.s. current density, reckoned over half the electrode's area. Less: larger electrodes or
    smaller currents."""
    rise_max_ma_per_frame: float | None = Field(  # below the device's step no current would ever rise
        None, ge=CURRENT_STEP_MA, le=10, allow_inf_nan=False
    )
    """Largest rise of the current in one frame and in 5 ms. More: lifts earlier and is felt more. Less:
    softer and later."""
    rise_max_ma_per_250ms: float | None = Field(None, ge=0.5, le=130, allow_inf_nan=False)
    """Largest rise of the current within any 250 ms. More: the full current is reached earlier. Less:
    softer and later."""
    train_max_s: float | None = Field(None, ge=0.1, le=30, allow_inf_nan=False)
    """Longest time with pulses without a pause. Less: a slow swing may end without current."""
    on_share_max: float | None = Field(None, ge=0.05, le=1, allow_inf_nan=False)
    """Largest share of any 10 s with current, on each channel. Less: more rest, but quick walking may be
    cut."""
    dose_max_uc: float | None = Field(None, ge=1, le=1e7, allow_inf_nan=False)
    """Largest sum of the charges per phase in any 60 s, on each channel. Less: an earlier end of a strong
    walk."""
    bout_max_s: float | None = Field(None, ge=1, le=14400, allow_inf_nan=False)
    """Longest time armed before a pause. Less: pauses come earlier."""
    pause_min_s: float | None = Field(None, ge=1, le=86400, allow_inf_nan=False)
    """Shortest rest after a full bout. A floor: a file may only set it higher."""
    session_max_s: float | None = Field(None, ge=1, le=14400, allow_inf_nan=False)
    """Longest time armed before the long rest. Less: shorter sessions."""
    session_pause_min_s: float | None = Field(None, ge=1, le=86400, allow_inf_nan=False)
    """Shortest rest after a full session. A floor: a file may only set it higher."""
    sensor_age_max_ms: float | None = Field(None, ge=50, le=300, allow_inf_nan=False)
    """Largest age of a required sensor's newest sample (F1). More: fewer stops by a poor radio, longer
    without sight. Less: the opposite."""
    frame_age_max_ms: float | None = Field(None, ge=20, le=100, allow_inf_nan=False)
    """Largest age of the controller's newest frame (F4). More: pulses go on longer when it hangs. Less: a
    busy computer may trip."""

    def values(self) -> dict[str, float]:
        """What this layer sets."""
        given: dict[str, float] = self.model_dump(exclude_none=True)
        return given


class PatientSection(Section):
    """Who is treated."""

    pseudonym: str = Field(pattern=NAME)
    """The person's name in all files, topics and figures. Never a real name."""
    paretic_side: Side
    """The leg that wears sensors and electrodes."""
    body_mass_kg: float = Field(ge=20, le=200, allow_inf_nan=False)
    """Sets the foot's mass and inertia in the model. More: more feed-forward torque."""
    body_height_m: float = Field(ge=1.0, le=2.3, allow_inf_nan=False)
    """Sets the lengths of foot, shank and thigh in the model."""


class MuscleSection(Section):
    """The dorsiflexors as identified: recruitment, torque, bandwidth, delay."""

    i50_ma: float = Field(ge=5, le=120, allow_inf_nan=False)
    """Current that recruits half of the fibres at a pulse width of 300 us. More: a stronger current for
    the same torque."""
    sigma: float = Field(ge=0.05, le=1, allow_inf_nan=False)
    """Spread of the recruitment curve in ln(current). More: a flatter curve. Less: a steeper one."""
    chronaxie_us: float = Field(ge=50, le=500, allow_inf_nan=False)
    """Chronaxie of the strength-duration curve (Weiss). More: width matters more."""
    torque_max_nm: float = Field(ge=1, le=60, allow_inf_nan=False)
    """Dorsiflexion torque at full recruitment. More: the controller asks for less current for the same
    torque."""
    bandwidth_rps: float = Field(ge=5, le=40, allow_inf_nan=False)
    """Natural frequency of the muscle's critically damped second-order lag. Less: the command leads by
    more."""
    delay_ms: float = Field(ge=0, le=120, allow_inf_nan=False)
    """Time from pulse to the first torque. More: the command leads by more."""


class AnkleSection(Section):
    """The passive ankle as identified."""

    passive_factor: float = Field(ge=0.2, le=3, allow_inf_nan=False)
    """Passive ankle moment as a factor on the normal one. More: stiffer, so more torque is commanded."""
    damping_nms_per_rad: float = Field(ge=0.05, le=3, allow_inf_nan=False)
    """Viscous damping of the ankle. More: more torque for a quick lift."""
    neutral_deg: float = Field(0.0, ge=-25, le=10, allow_inf_nan=False)
    """Shift of the ankle's rest against a normal one, dorsiflexion positive. Less: stiff from an earlier
    angle on."""


class EversionSection(Section):
    """The second channel's muscles, and what both channels do about both axes, as identified: Nm at full
    recruitment, by the first and by the second one.
    """

    i50_ma: float = Field(ge=5, le=120, allow_inf_nan=False)
    """Second channel: current that recruits half of its fibres at 300 us."""
    sigma: float = Field(ge=0.05, le=1, allow_inf_nan=False)
    """Second channel: spread of its recruitment curve in ln(current)."""
    chronaxie_us: float = Field(ge=50, le=500, allow_inf_nan=False)
    """Second channel: chronaxie (Weiss)."""
    current_max_ma: float = Field(ge=0.5, le=130, allow_inf_nan=False)
    """Second channel: comfort maximum found with this person. Limits of the layers hold as well."""
    first_dorsiflexion_nm: float = Field(ge=1, le=60, allow_inf_nan=False)
    """Dorsiflexion torque of the first channel at full recruitment."""
    first_eversion_nm: float = Field(ge=-20, le=20, allow_inf_nan=False)
    """Eversion torque of the first channel at full recruitment; negative: it inverts."""
    second_dorsiflexion_nm: float = Field(ge=-20, le=20, allow_inf_nan=False)
    """Dorsiflexion torque of the second channel at full recruitment; negative: plantarflexion."""
    second_eversion_nm: float = Field(ge=AUTHORITY_NM, le=40, allow_inf_nan=False)
    """Eversion torque of the second channel at full recruitment."""
    compliance_deg_per_nm: float = Field(14.0, ge=2, le=60, allow_inf_nan=False)
    """How far the subtalar joint turns for a torque. More: smaller corrections a stride. The default is
    assumed."""


class ThresholdsSection(Section):
    """Currents of short test trains at which the search found each; they steer nothing."""

    sensory_ma: float | None = Field(None, ge=0.5, le=130, allow_inf_nan=False)
    """Smallest current that was felt."""
    motor_ma: float | None = Field(None, ge=0.5, le=130, allow_inf_nan=False)
    """Smallest current that moved the foot."""
    comfort_ma: float | None = Field(None, ge=0.5, le=130, allow_inf_nan=False)
    """Largest current that was comfortable."""


Lift = Annotated[float, Field(ge=0, le=30, allow_inf_nan=False)]


class ReferenceSection(Section):
    """Whose foot pitch to follow: a normal walk at this speed, lifted where this foot is higher unaided."""

    speed_mps: float = Field(ge=0.3, le=2.0, allow_inf_nan=False)
    """Walking speed of the normal foot pitch to follow. More: the curve of a quicker walk."""
    # one SD of a slow, typically developing ankle: 3.7 to 8.9 deg
    band_deg: float = Field(0.0, ge=0, le=10, allow_inf_nan=False)
    """Half width of the band about the reference in which there is no error; it narrows to 0 at the
    contact. More: less current, less precise."""
    lift_deg: tuple[Lift, ...] = Field((), strict=False)
    """Lift of the reference above the normal foot pitch, every 5 % of the stride (21 numbers); `dorsi
    reference` finds it. Empty: none."""

    @field_validator("lift_deg")
    @classmethod
    def _whole_stride(cls, lift_deg: tuple[float, ...]) -> tuple[float, ...]:
        if lift_deg and len(lift_deg) != len(LIFT_PERCENT):
            raise ValueError(f"{len(LIFT_PERCENT)} numbers of 0 to 30, one every 5 % of the stride, or none")
        return lift_deg


class PatientFile(Section):
    patient: PatientSection
    checklist: dict[str, Answer]
    """Answers to the contraindication questions: `no`, `yes` (forbids) or `accepted` (present, and the
    clinician in charge decided for it)."""
    limits: LimitsSection
    thresholds: ThresholdsSection | None = None
    muscle: MuscleSection
    ankle: AnkleSection
    eversion: EversionSection | None = None
    reference: ReferenceSection


class ClinicFile(Section):
    """What a clinic allows in all of its sessions."""

    limits: LimitsSection


class SessionSection(Section):
    """Where and how is walked, and by whose files."""

    site: str = Field(pattern=TOPIC_LEVEL)
    """Name of the place, a level of the MQTT topics."""
    rig: str = Field(pattern=TOPIC_LEVEL)
    """Name of the rig, a level of the MQTT topics."""
    patient_file: str
    """The patient file; a relative path is taken from the session file's folder."""
    clinic_file: str | None = None
    """The clinic file with its limits. Left out: the clinic sets none."""
    mode: GaitMode
    """What is walked where the session has no schedule."""
    unlock: Literal["person", "strides"] = "person"
    """Who lets feedback begin after three strides have answered: a person, or the strides alone."""
    stop_button: str | None = Field(default=None, min_length=1)
    """Event device of a USB button that types a key, such as `/dev/input/by-id/...`; any key of it is
    STOP."""


def _one_of(devices: Iterable[str]) -> AfterValidator:
    """A device of the catalogue; anything else is refused by naming them all."""
    allowed = " | ".join(repr(device) for device in devices)

    def known(name: str) -> str:
        if repr(name) not in allowed.split(" | "):
            raise ValueError(allowed)
        return name

    return AfterValidator(known)


SensorName = Annotated[str, _one_of(SENSORS)]
StimulatorName = Annotated[str, _one_of(STIMULATORS)]


class SensorSection(Section):
    """One sensor: which device, where it sits, by what name or address the radio finds it."""

    name: str = Field(pattern=NAME)
    """Name of the sensor in recordings and messages, one of its own for each."""
    device: SensorName
    """Which device it is."""
    address: str = Field(min_length=1, max_length=60)
    """Bluetooth address, or the name that the sensor advertises."""
    segment: Literal["foot", "shank"]
    """The segment on which it sits."""
    required: bool = True
    """Whether stimulation ends when this sensor falls silent."""


class StimulatorSection(Section):
    """The stimulator and the pulses of the channel that lifts the foot."""

    device: StimulatorName
    """Which device it is."""
    port: str = Field(min_length=1)
    """Its serial port."""
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


class TelemetrySection(Section):
    """The MQTT broker; leave the table out to run without one."""

    host: str = Field(min_length=1, max_length=255, pattern=HOST)
    """Name or address of the broker, without scheme and port."""
    port: int = Field(ge=1, le=65535)
    """Its port; often 1883, and 8883 with TLS."""
    username: str | None = None
    """User at the broker."""
    password_file: str | None = None
    """File that holds the password alone."""
    tls: bool = False
    """Encrypt. It is on as well where `ca_file` is given."""
    unencrypted: bool = False
    """A person has decided that the network between is safe: no warning without TLS."""
    ca_file: str | None = None
    """Certificate of the broker's issuer. Left out: the system's issuers."""
    client_certificate_file: str | None = None
    """Certificate of this client."""
    client_key_file: str | None = None
    """Key of that certificate."""


class LslSection(Section):
    """Lab Streaming Layer outlets; leave the table out to run without. Needs the extra ``lsl``."""

    scope: Literal["machine", "link", "site"] = "machine"
    """How far the streams are announced: this computer, the link's network, or the site."""


class ConsoleSection(Section):
    """Where the therapist's console listens; an address on the network only with token and TLS files."""

    host: str = Field("127.0.0.1", min_length=1, max_length=255, pattern=HOST)
    """Address to listen at. One that the network reaches needs all three files below."""
    port: int = Field(8470, ge=0, le=65535)
    """Port to listen at; 0 takes a free one."""
    token_file: str | None = None
    """File with the token that a browser must show, 16 characters or more."""
    cert_file: str | None = None
    """Certificate of the console, with `key_file`."""
    key_file: str | None = None
    """Key of that certificate."""


class SessionFile(Section):
    session: SessionSection
    sensors: tuple[SensorSection, ...] = Field(min_length=1, max_length=8, strict=False)
    """One table a sensor."""
    stimulator: StimulatorSection
    second_channel: SecondChannelSection | None = None
    gait: GaitSection = Field(default_factory=lambda: GaitSection.model_validate({}))
    trapezoid: TrapezoidSection
    feedback: FeedbackSection
    learning: LearningSection = Field(default_factory=lambda: LearningSection.model_validate({}))
    limits: LimitsSection = Field(default_factory=lambda: LimitsSection.model_validate({}))
    trial: TrialSection = Field(default_factory=lambda: TrialSection.model_validate({}))
    schedule: tuple[ArmSection, ...] = Field((), max_length=50, strict=False)
    """One table an arm, walked one after the other. None: the session's mode until stopped."""
    telemetry: TelemetrySection | None = None
    lsl: LslSection | None = None
    console: ConsoleSection = Field(default_factory=lambda: ConsoleSection.model_validate({}))
