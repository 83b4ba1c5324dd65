"""A study's protocol: what is asked, of whom, in which arms, by which outcomes; one TOML file, read strictly.

Refuses, before anything walks, an arm or outcome that is not known, seeds that overlap, gains out of their
range. Its hash covers every number that decides a result.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from pydantic import Field

from controller.config.core_params import core_params
from controller.config.loader import check_text, place_of, read_file
from controller.config.section import NAME, Section
from controller.config.session import Session, load_session
from controller.config.tunable_ranges import tunable
from controller.config.tunables import objections, with_values
from controller.core.params import CoreParams
from controller.core.signals import GaitMode
from controller.errors import ConfigError
from controller.studies.compared_laws import ComparedLaw
from controller.studies.measures import NAMES
from drivers.interface import Segment


class StudySection(Section):
    """What is asked, and how long everybody walks."""

    name: str = Field(pattern=NAME)
    """Of the study; its results go to `runs/NAME-HASH`."""
    question: str = Field(min_length=10, max_length=500)
    """What the study is to answer, in a sentence."""
    session_file: str
    """Session file whose gains, pulses and limits all arms begin from."""
    strides: int = Field(ge=2, le=10_000)
    """Strides walked in each arm after the wash-out."""
    wash_out_strides: int = Field(0, ge=0, le=200)
    """Strides walked first, which count in no figure."""


class CohortSection(Section):
    """Virtual persons of one population; each is identified by the three tests before it walks."""

    name: str = Field(pattern=NAME)
    """Of the cohort, in tables and reports."""
    seed: int = Field(ge=0, le=2**31 - 1)
    """Of the population. The same seed and number is the same person."""
    first: int = Field(0, ge=0, le=1_000_000)
    """Number of the first person."""
    patients: int = Field(ge=1, le=1_000_000)
    """How many persons, from the first on. No two cohorts may share a person."""


class FaultsSection(Section):
    """What goes wrong in an arm, in every person alike. Nothing, where it is left out."""

    samples_lost_share: float = Field(0.0, ge=0, le=0.5, allow_inf_nan=False)
    """Share of the sensors' samples that never arrive."""
    electrode_factor: float = Field(1.0, ge=0.5, le=2, allow_inf_nan=False)
    """Factor on the current that the electrodes need, from `after_strides` on: a pad that shifts."""
    after_strides: int = Field(0, ge=0, le=10_000)
    """Strides walked before the electrodes shift."""
    stiffness_factor: float = Field(1.0, ge=0.2, le=5, allow_inf_nan=False)
    """Factor on the ankle's passive stiffness, which the core is not told."""
    delay_more_ms: float = Field(0.0, ge=0, le=60, allow_inf_nan=False)
    """Added to the muscle's delay, which the core is not told."""
    believed_torque_factor: float = Field(1.0, ge=0.2, le=5, allow_inf_nan=False)
    """Factor on the torque that the identification found: a wrong identification."""


class StudyArmSection(Section):
    """One way of walking. Every person walks every arm, each from the beginning."""

    name: str = Field(pattern=NAME)
    """Of the arm, in comparisons and tables."""
    mode: GaitMode
    """The control law."""
    instead: ComparedLaw | None = None
    """In mode `learning`: a law to compare with in its place, which no session has (docs/trials.md)."""
    sensors: tuple[Segment, ...] = Field(("foot", "shank"), min_length=1, max_length=2, strict=False)
    """Segments with a sensor."""
    current: Literal["session", "titrated"] = "session"
    """The trapezoid's current: the session file's, or for each person the best of five, tried on eight
    strides."""
    gains: dict[str, float] = Field(default_factory=dict)
    """Settings of the session file that differ in this arm, by their full name: those that can be changed
    while a session runs (docs/configuration.md), within their ranges."""
    faults: FaultsSection = Field(default_factory=lambda: FaultsSection.model_validate({}))


class OutcomeSection(Section):
    """What is judged, registered before the first run. Exactly one is primary."""

    measure: str
    """Name of the measure (docs/trials.md)."""
    role: Literal["primary", "secondary"]
    """The primary outcome answers the question."""
    person: Literal["mean", "median"] = "mean"
    """How a person's counted strides become one value."""


class ComparisonSection(Section):
    """Two arms of the same persons: differences are ``arm`` minus ``against``."""

    arm: str
    """Name of an arm."""
    against: str
    """Name of another arm."""


class StudyFile(Section):
    study: StudySection
    cohorts: tuple[CohortSection, ...] = Field(min_length=1, max_length=20, strict=False)
    """One table a cohort."""
    arms: tuple[StudyArmSection, ...] = Field(min_length=1, max_length=20, strict=False)
    """One table an arm."""
    outcomes: tuple[OutcomeSection, ...] = Field(min_length=1, max_length=20, strict=False)
    """One table an outcome."""
    comparisons: tuple[ComparisonSection, ...] = Field((), max_length=100, strict=False)
    """One table a comparison."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A checked protocol; ``base`` is what the session file tells the core, ``sha256`` covers both."""

    path: Path
    text: str
    file: StudyFile
    base: CoreParams
    sha256: str

    @property
    def name(self) -> str:
        return self.file.study.name

    @property
    def walked_strides(self) -> int:
        """Of every arm, the wash-out's too."""
        return self.file.study.wash_out_strides + self.file.study.strides

    def params(self, arm: StudyArmSection) -> CoreParams:
        """What an arm tells the core, before the person's own numbers."""
        changed = with_values(self.base, arm.gains)
        placements = tuple(p for p in changed.placements if p.segment in arm.sensors)
        return dataclasses.replace(changed, mode=arm.mode, placements=placements)


def load_protocol(path: Path) -> Protocol:
    """Read and check a protocol and the session file it names. Raises ConfigError with every fault found."""
    file, text = read_file(path, StudyFile)
    return _checked(path, text, file, path.parent / file.study.session_file)


def load_text(path: Path, text: str, session_file: Path) -> Protocol:
    """The same from a copy of the file, with its session file elsewhere."""
    return _checked(path, text, check_text(path, text, StudyFile), session_file)


def _checked(path: Path, text: str, file: StudyFile, session_file: Path) -> Protocol:
    session = load_session(session_file)
    problems = [
        *_twice(path, text, "arms", "name", [arm.name for arm in file.arms]),
        *_twice(path, text, "cohorts", "name", [cohort.name for cohort in file.cohorts]),
        *_overlaps(path, text, file.cohorts),
        *_outcome_faults(path, text, file.outcomes),
        *_comparison_faults(path, text, file),
        *_arm_faults(path, text, file.arms, session),
    ]
    if problems:
        raise ConfigError(problems)
    base = core_params(session)
    return Protocol(path, text, file, base, _hash(file, base))


def _hash(file: StudyFile, base: CoreParams) -> str:
    """Over the protocol's values (not its comments and paths) and the core's numbers it begins from."""
    table = file.model_dump()
    del table["study"]["session_file"]
    for arm in table["arms"]:
        if arm["instead"] is None:  # as before there was such a key: studies walked then stay what they were
            del arm["instead"]
    told = json.dumps([table, json.loads(msgspec.json.encode(base))], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _twice(path: Path, text: str, table: str, key: str, names: list[str]) -> list[str]:
    """A name that an earlier table has already."""
    return [
        f"{place_of(path, text, table, number, key)}: found {name!r} again, allowed: each once"
        for number, name in enumerate(names)
        if name in names[:number]
    ]


def _overlaps(path: Path, text: str, cohorts: tuple[CohortSection, ...]) -> list[str]:
    """Two cohorts of one seed that share a person: it would count twice, as if it were two."""
    found = []
    for number, one in enumerate(cohorts):
        place = place_of(path, text, "cohorts", number, "seed")
        for other in cohorts[:number]:
            first = max(one.first, other.first)
            end = min(one.first + one.patients, other.first + other.patients)
            if one.seed == other.seed and first < end:
                found.append(
                    f"{place}: {one.name!r} and {other.name!r} share persons {first} to {end - 1} of seed "
                    f"{one.seed}, allowed: another seed, or first = {other.first + other.patients} or more"
                )
    return found


def _outcome_faults(path: Path, text: str, outcomes: tuple[OutcomeSection, ...]) -> list[str]:
    found = [
        f"{place_of(path, text, 'outcomes', number, 'measure')}: found {one.measure!r}, allowed: "
        f"{', '.join(NAMES)}"
        for number, one in enumerate(outcomes)
        if one.measure not in NAMES
    ]
    primary = sum(one.role == "primary" for one in outcomes)
    if primary != 1:
        found.append(f"{place_of(path, text, 'outcomes')}: found {primary} primary, allowed: exactly one")
    return found + _twice(path, text, "outcomes", "measure", [one.measure for one in outcomes])


def _comparison_faults(path: Path, text: str, file: StudyFile) -> list[str]:
    names, found = [arm.name for arm in file.arms], []
    for number, one in enumerate(file.comparisons):
        for key, name in (("arm", one.arm), ("against", one.against)):
            place = place_of(path, text, "comparisons", number, key)
            if name not in names:
                found.append(f"{place}: found {name!r}, which is no arm, allowed: {', '.join(names)}")
            elif key == "against" and name == one.arm:
                found.append(f"{place}: found {name!r} against itself, allowed: another arm")
    return found


def _arm_faults(path: Path, text: str, arms: tuple[StudyArmSection, ...], session: Session) -> list[str]:
    allowed, found = tunable(session), []
    seated = {sensor.segment for sensor in session.imus}
    for number, arm in enumerate(arms):
        place = place_of(path, text, "arms", number, "gains")
        found += [f"{place}: {why}" for why in objections(arm.gains, allowed)]
        if missing := sorted(set(arm.sensors) - seated):
            found.append(
                f"{place_of(path, text, 'arms', number, 'sensors')}: found {missing[0]!r}, allowed: those of "
                f"the session file, {', '.join(sorted(seated))}"
            )
        if arm.instead is not None and arm.mode != "learning":
            found.append(
                f"{place_of(path, text, 'arms', number, 'instead')}: found {arm.instead!r}, allowed in mode "
                f"{arm.mode!r}: none"
            )
        if arm.current == "titrated" and arm.mode != "trapezoid":
            found.append(
                f"{place_of(path, text, 'arms', number, 'current')}: found 'titrated', allowed in mode "
                f"{arm.mode!r}: 'session'"
            )
    return found
