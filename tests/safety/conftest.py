"""Rooms of the guard's tests, closed when the test is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.safety.room import MakeRoom, Room


@pytest.fixture
def room_of(tmp_path: Path) -> Iterator[MakeRoom]:
    rooms: list[Room] = []

    def make(**changes: Any) -> Room:  # Any: JSON
        rooms.append(Room(tmp_path, **changes))
        return rooms[-1]

    yield make
    for room in rooms:
        room.close()
