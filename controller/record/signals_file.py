"""A recording's signals for viewers: a file of one topic a signal, with index and times in UTC.

The recording itself has them in tables, which are half as long and which no viewer draws. JSON with schemas,
which Foxglove, PlotJuggler and Rerun draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from mcap.writer import CompressionType, Writer

from controller.core.signals import View
from controller.record.privacy import guard_word
from controller.record.reader import messages
from controller.record.records import Arm, Clock, GuardEvent, GuardVerdict, Pulse, Tick, object_schema
from drivers.interface import ChannelCommand, EmgFrame, ImuSample

LIBRARY = "dorsi"


@dataclass(frozen=True, slots=True)
class Vector:
    x: float
    y: float
    z: float


@dataclass(frozen=True, slots=True)
class Imu:
    """One inertial sample in the sensor's axes, at the time it holds for; invalid ones are left out."""

    acc_mps2: Vector
    gyr_rps: Vector
    seq: int


@dataclass(frozen=True, slots=True)
class Emg:
    """One sample of a sensor's channels; invalid ones are left out."""

    volts: tuple[float, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class Gait:
    """What the core believes at a tick: degrees (toe-up and dorsiflexion +), null where it is not known."""

    phase_percent: float | None
    swing: bool
    strides: int
    foot_pitch_deg: float | None
    ankle_deg: float | None
    reference_pitch_deg: float | None


@dataclass(frozen=True, slots=True)
class Wish:
    """What the core asked of each stimulation channel at a tick; null where off, which is not 0 mA."""

    channels: tuple[ChannelCommand | None, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Happened:
    """A gait event at its own time, or what the guard noted."""

    kind: str
    text: str


Signal = Imu | Emg | Gait | Wish | Pulse | Happened
TOPICS = ("clock", "tick", "guard/verdict", "guard/event")
_ENCODE = msgspec.json.Encoder().encode


def write_signals(recording: Path, out: Path, *, unblind: bool = False) -> int:
    """Write the signals of a recording to the new file ``out``; how many values.

    Of a blinded trial what tells the mode of an arm is left out, unless ``unblind``. Raises InputError as
    the reader does and OSError where the disk says no.
    """
    arms = [message.record for message in messages(recording, ("arm",))]
    secret = not unblind and any(isinstance(arm, Arm) and arm.blinded for arm in arms)
    count, channels = 0, dict[str, int]()
    with out.open("wb") as stream:
        writer = Writer(stream, compression=CompressionType.ZSTD)
        writer.start(library=LIBRARY)
        for count, (topic, utc_ns, signal) in enumerate(_in_utc(recording, secret=secret), 1):
            channel = channels.get(topic)
            if channel is None:
                kind = type(signal)
                schema = writer.register_schema(f"dorsi.{kind.__name__}", "jsonschema", object_schema(kind))
                channel = channels[topic] = writer.register_channel(topic, "json", schema)
            writer.add_message(channel, utc_ns, _ENCODE(signal), utc_ns, count & 0xFFFFFFFF)
        writer.finish()
    return count


def _in_utc(recording: Path, *, secret: bool) -> Iterator[tuple[str, int, Signal]]:
    """Signals before the first look at the clocks wait for it."""
    offset_ns: int | None = None
    waiting: list[tuple[str, int, Signal]] = []
    for message in messages(recording, TOPICS):
        if isinstance(message.record, Clock):
            offset_ns = message.record.utc_ns - message.record.monotonic_ns
            for topic, t_ns, signal in waiting:
                yield topic, t_ns + offset_ns, signal
            waiting.clear()
            continue
        for topic, t_ns, signal in _signals(message.record, secret=secret):
            if offset_ns is None:
                waiting.append((topic, t_ns, signal))
            else:
                yield topic, t_ns + offset_ns, signal
    for topic, t_ns, signal in waiting:
        yield topic, max(t_ns, 0), signal


def _signals(record: object, *, secret: bool) -> Iterator[tuple[str, int, Signal]]:
    """Topic, monotonic time in ns and value of each signal of a record."""
    match record:
        case Tick() as tick:
            for sample in tick.inputs.imu:
                if sample.valid:
                    yield f"/imu/{sample.sensor}", sample.t_ns, _imu(sample)
            for frame in tick.inputs.emg:
                if frame.valid:
                    yield from _emg(frame)
            for event in tick.decision.events:
                yield "/gait/event", event.t_ns, Happened(event.kind, "")
            if tick.decision.view.exercise is None:
                yield "/gait/phase", tick.now_ns, _gait(tick.decision.view)
            if not secret:
                yield "/command", tick.now_ns, Wish(tick.decision.command.channels, tick.decision.reason)
        case GuardVerdict() as verdict if not secret:
            for pulse in verdict.pulses:
                yield "/pulse", pulse.t_ns, pulse
        case GuardEvent() as event if not secret or event.kind == "trip":
            told = guard_word(event)
            yield "/guard", told.t_ns, Happened(told.kind, f"{told.state}: {told.text}")
        case _:
            pass


def _imu(sample: ImuSample) -> Imu:
    return Imu(Vector(*sample.acc_mps2), Vector(*sample.gyr_rps), sample.seq)


def _emg(frame: EmgFrame) -> Iterator[tuple[str, int, Signal]]:
    for place, volts in enumerate(frame.volts):
        t_ns = frame.t_ns + round(place * 1e9 / frame.rate_hz)
        yield f"/emg/{frame.sensor}", t_ns, Emg(volts, frame.seq + place)


def _gait(view: View) -> Gait:
    return Gait(
        view.phase_percent,
        view.swing,
        view.strides,
        view.foot_pitch_deg,
        view.ankle_deg,
        view.reference_pitch_deg,
    )
