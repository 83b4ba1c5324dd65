"""What a session's folder says without its recording being read: when it began, and its summary."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from controller.analysis.exercise import ExerciseSummary
from controller.analysis.summary import ArmSummary, Summary

RECORDING, SUMMARY = "session.mcap", "summary.json"
STAMP = re.compile(r"(\d{8}T\d{6}Z)(?:-\d+)?")  # how a folder of runs/ is named, UTC
STAMP_FORMAT = "%Y%m%dT%H%M%SZ"


def begun_utc(name: str) -> datetime | None:
    """When the session of that folder began; None where its name is no stamp."""
    stamp = STAMP.fullmatch(name)
    if stamp is None:
        return None
    try:
        return datetime.strptime(stamp.group(1), STAMP_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def arm_summaries(folder: Path) -> tuple[ArmSummary, ...]:
    """Empty where there are none yet, or the recording is of an exercise."""
    try:
        return msgspec.json.decode((folder / SUMMARY).read_bytes(), type=Summary).arms
    except (OSError, msgspec.DecodeError, RecursionError):
        return ()


def exercise_summary(folder: Path) -> ExerciseSummary | None:
    """None where there is none yet, or the recording is of a walk."""
    try:
        return msgspec.json.decode((folder / SUMMARY).read_bytes(), type=ExerciseSummary)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None
