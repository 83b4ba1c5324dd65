"""The checklist from one session to the next: what was answered last, and today's for a session to come."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from controller.console.setup import progress
from controller.console.setup.progress import SetupState, unanswered


def setup_file(runs: Path, pseudonym: str) -> Path:
    """Where the set-up of a person is kept."""
    return runs / "profiles" / (pseudonym or "unnamed") / "setup.json"


def last_answers(path: Path) -> dict[str, str]:
    """The answers of the last session in which all questions were asked; empty where there were none."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        answers = msgspec.json.decode(path.read_bytes(), type=SetupState).answers
        return {} if unanswered(answers) else answers
    return {}


def answered(path: Path, session: str, answers: Mapping[str, str], by: str) -> SetupState:
    """The set-up of the session to come, with today's answers by ``by``; what was found before stays."""
    state = progress.load(path, session)
    state.by, state.answers = by, dict(answers)
    for step in ("patient", "checklist"):
        state.finish(step)
    return state
