"""A search for gains: which settings may move how far, in which persons, and what no sample may break.

One TOML file, read strictly: what it got wrong is named before anything walks. Its hash covers every number
that decides a result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
from pydantic import Field

from controller.config.core_params import core_params
from controller.config.loader import place_of, read_file
from controller.config.section import NAME, Section
from controller.config.session import load_session
from controller.config.tunable_ranges import tunable
from controller.config.tunables import USED_BY, Allowed, values
from controller.core.params import CoreParams
from controller.errors import ConfigError
from controller.studies.measures import NAMES

Steered = Literal["trapezoid", "feedback", "learning", "as-needed"]


class SearchSection(Section):
    """What is searched for, and how long."""

    name: str = Field(pattern=NAME)
    """Of the search; its results go to `runs/NAME-HASH`."""
    session_file: str
    """Session file whose settings the search begins from, and whose limits hold."""
    mode: Steered
    """The control law."""
    samples: int = Field(ge=2, le=10_000)
    """How many sets of gains are tried; the first is the session's own."""
    strides: int = Field(ge=5, le=1000)
    """Strides walked by each person after the wash-out, with each set, plain and disturbed."""
    wash_out_strides: int = Field(5, ge=0, le=200)
    """Strides walked first, which count in no figure."""
    seed: int = Field(1, ge=0, le=2**31 - 1)
    """Of what is tried. The same file finds the same."""


class PersonsSection(Section):
    """Who walks. With `of = "patient"` the core is told the session's identified numbers, and the bodies are
    drawn about them; the spreads are standard deviations."""

    of: Literal["cohort", "patient"] = "cohort"
    """Persons of a population, each identified anew; or the session's person, as far as they are known."""
    seed: int = Field(ge=0, le=2**31 - 1)
    """Of the population, or of what is drawn."""
    first: int = Field(0, ge=0, le=1_000_000)
    """Number of the first person."""
    patients: int = Field(ge=1, le=1000)
    """How many persons, or bodies that are drawn."""
    half_point_sd: float = Field(0.05, ge=0, le=0.5, allow_inf_nan=False)
    """Of the patient: spread of the current at half recruitment, as a share."""
    torque_sd: float = Field(0.2, ge=0, le=1, allow_inf_nan=False)
    """Of the patient: spread of the largest torque, as a share."""
    stiffness_sd: float = Field(0.15, ge=0, le=1, allow_inf_nan=False)
    """Of the patient: spread of the ankle's passive stiffness, as a share."""
    delay_sd_ms: float = Field(4.0, ge=0, le=30, allow_inf_nan=False)
    """Of the patient: spread of the muscle's delay."""


class GainSection(Section):
    """A setting that is searched, by its full name: one that can be changed while a session runs."""

    key: str
    """As `learning.step` (docs/configuration.md)."""
    low: float = Field(allow_inf_nan=False)
    """The least that is tried."""
    high: float = Field(allow_inf_nan=False)
    """The most that is tried. The session's own value lies between the two."""
    log: bool = False
    """Whether factors are tried evenly, not differences."""


class ConstraintSection(Section):
    """What no person may miss with the gains that are proposed: of their own strides' mean, walked plain."""

    measure: str
    """Name of the measure (docs/trials.md)."""
    least: float | None = Field(None, allow_inf_nan=False)
    """Not less than this."""
    most: float | None = Field(None, allow_inf_nan=False)
    """Not more than this."""


class SearchFile(Section):
    search: SearchSection
    persons: PersonsSection
    gains: tuple[GainSection, ...] = Field(min_length=1, max_length=12, strict=False)
    """One table a setting."""
    constraints: tuple[ConstraintSection, ...] = Field((), max_length=12, strict=False)
    """One table a constraint."""


@dataclass(frozen=True, slots=True)
class Search:
    """A checked search; ``base`` is what the session file tells the core, ``present`` what is searched."""

    path: Path
    file: SearchFile
    base: CoreParams
    present: Mapping[str, float]
    pseudonym: str
    speed_mps: float
    sha256: str

    @property
    def name(self) -> str:
        return self.file.search.name


def load_search(path: Path) -> Search:
    """Read and check a search and the session file it names. Raises ConfigError with every fault found."""
    file, text = read_file(path, SearchFile)
    session = load_session(path.parent / file.search.session_file)
    base = core_params(session, file.search.mode)
    allowed, own = tunable(session), values(base)
    problems = [
        *(
            fault
            for number, gain in enumerate(file.gains)
            for fault in _gain_faults(
                partial(place_of, path, text, "gains", number), gain, allowed, own, file.search.mode
            )
        ),
        *(
            f"{place_of(path, text, 'gains', number, 'key')}: found {gain.key!r} again, allowed: each once"
            for number, gain in enumerate(file.gains)
            if gain.key in [one.key for one in file.gains[:number]]
        ),
        *(
            fault
            for number, one in enumerate(file.constraints)
            for fault in _constraint_faults(path, text, number, one)
        ),
    ]
    if problems:
        raise ConfigError(problems)
    table = file.model_dump()
    del table["search"]["session_file"], table["search"]["samples"]  # more samples go on with the same search
    told = json.dumps([table, json.loads(msgspec.json.encode(base))], sort_keys=True)
    present = {gain.key: own[gain.key] for gain in file.gains}
    person = session.patient
    return Search(
        path,
        file,
        base,
        present,
        person.patient.pseudonym,
        person.reference.speed_mps,
        hashlib.sha256(told.encode()).hexdigest(),
    )


def _gain_faults(
    at: Callable[[str], str],
    gain: GainSection,
    allowed: Mapping[str, Allowed],
    own: Mapping[str, float],
    mode: str,
) -> list[str]:
    """``at`` tells where a key of this table stands."""
    bounds = allowed.get(gain.key)
    if bounds is None:
        return [f"{at('key')}: found {gain.key!r}, allowed: {', '.join(sorted(allowed))}"]
    group = gain.key.partition(".")[0]
    if mode not in USED_BY[group]:
        return [f"{at('key')}: found {gain.key!r}, allowed in mode {mode!r}: a setting that it uses"]
    found = [
        f"{at(key)}: found {value:g}, allowed: {bounds}"
        for key, value in (("low", gain.low), ("high", gain.high))
        if not bounds.low <= value <= bounds.high
    ]
    if not gain.low < gain.high:
        found.append(f"{at('high')}: found {gain.high:g}, allowed: more than low, {gain.low:g}")
    elif not gain.low <= own[gain.key] <= gain.high:
        found.append(
            f"{at('low')}: found {gain.low:g} to {gain.high:g}, allowed: a range with the session's own "
            f"{own[gain.key]:g} in it"
        )
    if gain.log and gain.low <= 0.0:
        found.append(f"{at('low')}: found {gain.low:g} with log, allowed: more than 0")
    return found


def _constraint_faults(path: Path, text: str, number: int, one: ConstraintSection) -> list[str]:
    place = place_of(path, text, "constraints", number, "measure")
    if one.measure not in NAMES:
        return [f"{place}: found {one.measure!r}, allowed: {', '.join(NAMES)}"]
    if (one.least is None) == (one.most is None):
        return [f"{place}: found {'neither' if one.least is None else 'both'}, allowed: least or most"]
    return []
