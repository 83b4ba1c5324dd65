"""The exercise programmes there are: what each does, for whom, and why a stimulator could not give it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from controller.commands.exercise import PROGRAMMES, VIRTUAL_STIMULATOR, virtual_session_text
from controller.commands.exercise_check import exercise_objections
from controller.config.exercise import ExerciseSession, exercise_params, load_exercise
from controller.config.exercise_facts import ContractionFacts, ProgrammeFacts
from controller.errors import ConfigError


def all_programmes(device: str = VIRTUAL_STIMULATOR, folder: Path = PROGRAMMES) -> Iterator[ProgrammeFacts]:
    """Those of a folder, by name, held against this stimulator with the virtual person's currents."""
    for path in sorted(folder.glob("*.toml")):
        yield programme_facts(path.resolve(), device)


def programme_facts(path: Path, device: str) -> ProgrammeFacts:
    """One programme file; one that cannot be read has its name, and why."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "session.toml"
        try:
            file.write_text(virtual_session_text(path, device), encoding="utf-8")
            session = load_exercise(file)
        except ConfigError as error:
            why = tuple(_plain(line, path) for line in str(error).splitlines())
            return ProgrammeFacts(path.stem, path.stem, "", "", "", 0.0, 0, 0, None, (), why)
        why = tuple(_plain(line, path) for line in exercise_objections(session))
        return facts_of(path.stem, session, why)


def facts_of(name: str, session: ExerciseSession, cannot: tuple[str, ...] = ()) -> ProgrammeFacts:
    """What a checked session's programme is."""
    params, file = exercise_params(session), session.programme
    prescribed = file.prescription
    return ProgrammeFacts(
        name=name,
        title=file.programme.title,
        kind=file.programme.kind,
        aim=file.programme.aim,
        source=file.programme.source,
        minutes=params.whole_s / 60.0,
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
        cannot=cannot,
        contractions_per_day=prescribed.contractions_per_day if prescribed else None,
        minutes_per_day=prescribed.minutes_per_day if prescribed else None,
        days_per_week=prescribed.days_per_week if prescribed else None,
    )


def _plain(line: str, path: Path) -> str:
    """A reason without the path of the file it is about: the list names that."""
    return line.removeprefix(f"{path}: ")


def programmes_table(found: list[ProgrammeFacts], stimulator: str) -> Table:
    table = Table("name", "programme", "kind", "muscles", "length", f"with {stimulator}", show_lines=True)
    for one in found:
        muscles = "\n".join(
            f"{part.muscle}: {part.width_us:g} us, {part.rate_hz:g} Hz, {part.on_s:g} s on"
            for part in one.contractions
        )
        warm_up = f"{one.warm_up} to warm up, then " if one.warm_up else ""
        length = f"{one.minutes:.0f} min, {warm_up}{one.repetitions} repetitions" if one.repetitions else ""
        table.add_row(
            one.name,
            "\n".join(
                part for part in (f"[bold]{one.title}[/bold]", one.aim, f"[dim]{one.source}[/dim]") if part
            ),
            one.kind,
            muscles,
            length,
            "[bold red]no:[/bold red] " + "\n".join(one.cannot) if one.cannot else "yes",
        )
    return table
