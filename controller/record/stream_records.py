"""The messages of a recording that come from other programs by LSL, or beside a sensor's samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from types import MappingProxyType

import msgspec

WORDS_MAX = 200  # characters of what is shown


@dataclass(frozen=True, slots=True)
class Marker:
    """A text that another program sent by LSL, or a sensor's own word (``stream`` is the sensor then).

    Where not ``valid``, ``t_ns`` is its arrival.
    """

    t_ns: int
    arrival_ns: int
    stream: str
    text: str
    valid: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StreamValues:
    """Samples of an LSL stream that came together, in its own units; ``None`` where a value is no number."""

    t_ns: int
    arrival_ns: int
    stream: str
    labels: tuple[str, ...]
    times_ns: tuple[int, ...]
    rows: tuple[tuple[float | None, ...], ...]
    valid: bool = True
    reason: str = ""


STREAMS: Mapping[str, msgspec.json.Decoder[Marker] | msgspec.json.Decoder[StreamValues]] = MappingProxyType(
    {"marker": msgspec.json.Decoder(Marker), "lsl/values": msgspec.json.Decoder(StreamValues)}
)


def newest_words(told: Marker | StreamValues) -> str:
    """What was heard last, for a person to see that it is heard at all."""
    if isinstance(told, Marker):
        return told.text[:WORDS_MAX]
    row = told.rows[-1] if told.rows else ()
    cells = [
        f"{label} {'no number' if value is None else f'{value:.4g}'}".strip()
        for label, value in zip_longest(told.labels, row, fillvalue="")
        if not isinstance(value, str)
    ]
    return ", ".join(cells)[:WORDS_MAX]
