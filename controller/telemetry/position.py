"""How much of a session's events the broker has: one number on disk, beside the recording.

Promises that an event the broker has acknowledged is not sent again after a restart. Refuses nothing: a disk
that says no costs at most a repetition, which readers know by its sequence number.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

SUFFIX = ".sent"


class _Sent(msgspec.Struct, frozen=True):
    session: str
    sent: int


class Position:
    """The sequence number of the newest acknowledged event of one session; 0 for none."""

    def __init__(self, path: Path, session: str) -> None:
        self._path = path
        self._session = session
        self.sent = 0
        with contextlib.suppress(OSError, msgspec.DecodeError):
            stored = msgspec.json.decode(path.read_bytes(), type=_Sent)
            if stored.session == session:
                self.sent = max(0, stored.sent)

    @classmethod
    def beside(cls, recording: Path, session: str) -> Position:
        """The position of a recording."""
        return cls(recording.with_name(recording.name + SUFFIX), session)

    def advance(self, seq: int) -> None:
        """All up to ``seq`` is with the broker."""
        if seq <= self.sent:
            return
        self.sent = seq
        temporary = self._path.with_name(self._path.name + ".new")
        with contextlib.suppress(OSError):
            temporary.write_bytes(msgspec.json.encode(_Sent(self._session, seq)))
            temporary.replace(self._path)
