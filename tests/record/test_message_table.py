"""Messages as a table of columns, and back: byte for byte, whatever their text is."""

from __future__ import annotations

import json
import math
import random
import struct

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.record.columns import Column, numbers, pack, unpack
from controller.record.message_table import Frame, MessageTable, Row, TableMaker, paths, rows

RANDOM = random.Random(7)


def doubles(count: int) -> list[float]:
    """Any doubles that are numbers, from their bits."""
    made = [struct.unpack("<d", RANDOM.randbytes(8))[0] for _ in range(2 * count)]
    return [value for value in made if math.isfinite(value)][:count]


def texts(values: list[float] | list[int]) -> list[bytes]:
    return [msgspec.json.encode(value) for value in values]


COLUMNS: dict[str, tuple[str, list[bytes]]] = {
    "any doubles": ("f64", texts(doubles(500))),
    "signs of zero": ("f32", [b"0.0", b"-0.0"] * 9),
    "floats of 32 bits": ("f32", texts([float(np.float32(value)) for value in np.linspace(-3.0, 40.0, 200)])),
    "degrees of 32 bits, in radians": (
        "deg32", texts([math.radians(float(np.float32(value))) for value in np.linspace(-2e3, 2e3, 999)]),
    ),
    "a converter of eight bits": ("few", texts([RANDOM.randrange(-128, 128) * 1.1e-7 for _ in range(900)])),
    "microseconds with three places": ("decimal", texts([RANDOM.randrange(10**6) / 1000 for _ in range(99)])),
    "times": ("int", texts([7 * 10**16 + k * 5_000_000 + RANDOM.randrange(9999) for k in range(300)])),
    "the ends of 64 bits": ("int", texts([-(2**63), 2**63 - 1, 0, -1] * 3)),
    "one": ("same", [b"1.25"] * 40),
    "beyond 64 bits": ("text", [b"9223372036854775808", b"1"]),
    "another writer's": ("text", [b"1.50", b"1E3", b"-0", b"2"]),
    "whole and broken": ("text", [b"1", b"1.5"]),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_kept_as_what_its_numbers_are_and_comes_back_byte_for_byte(name: str) -> None:
    kind, written = COLUMNS[name]
    column = pack(written)
    assert column.kind == kind
    assert unpack(column) == written
    if kind != "text":
        assert numbers(column).tolist() == [json.loads(text) for text in written]


def test_a_column_that_seldom_changes_holds_its_changes_alone() -> None:
    written = texts([float(k // 50) + 0.1 for k in range(1000)])
    column = pack(written)
    assert unpack(column) == written
    assert len(column.data) + len(column.changes) < 20 * 8 + 1000 / 8 + 1


@pytest.mark.parametrize(
    "column",
    [
        Column("same", 0, b"1"),
        Column("same", 10**9, b"1"),
        Column("int", 3, bytes(16)),
        Column("int", 2, bytes(15)),
        Column("f64", 9, bytes(8), b"\x80"),
        Column("f64", 8, bytes(16), b"\x80"),
        Column("few", 2, b"\1\0\0\0" + bytes(8) + b"\0\1"),
        Column("few", 2, b""),
    ],
)
def test_a_column_that_is_none_is_refused(column: Column) -> None:
    with pytest.raises(ValueError, match="column"):
        unpack(column)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(["foot 2.1 deg", "007", "-"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.lists(JSON, min_size=1, max_size=12), st.integers(1, 5))
def test_any_json_comes_back_byte_for_byte_in_its_order(values: list[object], times: int) -> None:
    made = [json.dumps(value, ensure_ascii=False).encode(errors="replace") for value in values] * times
    written: list[Row] = [(3 * k, "t", 10**15 + k * k, text) for k, text in enumerate(made)]
    table = TableMaker().table(written)
    assert table is not None
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(table), type=MessageTable)
    assert list(rows("t", again)) == written
    assert again.last_number == written[-1][0]


def test_messages_of_which_each_is_another_make_no_table() -> None:
    assert (
        TableMaker().table([(k, "t", k, b'{"%c%c":1}' % (97 + k % 26, 97 + k // 26)) for k in range(200)])
        is None
    )
    assert TableMaker().table([(0, "t", 0, b'"\0"')]) is None


def test_numbers_are_named_by_their_path() -> None:
    payload = (
        b'{"seq":1,"in":{"imu":[{"sensor":"foot","acc":[1.5,-2,3e-9]},{"sensor":"shank","acc":[4]}]},'
        b'"volts":[[1,2],[3,4]],"why":"2.1 deg \\" 3","n":null}'
    )
    assert paths(payload) == (
        "seq", "in.imu[foot].acc[0]", "in.imu[foot].acc[1]", "in.imu[foot].acc[2]", "in.imu[shank].acc[0]",
        "volts[][0]", "volts[][1]", "volts[][0]", "volts[][1]", "why~0", "why~1",
    )  # fmt: skip


def test_a_table_that_is_none_is_refused() -> None:
    one, two = Column("same", 2, b"1"), Column("int", 2, bytes(16))
    frame = Frame(b'{"a":\0}', (0,))
    good = MessageTable(two, two, (frame,), Column("same", 2, b"0"), ("a",), (one,))
    assert [row[3] for row in rows("t", good)] == [b'{"a":1}'] * 2
    for bad in (
        msgspec.structs.replace(good, frame_of=Column("same", 2, b"1")),
        msgspec.structs.replace(good, times_ns=Column("same", 3, b"1")),
        msgspec.structs.replace(good, columns=(Column("same", 3, b"1"),)),
        msgspec.structs.replace(good, frames=(Frame(b'{"a":\0}', ()),)),
        msgspec.structs.replace(good, frames=(Frame(b'{"a":\0}', (1,)),)),
        msgspec.structs.replace(good, columns=()),
    ):
        with pytest.raises(ValueError, match=r"table|frame"):
            list(rows("t", bad))
