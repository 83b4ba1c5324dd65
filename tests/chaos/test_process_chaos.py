"""Process chaos, short: one rig takes one try of some faults; ``make chaos`` gives each of all its 20."""

from __future__ import annotations

import pytest

from tests.chaos.faults import FAULTS, SUPERVISOR
from tests.chaos.findings import Row
from tests.chaos.process import run_group, run_supervisor

SHORT = ("controller stopped", "guard killed", "sensor silent", "sensor frozen", "serial line vanished")

pytestmark = pytest.mark.real_time


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    faults = [fault for fault in FAULTS if fault.what in SHORT]
    return {row.fault: row for row in run_group(faults, 1, print)}


@pytest.mark.parametrize("what", SHORT)
def test_every_promise_holds(rows: dict[str, Row], what: str) -> None:
    assert (rows[what].tries, rows[what].wrong) == (1, {})


def test_current_ends_with_the_supervisor() -> None:
    (row,) = run_supervisor(SUPERVISOR[0], 1, print)
    assert (row.tries, row.wrong) == (1, {})
