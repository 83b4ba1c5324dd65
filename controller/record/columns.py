"""A column of JSON numbers as bytes: the texts of one field over many messages, each back to the last digit.

A column is kept as what its numbers are (whole numbers, doubles, doubles that are 32-bit floats) only where
its texts come back byte for byte; otherwise as the texts themselves. Bytes of equal weight stand together,
for a compressor to find what repeats; the noise of a double's last digits nothing can shorten.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, islice
from operator import ne
from typing import Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

Kind = Literal["text", "same", "int", "few", "decimal", "f32", "deg32", "f64"]

Number = TypeVar("Number", bound=np.generic)
Numbers = NDArray[np.float64] | NDArray[np.int64]

DECIMALS = 3  # a decimal column: whole thousandths, as microseconds with their nanoseconds
VALUES_MAX = 16_000_000  # of a column; a recorded second has thousands
_ENCODE = msgspec.json.Encoder().encode
_INTS = msgspec.json.Decoder(list[int])
_FLOATS = msgspec.json.Decoder(list[float])


class Column(msgspec.Struct, frozen=True, gc=False):
    """Numbers as bytes. ``changes``: a bit for each value, set where it is another than the one before, and
    ``data`` has those alone; empty where ``data`` has all.
    """

    kind: Kind
    count: int
    data: bytes
    changes: bytes = b""


def pack(texts: Sequence[bytes]) -> Column:
    """The column of these number texts."""
    count = len(texts)
    if texts.count(texts[0]) == count:
        return Column("same", count, texts[0])
    kept, changes = _changed(texts)
    kind, data = _typed(kept)
    return Column(kind, count, data, changes)


def _changed(texts: Sequence[bytes]) -> tuple[Sequence[bytes], bytes]:
    """Those that differ from the one before, where they are the fewer."""
    differ = [True, *map(ne, texts, islice(texts, 1, None))]
    if sum(differ) * 10 > len(texts) * 9:
        return texts, b""
    return list(compress(texts, differ)), np.packbits(np.array(differ)).tobytes()


def _typed(texts: Sequence[bytes]) -> tuple[Kind, bytes]:
    whole = b"[" + b",".join(texts) + b"]"
    try:
        if b"." not in whole and b"e" not in whole and b"E" not in whole:
            integers = _INTS.decode(whole)
            if _ENCODE(integers) == whole:
                return "int", _integers(np.array(integers, dtype=np.int64))
        else:
            floats = _FLOATS.decode(whole)
            if _ENCODE(floats) == whole:
                return _floats(np.array(floats, dtype=np.float64))
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
        pass
    return "text", b"\n".join(texts)


def _integers(values: NDArray[np.int64]) -> bytes:
    """Differences, small ones of both signs as small numbers."""
    with np.errstate(over="ignore"):
        steps = np.diff(values, prepend=np.int64(0))
        return _planes((steps << 1) ^ (steps >> 63))


def _floats(values: NDArray[np.float64]) -> tuple[Kind, bytes]:
    bits = values.view(np.uint64)
    with np.errstate(all="ignore"):
        single = values.astype(np.float32)
        if np.array_equal(single.astype(np.float64).view(np.uint64), bits):
            return "f32", _planes(single)
        thousandths = np.rint(values * 10**DECIMALS)
        small = bool(np.all(np.abs(thousandths) < 2**52))
        if small and np.array_equal((thousandths / 10**DECIMALS).view(np.uint64), bits):
            return "decimal", _integers(thousandths.astype(np.int64))
        degrees = np.rad2deg(values).astype(np.float32)
        if np.array_equal(_radians(degrees).view(np.uint64), bits):
            return "deg32", _planes(degrees)
    few, at = np.unique(bits, return_inverse=True)
    places = at.astype(np.uint8 if len(few) <= 2**8 else np.uint16)
    if len(few) <= 2**16 and (few.nbytes + places.nbytes) * 3 < bits.nbytes * 2:  # of a converter of few bits
        return "few", len(few).to_bytes(4, "little") + _planes(few) + _planes(places)
    return "f64", _planes(values)


def _radians(degrees: NDArray[np.float32]) -> NDArray[np.float64]:
    """As the drivers' ``math.radians``: one product with the double nearest to pi/180."""
    return degrees.astype(np.float64) * (np.pi / 180.0)


def _planes(values: NDArray[np.generic]) -> bytes:
    """The first bytes of all values, then the second ones, and so on."""
    size = values.dtype.itemsize
    return np.ascontiguousarray(values.view(np.uint8).reshape(-1, size).T).tobytes()


def numbers(column: Column) -> Numbers:
    """The column's values. Raises ValueError where it is none or holds other than it says."""
    if not 0 < column.count <= VALUES_MAX:
        raise ValueError(f"a column of {column.count} values, allowed: 1 to {VALUES_MAX:,}")
    if column.kind in ("same", "text"):
        whole = b"[" + b",".join(unpack(column)) + b"]"
        decoder = _FLOATS if b"." in whole or b"e" in whole or b"E" in whole else _INTS
        return np.array(decoder.decode(whole))
    return _spread(column, _values(column))


def unpack(column: Column) -> list[bytes]:
    """The number texts. Raises ValueError where the column is none or holds other than it says."""
    if not 0 < column.count <= VALUES_MAX:
        raise ValueError(f"a column of {column.count} values, allowed: 1 to {VALUES_MAX:,}")
    if column.kind == "same":
        return [column.data] * column.count
    if column.kind == "text":
        texts = column.data.split(b"\n")
    else:
        texts = _ENCODE(_values(column).tolist())[1:-1].split(b",")
    if not column.changes:
        if len(texts) != column.count:
            raise ValueError(f"a column of {len(texts)} values that says {column.count}")
        return texts
    at = _places(column, len(texts))
    return [texts[place] for place in at.tolist()]


def _spread(column: Column, values: Numbers) -> Numbers:
    if column.changes:
        spread: Numbers = values[_places(column, len(values))]
        return spread
    if len(values) != column.count:
        raise ValueError(f"a column of {len(values)} values that says {column.count}")
    return values


def _places(column: Column, kept: int) -> NDArray[np.int64]:
    """Which of the kept values each value is."""
    if len(column.changes) != (column.count + 7) // 8:
        raise ValueError("a column whose changes are not as many as its values")
    bits = np.unpackbits(np.frombuffer(column.changes, dtype=np.uint8), count=column.count)
    at: NDArray[np.int64] = np.cumsum(bits, dtype=np.int64) - 1
    if at[0] != 0 or at[-1] != kept - 1:
        raise ValueError("a column whose changes are not its values")
    return at


def _values(column: Column) -> Numbers:
    match column.kind:
        case "int":
            return _sums(column.data)
        case "decimal":
            thousandths: NDArray[np.float64] = _sums(column.data) / 10**DECIMALS
            return thousandths
        case "few":
            return _few(column.data)
        case "f32":
            return _whole(column.data, np.dtype(np.float32)).astype(np.float64)
        case "deg32":
            return _radians(_whole(column.data, np.dtype(np.float32)))
        case _:
            return _whole(column.data, np.dtype(np.float64))


def _sums(data: bytes) -> NDArray[np.int64]:
    folded = _whole(data, np.dtype(np.uint64))
    steps = (folded >> np.uint64(1)).astype(np.int64) ^ -(folded & np.uint64(1)).astype(np.int64)
    with np.errstate(over="ignore"):
        return np.cumsum(steps, dtype=np.int64)


def _few(data: bytes) -> NDArray[np.float64]:
    end = 4 + int.from_bytes(data[:4], "little") * 8
    few = _whole(data[4:end], np.dtype(np.float64))
    at = _whole(data[end:], np.dtype(np.uint8 if len(few) <= 2**8 else np.uint16))
    if at.max(initial=0) >= len(few):
        raise ValueError("a column with a place beyond its values")
    values: NDArray[np.float64] = few[at]
    return values


def _whole(data: bytes, dtype: np.dtype[Number]) -> NDArray[Number]:
    """Reverse of :func:`_planes`."""
    if len(data) % dtype.itemsize:
        raise ValueError(f"a column of {len(data)} bytes, allowed: values of {dtype.itemsize}")
    planes = np.frombuffer(data, dtype=np.uint8).reshape(dtype.itemsize, -1)
    values: NDArray[Number] = np.ascontiguousarray(planes.T).reshape(-1).view(dtype)
    return values
