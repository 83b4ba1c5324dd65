"""Shin and calf of a recorded walk through the live path: their bursts are where textbooks have them."""

from __future__ import annotations

import pytest

from drivers.catalogue import SENSORS
from tests.data import needs_data
from tests.drivers.emg.played import by_phase, played, treadmill, walked

pytestmark = pytest.mark.real_time


@needs_data
def test_shin_and_calf_burst_at_their_phases_through_an_armband_on_the_air() -> None:
    """Tibialis anterior in loading and swing, gastrocnemius in late stance (Perry 1992), each over its mean;
    the recording itself, filtered from end to end: 2.2, 1.1 and 2.0."""
    columns = treadmill(SENSORS["myo"].rate_hz)
    frames = played("myo", columns, loss=0.01)
    assert len(columns) * 0.9 < sum(len(frame.volts) for frame in frames) < len(columns)
    seen, core = walked(frames)
    found = by_phase(seen)
    shin = {part: value for part, (value, _) in found.items()}
    calf = {part: value for part, (_, value) in found.items()}
    assert min(shin["loading"], shin["swing"]) > 1.1
    assert max(shin["mid stance"], shin["late stance"]) < 0.6
    assert calf["late stance"] > 1.6
    assert calf["late stance"] > calf["mid stance"]
    assert max(calf["loading"], calf["swing"]) < 0.8
    assert core.agreement is not None
    assert core.agreement > 0.75
    assert core.finding == ""
