"""The checklist from one session to the next: what was answered last."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

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
