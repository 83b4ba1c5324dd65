"""Every table and key of exercise sessions and of programme files, with unit, range, default and meaning.

A programme is for anybody: muscles, pulses, contractions, rests. A session says whose muscles lie at which
outputs, and how much current each of them bears.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from controller.config.rig_schema import RigFile
from controller.config.section import NAME, Section
from models.muscle_names import MuscleName

ProgrammeKind = Literal["cyclic", "emg-triggered", "emg-proportional", "comfort", "denervated"]


class ProgrammeSection(Section):
    """What the programme is, for whom, and where its numbers come from."""

    title: str = Field(min_length=1, max_length=80)
    """Its name in words, as a therapist reads it."""
    kind: ProgrammeKind
    """`cyclic`: by the clock. `emg-triggered`: the person's own try begins each contraction.
    `emg-proportional`: the person's muscle signal shapes the current. `comfort`: TENS, felt but without
    contraction. `denervated`: long pulses for muscle without nerve."""
    aim: str = Field(min_length=1, max_length=400)
    """What it is for."""
    source: str = Field(min_length=1, max_length=400)
    """Where its numbers come from: a publication, or who decided for them."""


class ContractionSection(Section):
    """One muscle's part in a repetition: its pulses, and when and how long it contracts."""

    muscle: MuscleName
    """Which muscle; the session says at which output it lies."""
    width_us: float = Field(ge=20, le=300_000, allow_inf_nan=False)
    """Width of each phase of a pulse. More: more force at the same current, and more charge."""
    rate_hz: float = Field(ge=1, le=150, allow_inf_nan=False)
    """Pulses, or bursts, a second. More: smoother and stronger, earlier fatigue."""
    rate_end_hz: float | None = Field(None, ge=1, le=150, allow_inf_nan=False)
    """Rate at the end of the hold, reached evenly. Left out: the rate stays."""
    doublet_ms: float | None = Field(None, ge=5, le=60, allow_inf_nan=False)
    """First interval of the hold, shorter than the others: a doublet against fatigue. Left out: none."""
    carrier_hz: float | None = Field(None, ge=1000, le=10_000, allow_inf_nan=False)
    """Burst-modulated alternating current: frequency within a burst. Needs `burst_ms`; `width_us` is half
    its period."""
    burst_ms: float | None = Field(None, ge=0.1, le=20, allow_inf_nan=False)
    """Length of a burst."""
    intensity_percent: float = Field(100, ge=0, le=100, allow_inf_nan=False)
    """Share of the current the person bears at this muscle. Less: weaker."""
    begin_s: float = Field(0, ge=0, le=60, allow_inf_nan=False)
    """When its contraction begins within the repetition: muscles one after the other, or together."""
    ramp_up_s: float = Field(ge=0.25, le=10, allow_inf_nan=False)
    """Time from nothing to the full current. More: softer, and better for a spastic muscle."""
    hold_s: float = Field(ge=0.1, le=3600, allow_inf_nan=False)
    """How long the full current is held."""
    ramp_down_s: float = Field(ge=0.1, le=10, allow_inf_nan=False)
    """Time back to nothing."""


class RepetitionsSection(Section):
    """How many repetitions, and how long the rests between them."""

    count: int = Field(ge=1, le=1000)
    """Repetitions after the warm-up."""
    rest_s: float = Field(ge=0, le=120, allow_inf_nan=False)
    """Rest between two of them. More: less fatigue."""
    warm_up: int = Field(0, ge=0, le=50)
    """Weaker repetitions first."""
    warm_up_percent: float = Field(50, ge=10, le=100, allow_inf_nan=False)
    """Share of the current in these."""
    set_of: int | None = Field(None, ge=1, le=500)
    """After so many repetitions comes a longer rest. Left out: none."""
    set_rest_s: float = Field(60, ge=0, le=900, allow_inf_nan=False)
    """The longer rest."""
    pause_after_set: bool = False
    """Whether the programme waits there until somebody goes on."""


class EmgSection(Section):
    """How the person's own muscle signal begins or shapes a contraction."""

    side: Literal["same", "opposite"] = "same"
    """Whose signal: the stimulated muscle's, or the other side's twin's (contralateral control)."""
    threshold_percent: float = Field(20, ge=1, le=100, allow_inf_nan=False)
    """Signal, of this person's largest, above which a try begins a contraction. Less: easier, more false
    starts."""
    release_percent: float = Field(10, ge=0, le=100, allow_inf_nan=False)
    """Signal below which the next try may count. Below the threshold."""
    refractory_s: float = Field(1, ge=0, le=30, allow_inf_nan=False)
    """After a contraction no try counts for so long."""
    try_s: float | None = Field(None, ge=1, le=120, allow_inf_nan=False)
    """How long a try is waited for before it counts as missed. Left out: without end."""
    gain: float = Field(1.5, ge=0.1, le=10, allow_inf_nan=False)
    """Proportional: share of the current for the whole signal. More: less effort for the same help. It is
    lowered by itself where stimulation is heard in the signal."""
    floor_percent: float = Field(0, ge=0, le=100, allow_inf_nan=False)
    """Least share of the current: of a proportional one in a try, of support withdrawn."""
    ceiling_percent: float = Field(100, ge=1, le=100, allow_inf_nan=False)
    """Largest share of the current."""
    withdraws: bool = False
    """Whether support is withdrawn from contraction to contraction as the person does more."""
    goal_percent: float = Field(60, ge=5, le=100, allow_inf_nan=False)
    """The person's own signal at which no more than the floor is given."""


class PrescriptionSection(Section):
    """The dose that is prescribed, against which the dose book holds what was given."""

    contractions_per_day: int | None = Field(None, ge=1, le=5000)
    """Contractions a day, of each muscle."""
    minutes_per_day: float | None = Field(None, ge=1, le=600, allow_inf_nan=False)
    """Minutes of the programme a day."""
    days_per_week: int | None = Field(None, ge=1, le=7)
    """Days a week."""
    step_percent: float = Field(0, ge=0, le=50, allow_inf_nan=False)
    """Progression: how much more is proposed after `step_after` sessions done whole. 0: none."""
    step_after: int = Field(3, ge=1, le=50)
    """Sessions in a row that must have been done whole."""
    step_of: Literal["repetitions", "current", "hold"] = "repetitions"
    """What the progression proposes more of. A therapist decides."""


class ProgrammeFile(Section):
    programme: ProgrammeSection
    contractions: tuple[ContractionSection, ...] = Field(min_length=1, max_length=8, strict=False)
    """One table for each muscle."""
    repetitions: RepetitionsSection
    emg: EmgSection | None = None
    prescription: PrescriptionSection | None = None


class MuscleSection(Section):
    """Where one muscle of the programme lies, and how much it bears."""

    muscle: MuscleName
    """Which muscle of the programme."""
    output: int = Field(ge=0, le=7)
    """The stimulator's output, counted from 0."""
    electrode_area_cm2: float = Field(ge=1, le=200, allow_inf_nan=False)
    """Area of the smaller electrode. Too large a number here hides a current density that is too high."""
    current_ma: float = Field(ge=0.5, le=130, allow_inf_nan=False)
    """Current at full intensity at the start, found with this person."""
    motor_ma: float = Field(0, ge=0, le=130, allow_inf_nan=False)
    """Current at which it first moved: where a proportional current begins. More: quicker help."""
    current_max_ma: float = Field(ge=0.5, le=130, allow_inf_nan=False)
    """Comfort maximum found with this person; the intensity is not set beyond it."""
    emg_sensor: str | None = Field(None, pattern=NAME)
    """The sensor that measures its signal, where the programme listens to it."""
    emg_channel: int = Field(0, ge=0, le=15)
    """Which of that sensor's channels, counted from 0."""
    emg_max_uv: float = Field(100, ge=2, le=20_000, allow_inf_nan=False)
    """The envelope at this person's own strongest effort, as measured: it counts as 100 %."""


class ExerciseTherapySection(Section):
    """Which programme, with which muscles."""

    kind: Literal["exercise", "emg-assist"]
    """`exercise`: repetitions by the clock or at the person's own try. `emg-assist`: the person's muscle
    signal shapes the current."""
    programme: str
    """The programme file; a relative path is taken from the session file's folder."""
    mains_hz: Literal[50, 60] = 50
    """Frequency of the mains, which is taken off the muscle signals."""
    muscles: tuple[MuscleSection, ...] = Field(min_length=1, max_length=8, strict=False)
    """One table for each muscle of the programme."""


class ExerciseFile(RigFile):
    therapy: ExerciseTherapySection
