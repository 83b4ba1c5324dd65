"""OYMotion gForcePro+: bytes to values and back, and the driver that streams eight EMG channels to 1000 Hz.

Layouts: the vendor's gForceSDKPython and LibEMG's driver, little-endian. A command is an operation and its
payload; the answer on the same characteristic is a result, the operation, data. What does not fit one
notification comes in pieces, numbered down to 0. Frames carry neither counter nor time. Not verified on
hardware, nor its gain.
"""

from __future__ import annotations

import asyncio
import math
import struct
from dataclasses import dataclass
from typing import Literal

from drivers.interface import DeviceError, EmgFrame
from drivers.links.ble import BleBackend, BleLink, BleSensor
from drivers.rotation_clock import REPEATED, RotationClock

VERIFIED = "vendor-code"

SERVICE = "0000ffd0-0000-1000-8000-00805f9b34fb"
COMMAND = "f000ffe1-0451-4000-b000-000000000000"
DATA = "f000ffe2-0451-4000-b000-000000000000"

CHANNELS = 8
EMG_BYTES = 128  # of samples in a notification: 16 of 8 bits or 8 of 12, of eight channels
RATES_HZ = (500, 650, 1000)
RATE_12_BIT_MAX_HZ = 500  # more does not fit the radio
PIECE = 0xFF  # first byte of a piece; the second is the number of pieces that follow
BATTERY, POWER_OFF, SET_EMG, GET_EMG, SET_DATA_SWITCH = 0x08, 0x1D, 0x3F, 0x46, 0x4F
OPERATIONS = {
    0x00: "protocol version",
    0x01: "features",
    0x02: "device name",
    0x03: "model number",
    0x04: "serial number",
    0x05: "hardware revision",
    0x06: "firmware revision",
    0x07: "manufacturer",
    BATTERY: "battery",
    0x09: "temperature",
    0x0A: "bootloader version",
    POWER_OFF: "power off",
    0x1F: "reset",
    0x24: "motor",
    0x25: "light",
    SET_EMG: "set EMG",
    GET_EMG: "get EMG",
    SET_DATA_SWITCH: "set data switch",
}
_TEXTS = (0x00, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0A)  # operations answered by a text
SUCCESS, UNSUPPORTED, BAD_PARAMETER, FAILED, TIMED_OUT = range(5)
RESULTS = {
    SUCCESS: "ok",
    UNSUPPORTED: "not supported",
    BAD_PARAMETER: "bad parameter",
    FAILED: "failed",
    TIMED_OUT: "timed out",
}
SWITCH_EMG = 0x80  # bit of the data switch
TYPE_EMG = 0x08
# Data types of one vector each: key, number of values, struct letter, counts per unit
_VECTORS = {
    0x01: ("acc_g", 3, "i", 65536.0),
    0x02: ("gyr_dps", 3, "i", 65536.0),
    0x03: ("mag_ut", 3, "i", 65536.0),
    0x04: ("euler_deg", 3, "f", 1.0),
    0x05: ("quat", 4, "f", 1.0),
}
_SWITCH = struct.Struct("<I")

Bits = Literal[8, 12]
FULL_SCALE: dict[Bits, int] = {8: 127, 12: 2047}  # counts at 2.5 V / 1200
VOLTS_FULL_SCALE = 2.5 / 1200.0  # as LibEMG has it; nothing may rely on the absolute size


@dataclass(frozen=True, slots=True)
class EmgSettings:
    """What the armband shall sample; ``batch_bytes`` is what a notification carries."""

    rate_hz: int
    channel_mask: int
    batch_bytes: int
    bits: int

    _LAYOUT = struct.Struct("<HHBB")

    @classmethod
    def unpack(cls, data: bytes) -> EmgSettings:
        """``ValueError`` where it is not six bytes."""
        if len(data) != cls._LAYOUT.size:
            raise ValueError(f"EMG settings: {len(data)} bytes, must be {cls._LAYOUT.size}")
        return cls(*cls._LAYOUT.unpack(data))

    def pack(self) -> bytes:
        return self._LAYOUT.pack(self.rate_hz, self.channel_mask, self.batch_bytes, self.bits)

    def decoded(self) -> dict[str, object]:
        return {
            "rate_hz": self.rate_hz,
            "channel_mask": self.channel_mask,
            "batch_bytes": self.batch_bytes,
            "bits": self.bits,
        }


def switch_command(flags: int) -> bytes:
    """Which kinds of data the armband sends."""
    return bytes((SET_DATA_SWITCH,)) + _SWITCH.pack(flags)


def set_emg_command(settings: EmgSettings) -> bytes:
    """The operation goes first; the vendor's Python SDK puts it last in this one command."""
    return bytes((SET_EMG,)) + settings.pack()


def unpack_emg(data: bytes, bits: Bits) -> tuple[tuple[int, ...], ...]:
    """Samples of eight channels in counts around 0; ``ValueError`` where it is no EMG of the full length."""
    if len(data) != 1 + EMG_BYTES:
        raise ValueError(f"EMG: {len(data)} bytes, must be {1 + EMG_BYTES}")
    if data[0] != TYPE_EMG:
        raise ValueError(f"data type {data[0]} is not EMG, which is {TYPE_EMG}")
    counts = data[1:] if bits == 8 else struct.unpack("<64H", data[1:])
    limit = 2 << bits - 1
    if max(counts) >= limit:
        raise ValueError(f"EMG: a count of {max(counts)}, {bits} bits end at {limit - 1}")
    centred = tuple(count - limit // 2 for count in counts)
    return tuple(centred[at : at + CHANNELS] for at in range(0, len(centred), CHANNELS))


class Pieces:
    """Joins what came in several notifications; one at a time, in order."""

    def __init__(self) -> None:
        self._data = b""
        self._next: int | None = None

    def take(self, data: bytes) -> bytes | None:
        """The whole once its last piece is there; ``ValueError`` where one is missing or nothing is in it."""
        following, self._next = self._next, None
        if data[:1] != bytes((PIECE,)):
            if following is not None:
                self._data = b""
                raise ValueError(f"last pieces missing, from {following}")
            return data
        if len(data) < 3:
            raise ValueError(f"piece: {len(data)} bytes, needs 3")
        left = data[1]
        if following is not None and left != following:
            self._data = b""
            raise ValueError(f"piece {left}, expected {following}")
        self._data = (self._data if following is not None else b"") + data[2:]
        if left:
            self._next = left - 1
            return None
        whole, self._data = self._data, b""
        return whole


def _decode_answer(data: bytes) -> dict[str, object]:
    result, operation, payload = data[0], data[1], data[2:]
    decoded: dict[str, object] = {
        "code": result,
        "result": RESULTS[result],
        "op": operation,
        "name": OPERATIONS.get(operation, "not documented"),
    }
    if result != SUCCESS or not payload:
        return decoded
    if operation == BATTERY:
        if len(payload) != 1 or payload[0] > 100:
            raise ValueError(f"battery: {payload.hex()}, allowed: one byte up to 100 %")
        return decoded | {"level_percent": payload[0]}
    if operation == GET_EMG:
        return decoded | EmgSettings.unpack(payload).decoded()
    if operation in _TEXTS:
        return decoded | {"text": payload.decode("ascii", "replace").rstrip("\0")}
    return decoded | {"data": payload.hex()}


def _decode_command(data: bytes) -> dict[str, object]:
    """A command or an answer: an answer begins with its result, and commands that low have no payload."""
    if not data:
        raise ValueError("command: 0 bytes")
    if data[0] == PIECE:
        return _decode_piece(data)
    if data[0] in RESULTS and len(data) > 1:
        return _decode_answer(data)
    operation, payload = data[0], data[1:]
    if operation not in OPERATIONS:
        raise ValueError(f"operation {operation} is not documented")
    decoded: dict[str, object] = {"op": operation, "name": OPERATIONS[operation]}
    if operation == SET_DATA_SWITCH:
        if len(payload) != _SWITCH.size:
            raise ValueError(f"data switch: {len(payload)} bytes, must be {_SWITCH.size}")
        return decoded | {"flags": _SWITCH.unpack(payload)[0]}
    if operation == SET_EMG:
        return decoded | EmgSettings.unpack(payload).decoded()
    return decoded | ({"data": payload.hex()} if payload else {})


def _decode_piece(data: bytes) -> dict[str, object]:
    if len(data) < 3:
        raise ValueError(f"piece: {len(data)} bytes, needs 3")
    return {"remaining": data[1], "data": data[2:].hex()}


def _decode_data(data: bytes) -> dict[str, object]:
    if not data:
        raise ValueError("data: 0 bytes")
    if data[0] == PIECE:
        return _decode_piece(data)
    if data[0] == TYPE_EMG:
        # 12 bits leave the upper half of every upper byte empty; at 8 bits those bytes lie around 128.
        bits: Bits = 12 if max(data[2::2], default=PIECE) < 16 else 8
        return {"bits": bits, "samples": [list(sample) for sample in unpack_emg(data, bits)]}
    if data[0] not in _VECTORS:
        raise ValueError(f"data type {data[0]}, known: {', '.join(map(str, (*_VECTORS, TYPE_EMG)))}")
    key, count, letter, scale = _VECTORS[data[0]]
    if len(data) != 1 + 4 * count:
        raise ValueError(f"{key}: {len(data)} bytes, must be {1 + 4 * count}")
    values = struct.unpack(f"<{count}{letter}", data[1:])
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{key} is not finite")
    return {key: [value / scale for value in values]}


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """One value of the named characteristic; ``ValueError`` names what is wrong with it."""
    channel = (channel or "").lower()
    if channel == COMMAND:
        return _decode_command(data)
    if channel == DATA:
        return _decode_data(data)
    raise ValueError(f"channel {channel or 'none'} is not a gForcePro+ characteristic")


ANSWER_TIMEOUT_S = 1.0  # as the vendor's example waits


class GForce(BleSensor[EmgFrame]):
    """A gForcePro+ streaming EMG of 8 bits at up to 1000 Hz, or of 12 at 500 Hz.

    ``address`` is the Bluetooth address or the advertised name. ``seq`` counts samples. As no frame is
    numbered, a lost one shows by lateness alone, within two seconds; frames since are valid with a reason
    until it is sure.
    """

    def __init__(
        self,
        name: str,
        address: str,
        backend: BleBackend | None = None,
        *,
        rate_hz: int = 1000,
        bits: Bits = 8,
    ) -> None:
        super().__init__(name, address, backend)
        if rate_hz not in RATES_HZ or (bits == 12 and rate_hz > RATE_12_BIT_MAX_HZ):
            raise ValueError(f"{rate_hz} Hz at {bits} bits, allowed: {RATES_HZ} Hz at 8, 500 Hz at 12")
        self._settings = EmgSettings(rate_hz, (1 << CHANNELS) - 1, EMG_BYTES, bits)
        self._bits: Bits = bits
        self._samples = EMG_BYTES * 8 // (CHANNELS * (8 if bits == 8 else 16))  # of a notification
        self._clock = RotationClock(period_ns=round(self._samples * 1e9 / rate_hz), cycle=1)
        self._first_to_last_ns = round((self._samples - 1) * 1e9 / rate_hz)
        self._volts_per_count = VOLTS_FULL_SCALE / FULL_SCALE[bits]
        self._next_seq = 0
        self._data, self._answers = Pieces(), Pieces()
        self._asked: dict[int, asyncio.Future[bytes]] = {}

    async def _start(self, link: BleLink) -> None:
        self._clock.restart()
        self._data, self._answers = Pieces(), Pieces()
        await link.notify(COMMAND, self._on_answer)
        await self._ask(link, set_emg_command(self._settings))
        await link.notify(DATA, self._on_data)
        await self._ask(link, switch_command(SWITCH_EMG))

    async def _stop(self, link: BleLink) -> None:
        await self._ask(link, switch_command(0))

    async def battery_percent(self) -> int | None:
        """Charge of the battery, ``None`` while not connected; ``DeviceError`` where it cannot be read."""
        link = self._link
        if link is None:
            return None
        level = await self._ask(link, bytes((BATTERY,)))
        return level[0] if len(level) == 1 and level[0] <= 100 else None

    async def _ask(self, link: BleLink, command: bytes) -> bytes:
        """Sends a command, returns the data of its answer; ``DeviceError`` where it fails or none comes."""
        operation = command[0]
        name = OPERATIONS[operation]
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[operation] = answer
        try:
            await link.write(COMMAND, command)
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                data = await answer
        except TimeoutError:
            raise DeviceError(
                self.name, f"{name}: no answer in {ANSWER_TIMEOUT_S:g} s", transient=True
            ) from None
        finally:
            self._asked.pop(operation, None)
        if data[0] != SUCCESS:
            result = RESULTS.get(data[0], f"result {data[0]}")
            permanent = data[0] in (UNSUPPORTED, BAD_PARAMETER)
            raise DeviceError(self.name, f"{name}: {result}", transient=not permanent)
        return data[2:]

    def _on_answer(self, data: bytes, _arrival_ns: int) -> None:
        """Answers that are broken, or that nobody waits for, are left out: who asked hears that none came."""
        try:
            whole = self._answers.take(data)
        except ValueError:
            return
        answer = self._asked.get(whole[1]) if whole is not None and len(whole) >= 2 else None
        if whole is not None and answer is not None and not answer.done():
            answer.set_result(whole)

    def _on_data(self, data: bytes, arrival_ns: int) -> None:
        try:
            whole = self._data.take(data)
        except ValueError as error:
            self._put(self._invalid(str(error), arrival_ns))
            return
        if whole is not None:
            self._put(self.accept(whole, arrival_ns))

    def _invalid(self, reason: str, arrival_ns: int) -> EmgFrame:
        rate_hz = float(self._settings.rate_hz)
        return EmgFrame(
            self.name, arrival_ns, arrival_ns, self._next_seq, rate_hz, (), valid=False, reason=reason
        )

    def accept(self, data: bytes, arrival_ns: int) -> EmgFrame:
        """One whole frame of data; never raises."""
        place = self._clock.step(0, arrival_ns)
        try:
            samples = unpack_emg(data, self._bits)
        except ValueError as error:
            return self._invalid(str(error), arrival_ns)
        if place.repeated:
            return self._invalid(REPEATED, arrival_ns)
        seq = place.count * self._samples
        self._next_seq = seq + self._samples
        volts = tuple(tuple(count * self._volts_per_count for count in row) for row in samples)
        reason = place.reason
        first_ns = place.t_ns - self._first_to_last_ns
        return EmgFrame(
            self.name, first_ns, arrival_ns, seq, float(self._settings.rate_hz), volts, reason=reason
        )
