"""Session, patient and clinic files: TOML, whole, strict. What is wrong is refused by file, key and range.

Unknown keys, NaN, infinities, wrong types, values out of range and limits looser than the device's are
listed, all of a file at once, in one :class:`ConfigError`. Nothing is clamped.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from controller.console.settings import objections
from controller.core.channels import AUTHORITY_NM
from controller.core.params import (
    CoreParams,
    Envelope,
    FootModel,
    Gains,
    Learning,
    MuscleModel,
    NormalCurves,
    Placement,
    Pulse,
    Readiness,
    Reference,
    ResponseMap,
    SecondChannel,
)
from controller.core.signals import Mode
from controller.errors import ConfigError, InputError
from controller.knobs import KNOBS, Allowed
from controller.runtime.schedule import ArmPlan, named
from controller.safety.arming import QUESTION, Answer
from controller.safety.limits import (
    Effective,
    Layer,
    Limits,
    charge_uc,
    density_rms_ma_cm2,
    device_layer,
    energy_mj,
    merge,
)
from drivers.catalogue import SENSORS, STIMULATORS, is_inertial
from drivers.interface import Side
from models.gait import SPEEDS_MPS, normal_knee_deg, normal_pitch_deg, toe_off_percent

TICK_RATE_HZ = 200.0  # absolute deadlines every 5 ms
CURRENT_STEP_MA = max(device.capability.current_step_ma for device in STIMULATORS.values())
PULSE_LIFETIME_MS = 60.0  # a command dies with the guard's own limit for a hung controller (F4)
# The core ends a train before the guard does, which counts by the arrival of frames: up to a hung tick apart.
TRAIN_SPARE_S = 0.05
TRAIN_SPARE_SHARE = 0.1  # of a short train
FILE_BYTES_MAX = 1024 * 1024  # a session file has some KiB; a pipe would be waited for without end
NAME = r"^[A-Za-z0-9_.-]{1,40}$"  # goes into file names: ASCII, no slash
TOPIC_LEVEL = r"^[a-z0-9][a-z0-9_-]{0,39}$"  # goes into MQTT topics, which dashboards want in lower case
HOST = r"^[A-Za-z0-9_.-]+$|^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.%a-z0-9]*$"  # a name, IPv4 or IPv6
RULES = {  # patterns in words
    NAME: "1 to 40 letters, digits, dots, hyphens and underscores, without blanks or accents",
    TOPIC_LEVEL: "1 to 40 lower-case letters, digits, hyphens and underscores, a letter or digit first",
    HOST: "a name or an address alone, without mqtt:// and without the port, which has a key of its own",
}
TYPES = {  # pydantic's names of types, in words
    "string": "a text in quotes",
    "bool": "true or false, without quotes",
    "int": "a whole number, without quotes",
    "float": "a number, without quotes",
    "tuple": "a list in [ ]",
    "dict": "a table",
    "model": "a table",
}
BOM = "\ufeff"  # that Windows writes before UTF-8
BAND_NARROWS_PERCENT = 10.0  # of the stride on both sides of the contact: how the foot is set down is judged
LIFT_PERCENT = tuple(range(0, 101, 5))  # of the stride: where a reference of one's own is written down
WHOLE_CYCLE_POINTS = 101  # reference curves: one value a percent


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
    mode: Mode
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

    arm: Mode
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


Model = TypeVar("Model", bound=Section)


@dataclass(frozen=True, slots=True)
class Session:
    """A checked session: its files as they were read, where they came from, and the limits they make.

    ``effective`` is what the core plans with and what the guard judges by: the guard merges the same
    ``asked`` with the device's and the compiled limits of its own.
    """

    path: Path
    text: str
    patient_text: str
    clinic_text: str  # empty where the session names no clinic file
    file: SessionFile
    patient: PatientFile
    asked: tuple[Layer, ...]  # the layers that people set: clinic, patient, session
    effective: Effective

    @property
    def patient_path(self) -> Path:
        return self.path.parent / self.file.session.patient_file

    @property
    def imus(self) -> tuple[SensorSection, ...]:
        return _imus(self.file)


def _imus(file: SessionFile) -> tuple[SensorSection, ...]:
    return tuple(sensor for sensor in file.sensors if is_inertial(sensor.device))


def load_session(path: Path) -> Session:
    """Read and check a session file and the patient and clinic file it names.

    Raises ConfigError with one line for every fault found in these files.
    """
    try:
        file, text = _load(path, SessionFile)
    except ConfigError as error:
        raise ConfigError([*error.problems, *_of_patient(path)]) from None
    patient_path = path.parent / file.session.patient_file
    patient, patient_text = _load(patient_path, PatientFile)
    asked = [Layer("patient", patient.limits.values()), Layer("session", file.limits.values())]
    clinic_text = ""
    if file.session.clinic_file is not None:
        clinic, clinic_text = _load(path.parent / file.session.clinic_file, ClinicFile)
        asked.insert(0, Layer("clinic", clinic.limits.values()))
    names = [sensor.name for sensor in file.sensors]
    problems = [
        f"{patient_path}: checklist: {key} is missing, allowed: 'no' | 'yes' | 'accepted'"
        for key in QUESTION
        if key not in patient.checklist
    ]
    for key in patient.checklist:
        if key not in QUESTION:
            near = difflib.get_close_matches(key, QUESTION, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            problems.append(
                f"{patient_path}: checklist.{key}: unknown key{hint}, allowed: {', '.join(QUESTION)}"
            )
    problems += [
        f"{path}: sensors.name: {name!r} is used twice, allowed: a name of its own for each sensor"
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    widths = file.stimulator.width_min_us, file.stimulator.width_us
    if widths[0] is not None and widths[0] > widths[1]:
        problems.append(
            f"{path}: stimulator.width_min_us: found {widths[0]:g}, allowed: 50 to width_us, {widths[1]:g}"
        )
    second = file.second_channel
    if second is not None and patient.eversion is None:
        problems.append(
            f"{patient_path}: eversion: missing, allowed: a table, for the session's second_channel"
        )
    if second is not None and second.channel == file.stimulator.channel:
        problems.append(
            f"{path}: second_channel.channel: found {second.channel}, allowed: not the first channel's output"
        )
    problems += [
        f"{path}: schedule: arm {number} has {'both' if arm.strides else 'neither'} length, "
        "allowed: either strides or seconds"
        for number, arm in enumerate(file.schedule, 1)
        if (arm.strides is None) == (arm.seconds is None)
    ]
    if not _imus(file):
        inertial = " or ".join(repr(device) for device in SENSORS if is_inertial(device))
        problems.append(f"{path}: sensors: no inertial sensor, allowed: at least one with device {inertial}")
    console = file.console
    problems += [
        f"{path}: console.{objection}"
        for objection in objections(console.host, console.token_file, console.cert_file, console.key_file)
    ]
    try:
        effective = merge(
            (device_layer(STIMULATORS[file.stimulator.device].capability), *asked), source=str(path)
        )
    except InputError as error:
        raise ConfigError([*problems, str(error)]) from None
    if problems:
        raise ConfigError(problems)
    return Session(path, text, patient_text, clinic_text, file, patient, tuple(asked), effective)


def arm_plans(session: Session, seed: int) -> tuple[ArmPlan, ...]:
    """The session's arms as they will be walked; ``seed`` draws the order and the blinded labels."""
    file = session.file
    arms = [
        ArmPlan(arm.arm, arm.seconds, arm.strides, arm.wash_out_strides, fresh=arm.learned == "discard")
        for arm in file.schedule
    ] or [ArmPlan(file.session.mode)]
    return named(
        arms, blinded=file.trial.labels == "blinded", shuffled=file.trial.order == "shuffled", seed=seed
    )


def settings(session: Session) -> list[tuple[str, str, str]]:
    """What steers, as ``(table.key, value, allowed range)``: the muscle's numbers and every gain in force."""
    tables: tuple[tuple[str, Section | None], ...] = (
        ("muscle", session.patient.muscle),
        ("ankle", session.patient.ankle),
        ("reference", session.patient.reference),
        ("trapezoid", session.file.trapezoid),
        ("feedback", session.file.feedback),
        ("learning", session.file.learning),
        ("eversion", session.patient.eversion),
        ("second_channel", session.file.second_channel),
    )
    return [
        (f"{name}.{key}", f"{getattr(section, key):g}", _range(field))
        for name, section in tables
        if section is not None
        for key, field in type(section).model_fields.items()
        if isinstance(getattr(section, key), float)
    ]


def tunable(session: Session) -> dict[str, Allowed]:
    """The range of every setting that can be changed while the session runs.

    The file's own range; and for a current whatever limit binds first with this session's electrodes.
    """
    limits, set_by = session.effective.limits, session.effective.set_by
    ceilings = current_ceilings(limits, first_output(session))
    found: dict[str, Allowed] = {}
    for knob in KNOBS:
        section = _section_at(SessionFile, (knob.group,))
        assert section is not None
        name = knob.key.partition(".")[2]
        bounds = _bounds(section.model_fields[name])
        low, high, binding = bounds["ge"], bounds["le"], ""
        ends: tuple[tuple[float, str], ...] = ()
        if name in ("current_ma", "current_max_ma"):
            ends = ceilings
        elif knob.group == "limits":
            ends = ((getattr(limits, name), name),)
        for end, limit in ends:
            if end < high:
                high, binding = round(end, 3), f"{limit}, {set_by[limit]}"
        found[knob.key] = Allowed(low, high, binding)
    return found


@dataclass(frozen=True, slots=True)
class PulseOutput:
    """What a channel's pulses are and through what they go, beside their current."""

    width_us: float  # the widest
    rate_hz: float
    area_cm2: float  # of the electrode


def first_output(session: Session) -> PulseOutput:
    stimulator = session.file.stimulator
    return PulseOutput(stimulator.width_us, stimulator.rate_hz, stimulator.electrode_area_cm2)


def second_output(session: Session) -> PulseOutput | None:
    second, rate_hz = session.file.second_channel, session.file.stimulator.rate_hz
    return None if second is None else PulseOutput(second.width_us, rate_hz, second.electrode_area_cm2)


def current_ceilings(limits: Limits, output: PulseOutput) -> tuple[tuple[float, str], ...]:
    """The largest current in mA that each limit leaves pulses of this width, rate and electrode."""
    per_ma = density_rms_ma_cm2(1.0, output.width_us, output.rate_hz, output.area_cm2)
    return (
        (limits.current_max_ma, "current_max_ma"),
        (limits.charge_max_uc / charge_uc(1.0, output.width_us), "charge_max_uc"),
        (limits.density_rms_max_ma_cm2 / per_ma, "density_rms_max_ma_cm2"),
        (math.sqrt(limits.energy_max_mj / energy_mj(1.0, output.width_us)), "energy_max_mj"),
    )


def broken_by(limits: Limits, output: PulseOutput, current_ma: float) -> tuple[str, ...]:
    """The limits that such a pulse would break, by the guard's own sums."""
    width_us = output.width_us
    density = density_rms_ma_cm2(current_ma, width_us, output.rate_hz, output.area_cm2)
    found = (
        (current_ma, "current_max_ma"),
        (charge_uc(current_ma, width_us), "charge_max_uc"),
        (density, "density_rms_max_ma_cm2"),
        (energy_mj(current_ma, width_us), "energy_max_mj"),
    )
    return tuple(name for value, name in found if value > getattr(limits, name))


def _plannable_ma(limits: Limits, output: PulseOutput) -> float:
    """The largest current the core may ask for: what no limit blocks, at a step of the stimulator."""
    binding_ma, name = min(current_ceilings(limits, output))
    if name == "current_max_ma":
        return binding_ma
    steps = math.floor(binding_ma / CURRENT_STEP_MA + 1e-9)  # a quotient may fall short of the whole number
    if broken_by(limits, output, steps * CURRENT_STEP_MA):
        steps -= 1
    return steps * CURRENT_STEP_MA


def normal_reference(speed_mps: float, band_deg: float = 0.0, lift_deg: tuple[float, ...] = ()) -> Reference:
    """Normal foot pitch over the stride at a walking speed, with the shank and knee that go with it.

    ``band_deg`` is half the width of its band; towards the contact it narrows to nothing. ``lift_deg``, at
    ``LIFT_PERCENT``, is added to the foot's pitch. The normal curves at five speeds stand beside it, by which
    it follows the pace.
    """
    percent = [float(point) for point in range(WHOLE_CYCLE_POINTS)]
    own = _normal_curves(speed_mps)
    foot = np.array(own.foot_pitch_deg)
    if lift_deg:
        foot = foot + np.interp(percent, LIFT_PERCENT, lift_deg)
    return Reference(
        foot_pitch_deg=tuple(foot.tolist()),
        shank_pitch_deg=own.shank_pitch_deg,
        knee_flexion_deg=own.knee_flexion_deg,
        toe_off_percent=own.toe_off_percent,
        band_deg=tuple(band_deg * _band_share(point) for point in percent) if band_deg > 0.0 else (),
        speed_mps=speed_mps,
        speeds=tuple(_normal_curves(speed) for speed in SPEEDS_MPS),
    )


@cache
def _normal_curves(speed_mps: float) -> NormalCurves:
    percent = [float(point) for point in range(WHOLE_CYCLE_POINTS)]
    foot, shank = (normal_pitch_deg(segment, percent, speed_mps) for segment in ("foot", "shank"))
    return NormalCurves(
        speed_mps=speed_mps,
        foot_pitch_deg=tuple(foot.tolist()),
        shank_pitch_deg=tuple(shank.tolist()),
        knee_flexion_deg=tuple(normal_knee_deg(percent, speed_mps).tolist()),
        toe_off_percent=toe_off_percent(speed_mps),
    )


def _band_share(percent: float) -> float:
    return min(1.0, min(percent, 100.0 - percent) / BAND_NARROWS_PERCENT)


def core_params(session: Session, mode: Mode | None = None) -> CoreParams:
    """The control core's numbers, from a checked session; ``mode`` overrides the session's."""
    file, patient = session.file, session.patient
    mass_kg, height_m = patient.patient.body_mass_kg, patient.patient.body_height_m
    foot_mass_kg = 0.0145 * mass_kg  # Winter's proportions, docs/references.md
    foot_length_m = 0.152 * height_m
    com_forward_m = 0.44 * foot_length_m
    # about the ankle: .015 to .020 kg m2 for 70 kg
    inertia_kgm2 = foot_mass_kg * ((0.25 * foot_length_m) ** 2 + com_forward_m**2)
    limits = session.effective.limits
    stimulator = file.stimulator
    return CoreParams(
        mode=mode or file.session.mode,
        placements=tuple(
            Placement(sensor.name, sensor.segment, patient.patient.paretic_side) for sensor in session.imus
        ),
        muscle=MuscleModel(
            i50_ma=patient.muscle.i50_ma,
            sigma=patient.muscle.sigma,
            chronaxie_us=patient.muscle.chronaxie_us,
            torque_max_nm=patient.muscle.torque_max_nm,
            bandwidth_rps=patient.muscle.bandwidth_rps,
            delay_s=patient.muscle.delay_ms / 1e3,
        ),
        foot=FootModel(
            mass_kg=foot_mass_kg,
            com_forward_m=com_forward_m,
            inertia_kgm2=inertia_kgm2,
            damping_nms_per_rad=patient.ankle.damping_nms_per_rad,
            passive_factor=patient.ankle.passive_factor,
            neutral_deg=patient.ankle.neutral_deg,
            thigh_m=0.245 * height_m,  # Winter
            shank_m=0.246 * height_m,
        ),
        reference=normal_reference(**patient.reference.model_dump()),
        pulse=Pulse(
            channel=0,  # the one channel of a frame; the guard knows its output on the device
            channels=1 if file.second_channel is None else 2,
            width_us=stimulator.width_us,
            rate_hz=stimulator.rate_hz,
            current_max_ma=_plannable_ma(limits, first_output(session)),
            current_step_ma=CURRENT_STEP_MA,
            rise_ma_per_tick=limits.rise_max_ma_per_frame,
            rise_ma_per_250ms=limits.rise_max_ma_per_250ms,
            train_max_s=limits.train_max_s - min(TRAIN_SPARE_S, TRAIN_SPARE_SHARE * limits.train_max_s),
            lifetime_ms=PULSE_LIFETIME_MS,
            width_min_us=stimulator.width_min_us,
        ),
        envelope=Envelope(
            current_ma=file.trapezoid.current_ma,
            rise_s=file.trapezoid.rise_ms / 1e3,
            extension_s=file.trapezoid.extension_ms / 1e3,
            fall_s=file.trapezoid.fall_ms / 1e3,
        ),
        gains=Gains(
            kp_nm_per_rad=file.feedback.kp_nm_per_rad,
            ti_s=file.feedback.ti_s,
            td_s=file.feedback.td_s,
            derivative_filter=file.feedback.derivative_filter,
            torque_max_nm=file.feedback.torque_max_nm,
        ),
        tick_s=1.0 / TICK_RATE_HZ,
        learning=msgspec.convert(file.learning.model_dump(), Learning),
        second=_second_channel(session),
        readiness=file.gait.readiness,
    )


def _second_channel(session: Session) -> SecondChannel | None:
    given, muscles, output = session.file.second_channel, session.patient.eversion, second_output(session)
    if given is None or muscles is None or output is None:
        return None
    return SecondChannel(
        channel=1,  # of a frame; the guard knows its output on the device
        i50_ma=muscles.i50_ma,
        sigma=muscles.sigma,
        chronaxie_us=muscles.chronaxie_us,
        width_us=given.width_us,
        current_max_ma=min(muscles.current_max_ma, _plannable_ma(session.effective.limits, output)),
        response=ResponseMap(
            (muscles.first_dorsiflexion_nm, muscles.second_dorsiflexion_nm),
            (muscles.first_eversion_nm, muscles.second_eversion_nm),
        ),
        target_deg=given.target_deg,
        band_deg=given.band_deg,
        swing_band_deg=given.swing_band_deg,
        compliance_deg_per_nm=muscles.compliance_deg_per_nm,
        step=given.step,
        change_max_nm=given.change_max_nm,
    )


def _load(path: Path, model: type[Model]) -> tuple[Model, str]:
    try:
        if path.exists() and (not path.is_file() or path.stat().st_size > FILE_BYTES_MAX):
            allowed = f"a TOML file of at most {FILE_BYTES_MAX} bytes"
            raise ConfigError([f"{path}: is no file to be read whole, allowed: {allowed}"])
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot be read ({error.strerror}), allowed: a readable TOML file"]
        ) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is not UTF-8 text, allowed: a TOML file"]) from None
    return _checked(path, text, model), text


def _of_patient(path: Path) -> list[str]:
    """What is wrong with the patient file that a faulty session file names, as far as it can be told."""
    if not path.is_file():  # reading a pipe would wait for ever
        return []
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("session")
    except (OSError, ValueError, RecursionError):
        return []
    name = table.get("patient_file") if isinstance(table, dict) else None
    if not isinstance(name, str):
        return []
    try:
        _load(path.parent / name, PatientFile)
    except ConfigError as error:
        return error.problems
    return []


def check_patient(path: Path, text: str) -> None:
    """Raises ConfigError where ``text`` would not do as the patient file at ``path``."""
    _checked(path, text, PatientFile)


def _checked(path: Path, text: str, model: type[Model]) -> Model:
    try:
        table = tomllib.loads(text.removeprefix(BOM))
    except RecursionError:
        raise ConfigError(
            [f"{path}: is nested too deeply, allowed: a TOML file of tables and values"]
        ) from None
    except ValueError as error:  # also a number of thousands of digits
        raise ConfigError([f"{path}: is not TOML: {error}"]) from None
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise ConfigError([_explain(path, text, model, fault) for fault in error.errors()]) from None


def _explain(path: Path, text: str, model: type[Section], fault: ErrorDetails) -> str:
    """One fault in words: file and line, key, value, allowed, nearest key."""
    place = f"{path}{_line_of(text, fault['loc'])}: {_key(fault['loc'])}"
    if fault["type"] == "extra_forbidden":
        known = _keys_at(model, fault["loc"][:-1])
        near = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"{place}: unknown key{hint}, allowed: {', '.join(known)}"
    allowed = _allowed(model, fault)
    if fault["type"] == "missing":
        return f"{place}: missing, allowed: {allowed}"
    quoted = isinstance(fault["input"], str) and fault["type"] in ("float_type", "int_type", "bool_type")
    if quoted and "without quotes" not in allowed:
        allowed += ", without quotes"
    return f"{place}: found {fault['input']!r}, allowed: {allowed}"


def place_of(path: Path, text: str, *loc: str) -> str:
    """File, line and key of a setting, for messages."""
    return f"{path}{_line_of(text, loc)}: {_key(loc)}"


def _key(loc: tuple[int | str, ...]) -> str:
    """``table.key``; of a list of tables, which one, counted from 1."""
    key = ""
    for part in loc:
        key += f" number {part + 1}" if isinstance(part, int) else f".{part}" if key else part
    return key


def _line_of(text: str, loc: tuple[int | str, ...]) -> str:
    """``, line N`` of the key, where its name stands at the start of a line of its table."""
    tables = [part for part in loc[:-1] if isinstance(part, str)]
    index = next((part for part in loc if isinstance(part, int)), 0)
    current, seen = "", -1
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            current = stripped.partition("#")[0].strip("[] \t")
            seen = seen + 1 if stripped.startswith("[[") and current == ".".join(tables) else seen
            if loc and current == str(loc[-1]) and len(loc) == 1:
                return f", line {number}"
        elif (
            stripped.split("=")[0].strip() == str(loc[-1])
            and current == ".".join(tables)
            and seen in (-1, index)
        ):
            return f", line {number}"
    return ""


def _keys_at(model: type[Section], loc: tuple[int | str, ...]) -> list[str]:
    section = _section_at(model, loc)
    return list(section.model_fields) if section else []


def _section_at(model: type[Section], loc: tuple[int | str, ...]) -> type[Section] | None:
    section: type[Section] | None = model
    for part in loc:
        if isinstance(part, int) or section is None:
            continue
        field = section.model_fields.get(part)
        section = _section_in(field.annotation) if field else None
    return section


def _section_in(annotation: Any) -> type[Section] | None:  # Any: whatever a type hint may be
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _section_in(inner)
        if found:
            return found
    return None


def _allowed(model: type[Section], fault: ErrorDetails) -> str:
    """The allowed values of a key, from the model itself."""
    within = [part for part in fault["loc"] if isinstance(part, str)]
    section = _section_at(model, tuple(within[:-1]))
    field = section.model_fields.get(within[-1]) if section and within else None
    if field is None:
        return fault["msg"]
    inner = _section_in(field.annotation)
    if inner is not None:
        return f"a table [{'.'.join(within)}] with {', '.join(inner.model_fields)}"
    bounds = _range(field)
    if bounds:
        return bounds
    choices = getattr(field.annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return " | ".join(repr(choice) for choice in choices)
    pattern = next((meta.pattern for meta in field.metadata if getattr(meta, "pattern", None)), None)
    if pattern in RULES:
        return RULES[pattern]
    if fault["type"] == "value_error":
        return fault["msg"].removeprefix("Value error, ")
    kind = fault["type"].removesuffix("_type").removesuffix("_parsing")
    if kind == "missing":
        kind = {bool: "bool", int: "int", float: "float"}.get(field.annotation, "string")  # type: ignore[arg-type]
    if fault["type"] == "string_too_short":
        return "a text that is not empty"
    return TYPES.get(kind, fault["msg"])


def _range(field: FieldInfo) -> str:
    """``low to high`` of a number; empty where it has no bounds."""
    bounds = _bounds(field)
    return f"{bounds.get('ge', '')} to {bounds.get('le', '')}" if bounds else ""


def _bounds(field: FieldInfo) -> dict[str, float]:
    """``ge`` and ``le`` of a number, as far as it has them."""
    return {
        name: value
        for meta in field.metadata
        for name in ("ge", "le")
        if (value := getattr(meta, name, None)) is not None
    }
