"""The exercise programmes there are: what each does, for whom, and why a stimulator could not give it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from controller.commands.exercise import PROGRAMMES, VIRTUAL_STIMULATOR, virtual_session_text
from controller.commands.exercise_check import exercise_reasons
from controller.config.exercise import exercise_params, load_exercise, too_long_words
from controller.config.exercise_facts import ContractionFacts, ProgrammeFacts, Reason
from controller.config.exercise_schema import ProgrammeFile
from controller.config.loader import read_file
from controller.errors import ConfigError
from drivers.catalogue import STIMULATORS


def stimulator_name(device: str) -> str:
    """As its maker calls it. Raises ConfigError on a device that the catalogue does not have."""
    if device not in STIMULATORS:
        raise ConfigError([f"stimulator: found {device!r}, allowed: {', '.join(STIMULATORS)}"])
    return STIMULATORS[device].capability.name


def all_programmes(device: str = VIRTUAL_STIMULATOR, folder: Path = PROGRAMMES) -> Iterator[ProgrammeFacts]:
    """Those of a folder, by name, held against this stimulator with the virtual person's currents."""
    for path in sorted(folder.glob("*.toml")):
        yield programme_facts(path.resolve(), device)


def programme_facts(path: Path, device: str) -> ProgrammeFacts:
    """One programme file; one that cannot be read has its name, and why."""
    try:
        file, _ = read_file(path, ProgrammeFile)
    except ConfigError as error:
        nothing = ProgrammeFacts(path.stem, path.stem, "", "", "", None, 0, 0, None, ())
        return replace(nothing, cannot=_plain(map(Reason, error.problems), path))
    with tempfile.TemporaryDirectory() as place:
        session_file = Path(place) / "session.toml"
        session_file.write_text(virtual_session_text(path, device), encoding="utf-8")
        try:
            session = load_exercise(session_file)
        except ConfigError as error:
            why = _without_nerve(file, device) or [Reason(line) for line in error.problems]
            return replace(facts_of(path.stem, file, None), cannot=_plain(why, path, session_file))
        why = exercise_reasons(session)
        minutes = exercise_params(session).whole_s / 60.0
        return replace(facts_of(path.stem, file, minutes), cannot=_plain(why, path, session_file))


def facts_of(name: str, file: ProgrammeFile, minutes: float | None) -> ProgrammeFacts:
    """What a programme file says; ``minutes`` is its whole length."""
    prescribed = file.prescription
    return ProgrammeFacts(
        name=name,
        title=file.programme.title,
        kind=file.programme.kind,
        aim=file.programme.aim,
        source=file.programme.source,
        minutes=minutes,
        repetitions=file.repetitions.count,
        warm_up=file.repetitions.warm_up,
        set_of=file.repetitions.set_of,
        contractions=tuple(
            ContractionFacts(
                muscle=one.muscle,
                width_us=one.width_us,
                rate_hz=one.rate_hz,
                on_s=one.ramp_up_s + one.hold_s + one.ramp_down_s,
                carrier_hz=one.carrier_hz,
            )
            for one in file.contractions
        ),
        contractions_per_day=prescribed.contractions_per_day if prescribed else None,
        minutes_per_day=prescribed.minutes_per_day if prescribed else None,
        days_per_week=prescribed.days_per_week if prescribed else None,
    )


def _without_nerve(file: ProgrammeFile, device: str) -> list[Reason]:
    """Long pulses for muscle without a nerve that the stimulator has not: no session can be made of them."""
    most_us = STIMULATORS[device].capability.width_max_us
    return [
        Reason(line, "no_long_pulses", one.muscle, one.width_us, most_us)
        for number, one in enumerate(file.contractions, 1)
        if (line := too_long_words(file, one, number, device))
    ]


def _plain(reasons: Iterable[Reason], *paths: Path) -> tuple[Reason, ...]:
    """Reasons without the paths of the files they are about: the list names the programme."""
    made = tuple(reasons)
    for path in paths:
        where = re.compile(rf"{re.escape(str(path))}(, line \d+)?: ")
        made = tuple(replace(one, text=where.sub("", one.text)) for one in made)
    return made


def programmes_table(found: list[ProgrammeFacts], stimulator: str) -> Table:
    table = Table("name", "programme", "kind", "muscles", "length", f"with {stimulator}", show_lines=True)
    for one in found:
        muscles = "\n".join(
            f"{part.muscle}: {part.width_us:g} us, {part.rate_hz:g} Hz, {part.on_s:g} s on"
            for part in one.contractions
        )
        warm_up = f"{one.warm_up} to warm up, then " if one.warm_up else ""
        lasts = "" if one.minutes is None else f"{one.minutes:.0f} min, "
        length = f"{lasts}{warm_up}{one.repetitions} repetitions" if one.repetitions else ""
        table.add_row(
            one.name,
            "\n".join(
                part for part in (f"[bold]{one.title}[/bold]", one.aim, f"[dim]{one.source}[/dim]") if part
            ),
            one.kind,
            muscles,
            length,
            "[bold red]no:[/bold red] " + "\n".join(why.text for why in one.cannot) if one.cannot else "yes",
        )
    return table
