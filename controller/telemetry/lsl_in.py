"""Other programs' LSL streams in the recording: markers as events, numbers as they are.

Their stamps are mapped to this computer's clock and judged as a Bluetooth device's: what does not fit its
arrival is recorded with the arrival's time and says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from controller.record.records import Link, encode
from controller.record.stream_records import Marker, StreamValues
from drivers.clock import DeviceClock
from drivers.interface import DeviceError
from drivers.links.lsl_inlet import OFF_ITS_TIME, STAMP_MAX_S, LslInlet, StreamHead, Values

Keep = Callable[[str, int, bytes], None]  # topic, time, payload
MARKER_BYTES = 1000


class _Stream:
    """One inlet and its clock; ``marks`` where its samples are texts."""

    def __init__(self, name: str, marks: bool, keep: Keep) -> None:
        self._name, self._marks, self._keep = name, marks, keep
        self._clock = DeviceClock(wrap=1 << 62, tick_ns=1)
        self._labels: tuple[str, ...] = ()
        self._heard = 0
        self._told = ""
        self.inlet = LslInlet(name, self._found, self.came, self._lost)

    def _found(self, head: StreamHead) -> None:
        if head.text != self._marks:
            raise ValueError(f"{self._name}: {'texts' if head.text else 'numbers'}, not what was asked for")
        self._labels, self._told = head.labels, ""

    def _lost(self, why: str) -> None:
        """Told once, beside how many samples came before."""
        if why != self._told:
            self._told = why
            self._record("link", Link(time.monotonic_ns(), self._name, self._heard, 0, None, why))

    def came(self, samples: Sequence[Values], stamps: Sequence[float], arrival_ns: int) -> None:
        self._heard += len(samples)
        placed = [self._placed(stamp, arrival_ns) for stamp in stamps]
        if self._marks:
            for sample, (t_ns, valid) in zip(samples, placed, strict=False):
                text = " ".join(str(value) for value in sample)[:MARKER_BYTES]
                reason = "" if valid else OFF_ITS_TIME
                self._record("marker", Marker(t_ns, arrival_ns, self._name, text, valid, reason))
            return
        rows = tuple(
            tuple(value if not isinstance(value, str) and math.isfinite(value) else None for value in sample)
            for sample in samples
        )
        valid = all(fits for _, fits in placed)
        times_ns = tuple(t_ns for t_ns, _ in placed)
        head = (times_ns[0], arrival_ns, self._name, self._labels)
        told = StreamValues(*head, times_ns, rows, valid, "" if valid else OFF_ITS_TIME)
        self._record("lsl/values", told)

    def _placed(self, stamp: float, arrival_ns: int) -> tuple[int, bool]:
        if not math.isfinite(stamp) or abs(stamp) > STAMP_MAX_S:
            return arrival_ns, False
        mapped = self._clock.map(round(stamp * 1e9), arrival_ns)
        return mapped.t_ns, not mapped.doubtful

    def _record(self, topic: str, record: Link | Marker | StreamValues) -> None:
        self._keep(topic, record.t_ns, encode(record))


class LslListener:
    """Listens from ``listen`` on, within an event loop, until ``close``."""

    def __init__(self, markers: Sequence[str], shown: Sequence[str]) -> None:
        self._wanted = [(name, True) for name in markers] + [(name, False) for name in shown]
        self._streams: list[_Stream] = []

    def listen(self, keep: Keep) -> None:
        for name, marks in self._wanted:
            try:
                stream = _Stream(name, marks, keep)
            except DeviceError as error:
                now_ns = time.monotonic_ns()
                keep("link", now_ns, encode(Link(now_ns, name, 0, 0, None, error.what)))
                continue
            self._streams.append(stream)
            stream.inlet.start()

    async def close(self) -> None:
        for stream in self._streams:
            await stream.inlet.close()
