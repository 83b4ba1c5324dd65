"""One session's rows of the catalogue, from its summary or, where it has none, its recording."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from controller.analysis.exercise import ExerciseSummary, is_exercise, summarise_exercise
from controller.analysis.session_figures import median, stimulated, weight
from controller.analysis.session_folder import RECORDING, arm_summaries, begun_utc, exercise_summary
from controller.analysis.summary import ArmSummary, summarise
from controller.errors import InputError
from controller.record.reader import header, messages
from controller.record.records import Clock
from controller.record.wall_clock import WallClock, utc

Row = dict[str, object]  # by the names of controller.analysis.catalogue.COLUMNS


def rows_of(session: Path) -> list[Row]:
    """Those of one session, read anew."""
    recording = session / RECORDING
    try:
        head = header(recording)
        begun = begun_utc(session.name) or _clock_begin(recording)
        common: Row = {
            "session": head.get("session", session.name),
            "pseudonym": head.get("pseudonym", ""),
            "begun_utc": begun.strftime("%Y-%m-%dT%H:%M:%SZ") if begun else None,
            "virtual": head.get("virtual") == "yes",
        }
        if is_exercise(recording):
            return [{**common, **_exercise(exercise_summary(session) or summarise_exercise(recording))}]
        arms = arm_summaries(session) or summarise(recording).arms
        figured = stimulated(arms)
        return [{**common, **_arm(arm), "in_figures": any(arm is each for each in figured)} for arm in arms]
    except InputError as error:
        return [{"session": session.name, "pseudonym": "", "problem": str(error)}]


def _arm(arm: ArmSummary) -> Row:
    return {
        "therapy": "walk",
        "arm": arm.label or arm.mode,
        "mode": arm.mode,
        "blinded": arm.blinded,
        "seconds": arm.seconds,
        "strides": arm.strides,
        "counted_strides": weight(arm),
        "unlifted_swings": arm.unlifted_swings,
        "swing_error_deg": median(arm.swing_pitch_rmse_deg),
        "peak_dorsiflexion_deg": median(arm.peak_swing_dorsiflexion_deg),
        "contact_pitch_deg": median(arm.foot_pitch_at_initial_contact_deg),
        "charge_per_stride_uc": arm.charge_per_stride_uc,
        "current_ma": median(arm.current_ma),
        "cadence_spm": median(arm.cadence_spm),
        "trips": arm.trips,
        "missed_ticks": arm.missed_ticks,
        "samples_lost": arm.samples_lost,
    }


def _exercise(done: ExerciseSummary) -> Row:
    return {
        "therapy": "exercise",
        "arm": done.title,
        "mode": "programme",
        "blinded": False,
        "seconds": done.seconds,
        "repetitions": done.repetitions,
        "charge_mc": sum(muscle.charge_mc for muscle in done.muscles),
        "current_ma": max((muscle.current_ma for muscle in done.muscles), default=None),
        "trips": done.trips,
        "in_figures": True,
    }


def _clock_begin(recording: Path) -> datetime | None:
    """When the recording began by its own clock."""
    wall, first_ns = WallClock(), None
    for record in (message.record for message in messages(recording, ("clock",))):
        if isinstance(record, Clock):
            first_ns = record.monotonic_ns if first_ns is None else first_ns
            wall.take(record)
    return None if first_ns is None else utc(first_ns, wall.offset_ns)
