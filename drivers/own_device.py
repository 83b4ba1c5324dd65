"""A Bluetooth sensor of one's own described in TOML: what it notifies, byte by byte, without code.

The file is read whole and strictly: an unknown key, a wrong type or a field beyond the frame is a ValueError
that names the key and what is allowed. Keys: ``docs/add-a-device.md``; examples: ``configs/devices``.
"""

from __future__ import annotations

import difflib
import itertools
import math
import struct
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["imu", "emg"]
Meaning = Literal["acc", "gyr", "quat", "emg", "counter", "time"]

FILE_BYTES_MAX = 100_000
_LETTERS = {"i8": "b", "u8": "B", "i16": "h", "u16": "H", "i32": "i", "u32": "I", "f32": "f"}
_THREE_BYTES = {"i24": True, "u24": False}
TYPES = (*_LETTERS, *_THREE_BYTES)
MEANINGS: Mapping[str, int] = {
    "acc": 3,
    "gyr": 3,
    "quat": 4,
    "emg": 0,
    "counter": 1,
    "time": 1,
}  # how many values
_WHOLE = ("u8", "u16", "u24", "u32")
FRAME_BYTES_MAX = 512


@dataclass(frozen=True, slots=True)
class Field:
    """``count`` values of one type side by side: ``(number + offset) * scale`` is what `dorsi decode` says.

    ``si * (that - zero)`` is what it means to Dorsi, in m/s2, rad/s, 1, V, or seconds.
    """

    key: str
    at: int
    type: str
    count: int
    scale: float
    offset: float
    means: Meaning | None
    si: float
    zero: float

    @property
    def size(self) -> int:
        return self.count * (3 if self.type in _THREE_BYTES else struct.calcsize(f"<{_LETTERS[self.type]}"))

    @property
    def wrap(self) -> int:
        """One more than the largest number; of a counter or a time."""
        return 1 << 8 * (self.size // self.count)

    def numbers(self, data: bytes, big: bool) -> tuple[float, ...]:
        """The field's numbers in ``data``, whose beginning is what ``at`` counts from."""
        piece = data[self.at : self.at + self.size]
        if self.type in _THREE_BYTES:
            order: Literal["big", "little"] = "big" if big else "little"
            signed = _THREE_BYTES[self.type]
            return tuple(
                int.from_bytes(piece[at : at + 3], order, signed=signed) for at in range(0, len(piece), 3)
            )
        return struct.unpack(f"{'>' if big else '<'}{self.count}{_LETTERS[self.type]}", piece)

    def values(self, data: bytes, big: bool) -> list[float]:
        """As `dorsi decode` says them; whole numbers stay whole where nothing scales them."""
        numbers = self.numbers(data, big)
        if (self.scale, self.offset) == (1.0, 0.0):
            return list(numbers)
        if self.scale == 1.0 and self.offset.is_integer() and self.type != "f32":
            return [number + int(self.offset) for number in numbers]
        return [(number + self.offset) * self.scale for number in numbers]

    def in_si(self, data: bytes, big: bool) -> tuple[float, ...]:
        """As Dorsi uses them."""
        return tuple((value - self.zero) * self.si for value in self.values(data, big))


@dataclass(frozen=True, slots=True)
class Rows:
    """Samples that travel together: ``count`` rows of ``bytes`` each, the first at ``at``."""

    at: int
    bytes: int
    count: int
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes for a characteristic."""

    to: str
    bytes: bytes


@dataclass(frozen=True, slots=True)
class OwnDevice:
    """One description: where it notifies, how a frame is laid out, how it is started."""

    name: str
    kind: Kind
    rate_hz: float
    data: tuple[str, ...]  # characteristics that notify, in the order in which they take turns
    battery: str | None
    start: tuple[Write, ...]
    stop: tuple[Write, ...]
    frame_bytes: int
    begins: bytes
    big_endian: bool
    fields: tuple[Field, ...]
    rows: Rows | None

    @property
    def samples(self) -> int:
        """In a frame."""
        return 1 if self.rows is None else self.rows.count

    def check(self, data: bytes) -> None:
        """``ValueError`` where ``data`` is no frame of this device."""
        if len(data) != self.frame_bytes:
            raise ValueError(f"frame: {len(data)} bytes, must be {self.frame_bytes}")
        if not data.startswith(self.begins):
            begins = data[: len(self.begins)].hex()
            raise ValueError(f"frame: begins {begins}, must begin {self.begins.hex()}")
        for field in self.fields:
            _finite(field, field.numbers(data, self.big_endian))
        for row in self.row_bytes(data):
            for field in self.rows.fields if self.rows is not None else ():
                _finite(field, field.numbers(row, self.big_endian))

    def row_bytes(self, data: bytes) -> list[bytes]:
        """The rows of a frame that was checked; none where it has none."""
        rows = self.rows
        if rows is None:
            return []
        return [data[rows.at + n * rows.bytes : rows.at + (n + 1) * rows.bytes] for n in range(rows.count)]

    def decode(self, data: bytes, channel: str | None) -> dict[str, object]:
        """A frame, or the battery; ``ValueError`` names what is wrong with it."""
        if channel is not None and self.battery is not None and channel.lower() == self.battery:
            if len(data) != 1 or data[0] > 100:
                raise ValueError(f"battery: {data.hex() or 'nothing'}, allowed: one byte up to 100 %")
            return {"level_percent": data[0]}
        if channel is not None and channel.lower() not in self.data:
            raise ValueError(f"channel {channel}, allowed: {', '.join(self.data)}")
        self.check(data)
        told: dict[str, object] = {}
        for field in self.fields:
            told[field.key] = _alone(field, field.values(data, self.big_endian))
        for field in self.rows.fields if self.rows is not None else ():
            told[field.key] = [
                _alone(field, field.values(row, self.big_endian)) for row in self.row_bytes(data)
            ]
        return told


def _alone(field: Field, values: list[float]) -> object:
    return values[0] if field.count == 1 else values


def _finite(field: Field, numbers: Sequence[float]) -> None:
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{field.key} is not finite")


# --- reading the file ----------------------------------------------------------------


class _Table:
    """A table of the file, of which every key must be taken."""

    def __init__(self, where: str, value: object) -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{where}: found {value!r}, allowed: a table")
        self._where = where
        self._rest: dict[str, object] = dict(value)
        self._known: list[str] = []

    def _take(self, key: str) -> object:
        self._known.append(key)
        return self._rest.pop(key, None)

    def fault(self, key: str, found: object, allowed: str) -> ValueError:
        missing = "is missing" if found is None else f"found {found!r}"
        return ValueError(f"{self._where}.{key}: {missing}, allowed: {allowed}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or (not value and default is None):
            raise self.fault(key, value, "text")
        return value

    def one_of(self, key: str, allowed: Sequence[str], default: str | None = None) -> str:
        value = self.text(key, default)
        if value not in allowed:
            raise self.fault(key, value, ", ".join(allowed))
        return value

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        value = self._take(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.fault(key, value, f"{low:g} to {high:g}")
        return float(value)

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self._take(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.fault(key, value, f"a whole number of {low} to {high}")
        return value

    def bytes(self, key: str, default: bytes | None = None) -> bytes:
        value = self._take(key)
        if value is None and default is not None:
            return default
        try:
            if isinstance(value, str):
                return bytes.fromhex(value)
        except ValueError:
            pass
        raise self.fault(key, value, "pairs of hexadecimal digits")

    def uuid(self, key: str) -> str:
        return _uuid(self, key, self._take(key))

    def tables(self, key: str, *, needed: bool) -> list[_Table]:
        value = self._take(key)
        if value is None and not needed:
            return []
        if not isinstance(value, list) or (needed and not value):
            raise self.fault(key, value, "a list of tables")
        return [_Table(f"{self._where}.{key}[{n}]", one) for n, one in enumerate(value)]

    def table(self, key: str) -> _Table:
        return _Table(f"{self._where}.{key}".removeprefix("file."), self._take(key))

    def has(self, key: str) -> bool:
        return key in self._rest

    def uuids(self, key: str) -> tuple[str, ...]:
        value = self._take(key)
        if not isinstance(value, list) or not 1 <= len(value) <= 8:
            raise self.fault(key, value, "a list of 1 to 8 UUIDs")
        return tuple(_uuid(self, key, one) for one in value)

    def done(self) -> None:
        for key in self._rest:
            near = difflib.get_close_matches(key, self._known, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"{self._where}.{key}: unknown key{hint}, allowed: {', '.join(self._known)}")


def _uuid(table: _Table, key: str, value: object) -> str:
    digits = value.replace("-", "").lower() if isinstance(value, str) else ""
    if len(digits) == 4 and all(one in "0123456789abcdef" for one in digits):
        return f"0000{digits}-0000-1000-8000-00805f9b34fb"
    if len(digits) != 32 or not all(one in "0123456789abcdef" for one in digits):
        raise table.fault(key, value, "a UUID, or four digits of one that Bluetooth assigns")
    cuts = (0, 8, 12, 16, 20, 32)
    return "-".join(digits[a:b] for a, b in itertools.pairwise(cuts))


def _field(table: _Table, room: int) -> Field:
    key, at = table.text("key"), table.whole("at", 0, room - 1)
    kind, count = table.one_of("type", TYPES), table.whole("count", 1, 64, 1)
    scale, offset = table.number("scale", -1e9, 1e9, 1.0), table.number("offset", -1e9, 1e9, 0.0)
    means: Meaning | None = None
    si, zero = 1.0, 0.0
    if table.has("means"):
        said = table.one_of("means", tuple(MEANINGS))
        means = next(one for one in _MEANINGS if one == said)
        if said != "counter":
            si, zero = table.number("si", -1e9, 1e9), table.number("zero", -1e9, 1e9, 0.0)
        if MEANINGS[said] and count != MEANINGS[said]:
            raise table.fault("count", count, f"{MEANINGS[said]} for {said}")
        if said in ("counter", "time") and kind not in _WHOLE:
            raise table.fault("type", kind, ", ".join(_WHOLE))
    table.done()
    field = Field(key, at, kind, count, scale, offset, means, si, zero)
    if at + field.size > room:
        raise table.fault("at", at, f"so that its {field.size} bytes end within {room}")
    return field


_MEANINGS: tuple[Meaning, ...] = ("acc", "gyr", "quat", "emg", "counter", "time")


def _writes(table: _Table, key: str) -> tuple[Write, ...]:
    writes = []
    for one in table.tables(key, needed=False):
        writes.append(Write(one.uuid("to"), one.bytes("bytes")))
        one.done()
    return tuple(writes)


def parse(table: object) -> OwnDevice:
    """What a file says, already read as TOML; ``ValueError`` names the key that is wrong."""
    top = _Table("file", table)
    device = top.table("device")
    name, kind = device.text("name"), device.one_of("kind", ("imu", "emg"))
    rate_hz = device.number("rate_hz", 1.0, 10_000.0)
    device.done()
    radio = top.table("bluetooth")
    data = radio.uuids("data")
    battery = radio.uuid("battery") if radio.has("battery") else None
    start, stop = _writes(radio, "start"), _writes(radio, "stop")
    radio.done()
    frame = top.table("frame")
    size = frame.whole("bytes", 1, FRAME_BYTES_MAX)
    begins = frame.bytes("begins", b"")
    big = frame.one_of("byte_order", ("little", "big"), "little") == "big"
    fields = tuple(_field(one, size) for one in frame.tables("fields", needed=not frame.has("rows")))
    rows = None
    if frame.has("rows"):
        table_of_rows = frame.table("rows")
        at, width = table_of_rows.whole("at", 0, size - 1), table_of_rows.whole("bytes", 1, size)
        count = table_of_rows.whole("count", 1, size)
        if at + width * count > size:
            raise table_of_rows.fault("count", count, f"so that the rows end within {size} bytes")
        inner = tuple(_field(one, width) for one in table_of_rows.tables("fields", needed=True))
        table_of_rows.done()
        rows = Rows(at, width, count, inner)
    frame.done()
    top.done()
    made = OwnDevice(
        name,
        "imu" if kind == "imu" else "emg",
        rate_hz,
        data,
        battery,
        start,
        stop,
        size,
        begins,
        big,
        fields,
        rows,
    )
    _whole(made)
    return made


def _whole(device: OwnDevice) -> None:
    """Whether it measures what it says."""
    inner = () if device.rows is None else device.rows.fields
    keys = [field.key for field in (*device.fields, *inner)]
    if len(keys) != len(set(keys)):
        raise ValueError("frame: a key is used twice, allowed: a key of its own for each field")
    measured = [field.means for field in (inner or device.fields)]
    needed: tuple[Meaning, ...] = ("acc", "gyr") if device.kind == "imu" else ("emg",)
    missing = [one for one in needed if measured.count(one) != 1]
    if missing:
        where = "rows" if inner else "frame"
        raise ValueError(f"{where}: one field that means {' and one that means '.join(missing)} is needed")
    clocks = [field.means for field in (*device.fields, *inner) if field.means in ("counter", "time")]
    if len(clocks) > 1:
        raise ValueError("frame: more than one field means counter or time, allowed: one at most")


def load(path: Path) -> OwnDevice:
    """The description in a file. ``ValueError`` names the file and what is wrong in it."""
    try:
        if not path.is_file() or path.stat().st_size > FILE_BYTES_MAX:
            raise ValueError(f"is no file of at most {FILE_BYTES_MAX} bytes")
        return parse(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None
