"""The live streams of MQTT: which values go out under which name, and how often."""

from __future__ import annotations

from importlib.metadata import version

import msgspec

from controller.record.live import Live, LiveStatus

LIVE_PERIOD_S = 0.1  # dashboards take 10 Hz at most


def streams(status: LiveStatus) -> dict[str, dict[str, float | None]]:
    """The MQTT streams of a status: flat, stable keys, every number a float."""
    return {
        "gait": {
            "foot_pitch_deg": status.foot_pitch_deg,
            "ankle_deg": status.ankle_deg,
            "reference_pitch_deg": status.reference_pitch_deg,
            "phase_percent": status.phase_percent,
            "swing": float(status.swing),
            "strides": float(status.strides),
        },
        "stimulation": {
            "commanded_ma": status.commanded_ma,
            "applied_ma": status.applied_ma,
            "width_us": status.width_us,
            "pulses": float(status.pulses),
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


def description(session: dict[str, str]) -> bytes:
    """What the streams hold: the unit of a value is the last part of its name."""
    empty = Live().status(0, "ok")
    return msgspec.json.encode(
        {
            "session": session.get("session", ""),
            "version": version("dorsi"),
            "rate_hz": 1 / LIVE_PERIOD_S,
            "streams": {name: sorted(values) for name, values in streams(empty).items()},
        }
    )
