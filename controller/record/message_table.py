"""The messages of one topic over a few seconds as one table: what repeats once, what varies in columns.

A message's text is taken apart into its frame, which is everything but the numbers, and its numbers. Few
frames repeat; the numbers of one field, named by its path, are a column. Nothing is known of what the fields
mean: any JSON text comes back byte for byte.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from controller.record.columns import Column, numbers, pack, unpack

IN_TEXT = "~"  # in the path of a number that stands in a text
GAP = b"\0"  # stands for a number in a frame; JSON text has none
ROWS_MAX = 1_000_000
FRAMES_MAX = 65_536
ARRAY_NAMED_MAX = 16  # places of an array of numbers that are columns of their own
FRAMES_KNOWN_MAX = 4096  # kept between tables

# A number, or a date or the like within a text, which comes back as any text does.
_NUMBER = re.compile(rb"([-0-9][0-9.eE+-]*+)")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|' + _NUMBER.pattern)


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A message's text with a gap for each number, and of which column the number of each gap is."""

    text: bytes
    columns: tuple[int, ...]


class MessageTable(msgspec.Struct, frozen=True, gc=False):
    """Messages of one topic in their order: ``numbers`` in the recording, times in ns, the frame of each."""

    numbers: Column
    times_ns: Column
    frames: tuple[Frame, ...]
    frame_of: Column
    paths: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def last_number(self) -> int:
        return int(numbers(self.numbers)[-1])


Row = tuple[int, str, int, bytes]  # a message's number in the recording, topic, time in ns, text


class TableMaker:
    """Makes tables of messages; knows the frames it has met."""

    def __init__(self) -> None:
        self._paths: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()

    def table(self, rows: Sequence[Row]) -> MessageTable | None:
        """The table of these messages; None where they are not alike, or their text is no JSON."""
        ids: dict[bytes, tuple[int, list[list[bytes]]]] = {}
        columns: dict[str, list[bytes]] = {}
        places: dict[str, int] = {}
        frames: list[Frame] = []
        frame_of: list[int] = []
        for row in rows:
            parts = _NUMBER.split(row[3])
            text = GAP.join(parts[::2])
            met = ids.get(text)
            if met is None:
                if text.count(GAP) != len(parts) // 2 or len(frames) * 4 > len(rows) + 64:
                    return None
                paths = self._paths_of(text, row[3], len(parts) // 2)
                for path in paths:
                    places.setdefault(path, len(places))
                met = ids[text] = (len(frames), [columns.setdefault(path, []) for path in paths])
                frames.append(Frame(text, tuple(places[path] for path in paths)))
            frame_of.append(met[0])
            for column, token in zip(met[1], parts[1::2], strict=True):
                column.append(token)
        return MessageTable(
            pack([b"%d" % row[0] for row in rows]),
            pack([b"%d" % row[2] for row in rows]),
            tuple(frames),
            pack([b"%d" % frame for frame in frame_of]),
            tuple(columns),
            tuple(pack(column) for column in columns.values()),
        )

    def _paths_of(self, text: bytes, payload: bytes, count: int) -> tuple[str, ...]:
        known = self._paths.get(text)
        if known is None:
            known = paths(payload)
            if len(known) != count:
                known = tuple(f"[{place}]" for place in range(count))
            self._paths[text] = known
            if len(self._paths) > FRAMES_KNOWN_MAX:
                self._paths.popitem(last=False)
        return known


def paths(payload: bytes) -> tuple[str, ...]:
    """The path of each number of a JSON text, in its order: ``decision.view.ankle_deg``.

    An element of a list of objects is named by its ``sensor``; numbers within a string have its path with ~.
    """
    found: list[str] = []
    stack: list[list[str | int]] = []  # of each open object its key, of each array its place
    name, key_next = "", False
    for match in _TOKEN.finditer(payload):
        token = match.group()
        head = token[:1]
        if head == b"{":
            stack.append([""])
            key_next = True
        elif head == b"[":
            stack.append([0])
            key_next = False
        elif head in b"}]":
            if stack:
                stack.pop()
            key_next = False
        elif head == b",":
            if stack and isinstance(stack[-1][0], int):
                stack[-1][0] += 1
            key_next = bool(stack) and isinstance(stack[-1][0], str)
        elif head == b":":
            key_next = False
        elif head == b'"' and key_next:
            name = token[1:-1].decode(errors="replace")
            stack[-1][0] = name
            found.extend(f"{_path(stack)}{IN_TEXT}" for _ in _NUMBER.findall(token))
        elif head == b'"':
            if stack and stack[-1][0] == "sensor" and len(stack) > 1:
                stack[-1].append(token[1:-1].decode(errors="replace"))
            found.extend(f"{_path(stack)}{IN_TEXT}{k}" for k, _ in enumerate(_NUMBER.findall(token)))
        else:
            found.append(_path(stack))
    return tuple(found)


def _path(stack: Sequence[Sequence[str | int]]) -> str:
    parts: list[str] = []
    for depth, level in enumerate(stack):
        where = level[0]
        if isinstance(where, str):
            parts.append(f".{where}" if parts else where)
        elif depth + 1 < len(stack):
            inner = stack[depth + 1]
            parts.append(f"[{inner[1]}]" if len(inner) > 1 else "[]")
        else:
            parts.append(f"[{where}]" if where < ARRAY_NAMED_MAX else "[]")
    return "".join(parts)


def rows(topic: str, table: MessageTable) -> Iterator[Row]:
    """The messages of a table. Raises ValueError where it is none or holds other than it says."""
    frame_of = _integers(table.frame_of)
    count = len(frame_of)
    if count > ROWS_MAX or len(table.frames) > FRAMES_MAX or len(table.columns) != len(table.paths):
        raise ValueError("a table of more than allowed")
    order, times_ns = _integers(table.numbers), _integers(table.times_ns)
    if len(order) != count or len(times_ns) != count:
        raise ValueError("a table whose columns are not of one length")
    if count and not 0 <= min(frame_of) <= max(frame_of) < len(table.frames):
        raise ValueError("a table whose messages are of no frame")
    yield from _texts(topic, table, frame_of, order, times_ns)


def _texts(
    topic: str, table: MessageTable, frame_of: list[int], order: list[int], times_ns: list[int]
) -> Iterator[Row]:
    used = [0] * len(table.columns)
    for frame, times in zip(table.frames, np.bincount(frame_of, minlength=len(table.frames)), strict=True):
        for column in frame.columns:
            if not 0 <= column < len(used):
                raise ValueError("a frame with a gap of no column")
            used[column] += int(times)
    if used != [column.count for column in table.columns]:
        raise ValueError("a table whose columns do not have a number for each gap")
    tokens = [iter(unpack(column)) for column in table.columns]
    frames = [_pieces(frame, table.columns, tokens) for frame in table.frames]
    for place, number, t_ns in zip(frame_of, order, times_ns, strict=True):
        pieces, gaps = frames[place]
        pieces[1::2] = map(next, gaps)
        yield number, topic, t_ns, b"".join(pieces)


def _pieces(
    frame: Frame, columns: Sequence[Column], tokens: Sequence[Iterator[bytes]]
) -> tuple[list[bytes], list[Iterator[bytes]]]:
    """The frame's text in pieces, a place between two for a number; a number that never varies is text."""
    parts = frame.text.split(GAP)
    if len(parts) != len(frame.columns) + 1:
        raise ValueError("a frame that has not a column for each gap")
    pieces, gaps = [parts[0]], []
    for column, part in zip(frame.columns, parts[1:], strict=True):
        if columns[column].kind == "same":
            pieces[-1] += columns[column].data + part
        else:
            pieces += [b"", part]
            gaps.append(tokens[column])
    return pieces, gaps


def _integers(column: Column) -> list[int]:
    values = numbers(column)
    if values.dtype != np.int64:
        values = values.astype(np.int64)
    whole: list[int] = values.tolist()
    return whole
