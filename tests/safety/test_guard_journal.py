"""The guard's line to the recorder: what happens before there is one is told once it comes."""

from __future__ import annotations

from pathlib import Path

from controller.ipc import bus
from controller.safety.guard_journal import KEPT_NOTES, GuardJournal, packed


def test_events_from_before_the_recorder_are_told_once_and_of_ticks_nothing_is_kept(tmp_path: Path) -> None:
    journal = GuardJournal(tmp_path)
    assert journal.connect() is None
    assert journal.write("guard/verdict", 1, {"tick": 1}) is None
    for number in range(KEPT_NOTES + 1):
        assert journal.write("guard/event", number, {"number": number}) is None
    assert [event["number"] for event in journal.untold()] == list(range(1, KEPT_NOTES + 1))
    assert journal.untold() == []


def test_a_recorder_that_comes_takes_records_and_says_when_it_cannot_record(tmp_path: Path) -> None:
    with bus.listen(tmp_path, "recorder") as server:
        journal = GuardJournal(tmp_path)
        assert journal.connect() is not None
        assert journal.connect() is None
        recorder, _ = server.accept()
        with recorder:
            assert journal.write("guard/event", 7, {"number": 7}) is True
            assert bus.receive(recorder) == bus.pack_record("guard/event", 7, packed({"number": 7}))
            for said, failed in (
                (b'{"recorder":"failed"}', True),
                (b'{"recorder":"well"}', False),
                (b"{", False),
            ):
                recorder.send(said)
                assert journal.failed() is failed
        journal.close()
    assert journal.sock is None
    assert journal.write("guard/verdict", 8, {}) is None
