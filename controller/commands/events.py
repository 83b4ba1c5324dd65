"""The ``dorsi events`` command: online gait events over a recording, as a device would have met them.

Promises causality: each line depends on no sample after its ``emitted_s``, so a prefix of the file gives a
prefix of the lines. Refuses what the recording loader refuses, before the first line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TextIO

from controller.analysis.imu_file import load_sensor_file
from controller.core.gait.detector import GaitDetector
from controller.core.signals import GaitEvent
from controller.errors import InputError
from drivers.interface import Segment, Side, Vec3

PRINTED = frozenset(("initial_contact", "foot_flat", "heel_off", "toe_off"))
SWING_AXES: dict[str, Vec3] = {
    "+x": (1.0, 0.0, 0.0), "-x": (-1.0, 0.0, 0.0), "+y": (0.0, 1.0, 0.0),
    "-y": (0.0, -1.0, 0.0), "+z": (0.0, 0.0, 1.0), "-z": (0.0, 0.0, -1.0),
}  # fmt: skip


def swing_axis(axes: str) -> Vec3 | None:
    """The sensor axis about which the limb swings forward, ``None`` for ``auto``; raises InputError."""
    if axes == "auto":
        return None
    if axes not in SWING_AXES:
        allowed = f"auto, or the sensor axis about which swing turns positively: {', '.join(SWING_AXES)}"
        raise InputError("command line", "--axes", axes, allowed)
    return SWING_AXES[axes]


def run_events(
    file: Path,
    segment: Segment,
    side: Side,
    axes: str = "auto",
    *,
    as_json: bool = False,
    out: TextIO | None = None,
) -> None:
    """Write one line per event of ``file`` to ``out`` (standard output), in the order of emission.

    Times are seconds on the file's clock: ``time_s`` the estimated event, ``emitted_s`` the last sample it
    needed; ``walking`` whether stimulation would follow the event. What is wrong with the sensor, or that
    nothing was found, goes to standard error. Raises InputError where the file or ``axes`` is refused.
    """
    stream = sys.stdout if out is None else out
    detector = GaitDetector(segment, side, swing_axis(axes))
    recording = load_sensor_file(Path(file))
    if not as_json:
        stream.write(f"{'event':<16} {'time_s':>10} {'emitted_s':>10} {'confidence':>10} walking\n")
    found = 0
    for t_ns, acc_mps2, gyr_rps in recording.samples():
        for event in detector.update(t_ns, acc_mps2, gyr_rps):
            if event.kind in PRINTED:
                found += 1
                walking = detector.walking(t_ns)
                stream.write((_json_line if as_json else _table_line)(event, walking=walking))
    for finding in detector.findings():
        sys.stderr.write(f"{finding.text}\n")
    if not found:
        seconds = float(recording.time_s[-1] - recording.time_s[0])
        sys.stderr.write(
            f"No step found in {seconds:.1f} s. Nothing to print; is this the {side} {segment} of someone "
            "who walks, with gravity in the accelerometer?\n"
        )


def _json_line(event: GaitEvent, *, walking: bool) -> str:
    return (
        json.dumps(
            {
                "event": event.kind,
                "time_s": round(event.t_ns * 1e-9, 6),
                "emitted_s": round(event.emitted_ns * 1e-9, 6),
                "confidence": round(event.confidence, 3),
                "walking": walking,
            }
        )
        + "\n"
    )


def _table_line(event: GaitEvent, *, walking: bool) -> str:
    times = f"{event.t_ns * 1e-9:>10.3f} {event.emitted_ns * 1e-9:>10.3f}"
    return f"{event.kind:<16} {times} {event.confidence:>10.2f} {'yes' if walking else 'no'}\n"
