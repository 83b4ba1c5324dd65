"""Every table and key of person and clinic files, with unit, range, default and meaning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from controller.config.section import CURRENT_STEP_MA, NAME, Section
from controller.core.control.two_channels import AUTHORITY_NM
from controller.safety.judgement.contraindications import Answer
from drivers.interface import Side

LIFT_PERCENT = tuple(range(0, 101, 5))  # of the stride: where a reference of one's own is written down


class LimitsSection(Section):
    """One layer of limits; layers may only tighten, as docs/safety.md says."""

    current_max_ma: float | None = Field(None, ge=0.5, le=130, allow_inf_nan=False)
    """Largest current of a pulse. Less: safer and more comfortable, but a weak muscle may no longer lift
    the foot."""
    width_max_us: float | None = Field(None, ge=10, le=1000, allow_inf_nan=False)
    """Longest phase of a pulse. Less: less charge at the same current, and less force."""
    rate_max_hz: float | None = Field(None, ge=1, le=100, allow_inf_nan=False)
    """Most pulses a second on a channel. Less: less fatigue; below about 20 Hz the force ripples."""
    cycles_max: float | None = Field(None, ge=1, le=25, allow_inf_nan=False)
    """Most cycles of a burst of alternating current; 1: single pulses alone. Less: shorter bursts, less
    force."""
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
    train_max_s: float | None = Field(None, ge=0.1, le=3600, allow_inf_nan=False)
    """Longest time with pulses without a pause. Less: a slow swing may end without current."""
    on_share_max: float | None = Field(None, ge=0.05, le=1, allow_inf_nan=False)
    """Largest share of any 10 s with current, of any 120 s in exercise, on each channel. Less: more rest, but
    quick walking may be cut."""
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
    model: Literal["measured", "standard"] = "measured"
    """Whether `[muscle]` and `[ankle]` were identified with this person, or are standard numbers, which is
    told wherever they are used."""


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


class PersonFile(Section):
    """Who is treated: what every therapy needs to know, and what gait assist has identified, where it has."""

    patient: PatientSection
    checklist: dict[str, Answer]
    """Answers to the contraindication questions: `no`, `yes` (forbids) or `accepted` (present, and the
    clinician in charge decided for it)."""
    limits: LimitsSection
    thresholds: ThresholdsSection | None = None
    muscle: MuscleSection | None = None
    ankle: AnkleSection | None = None
    eversion: EversionSection | None = None
    reference: ReferenceSection | None = None


class PatientFile(PersonFile):
    """A person for gait assist: with the muscle, the ankle and the reference."""

    muscle: MuscleSection
    ankle: AnkleSection
    reference: ReferenceSection


class ClinicFile(Section):
    """What a clinic allows in all of its sessions."""

    limits: LimitsSection
