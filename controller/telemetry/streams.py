"""The live streams of MQTT: which values go out under which name, and how often."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version

import msgspec

from controller.core.exercise.exercise_core import ExerciseCore
from controller.core.exercise.programme import ExerciseParams
from controller.core.signals import ExerciseView
from controller.record.live import Live, LiveStatus

LIVE_PERIOD_S = 0.1  # dashboards take 10 Hz at most


def streams(status: LiveStatus) -> dict[str, dict[str, float | None]]:
    """The MQTT streams of a status: flat, stable keys, every number a float. ``exercise`` in place of
    ``gait`` in a session that runs a programme. In a blinded arm nothing of what current would tell.
    """
    if status.blinded:
        status = replace(
            status,
            commanded_ma=None,
            applied_ma=None,
            width_us=None,
            sensor_to_pulse_p50_ms=None,
            sensor_to_pulse_p99_ms=None,
        )
    return {
        **(_gait(status) if status.exercise is None else {"exercise": _exercise(status.exercise)}),
        "stimulation": {
            "commanded_ma": status.commanded_ma,
            "applied_ma": status.applied_ma,
            "width_us": status.width_us,
            "pulses": None if status.blinded else float(status.pulses),
        },
        "timing": {
            "lateness_p50_us": status.lateness_p50_us,
            "lateness_p99_us": status.lateness_p99_us,
            "sensor_to_pulse_p50_ms": status.sensor_to_pulse_p50_ms,
            "sensor_to_pulse_p99_ms": status.sensor_to_pulse_p99_ms,
            "missed_ticks": float(status.missed_ticks),
            **{f"age_{sensor}_ms": age_ms for sensor, age_ms in status.sensor_age_ms.items()},
        },
    }


def _gait(status: LiveStatus) -> dict[str, dict[str, float | None]]:
    return {
        "gait": {
            "foot_pitch_deg": status.foot_pitch_deg,
            "ankle_deg": status.ankle_deg,
            "reference_pitch_deg": status.reference_pitch_deg,
            "phase_percent": status.phase_percent,
            "swing": float(status.swing),
            "strides": float(status.strides),
        }
    }


def _exercise(view: ExerciseView) -> dict[str, float | None]:
    """Where in its programme; the phase in words is in the events."""
    values: dict[str, float | None] = {
        "on": float(view.phase == "on"),
        "left_s": view.left_s,
        "repetition": float(view.repetition),
        "repetitions": float(view.repetitions),
        "broken_off": float(view.broken_off),
        "missed": float(view.missed),
    }
    for one in view.muscles:
        values[f"{one.muscle}_commanded_ma"] = one.current_ma
        values[f"{one.muscle}_set_ma"] = one.set_ma
        values[f"{one.muscle}_contractions"] = float(one.contractions)
    return values


def idle_programme(core_params: str) -> ExerciseView | None:
    """A programme before its begin, from the head of a recording; None for gait assist."""
    try:
        params = msgspec.json.decode(core_params.encode(), type=ExerciseParams)
    except msgspec.DecodeError:
        return None
    return ExerciseCore(params).seen()


def description(session: dict[str, str]) -> bytes:
    """What the streams hold: the unit of a value is the last part of its name."""
    empty = replace(Live().status(0, "ok"), exercise=idle_programme(session.get("core_params", "")))
    return msgspec.json.encode(
        {
            "session": session.get("session", ""),
            "version": version("dorsi"),
            "rate_hz": 1 / LIVE_PERIOD_S,
            "streams": {name: sorted(values) for name, values in streams(empty).items()},
        }
    )
