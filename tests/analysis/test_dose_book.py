"""The dose book: what recordings say was given, by days of the local calendar, against the prescription."""

from __future__ import annotations

import dataclasses
import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import pytest

from controller.analysis.dose_book import (
    DoseEntry,
    Owner,
    entry_of,
    muscle_days,
    programme_days,
    programme_weeks,
)
from controller.analysis.dose_file import add_recording, book_path, read_book, rebuild
from controller.core.emg.assist import AssistParams
from controller.errors import InputError
from controller.record.reader import messages
from controller.record.records import Tick
from tests.analysis.exercised import entry, exercised, listening
from tests.core.exercise.numbers import EXTENSORS, FLEXORS, programme
from tests.record.made import write

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
PERSON = Owner("P01", virtual=False)


@pytest.fixture(autouse=True)
def _new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clinic five hours behind UTC (in winter)."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _made(path: Path, begin: datetime | None = NOON, **how: object) -> DoseEntry:
    found = entry_of(exercised(path, begin, **how))  # type: ignore[arg-type]  # of a test's own helper
    assert found is not None
    return found


def test_an_entry_holds_what_the_pulses_of_the_recording_add_up_to(tmp_path: Path) -> None:
    """A trapezoid of 20 mA with 1 s up, 2 s held, 0.5 s down gives 20 x 2.75 mA s; times 300 us and 40 Hz."""
    made = _made(tmp_path / "one" / "session.mcap")
    muscle = made.muscles[0]
    assert (made.whole, made.repetitions, muscle.contractions) == (True, 2, 2)
    assert muscle.charge_mc == pytest.approx(2 * 20.0 * 2.75 * 0.3 * 40 / 1e3, rel=0.03)
    assert muscle.on_s == pytest.approx(7.0, abs=0.1)
    assert (muscle.current_ma, muscle.set_ma, muscle.most_ma, muscle.hold_s) == (20.0, 20.0, 30.0, 2.0)
    assert made.prescription is not None
    assert made.prescription.contractions_per_day == 4


def test_pulses_that_test_the_electrodes_are_no_dose(tmp_path: Path) -> None:
    """The recordings of these tests begin with one of 45 mA."""
    muscle = _made(tmp_path / "one" / "session.mcap").muscles[0]
    assert muscle.current_ma == 20.0


def test_a_burst_counts_with_all_its_cycles(tmp_path: Path) -> None:
    plain = _made(tmp_path / "one" / "session.mcap").muscles[0]
    burst = programme(dataclasses.replace(EXTENSORS, cycles=8))
    eight = _made(tmp_path / "eight" / "session.mcap", params=burst).muscles[0]
    assert eight.charge_mc == pytest.approx(8 * plain.charge_mc, rel=1e-6)


def test_a_session_that_was_stopped_is_entered_with_what_was_given_until_then(tmp_path: Path) -> None:
    made = _made(tmp_path / "one" / "session.mcap", seconds=5.0)  # 3 s of countdown, 2 s of the first
    assert (made.whole, made.repetitions, made.broken_off) == (False, 0, 1)
    assert made.muscles[0].contractions == 0
    assert made.muscles[0].charge_mc == pytest.approx(20.0 * 1.5 * 0.3 * 40 / 1e3, rel=0.05)


def test_tries_that_did_not_come_are_no_repetitions_and_the_session_is_not_whole(tmp_path: Path) -> None:
    asleep = exercised(tmp_path / "one" / "session.mcap", NOON, params=listening(None), own_share=0.0)
    made = entry_of(asleep)
    assert made is not None
    assert (made.whole, made.repetitions, made.missed, made.planned) == (False, 0, 2, 2)
    assert (made.muscles[0].contractions, made.muscles[0].pulses) == (0, 0)
    awake = _made(tmp_path / "two" / "session.mcap", params=listening(None), own_share=0.6)
    assert (awake.whole, awake.repetitions, awake.missed) == (True, 2, 0)
    assert awake.muscles[0].own_share is awake.muscles[0].support is None  # nothing is withdrawn


def test_own_share_and_support_are_means_over_the_repetitions_given(tmp_path: Path) -> None:
    """Who reaches the goal each time: support 1, 0.9, 0.81, 0.729; own / (own + support) of each."""
    path = tmp_path / "one" / "session.mcap"
    made = _made(path, params=listening(AssistParams(0.2, 1.0, start=1.0), repetitions=4), own_share=0.6)
    own: dict[int, list[float]] = {}
    for message in messages(path, ("tick",)):
        assert isinstance(message.record, Tick)
        seen = message.record.decision.view.exercise
        assert seen is not None
        if seen.phase == "on" and seen.emg[0].activation is not None:
            own.setdefault(seen.repetition, []).append(seen.emg[0].activation)
    supports = [1.0, 0.9, 0.81, 0.729]
    shares = [fmean(own[number]) / (fmean(own[number]) + supports[number]) for number in range(4)]
    assert fmean(own[0]) == pytest.approx(0.55, abs=0.1)
    assert made.muscles[0].support == pytest.approx(fmean(supports), abs=1e-4)
    assert made.muscles[0].own_share == pytest.approx(fmean(shares), abs=2e-3)


def test_the_day_is_the_local_one_on_which_the_session_began(tmp_path: Path) -> None:
    late = datetime(2026, 3, 5, 4, 59, 58, tzinfo=UTC)  # 23:59:58 of the 4th there
    assert _made(tmp_path / "late" / "session.mcap", late).day == "2026-03-04"
    assert _made(tmp_path / "after" / "session.mcap", late.replace(hour=5, minute=0)).day == "2026-03-05"


def test_a_clock_that_was_not_set_gives_no_day_and_loses_nothing(tmp_path: Path) -> None:
    made = _made(tmp_path / "one" / "session.mcap", None)
    assert (made.day, made.begin_utc, made.muscles[0].contractions) == ("", None, 2)
    assert programme_weeks([made]) == ()
    assert muscle_days([made])[0].contractions == 2


def test_two_programmes_of_a_day_add_up_muscle_by_muscle_and_so_do_their_prescriptions() -> None:
    morning, other_day = entry("2026-03-04", 1), entry("2026-03-05", 1)
    again = entry("2026-03-04", 2)
    assert morning.prescription is not None
    other = entry(
        "2026-03-04",
        3,
        programme="grasp",
        prescription=dataclasses.replace(morning.prescription, contractions_per_day=30),
    )
    days = muscle_days([morning, again, other, other_day])
    assert [(one.day, one.sessions, one.contractions, one.prescribed) for one in days] == [
        ("2026-03-04", 3, 30, 50),  # 20 of the one programme, 30 of the other
        ("2026-03-05", 1, 10, 20),
    ]
    assert days[0].charge_mc == 54.0
    minutes = [(one.programme, one.sessions, one.minutes) for one in programme_days([morning, again, other])]
    assert minutes == [("grasp", 1, 3.0), ("wrist", 2, 6.0)]


def test_a_week_runs_from_monday_to_sunday() -> None:
    sunday, monday, tuesday = entry("2026-03-01"), entry("2026-03-02"), entry("2026-03-03")
    weeks = programme_weeks([sunday, monday, tuesday, entry("2026-03-03", 2)])
    assert [(one.monday, one.days, one.prescribed_days) for one in weeks] == [
        ("2026-02-23", 1, 5),
        ("2026-03-02", 2, 5),
    ]


def test_a_book_is_written_for_its_owner_alone_and_read_back_as_it_was(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    made = add_recording(runs / "rest", exercised(runs / "one" / "session.mcap", NOON))
    path = book_path(runs / "rest", PERSON)
    assert path == runs / "rest" / "dose" / "P01.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == stat.S_IMODE((runs / "rest").stat().st_mode) == 0o700
    assert read_book(runs / "rest", PERSON).entries == (made,)


def test_a_recording_that_is_entered_twice_counts_once(tmp_path: Path) -> None:
    recording = exercised(tmp_path / "one" / "session.mcap", NOON)
    for _ in range(2):
        add_recording(tmp_path / "rest", recording)
    assert len(read_book(tmp_path / "rest", PERSON).entries) == 1


def test_a_virtual_persons_book_is_another_one(tmp_path: Path) -> None:
    add_recording(tmp_path / "rest", exercised(tmp_path / "one" / "session.mcap", NOON, virtual="yes"))
    assert read_book(tmp_path / "rest", PERSON).entries == ()
    assert len(read_book(tmp_path / "rest", Owner("P01", virtual=True)).entries) == 1


def test_a_broken_line_is_told_and_hides_no_other(tmp_path: Path) -> None:
    add_recording(tmp_path / "rest", exercised(tmp_path / "one" / "session.mcap", NOON))
    path = book_path(tmp_path / "rest", PERSON)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"id": "half of a li')  # a power cut
    add_recording(tmp_path / "rest", exercised(tmp_path / "two" / "session.mcap", NOON))
    book = read_book(tmp_path / "rest", PERSON)
    assert [one.session for one in book.entries] == ["one", "two"]
    assert [(one.number, one.data) for one in book.broken] == [(2, b'{"id": "half of a li')]


@pytest.mark.parametrize("line", [b"\xff\xfe", b"[1, 2]", b"null", b'{"id": 7}', b"[" * 100_000])
def test_whatever_a_line_holds_it_is_an_entry_or_told(tmp_path: Path, line: bytes) -> None:
    path = book_path(tmp_path / "rest", PERSON)
    path.parent.mkdir(parents=True)
    path.write_bytes(line + b"\n\n")
    book = read_book(tmp_path / "rest", PERSON)
    assert (book.entries, len(book.broken)) == ((), 1)


def test_a_book_is_made_again_from_its_recordings_and_keeps_what_it_cannot_make(tmp_path: Path) -> None:
    exercised(tmp_path / "one" / "session.mcap", NOON)
    add_recording(tmp_path / "rest", exercised(tmp_path / "two" / "session.mcap", NOON))
    gone = exercised(tmp_path / "gone" / "session.mcap", NOON)
    add_recording(tmp_path / "rest", gone)
    gone.unlink()
    exercised(tmp_path / "other" / "session.mcap", NOON, pseudonym="P02")
    write(tmp_path / "walk.mcap")  # not in a session's folder
    path = book_path(tmp_path / "rest", PERSON)
    with path.open("ab") as file:
        file.write(b"nobody reads this\n" + b'{"id": "id-one", "session": \n')
    found = rebuild(tmp_path, tmp_path / "rest", PERSON)
    assert {one.session for one in found.book.entries} == {"one", "two", "gone"}
    assert [one.data for one in found.book.broken] == [b"nobody reads this"]  # the other's recording is there
    assert found.unread == ()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == ["P01.jsonl", "P01.lock"]


def test_a_recording_that_cannot_be_read_is_named_when_a_book_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "session.mcap").write_bytes(b"no recording")
    found = rebuild(tmp_path, tmp_path / "rest", PERSON)
    assert len(found.unread) == 1
    assert "bad" in found.unread[0]


def test_a_recordings_pseudonym_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    recording = exercised(tmp_path / "one" / "session.mcap", NOON, pseudonym="../../P01")
    with pytest.raises(InputError, match="pseudonym"):
        add_recording(tmp_path / "rest", recording)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_book_that_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    recording = exercised(tmp_path / "one" / "session.mcap", NOON)
    (tmp_path / "rest").mkdir(mode=0o500)
    with pytest.raises(InputError, match=r"P01\.jsonl: dose book"):
        add_recording(tmp_path / "rest", recording)


def test_two_muscles_each_have_their_own_figures(tmp_path: Path) -> None:
    made = _made(tmp_path / "one" / "session.mcap", params=programme(EXTENSORS, FLEXORS))
    extensors, flexors = made.muscles
    assert (extensors.muscle, flexors.muscle) == ("wrist-extensors", "finger-flexors")
    assert extensors.charge_mc > flexors.charge_mc > 0.0
