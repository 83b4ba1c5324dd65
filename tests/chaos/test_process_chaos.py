"""Process chaos, short: one try of the faults that no other test shows; ``make chaos`` runs them all."""

from __future__ import annotations

import random

import pytest

from tests.chaos.process import FAULTS, chaos

SHORT = ("controller stopped", "supervisor killed", "guard killed", "sensor silent", "sensor frozen")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("what", SHORT)
def test_every_promise_holds(what: str) -> None:
    fault = next(fault for fault in FAULTS if fault.what == what)
    (one,) = chaos(fault, 1, random.Random(what))
    assert one.wrong == ()
