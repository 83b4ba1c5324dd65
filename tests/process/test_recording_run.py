"""A stroke patient's recording streamed by an emulated sensor over the virtual radio, in real time."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

import pytest

from controller.record import records
from controller.record.reader import messages
from tests.data import needs_data
from tests.process.rigs import assert_every_pulse_is_accounted_for, finish, pulse_log, start, undisturbed
from tests.recordings import shank_csv

SESSION = Path(__file__).resolve().parents[2] / "configs" / "sessions" / "recording_shank.toml"
UNTIL_S = 24.0  # three passes' worth of steps and a turn
EXTENSION_AND_FALL_S = 0.15 + 0.2  # as in the session file

pytestmark = [pytest.mark.real_time, needs_data]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The paretic shank of S24 through `dorsi run --recording`."""
    folder = tmp_path_factory.mktemp("s24")
    file = shank_csv("S24", "left", folder / "shank.csv", until_s=UNTIL_S)
    return undisturbed(folder, "run", str(SESSION), "--recording", str(file))[0]


def test_pulses_come_only_in_pre_swing_swing_and_the_set_extension(walked: Path) -> None:
    decisions = [m.record for m in messages(walked / "session.mcap", ("tick",))]
    ticks = [record for record in decisions if isinstance(record, records.Tick)]
    opened = sorted(
        tick.now_ns
        for tick in ticks
        for event in tick.decision.events
        if event.kind in ("heel_off", "toe_off")
    )
    contacts = sorted(
        tick.now_ns for tick in ticks for event in tick.decision.events if event.kind == "initial_contact"
    )
    events = [m.record for m in messages(walked / "session.mcap", ("guard/event",))]
    armed_ns = next(e.t_ns for e in events if isinstance(e, records.GuardEvent) and e.kind == "arm")
    pulses = [pulse for pulse in pulse_log(walked) if pulse.t_ns > armed_ns]  # before: the electrodes' test
    assert len(pulses) > 100
    for pulse in pulses:
        before = bisect_right(opened, pulse.t_ns)
        assert before > 0, "a pulse before the first heel-off"
        last_open_ns = opened[before - 1]
        after = bisect_right(contacts, last_open_ns)
        if after < len(contacts):
            assert pulse.t_ns <= contacts[after] + (EXTENSION_AND_FALL_S + 0.05) * 1e9


def test_every_pulse_of_the_rehearsal_is_in_the_recording(walked: Path) -> None:
    assert_every_pulse_is_accounted_for(walked)


def test_replay_of_the_rehearsal_is_identical(walked: Path) -> None:
    code, output = finish(start("replay", str(walked / "session.mcap")))
    assert code == 0, output
    assert output.startswith("identical")
