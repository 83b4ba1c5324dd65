"""The report of an exercise session: doses, currents over time, a month, pulses; and nothing of a walk."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from controller.analysis.dose_file import add_recording
from controller.analysis.exercise_trace import read_trace
from controller.analysis.report.exercise_figures import envelope
from controller.analysis.report.page import write_pdf, write_report
from controller.record.reader import has_end
from tests.analysis.exercised import exercised
from tests.core.exercise.numbers import EXTENSORS, FLEXORS, programme

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
TITLES = (
    "What was done",
    "Current of each muscle over the session",
    "March 2026 at a glance",
    "Doses against the prescription",
    "Pulses",
    "Limits and deadlines, judged",
    "What the guard said",
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second of two sessions of a day, each of two contractions; the first is in the dose book."""
    runs = tmp_path_factory.mktemp("runs")
    two = programme(EXTENSORS, FLEXORS)
    add_recording(runs / "rest", exercised(runs / "one" / "session.mcap", NOON, params=two))
    return exercised(runs / "two" / "session.mcap", NOON, params=two)


def test_the_page_shows_what_was_given_against_the_prescription_and_nothing_of_a_walk(
    recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    write_report(recording, out)
    page = out.read_text(encoding="utf-8")
    assert [title for title in TITLES if f"<h2>{title}</h2>" not in page] == []
    assert page.count("<img ") == 2
    assert "stride" not in page.partition("<h2>Session</h2>")[0].lower()
    row = page.partition("<td>wrist-extensors</td>")[2].partition("</tr>")[0]
    # this session's contractions, minutes, charge; the day's contractions, those prescribed
    cells = [cell.partition("</td>")[0] for cell in row.split("<td>")[1:]]
    assert (cells[0], cells[3], cells[4]) == ("2", "4", "4")


def test_the_paper_is_made_too(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.pdf"
    write_pdf(recording, out)
    assert out.read_bytes().startswith(b"%PDF")


def test_a_session_without_a_date_or_a_pulse_is_reported_too(tmp_path: Path) -> None:
    never = exercised(tmp_path / "one" / "session.mcap", None, seconds=1.0)
    write_report(never, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "date not known" in page
    assert "at a glance" not in page


def test_a_report_says_that_its_recording_was_cut_off(recording: Path, tmp_path: Path) -> None:
    words = "the recording has no end: it was cut off"
    cut = tmp_path / "cut" / "session.mcap"
    cut.parent.mkdir()
    data = recording.read_bytes()
    for path, whole in ((recording, True), (cut, False)):
        if not whole:
            cut.write_bytes(data[: len(data) * 6 // 10])
        write_report(path, tmp_path / "report.html")
        assert (words in (tmp_path / "report.html").read_text(encoding="utf-8")) is not whole


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 9, 100, -1, -8])
def test_a_recording_has_its_end_or_was_cut_off_wherever(recording: Path, tmp_path: Path, cut: int) -> None:
    assert has_end(recording)
    (tmp_path / "cut.mcap").write_bytes(recording.read_bytes()[:cut])
    assert not has_end(tmp_path / "cut.mcap")


def test_a_trace_holds_the_phases_in_order_and_every_pulse_at_its_rate(recording: Path) -> None:
    trace = read_trace(recording)
    assert [span.phase for span in trace.spans] == ["ready", "on", "rest", "on", "done"]
    assert all(one.end_s == two.begin_s for one, two in zip(trace.spans, trace.spans[1:], strict=False))
    extensors, flexors = trace.muscles
    assert np.median(extensors.rates_hz) == pytest.approx(40.0)
    assert (extensors.current_ma.max(), flexors.current_ma.max()) == (20.0, 15.0)


def test_the_picture_of_a_train_has_no_gaps_and_its_rests_are_empty(recording: Path) -> None:
    trace = read_trace(recording)
    t_s, most_ma = envelope(trace.muscles[0], trace.seconds)
    held = (t_s > 4.2) & (t_s < 5.8)  # after 3 s of countdown and 1 s of ramp, for 2 s
    rest = (t_s > 6.7) & (t_s < 7.0)  # before the other muscle
    assert set(most_ma[held]) == {20.0}
    assert set(most_ma[rest]) == {0.0}
