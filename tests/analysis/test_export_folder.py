"""Exports side by side: names that look alike, persons that sound alike, clocks that were not set."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyedflib
import pytest

from controller.analysis.export.edf import MISSING_MAX
from controller.analysis.export.export import Kind, export
from controller.analysis.report.page import report_html
from controller.core.signals import TickInputs
from controller.errors import InputError
from controller.record.records import Clock, Record, Tick
from drivers.interface import EmgFrame, ImuSample
from tests.record.made import MS, tick, write

SECONDS = 12
SET_NS = int(datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()) * 10**9


def session(
    path: Path,
    sensors: Iterable[str] = ("foot", "shank"),
    *,
    facts: dict[str, str] | None = None,
    utc_ns: Iterable[int] = (SET_NS,) * SECONDS,
    invalid_s: tuple[float, float] = (0.0, 0.0),
    emg: str = "",
) -> Path:
    """Some seconds of sensors that each tell their own constant; the n-th clock pair is of second n."""
    records: list[tuple[str, int, Record]] = []
    for second, utc in enumerate(utc_ns):
        at_ns = second * 1000 * MS
        records.append(("clock", at_ns, Clock(at_ns, utc + at_ns, at_ns)))
    for k in range(SECONDS * 50):
        t_ns = k * 20 * MS
        imu = tuple(
            ImuSample(
                name, t_ns, t_ns, k, (1.0 + n, 0.0, 9.81), (0.0, 0.0, 0.1),
                valid=n > 0 or not invalid_s[0] <= k / 50 < invalid_s[1],
            )
            for n, name in enumerate(sensors)
        )  # fmt: skip
        frames = (EmgFrame(emg, t_ns, t_ns, k, 50.0, ((1e-5,),)),) if emg else ()
        made = tick(k, now_ns=t_ns)
        inputs = TickInputs(imu=imu, emg=frames)
        records.append(("tick", t_ns, Tick(t_ns, k, k, 1.0, 2.0, inputs, made.decision)))
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {"session": "baseline", "pseudonym": "P001", "versions": '{"dorsi": "9.8.7"}'}
    return write(path, *sorted(records, key=lambda each: each[1]), session={**head, **(facts or {})})


NAMES = [
    ("left-foot", "left_foot"),
    ("Foot", "foot"),
    ("core", "shank"),
    ("controlcore", "core"),
    ("left_forefoot_dot", "left_forefoot_imu"),
    ("left_forefoot_dot", "left_shank_distal_dot"),
    ("foot", "foot2"),
]


@pytest.mark.parametrize("names", NAMES)
def test_every_sensor_is_in_every_export_under_a_label_of_its_own(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    recording = session(tmp_path / "session.mcap", names)
    motions = [f for f in export(recording, "bids", tmp_path / "b") if f.name.endswith("_motion.tsv")]
    assert len({file.name.casefold() for file in motions}) == 3  # the core's angles are the third
    first = [file.read_text().split("\t")[1] for file in motions]
    assert {"1.0", "2.0"} <= set(first)
    sensors, core = export(recording, "edf", tmp_path / "e")
    with pyedflib.EdfReader(str(core)) as edf:
        assert len(edf.getSignalLabels()) == 3
    with pyedflib.EdfReader(str(sensors)) as edf:
        labels = edf.getSignalLabels()
        assert len(set(labels)) == len(labels) == 2 * 6
        axes = [at for at, label in enumerate(labels) if label.endswith(" acc_x")]
        assert sorted(round(float(edf.readSignal(at)[9])) for at in axes) == [1, 2]
        assert {edf.getTransducer(at) for at in axes} == set(names)
    export(recording, "csv", tmp_path / "c")
    with (tmp_path / "c" / "samples.csv").open(newline="") as file:
        assert {row["sensor"] for row in csv.DictReader(file)} == set(names)


def test_a_bracelet_that_moves_and_has_emg_is_two_systems_of_bids(tmp_path: Path) -> None:
    recording = session(tmp_path / "session.mcap", ("myo",), emg="myo")
    names = [file.name for file in export(recording, "bids", tmp_path / "b")]
    assert len([name for name in names if name.endswith("_motion.tsv")]) == 2
    assert len([name for name in names if name.endswith("_emg.edf")]) == 1


@pytest.mark.parametrize(
    ("facts", "version"),
    [({}, "9.8.7"), ({"versions": "{", "version": "0.1.0"}, "0.1.0"), ({"versions": "[1]"}, "n/a")],
)
def test_bids_names_the_version_that_recorded(tmp_path: Path, facts: dict[str, str], version: str) -> None:
    recording = session(tmp_path / "session.mcap", facts=facts)
    files = export(recording, "bids", tmp_path / "b")
    sidecars = [json.loads(file.read_text()) for file in files if file.name.endswith("_motion.json")]
    assert {sidecar["SoftwareVersions"] for sidecar in sidecars} == {f"dorsi {version}"}
    description = json.loads((tmp_path / "b" / "dataset_description.json").read_text())
    assert description["GeneratedBy"] == [{"Name": "dorsi", "Version": version}]


def participants(folder: Path) -> list[str]:
    with (folder / "participants.tsv").open(newline="") as file:
        return [row["participant_id"] for row in csv.DictReader(file, delimiter="\t")]


def test_a_bids_folder_keeps_everybody(tmp_path: Path) -> None:
    first = session(tmp_path / "1" / "session.mcap")
    second = session(tmp_path / "2" / "session.mcap", facts={"pseudonym": "P002"})
    third = session(tmp_path / "3" / "session.mcap", facts={"session": "later"})
    for recording in (first, second, third, first):  # again into its own place
        export(recording, "bids", tmp_path / "b")
    assert participants(tmp_path / "b") == ["sub-P001", "sub-P002"]
    assert sorted(path.name for path in (tmp_path / "b" / "sub-P001").iterdir()) == [
        "ses-baseline",
        "ses-later",
    ]
    with (tmp_path / "b" / "participants.tsv").open("a") as file:
        file.write("sub-other\n")
    export(second, "bids", tmp_path / "b")
    assert participants(tmp_path / "b") == ["sub-P001", "sub-P002", "sub-other"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"pseudonym": "S1-12"}, {"pseudonym": "S11-2"}),  # both sub-S112
        ({"session": "base-line"}, {"session": "base_line"}),
        ({"seed": "1"}, {"seed": "2"}),
    ],
)
def test_in_bids_nobody_takes_another_ones_place(
    tmp_path: Path, one: dict[str, str], other: dict[str, str]
) -> None:
    export(session(tmp_path / "1" / "session.mcap", facts=one), "bids", tmp_path / "b")
    before = {path: path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="of another recording"):
        export(session(tmp_path / "2" / "session.mcap", facts=other), "bids", tmp_path / "b")
    assert {path: path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("kind", ["csv", "parquet", "edf"])
def test_files_of_another_recording_are_not_replaced(tmp_path: Path, kind: Kind) -> None:
    first = session(tmp_path / "1" / "session.mcap")
    files = export(first, kind, tmp_path / "out")
    assert export(first, kind, tmp_path / "out") == files
    before = [file.read_bytes() for file in files]
    with pytest.raises(InputError, match="of another recording"):
        export(session(tmp_path / "2" / "session.mcap", ("a", "b")), kind, tmp_path / "out")
    assert [file.read_bytes() for file in files] == before
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / files[0].name).write_text("somebody's own")
    with pytest.raises(InputError, match=files[0].name):
        export(first, kind, foreign)


@pytest.mark.parametrize("kind", ["csv", "parquet", "edf", "bids"])
def test_an_export_over_an_earlier_one_is_its_owners_alone(tmp_path: Path, kind: Kind) -> None:
    recording, out = session(tmp_path / "session.mcap"), tmp_path / "out"
    export(recording, kind, out)
    for path in out.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # as an earlier version left them
    before = os.umask(0o077)
    try:
        export(recording, kind, out)
    finally:
        os.umask(before)
    assert (out / ".dorsi-export.json").is_file()
    modes = {path.name: path.stat().st_mode & 0o077 for path in out.rglob("*")}
    assert not any(modes.values()), modes


YEAR_1970, YEAR_1980 = 120 * 10**9, 315_964_800 * 10**9


@pytest.mark.parametrize("utc_ns", [(YEAR_1970,) * SECONDS, (YEAR_1980,) * SECONDS, (2**62,), (-1,), ()])
def test_a_clock_that_was_never_set_dates_nothing(tmp_path: Path, utc_ns: tuple[int, ...]) -> None:
    recording = session(tmp_path / "session.mcap", utc_ns=utc_ns)
    for path in export(recording, "edf", tmp_path / "e"):
        assert b"Startdate X " in path.read_bytes()[:256]
    files = export(recording, "bids", tmp_path / "b")
    (scans,) = (file for file in files if file.name.endswith("_scans.tsv"))
    assert {line.split("\t")[1] for line in scans.read_text().splitlines()[1:]} == {"n/a"}
    html = report_html(recording)
    assert "1970" not in html
    assert "1980" not in html


def test_a_clock_set_in_the_middle_dates_the_whole(tmp_path: Path) -> None:
    utc_ns = [YEAR_1970] * 5 + [SET_NS] * (SECONDS - 5)
    recording = session(tmp_path / "session.mcap", utc_ns=utc_ns)
    for path in export(recording, "edf", tmp_path / "e"):
        with pyedflib.EdfReader(str(path)) as edf:
            begun = edf.getStartdatetime()
        assert begun == datetime(2026, 11, 29, 12)  # noqa: DTZ001  EDF has no zones
    files = export(recording, "bids", tmp_path / "b")
    (scans,) = (file for file in files if file.name.endswith("_scans.tsv"))
    assert "2026-11-29T12:00:00.000000Z" in scans.read_text()
    assert "2026-11-29 12:00 UTC" in report_html(recording)


HOUR_NS = 3600 * 10**9


@pytest.mark.parametrize("before_ns", [SET_NS - 70 * HOUR_NS, SET_NS + 5 * 10**9])
def test_a_clock_that_was_wrong_until_the_network_set_it_dates_by_the_right_one(
    tmp_path: Path, before_ns: int
) -> None:
    """As where a rig goes on from its last shut-down. A clock that is slewed, as drift is, was not set."""
    slewed = [SET_NS + 500_000 * second for second in range(SECONDS - 5)]
    recording = session(tmp_path / "session.mcap", utc_ns=[before_ns] * 5 + slewed)
    for path in export(recording, "edf", tmp_path / "e"):
        with pyedflib.EdfReader(str(path)) as edf:
            assert edf.getStartdatetime() == datetime(2026, 11, 29, 12)  # noqa: DTZ001  EDF has no zones
    assert "2026-11-29 12:00 UTC" in report_html(recording)


def annotations(recording: Path, folder: Path) -> dict[str, float]:
    notes: dict[str, float] = {}
    for path in export(recording, "edf", folder):
        with pyedflib.EdfReader(str(path)) as edf:
            onsets, _, texts = edf.readAnnotations()
        notes |= dict(zip(texts, np.round(onsets, 3).tolist(), strict=True))
    return notes


def test_a_span_that_was_not_valid_is_a_gap_like_a_missing_one(tmp_path: Path) -> None:
    notes = annotations(session(tmp_path / "s.mcap", invalid_s=(3.0, 9.0)), tmp_path)
    assert notes["gap foot 6.020 s"] == 2.98
    assert not any(text.startswith("gap shank") for text in notes)


@pytest.mark.parametrize(
    ("invalid_s", "gap", "at"),
    [
        ((0.0, 4.0), "gap foot 4.000 s", 0.0),
        ((10.0, 12.0), "gap foot 2.000 s", 9.98),
        ((0.0, 12.0), "gap foot 11.980 s", 0.0),
    ],
)
def test_gaps_at_the_ends_are_told_too(
    tmp_path: Path, invalid_s: tuple[float, float], gap: str, at: float
) -> None:
    assert annotations(session(tmp_path / "s.mcap", invalid_s=invalid_s), tmp_path)[gap] == at


def test_a_gap_is_told_from_its_bound_on(tmp_path: Path) -> None:
    short = annotations(session(tmp_path / "a.mcap", invalid_s=(3.0, 3.0 + 0.02 * MISSING_MAX)), tmp_path)
    assert not any(text.startswith("gap foot") for text in short)
    long = annotations(
        session(tmp_path / "b.mcap", invalid_s=(3.0, 3.0 + 0.02 * (MISSING_MAX + 1))), tmp_path
    )
    assert any(text.startswith("gap foot") for text in long)
