"""What a device promises to the rest: samples in, pulses out, in SI units with the unit in every name.

Standard library only, so that the control core and the guard can both rely on it. Broken input is a
value with ``valid=False`` and a reason, never NaN and never an exception inside a loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

Vec3 = tuple[float, float, float]
Quat = tuple[float, float, float, float]
Segment = Literal["foot", "shank"]
Side = Literal["left", "right"]

ZERO3: Vec3 = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class ImuSample:
    """One inertial sample in the sensor's own axes.

    ``t_ns`` is the time that force and rate hold for, the sensor's clock mapped to host monotonic time: where
    a device sends means over an interval, its middle (the attitude ``quat_wxyz`` is then that of its end).
    ``arrival_ns`` is when the radio handed it over (CLOCK_MONOTONIC); ``seq`` counts samples as the device
    made them, so a gap shows as a jump.
    """

    sensor: str
    t_ns: int
    arrival_ns: int
    seq: int
    acc_mps2: Vec3
    gyr_rps: Vec3
    quat_wxyz: Quat | None = None
    valid: bool = True
    reason: str = ""


MICROVOLTS = 1e6  # in a volt: the unit of EMG in exports and streams


@dataclass(frozen=True, slots=True)
class EmgFrame:
    """A few EMG samples that travelled together; ``volts[n][channel]``, ``t_ns`` that of the first."""

    sensor: str
    t_ns: int
    arrival_ns: int
    seq: int
    rate_hz: float
    volts: tuple[tuple[float, ...], ...]
    valid: bool = True
    reason: str = ""


Sample = ImuSample | EmgFrame


@dataclass(frozen=True, slots=True)
class SensorWord:
    """Something a sensor says beside its samples, such as a pressed button; ``t_ns`` is its arrival."""

    t_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class ChannelCommand:
    """What one stimulation channel shall do; the pulse is always charge-balanced biphasic.

    ``cycles`` biphasic pulses back to back are one burst (burst-modulated alternating current: 2.5 kHz are
    cycles of two phases of 200 us); ``rate_hz`` counts bursts.
    """

    current_ma: float
    width_us: float
    rate_hz: float
    cycles: int = 1


@dataclass(frozen=True, slots=True)
class Command:
    """One tick's wish for all channels. ``None`` is off, which is not the same as 0 mA.

    It ends by itself ``lifetime_ms`` after it was made.
    """

    channels: tuple[ChannelCommand | None, ...]
    lifetime_ms: float = 60.0


@dataclass(frozen=True, slots=True)
class ContactCheck:
    """How a stimulator tells an open electrode: by ``error_code`` to a pulse of at least ``current_ma``."""

    current_ma: float
    error_code: int


Quantity = Literal["current", "voltage"]


@dataclass(frozen=True, slots=True)
class MeasuredPulse:
    """What a device measured of one pulse: charge in uC of the phases of one sign, or the load in ohm.

    ``None`` is not measured. Current, width, cycles and ``asked_uc`` are of the pulse as it was sent.
    """

    current_ma: float
    width_us: float
    cycles: int
    asked_uc: float
    charge_uc: float | None = None
    load_ohm: float | None = None


@dataclass(frozen=True, slots=True)
class StimulatorCapability:
    """What a stimulator can do and what it does when its host dies."""

    name: str
    channels: int
    current_max_ma: float
    current_step_ma: float
    width_min_us: float
    width_max_us: float
    rate_max_hz: float
    own_watchdog: str  # in words: what ends the pulses when no command comes
    verified: Literal["spec", "vendor-code", "capture", "hardware"]
    contact: ContactCheck | None = None  # None: it cannot tell
    cycles_max: int = 1  # of a burst; 1: single pulses alone
    measures: tuple[Quantity, ...] = ()  # of each pulse, one of them at a time, where a session asks for it
    late_answer_ms: float = (
        18.0  # a pulse answered later may have been given late: the next keeps its distance
    )


# Codes of a notice that every driver shares; a driver's own are negative too, the device's results are not.
LEFT_OUT = -5  # a pulse was not sent: its channel's last one is not answered, or was answered late
FOREIGN_ANSWER = -6  # the device answers a command that this driver did not send, or one of its own twice


@dataclass(frozen=True, slots=True)
class StimulatorNotice:
    """Something the device said: an acknowledgement (``fault=False``) or a fault, in plain words."""

    t_ns: int
    fault: bool
    channel: int | None
    code: int
    text: str
    measured: MeasuredPulse | None = None  # of the pulse that is acknowledged


class DeviceError(Exception):
    """A device did not do what was asked; ``transient`` errors may be retried, others need a person."""

    def __init__(self, device: str, what: str, *, transient: bool) -> None:
        super().__init__(f"{device}: {what}")
        self.device = device
        self.what = what
        self.transient = transient


class Sensor(Protocol):
    """A sensor is an ``async with`` and its samples an ``async for``."""

    name: str

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...

    def __aiter__(self) -> AsyncIterator[Sample]: ...

    async def battery_percent(self) -> int | None: ...

    def words(self) -> list[SensorWord]:
        """What it has said since the last call."""
        ...


class Stimulator(Protocol):
    """A stimulator, used by the guard alone. No call may block for more than a system call.

    ``pulse`` sends one biphasic pulse, or one burst of them, now; ``poll`` drains what the device answered;
    ``stop`` is idempotent, ends all output and goes before anything queued. All raise :class:`DeviceError`.
    """

    capability: StimulatorCapability

    def open(self) -> None: ...

    def pulse(self, channel: int, current_ma: float, width_us: float, cycles: int = 1) -> int | None:
        """Send one pulse, or ``cycles`` back to back; returns the device's packet number, by which its
        pulse log is matched.

        ``None`` where it was left out, which a notice ``LEFT_OUT`` tells: a channel has at most one pulse
        without an answer, so that a line that stalls never gives two of them at once when it wakes.
        """
        ...

    def poll(self) -> list[StimulatorNotice]: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...

    def fileno(self) -> int: ...
