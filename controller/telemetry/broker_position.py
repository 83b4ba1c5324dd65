"""How much of a recording's events each broker has: a small file beside the recording.

Promises that an event a broker has acknowledged is not sent to it again after a restart, and that another
broker, or another recording in the same place, begins at the first. Refuses nothing: a disk that says no, or
a file it cannot read, costs at most a repetition, which readers know by its sequence number.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

SUFFIX = ".sent"
BYTES_MAX = 65_536  # some hundred brokers


class _Sent(msgspec.Struct, frozen=True):
    recording: str
    sent: dict[str, int]  # by broker


class Position:
    """The number of the newest event of one recording that one broker acknowledged; 0 for none."""

    def __init__(self, path: Path, recording: str, broker: str) -> None:
        self._path = path
        self._recording = recording
        self._broker = broker
        self._all: dict[str, int] = {}
        with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if path.stat().st_size <= BYTES_MAX:
                stored = msgspec.json.decode(path.read_bytes(), type=_Sent)
                if stored.recording == recording:
                    self._all = stored.sent
        self.sent = max(0, self._all.get(broker, 0))

    @classmethod
    def beside(cls, recording: Path, facts: Mapping[str, str], broker: str) -> Position:
        """The position of a recording with these facts in its head, at a broker named by where it is."""
        path = recording.with_name(recording.name + SUFFIX)
        return cls(path, facts.get("id") or _fingerprint(facts), broker)

    def advance(self, seq: int) -> None:
        """All up to ``seq`` is with the broker."""
        if seq <= self.sent:
            return
        self.sent = self._all[self._broker] = seq
        temporary = self._path.with_name(self._path.name + ".new")
        with contextlib.suppress(OSError):
            temporary.write_bytes(msgspec.json.encode(_Sent(self._recording, self._all)))
            temporary.replace(self._path)


def _fingerprint(facts: Mapping[str, str]) -> str:
    """Of a recording made before each had a name of its own."""
    return f"{zlib.crc32(msgspec.json.encode(sorted(facts.items()))):08x}"
