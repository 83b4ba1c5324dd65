"""A table of messages by its fields: the numbers of one field as an array, without a text made again.

For readers of hours, who want a few fields of a million ticks. Where a table cannot be taken so, they read
its messages one by one.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from controller.record.columns import Column, Numbers, numbers
from controller.record.message_table import GAP, IN_TEXT, Frame, MessageTable

Kind = TypeVar("Kind")
WHOLE, BROKEN = b"0", b"0.5"  # what stands for a column's numbers where only their kind matters


class TableView:
    """The rows of a table. Raises ValueError where the table holds other than it says."""

    def __init__(self, table: MessageTable) -> None:
        self._table = table
        self._place = {path: place for place, path in enumerate(table.paths)}
        self.frame_of = numbers(table.frame_of).astype(np.int64)
        self.times_ns = numbers(table.times_ns).astype(np.int64)
        self.numbers = numbers(table.numbers).astype(np.int64)
        if not len(self.frame_of) == len(self.times_ns) == len(self.numbers):
            raise ValueError("a table whose columns are not of one length")
        if self.frame_of.min(initial=0) < 0 or self.frame_of.max(initial=0) >= len(table.frames):
            raise ValueError("a table whose messages are of no frame")

    def frames(self, kind: type[Kind]) -> list[Kind] | None:
        """Each frame as a message of this type, its numbers any of their kind; None where one is none."""
        decoder = msgspec.json.Decoder(kind)
        columns = zip(self._table.paths, self._table.columns, strict=True)
        stand_in = [_stand_in(path, column) for path, column in columns]
        if not all(stand_in):
            return None
        try:
            return [decoder.decode(_filled(frame, stand_in)) for frame in self._table.frames]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def column(self, path: str) -> tuple[NDArray[np.int64], Numbers]:
        """Of each number of a field its row and its value; of a field that no row has, none."""
        place = self._place.get(path)
        if place is None:
            return np.empty(0, np.int64), np.empty(0)
        times = np.array([frame.columns.count(place) for frame in self._table.frames])
        rows = np.repeat(np.arange(len(self.frame_of)), times[self.frame_of])
        values = numbers(self._table.columns[place])
        if len(values) != len(rows):
            raise ValueError("a table whose columns do not have a number for each gap")
        return rows, values

    def floats(self, path: str) -> NDArray[np.float64]:
        """The field's number of each row, NaN where a row has none."""
        rows, values = self.column(path)
        found = np.full(len(self.frame_of), np.nan)
        found[rows] = values
        return found

    def largest(self, path: str, default: float) -> NDArray[np.float64]:
        """The field's largest number of each row."""
        rows, values = self.column(path)
        found = np.full(len(self.frame_of), -np.inf)
        np.maximum.at(found, rows, values.astype(np.float64))
        found[np.isneginf(found)] = default
        return found

    def integers(self, path: str) -> NDArray[np.int64]:
        """The field's whole number of each row, 0 where a row has none."""
        rows, values = self.column(path)
        found = np.zeros(len(self.frame_of), np.int64)
        found[rows] = values
        return found


def _stand_in(path: str, column: Column) -> bytes:
    """A number of the column's kind; empty where they may be of several."""
    if IN_TEXT in path:
        return WHOLE
    if column.kind == "same":
        return column.data
    return {"int": WHOLE, "text": b""}.get(column.kind, BROKEN)


def _filled(frame: Frame, stand_in: list[bytes]) -> bytes:
    parts = frame.text.split(GAP)
    if len(parts) != len(frame.columns) + 1:
        raise ValueError("a frame that has not a column for each gap")
    filled = [parts[0]]
    for column, part in zip(frame.columns, parts[1:], strict=True):
        filled += [stand_in[column], part]
    return b"".join(filled)
