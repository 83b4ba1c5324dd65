"""What ``dorsi trial analyse`` and ``dorsi trial replay`` do: figures, and one run again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.commands.results import new_file
from controller.errors import ConfigError, InputError
from controller.studies.comparison import Figures, figures
from controller.studies.gathered import PersonArm, from_recordings, from_study, is_study
from controller.studies.measures import NAMES
from controller.studies.page import About, write_outcomes, write_page, write_pdf, write_persons
from controller.studies.protocol import (
    ComparisonSection,
    OutcomeSection,
    Protocol,
    StudyFile,
    load_protocol,
    load_text,
)
from controller.studies.replay import Replayed, again
from controller.studies.store import PROTOCOL, read_manifest

CSV, HTML, PDF = (".csv",), (".html",), (".pdf",)
UNREGISTERED = "Not registered: figures without a protocol explore, they do not confirm."


@dataclass(frozen=True, slots=True)
class Analysed:
    """What was found, and the files it was written to."""

    figures: Figures
    files: tuple[Path, ...]


def analyse(
    runs: Sequence[Path], protocol: Path | None, out: Path | None, *, pdf: bool, unblind: bool
) -> Analysed:
    """The figures of a study's folder, or of recordings of persons. Raises InputError, ConfigError."""
    if len(runs) == 1 and is_study(runs[0]):
        folder = runs[0]
        if protocol is not None:
            raise InputError(
                str(protocol), "--protocol", "given", "not with a study's folder: it has its own"
            )
        found, about = of_study(folder)
    else:
        folder = _common(runs)
        found, about = of_recordings(runs, protocol, unblind=unblind)
    folder = out or folder
    if not folder.is_dir():
        raise InputError(str(folder), "folder", "not there", "a folder for the tables and the page")
    files = [folder / "persons.csv", folder / "outcomes.csv", folder / "study.html"]
    with new_file(files[0], CSV) as beside:
        write_persons(found, beside)
    with new_file(files[1], CSV) as beside:
        write_outcomes(found, beside)
    with new_file(files[2], HTML) as beside:
        write_page(found, about, beside)
    if pdf:
        files.append(folder / "study.pdf")
        with new_file(files[-1], PDF) as beside:
            write_pdf(found, about, beside)
    return Analysed(found, tuple(files))


def of_study(folder: Path) -> tuple[Figures, About]:
    kept, file = read_manifest(folder), _kept_protocol(folder)
    found = figures(from_study(folder), file.outcomes, file.comparisons)
    registered = ", ".join(f"{name} {count}" for name, count in kept["registered"].items())
    facts = (
        ("persons registered", registered),
        ("protocol", f"sha256 {kept['protocol_sha256']}"),
        ("program", f"commit {kept['commit']}; {_versions(kept['versions'])}"),
        ("strides", f"{file.study.wash_out_strides} wash-out, then {file.study.strides} in each arm"),
    )
    about = About(
        title=f"Study {file.study.name}",
        subtitle="virtual persons, walked by the control core in virtual time",
        question=file.study.question,
        facts=facts,
        replay=f"dorsi trial replay {folder} {{person}} {{arm}}",
    )
    return found, about


def of_recordings(
    recordings: Sequence[Path], protocol: Path | None, *, unblind: bool
) -> tuple[Figures, About]:
    gathered = from_recordings(recordings, unblind=unblind)
    registered = load_protocol(protocol) if protocol is not None else None
    outcomes, comparisons = _asked(registered, gathered)
    facts = [("recordings", str(len(recordings)))]
    facts.append(("protocol", f"sha256 {registered.sha256}" if registered else UNREGISTERED))
    about = About(
        title=f"Trial {registered.name}" if registered else "Trial",
        subtitle=f"{len({one.person for one in gathered})} persons, from their recordings",
        question=registered.file.study.question if registered else "none registered",
        facts=tuple(facts),
    )
    return figures(gathered, outcomes, comparisons), about


def replay(folder: Path, person: str, arm: str) -> Replayed:
    """Walk one run of a study again by the rehearsal, and hold it against the study's tables."""
    kept = read_manifest(folder)
    path = folder / PROTOCOL
    protocol = load_text(path, _text(path), Path(kept["session_file"]))
    if protocol.sha256 != kept["protocol_sha256"]:
        found = f"session file or protocol changed since ({protocol.sha256[:8]})"
        raise InputError(
            kept["session_file"], "protocol", found, f"as walked ({kept['protocol_sha256'][:8]})"
        )
    return again(folder, protocol, person, arm)


def _asked(
    protocol: Protocol | None, gathered: Sequence[PersonArm]
) -> tuple[tuple[OutcomeSection, ...], tuple[ComparisonSection, ...]]:
    """The protocol's; without one every measure, and every arm against the first."""
    if protocol is not None:
        return protocol.file.outcomes, protocol.file.comparisons
    arms = list(dict.fromkeys(one.arm for one in gathered))
    outcomes = tuple(OutcomeSection(measure=name, role="secondary") for name in NAMES)
    return outcomes, tuple(ComparisonSection(arm=arm, against=arms[0]) for arm in arms[1:])


def _kept_protocol(folder: Path) -> StudyFile:
    from controller.config.loader import check_text

    path = folder / PROTOCOL
    return check_text(path, _text(path), StudyFile)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read ({error}), allowed: the study's protocol"]) from None


def _versions(told: str) -> str:
    return ", ".join(f"{name} {version}" for name, version in json.loads(told).items())


def _common(runs: Sequence[Path]) -> Path:
    """The folder of a recording; of several, the one above them."""
    if len(runs) == 1:
        return runs[0].parent
    return Path(*_shared([run.resolve().parent.parts for run in runs]))


def _shared(paths: Sequence[tuple[str, ...]]) -> list[str]:
    shared = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return shared
