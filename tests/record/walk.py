"""A made-up walk as a recording: two arms of a virtual body whose curves are plain formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from controller.core.signals import EventKind, GaitEvent
from controller.record.compact import recompact
from controller.record.records import Arm, Clock, GuardEvent, Pulse, Record, TrueStride, Truth, encode
from controller.record.writer import RecordingWriter
from tests.record.made import IDLE_VIEW, MS, imu, tick, verdict

STRIDE_MS = 1200
TOE_OFF = 0.62
SESSION = {
    "session": "walk",
    "version": "0.1.0",
    "mode": "compare",
    "seed": "7",
    "config": '[session]\nsite = "test"  # <not> markup & not escaped\n',
}
EVENTS: dict[int, EventKind] = {
    0: "initial_contact",
    120: "foot_flat",
    480: "heel_off",
    int(TOE_OFF * STRIDE_MS) // 20 * 20: "toe_off",
}


def pitch_deg(phase: float, drop_deg: float) -> float:
    """Foot pitch: toe up at contact, flat, far down at toe-off, ``drop_deg`` short of level in swing."""

    def bump(centre: float, width: float) -> float:
        near = (phase - centre + 0.5) % 1.0 - 0.5
        return math.exp(-((near / width) ** 2))

    return 17.0 * bump(0.0, 0.06) - 64.0 * bump(0.66, 0.1) - drop_deg * bump(0.93, 0.12)


def record_walk(path: Path, *, strides: int = 8, curve: Callable[[float, float], float] = pitch_deg) -> Path:
    """Two arms of ``strides`` strides: ``off`` with 14 deg of drop foot, ``feedback`` with 2 deg."""
    path.write_bytes(_walked(strides, curve))
    return path


@lru_cache(maxsize=16)
def _walked(strides: int, curve: Callable[[float, float], float]) -> bytes:
    """The file, made once for all that ask for the same walk."""
    with TemporaryDirectory() as folder:
        return _record(Path(folder) / "walk.mcap", strides, curve).read_bytes()


def _record(path: Path, strides: int, curve: Callable[[float, float], float]) -> Path:
    writer = RecordingWriter(path, {**SESSION, "core_params": _reference(curve)})

    def add(topic: str, t_ns: int, record: Record) -> None:
        writer.add(topic, t_ns, encode(record))

    begin_ns = 1000 * MS
    for mode, drop_deg, current_ma in (("off", 14.0, None), ("feedback", 2.0, 24.0)):
        end_ns = begin_ns + (strides + 1) * STRIDE_MS * MS
        add("arm", begin_ns, Arm(begin_ns, "begin", mode, 7))
        add("clock", begin_ns, Clock(begin_ns, 1_800_000_000 * 1000 * MS + begin_ns, begin_ns))
        add("guard/event", begin_ns, GuardEvent(begin_ns, "state", "armed", "armed by <demo>"))
        for k in range((end_ns - begin_ns) // (5 * MS)):
            _record_tick(add, begin_ns, k, (mode, drop_deg, current_ma), curve)
        for stride in range(strides):
            start_ns = begin_ns + stride * STRIDE_MS * MS
            made = TrueStride(
                start_ns,
                start_ns + int(TOE_OFF * STRIDE_MS) * MS,
                start_ns + STRIDE_MS * MS,
                ankle_at_initial_contact_deg=-drop_deg + 0.3 * math.sin(stride),
                foot_pitch_at_initial_contact_deg=17.0 - drop_deg,
                peak_swing_dorsiflexion_deg=3.0 - drop_deg / 2,
                swing_pitch_rmse_deg=drop_deg / 2,
                forefoot_contact=drop_deg > 10,
            )
            add("world/stride", made.next_initial_contact_ns, made)
        add("arm", end_ns, Arm(end_ns, "end", mode, 7))
        begin_ns = end_ns + 500 * MS
    trip = GuardEvent(end_ns - 1, "trip", "tripped", "foot sensor silent for 150 ms; stopped", "F1")
    add("guard/event", trip.t_ns, trip)
    writer.finish()
    writer.close()
    recompact(path)  # as a session ends; other tests' recordings are as they were written before
    return path


def _record_tick(
    add: Callable[[str, int, Record], None],
    begin_ns: int,
    k: int,
    arm: tuple[str, float, float | None],
    curve: Callable[[float, float], float],
) -> None:
    mode, drop_deg, current_ma = arm
    now_ns = begin_ns + k * 5 * MS
    at_ms = k * 5 % STRIDE_MS
    stride = k * 5 // STRIDE_MS
    phase = at_ms / STRIDE_MS
    drop_deg *= 1.0 + 0.15 * math.sin(2.4 * stride)
    swing = phase > TOE_OFF
    stimulated = current_ma is not None and (phase > 0.5 or phase < 0.08)
    wanted_ma = current_ma * (1.0 + 0.1 * math.sin(9 * phase)) if current_ma and stimulated else None
    kind = EVENTS.get(at_ms)
    events = (GaitEvent(kind, now_ns - 10 * MS, now_ns),) if kind else ()
    view = replace(
        IDLE_VIEW,
        mode=mode,
        phase_percent=100 * phase,
        swing=swing,
        strides=stride,
        foot_pitch_deg=curve(phase, drop_deg) + 1.0,
        ankle_deg=6.0 * math.sin(6.28 * phase) - drop_deg * (phase > 0.7),
        reference_pitch_deg=curve(phase, 0.0),
    )
    late_us = 80.0 + 60.0 * abs(math.sin(k * 1.7))
    samples = (imu(k // 2, now_ns - 2 * MS, "foot"),) if k % 2 == 0 else ()
    made = tick(k, now_ns=now_ns, samples=samples, current_ma=wanted_ma, events=events, view=view)
    add("tick", now_ns, replace(made, lateness_us=late_us, duration_us=300.0 + 40.0 * math.cos(k)))
    pulses = ()
    if wanted_ma is not None and k % 5 == 0:
        pulses = (Pulse(now_ns + 600_000 + k % 7 * 90_000, 0, wanted_ma, 300.0, k % 64),)
    add("guard/verdict", now_ns, replace(verdict(k, *pulses), t_ns=now_ns))
    if k % 2 == 0:
        foot_deg = curve(phase, drop_deg)
        ankle_deg = 6.0 * math.sin(6.28 * phase) - drop_deg * (phase > 0.7)
        made_truth = Truth(now_ns, foot_deg, foot_deg - ankle_deg, ankle_deg, 0.0, 0.0, 100 * phase, swing)
        add("world/truth", now_ns, made_truth)


def _reference(curve: Callable[[float, float], float]) -> str:
    grid = [k / 50 for k in range(51)]
    reference = {
        "foot_pitch_deg": [curve(phase, 0.0) for phase in grid],
        "shank_pitch_deg": [curve(phase, 0.0) - 6.0 * math.sin(6.28 * phase) for phase in grid],
        "knee_flexion_deg": [20.0 for _ in grid],
        "toe_off_percent": 100 * TOE_OFF,
        "heel_off_percent": 40.0,
    }
    return msgspec.json.encode({"reference": reference}).decode()
