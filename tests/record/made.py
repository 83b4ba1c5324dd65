"""Records with plain values, for the tests of recording to vary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from controller.core.signals import Decision, GaitEvent, TickInputs, View
from controller.record.records import GuardVerdict, Pulse, Tick, encode
from controller.record.writer import RecordingWriter
from drivers.interface import ChannelCommand, Command, ImuSample

MS = 1_000_000
SESSION = {"session": "s1", "core_params": '{"gain":0.1}', "mode": "feedback", "seed": "7"}
IDLE_VIEW = View("off", None, False, 0, None, None, None, None, 0.0, 0.0, 0.0, 0.0, 0.0, 0)


def imu(seq: int, arrival_ns: int, sensor: str = "shank") -> ImuSample:
    return ImuSample(sensor, arrival_ns - 5 * MS, arrival_ns, seq, (0.1, 9.81, 1 / 3), (0.0, -0.0, 1e-300))


def tick(
    seq: int,
    *,
    now_ns: int | None = None,
    samples: tuple[ImuSample, ...] = (),
    current_ma: float | None = None,
    events: tuple[GaitEvent, ...] = (),
    view: View = IDLE_VIEW,
    lateness_us: float = 100.0,
    duration_us: float = 400.0,
) -> Tick:
    channel = None if current_ma is None else ChannelCommand(current_ma, 300.0, 40.0)
    return Tick(
        now_ns=seq * 5 * MS if now_ns is None else now_ns,
        seq=seq,
        deadline=seq,
        lateness_us=lateness_us,
        duration_us=duration_us,
        inputs=TickInputs(imu=samples),
        decision=Decision(Command((channel, None)), "as told", events, view),
    )


def verdict(frame_seq: int, *pulses: Pulse, state: str = "active") -> GuardVerdict:
    t_ns = frame_seq * 5 * MS
    return GuardVerdict(frame_seq, t_ns, t_ns + MS // 10, state, "ok", "", (None, None), pulses)


def write(path: Path, *records: tuple[str, int, Any], session: dict[str, str] | None = None) -> Path:
    """Records as the system writes them, or forged ones."""
    writer = RecordingWriter(path, SESSION if session is None else session)
    for topic, t_ns, record in records:
        writer.add(topic, t_ns, encode(record))
    writer.finish()
    writer.close()
    return path
