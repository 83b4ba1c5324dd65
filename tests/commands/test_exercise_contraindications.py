"""`dorsi config check` of a programme: which conditions forbid it, in words, with file, line and source."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.commands.config_check import objections
from controller.commands.exercise import PROGRAMMES, VIRTUAL_PERSON, virtual_session_text
from controller.config.exercise import load_exercise
from controller.errors import ConfigError

GOOD = sorted(path.stem for path in PROGRAMMES.glob("*.toml"))


def _found(programme: str, answer: str, folder: Path) -> list[str]:
    """What speaks against a programme where the person's file answers ``answer``, as ``heart = "yes"``."""
    patient, session = folder / "patient.toml", folder / "session.toml"
    key = answer.partition(" =")[0]
    text = VIRTUAL_PERSON.read_text(encoding="utf-8")
    patient.write_text(text.replace(f'{key} = "no"', answer), encoding="utf-8")
    text = virtual_session_text(PROGRAMMES / f"{programme}.toml").replace(str(VIRTUAL_PERSON), str(patient))
    session.write_text(text, encoding="utf-8")
    return objections(load_exercise(session))


@pytest.mark.parametrize(
    ("programme", "answer", "words"),
    [
        ("shoulder_subluxation", 'heart = "accepted"', ("at the shoulder", "chest", "Endomed")),
        ("shoulder_subluxation", 'epilepsy = "accepted"', ("at the shoulder", "neck", "Endomed")),
        ("comfort_tens", 'sensation = "accepted"', ("(comfort)", "felt", "DSDC2CA")),
        ("wrist_extension", 'pacemaker = "accepted"', ("heartbeats", "allowed: 'no'")),
    ],
)
def test_a_condition_that_forbids_a_programme_is_told_with_why_and_by_whom(
    programme: str, answer: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    (line,) = _found(programme, answer, tmp_path)
    assert "patient.toml, line" in line
    assert f"checklist.{answer.partition(' =')[0]}: found 'accepted'" in line
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    ("programme", "answer"),
    [
        ("wrist_extension", 'heart = "accepted"'),
        ("quadriceps_strengthening", 'epilepsy = "accepted"'),
        ("dorsiflexion_seated", 'sensation = "accepted"'),
    ],
)
def test_what_a_clinician_accepted_is_enough_elsewhere(programme: str, answer: str, tmp_path: Path) -> None:
    assert _found(programme, answer, tmp_path) == []


@pytest.mark.parametrize("programme", GOOD)
def test_a_yes_forbids_every_programme(programme: str, tmp_path: Path) -> None:
    try:
        found = _found(programme, 'heart = "yes"', tmp_path)
    except ConfigError:  # a device that cannot give it at all
        return
    assert any("checklist.heart: found 'yes', which forbids stimulation" in line for line in found)
