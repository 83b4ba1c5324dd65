"""The report: one page with the pictures, the figures and the guard's words, and nothing from outside."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from controller.analysis.arms import read_arms
from controller.analysis.report.page import report_html, write_pdf, write_report
from controller.analysis.tables import change_sheet, electrode_sheet, stride_sheet
from controller.errors import InputError
from controller.record.records import Arm, Audit, Change, Delivered, encode
from controller.record.writer import RecordingWriter
from tests.record.made import write
from tests.record.walk import record_walk


class Page(HTMLParser):
    """What a browser would fetch, and the text it would show."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.text: list[str] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data"}]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_walk(tmp_path_factory.mktemp("report") / "session.mcap", strides=5)


@pytest.fixture(scope="module")
def walk_html(walk: Path) -> str:
    write_report(walk, walk.with_name("report.html"))
    return walk.with_name("report.html").read_text(encoding="utf-8")


def test_the_page_fetches_nothing_but_the_pictures_it_carries(walk_html: str) -> None:
    page = Page(walk_html)
    assert len(page.fetched) == 5
    assert all(item.startswith("data:image/svg+xml;base64,") for item in page.fetched)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "url(" not in walk_html
    assert "@import" not in walk_html


def test_the_pictures_are_whole_svgs_that_refer_to_nothing_outside(walk_html: str) -> None:
    for item in Page(walk_html).fetched:
        svg = ET.fromstring(base64.b64decode(item.split(",", 1)[1]))
        assert svg.tag.endswith("svg")
        paths = [each for each in svg.iter() if each.tag.endswith("path")]
        assert len(paths) > 20
        links = [value for each in svg.iter() for key, value in each.attrib.items() if key.endswith("href")]
        assert all(link.startswith("#") for link in links)


def test_figures_of_both_arms_stand_side_by_side(walk_html: str) -> None:
    text = " ".join(Page(walk_html).text)
    assert re.search(r"Strides the body made\s+5\s+5", text)
    assert re.search(r"Ankle at initial contact\s+−1[34]\.\d \(−13\.\d\)\s+−[12]\.\d \(−1\.\d\)\s+°", text)
    assert re.search(r"Trips\s+0\s+1", text)


def test_the_page_says_what_it_is_and_what_the_guard_said_without_trusting_markup(walk_html: str) -> None:
    text = " ".join(Page(walk_html).text)
    assert "research software, not a medical device" in text
    assert "foot sensor silent for 150 ms; stopped" in text
    assert "armed by <demo>" in text
    assert "<demo>" not in walk_html
    assert 'class="tripped"' in walk_html
    assert "2027-01-15 08:00 UTC" in text


def test_the_same_recording_gives_the_same_page(walk: Path, walk_html: str) -> None:
    assert report_html(walk) == walk_html


def test_a_cut_recording_and_one_without_a_single_stride_still_give_a_page(tmp_path: Path) -> None:
    recording = record_walk(tmp_path / "session.mcap", strides=2)
    data = recording.read_bytes()
    recording.write_bytes(data[: len(data) // 3])
    assert "Every stride" in report_html(recording)
    empty = report_html(write(tmp_path / "empty.mcap"))
    assert "not known" in empty


def test_what_is_no_recording_is_refused_and_leaves_no_page(tmp_path: Path) -> None:
    (tmp_path / "a.mcap").write_text("no recording")
    with pytest.raises(InputError, match=r"a\.mcap"):
        write_report(tmp_path / "a.mcap", tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_paper_has_a_page_a_picture_and_then_the_tables_and_is_the_same_again(tmp_path: Path) -> None:
    recording = record_walk(tmp_path / "session.mcap", strides=5)
    write_pdf(recording, tmp_path / "a.pdf")
    write_pdf(recording, tmp_path / "b.pdf")
    paper = (tmp_path / "a.pdf").read_bytes()
    assert paper == (tmp_path / "b.pdf").read_bytes()
    assert paper.startswith(b"%PDF-")
    assert paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page ") == 1 + 5 + 1
    boxes = {tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox \[ ?([^]]+)\]", paper)}
    assert {tuple(sorted(round(side) for side in box[2:])) for box in boxes} == {(595, 842)}  # A4, throughout


def test_paper_of_nothing_is_no_error_and_of_no_recording_is(tmp_path: Path) -> None:
    write_pdf(write(tmp_path / "empty.mcap"), tmp_path / "empty.pdf")
    (tmp_path / "a.mcap").write_bytes(b"no")
    with pytest.raises(InputError):
        write_pdf(tmp_path / "a.mcap", tmp_path / "a.pdf")


def test_every_stride_has_its_row_and_its_dose(walk_html: str, tmp_path: Path) -> None:
    assert "feedback: 5 strides" in walk_html
    (arm,) = [
        arm for arm in read_arms(record_walk(tmp_path / "w.mcap", strides=5)) if arm.label == "feedback"
    ]
    sheet = stride_sheet(arm)
    stride = arm.walked[2]
    inside = [p for p in arm.pulses if stride.initial_contact_ns <= p.t_ns < stride.next_initial_contact_ns]
    row = dict(zip(sheet.heads, sheet.rows[2], strict=True))
    assert row["lasts s"] == "1.20"
    assert row["pulses"] == str(len(inside))
    assert row["charge µC"] == f"{sum(p.current_ma * p.width_us for p in inside) / 1e3:.0f}"
    assert len(sheet.rows) == 5


def test_changes_of_settings_are_told_with_what_was_foreseen_and_nobodys_name(tmp_path: Path) -> None:
    recording = tmp_path / "session.mcap"
    writer = RecordingWriter(recording, {"session": "s"})
    change = Change("feedback.gain", 1.0, 1.5)
    audit = Audit(
        5, 1_800_000_000 * 10**9, "change", "<b>ann</b>", "slow toe", 1, (change,), {"error_deg": 3.21}
    )
    writer.add("audit", 5, encode(audit))
    writer.finish()
    writer.close()
    html = report_html(recording)
    assert "feedback.gain 1 → 1.5" in html
    assert "ann" not in change_sheet(recording).rows[0]
    assert change_sheet(recording).rows[0][2] == "operator"
    assert "slow toe" not in html
    assert "error_deg 3.21" in html
    assert change_sheet(recording).rows[0][0] == "08:00:00"


def test_what_the_electrodes_met_is_told_by_channel_and_nothing_where_nothing_was_measured() -> None:
    assert electrode_sheet([("walk", ())]) is None
    loads = [3000.0] * 20 + [1500.0] * 20 + [2000.0] * 30
    told = [Delivered(n, 0, 20.0, 300.0, 1, 6.0, load_ohm=load_ohm) for n, load_ohm in enumerate(loads)]
    told += [Delivered(n, 1, 20.0, 300.0, 1, 5.0, charge_uc=4.0) for n in range(100)]
    sheet = electrode_sheet([("walk", told)])
    assert sheet is not None
    assert sheet.rows == (
        ("walk", "0", "70", "0.42", "–", "–", "3000", "1500", "2000", "3000"),
        ("walk", "1", "100", "0.50", "0.40", "80", "–", "–", "–", "–"),
    )


@pytest.mark.parametrize("blinded", [False, True])
def test_the_report_has_the_electrodes_and_keeps_a_blinded_arms_back(tmp_path: Path, blinded: bool) -> None:
    arm = Arm(0, "begin", "A" if blinded else "feedback", label="A" if blinded else "", blinded=blinded)
    told = Delivered(2, 0, 20.0, 300.0, 1, 6.0, load_ohm=1234.0)
    path = tmp_path / "session.mcap"
    write(path, ("arm", 0, arm), ("guard/delivered", 2, told))
    (only,) = read_arms(path)
    assert only.delivered == (() if blinded else (told,))
    assert ("At the electrodes" in report_html(path)) != blinded
