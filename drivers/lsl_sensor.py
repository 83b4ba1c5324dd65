"""A Lab Streaming Layer stream as a sensor: whatever a lab's own software measures, by its channels' names.

Stamps are of the sender's clock and jump both ways (a clock that is set, a computer that slept): they are
judged as a Bluetooth device's are, by :mod:`drivers.clock`. LSL numbers nothing: what its sender left out is
not seen.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Literal, Self

from drivers.clock import DeviceClock
from drivers.interface import ZERO3, DeviceError, EmgFrame, ImuSample, SensorWord, Vec3
from drivers.links.lsl_inlet import OFF_ITS_TIME, STAMP_MAX_S, LslInlet, StreamHead, Values

CONNECT_TIMEOUT_S = 10.0
QUEUE_MAX = 2048
EMG_CHANNELS_MAX = 16
GONE_BACK = "time stamp repeated or gone back"
NOT_A_NUMBER = "a value is not finite"
G = 9.80665
DEGREE = 0.017453292519943295
UNITS: dict[str, dict[str, float]] = {  # as written by others, in lower case without blanks
    "acc": {"m/s^2": 1.0, "m/s2": 1.0, "m/s²": 1.0, "mps2": 1.0, "g": G, "mg": G / 1e3},
    "gyr": {"rad/s": 1.0, "rps": 1.0, "deg/s": DEGREE, "dps": DEGREE, "°/s": DEGREE,
            "degrees/second": DEGREE},
    "emg": {"microvolts": 1e-6, "microvolt": 1e-6, "uv": 1e-6, "µv": 1e-6, "μv": 1e-6, "millivolts": 1e-3,
            "mv": 1e-3, "volts": 1.0, "v": 1.0},
}  # fmt: skip
_NAMES = {"acc": "acc(?:el(?:eration|erometer)?)?", "gyr": "gyro?(?:scope)?|angular ?(?:rate|velocity)"}


def _unit(head: StreamHead, place: int, kind: str) -> float:
    """``ValueError`` where the channel tells none that is known: nothing is guessed."""
    unit = head.units[place].strip().lower().replace(" ", "")
    if unit not in UNITS[kind]:
        known = ", ".join(UNITS[kind])
        raise ValueError(
            f"{head.name}: channel {head.labels[place] or place} has unit {unit or 'none'}, allowed: {known}"
        )
    return UNITS[kind][unit]


def vector_places(head: StreamHead, kind: Literal["acc", "gyr"]) -> tuple[tuple[int, float], ...]:
    """Where x, y and z are, and what makes SI of them. ``ValueError`` names what is missing."""
    found = []
    for axis in "xyz":
        pattern = re.compile(rf"(?:{_NAMES[kind]})[ _.-]*{axis}", re.IGNORECASE)
        places = [place for place, label in enumerate(head.labels) if pattern.fullmatch(label.strip())]
        if len(places) != 1:
            there = ", ".join(label or "unnamed" for label in head.labels)
            raise ValueError(
                f"{head.name}: {len(places)} channels {kind}_{axis}, allowed: one; it has {there}"
            )
        found.append((places[0], _unit(head, places[0], kind)))
    return tuple(found)


def emg_places(head: StreamHead) -> tuple[tuple[int, float], ...]:
    """Every channel whose unit is a voltage. ``ValueError`` where there is none, or it has no rate."""
    if head.rate_hz <= 0.0:
        raise ValueError(f"{head.name}: an irregular rate, allowed: one that the stream names")
    known = UNITS["emg"]
    units = [unit.strip().lower().replace(" ", "") for unit in head.units]
    places = tuple((place, known[unit]) for place, unit in enumerate(units) if unit in known)
    if not 1 <= len(places) <= EMG_CHANNELS_MAX:
        raise ValueError(
            f"{head.name}: {len(places)} channels in volts, allowed: 1 to {EMG_CHANNELS_MAX} with a unit of "
            f"{', '.join(known)}"
        )
    return places


class LslSensor:
    """A :class:`drivers.interface.Sensor`; ``address`` is the stream's name.

    ``async with`` raises :class:`DeviceError` where it is not found in time or is not of its ``kind``. Later
    silence is an invalid sample with a reason, until the stream or another of its name is there again.
    """

    def __init__(self, name: str, address: str, kind: Literal["imu", "emg"]) -> None:
        self.name = name
        self.connect_timeout_s = CONNECT_TIMEOUT_S
        self._address = address
        self._kind = kind
        self._queue: asyncio.Queue[ImuSample | EmgFrame | None] = asyncio.Queue()
        self._inlet: LslInlet | None = None
        self._head: StreamHead | None = None
        self._ready = asyncio.Event()
        self._why = ""  # why there is nothing, as told last
        self._refusal = ""  # why the stream that was found is not taken
        self._places: tuple[tuple[int, float], ...] = ()
        self._clock = DeviceClock(wrap=1 << 62, tick_ns=1)
        self._stamp_ns: int | None = None
        self._seq = -1

    async def __aenter__(self) -> Self:
        self._queue = asyncio.Queue()
        self._ready.clear()
        self._inlet = LslInlet(self._address, self._found, self._came, self._lost)
        self._inlet.start()
        try:
            async with asyncio.timeout(self.connect_timeout_s):
                await self._ready.wait()
            if self._refusal:
                raise DeviceError(self.name, self._refusal, transient=False)
        except TimeoutError:
            await self._inlet.close()
            what = self._why or f"no LSL stream named {self._address}"
            raise DeviceError(self.name, what, transient=True) from None
        except BaseException:
            await self._inlet.close()
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        inlet, self._inlet = self._inlet, None
        if inlet is not None:
            await inlet.close()
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[ImuSample | EmgFrame]:
        while (sample := await self._queue.get()) is not None:
            yield sample

    async def battery_percent(self) -> int | None:
        """Always ``None``: a stream has none."""
        return None

    def words(self) -> list[SensorWord]:
        """Always none."""
        return []

    def _found(self, head: StreamHead) -> None:
        self._head = head
        try:
            if self._kind == "emg":
                self._places = emg_places(head)
            else:
                self._places = (*vector_places(head, "acc"), *vector_places(head, "gyr"))
            self._refusal = ""
        except ValueError as error:
            self._refusal = str(error)
            raise
        finally:
            self._ready.set()

    def _lost(self, why: str) -> None:
        self._why = why
        if self._ready.is_set():
            self._put(self._invalid(why, time.monotonic_ns()))

    def _put(self, sample: ImuSample | EmgFrame) -> None:
        if self._queue.qsize() >= QUEUE_MAX:
            self._queue.get_nowait()
        self._queue.put_nowait(sample)

    def _came(self, samples: Sequence[Values], stamps: Sequence[float], arrival_ns: int) -> None:
        for sample in self.accept(samples, stamps, arrival_ns):
            self._put(sample)

    def _invalid(self, reason: str, arrival_ns: int) -> ImuSample | EmgFrame:
        seq = max(self._seq, 0)
        if self._kind == "emg":
            rate_hz = 0.0 if self._head is None else self._head.rate_hz
            return EmgFrame(self.name, arrival_ns, arrival_ns, seq, rate_hz, (), valid=False, reason=reason)
        return ImuSample(self.name, arrival_ns, arrival_ns, seq, ZERO3, ZERO3, valid=False, reason=reason)

    def accept(
        self, samples: Sequence[Values], stamps: Sequence[float], arrival_ns: int
    ) -> list[ImuSample | EmgFrame]:
        """What came together, each with its stamp in seconds of the sender's clock; never raises."""
        good: list[tuple[int, tuple[float, ...], str]] = []
        made: list[ImuSample | EmgFrame] = []
        for sample, stamp in zip(samples, stamps, strict=False):
            values = self._values(sample)
            if values is None:
                made.append(self._invalid(NOT_A_NUMBER, arrival_ns))
            elif (placed := self._placed(stamp, arrival_ns)) and placed[0] is not None:
                good.append((placed[0], values, placed[1]))
            else:
                made.append(self._invalid(placed[1], arrival_ns))
        if not good:
            return made
        first = self._seq + 1
        self._seq += len(good)
        if self._kind == "imu":
            for place, (t_ns, values, reason) in enumerate(good):
                acc, gyr = _vector(values[:3]), _vector(values[3:])
                seq = first + place
                made.append(ImuSample(self.name, t_ns, arrival_ns, seq, acc, gyr, reason=reason))
            return made
        rate_hz = self._head.rate_hz if self._head is not None else 0.0
        volts = tuple(values for _, values, _ in good)
        made.append(EmgFrame(self.name, good[0][0], arrival_ns, first, rate_hz, volts, reason=good[-1][2]))
        return made

    def _values(self, sample: Values) -> tuple[float, ...] | None:
        """The channels that count, in SI; None where one is no number."""
        values = []
        for place, scale in self._places:
            value = sample[place]
            if isinstance(value, str) or not math.isfinite(value):
                return None
            values.append(value * scale)
        return tuple(values)

    def _placed(self, stamp: float, arrival_ns: int) -> tuple[int | None, str]:
        """Its time here and what is to be told with it; or None and why it is none."""
        if not math.isfinite(stamp) or abs(stamp) > STAMP_MAX_S:
            return None, OFF_ITS_TIME
        mapped = self._clock.map(round(stamp * 1e9), arrival_ns)
        if mapped.doubtful:
            return None, OFF_ITS_TIME
        if self._stamp_ns is not None and not mapped.reset and mapped.device_ns <= self._stamp_ns:
            return None, GONE_BACK
        self._stamp_ns = mapped.device_ns
        return mapped.t_ns, mapped.reason


def _vector(values: Sequence[float]) -> Vec3:
    x, y, z = values
    return x, y, z
