"""Exports read back by readers that are not ours: DuckDB, pyEDFlib, the BIDS file rules."""

from __future__ import annotations

import csv
import json
import random
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet
import pyedflib
import pytest
from bids_validator import BIDSValidator

from controller.analysis.arms import read_arms
from controller.analysis.columns import EXERCISED, TABLES
from controller.analysis.export.export import Kind, export
from controller.analysis.export.tables import DICTIONARY
from controller.core.signals import TickInputs
from controller.errors import InputError
from controller.record.records import Clock, Process, Record, Tick
from controller.record.stream_records import Marker
from drivers.interface import EmgFrame, ImuSample
from tests.analysis.test_arms import trial
from tests.record.made import IDLE_VIEW, MS, tick, write
from tests.record.walk import STRIDE_MS, TOE_OFF, record_walk

STRIDES = 6
SECONDS = 4
UTC_NS = 1_800_000_000 * 10**9  # 2027-01-15 08:00:00


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_walk(tmp_path_factory.mktemp("walk") / "walk.mcap", strides=STRIDES)


def acc(t_s: float) -> tuple[float, float, float]:
    return (3.0 * float(np.sin(2.0 * np.pi * t_s)), 9.81, -1.5)


@pytest.fixture(scope="module")
def sensed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds from plain formulas: a foot at 100 Hz with a hole from 2.0 to 2.5 s, EMG at 200 Hz."""
    records: list[tuple[str, int, Record]] = [("clock", 0, Clock(0, UTC_NS, 0))]
    for k in range(SECONDS * 100):
        t_ns = k * 10 * MS
        imu = ()
        if not 200 <= k < 250:
            imu = (ImuSample("foot", t_ns, t_ns + 9 * MS, k, acc(k / 100), (0.25, 0.0, -2.0), valid=k != 10),)
        volts = tuple((1e-6 * (2 * k + i), -1e-4) for i in range(2))
        emg = (EmgFrame("emg", t_ns, t_ns + 9 * MS, 2 * k, 200.0, volts),)
        made = tick(k, now_ns=t_ns + 9 * MS)
        inputs = TickInputs(imu=imu, emg=emg)
        records.append(
            ("tick", t_ns, Tick(made.now_ns, k, k, 1.0, 2.0, inputs, made.decision)),
        )
    note = Process(1_000 * MS, "recorder", 1, "telemetry", "said\twith a tab\nand a line")
    records.append(("process", note.t_ns, note))
    facts = {"session": "20270115T080000Z", "pseudonym": "P-07", "version": "0.1.0"}
    return write(tmp_path_factory.mktemp("sensed") / "sensed.mcap", *records, session=facts)


def query(path: Path, what: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as database:
        return database.execute(f"select {what} from '{path}'").fetchall()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_tables_hold_every_tick_pulse_stride_and_sample(walk: Path, tmp_path: Path, kind: Kind) -> None:
    files = export(walk, kind, tmp_path / "out")
    tables = {f"{name}.{kind}" for name in TABLES if name not in EXERCISED}
    assert {file.name for file in files} == {*tables, DICTIONARY}
    arms = read_arms(walk)
    ticks, samples, pulses, strides = (
        tmp_path / "out" / f"{name}.{kind}" for name in ("ticks", "samples", "pulses", "strides")
    )
    assert query(ticks, "count(*)")[0][0] == sum(len(arm.ticks.now_ns) for arm in arms)
    assert query(samples, "count(*)")[0][0] == sum(len(arm.ticks.now_ns) for arm in arms) // 2
    charge_uc = sum(pulse.phase_charge_uc for arm in arms for pulse in arm.pulses)
    assert query(pulses, "sum(phase_charge_uc)")[0][0] == pytest.approx(charge_uc)
    stride_s = STRIDE_MS / 1e3
    assert query(strides, "count(*), min(stride_s), max(stride_s)")[0] == (2 * STRIDES, stride_s, stride_s)
    assert query(strides, "avg(swing_s)")[0][0] == pytest.approx(stride_s * (1 - TOE_OFF), abs=0.02)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_numbers_survive_to_the_last_bit_and_unknown_is_empty(tmp_path: Path, kind: Kind) -> None:
    chance = random.Random(1)
    values = [chance.uniform(-1e3, 1e3) * 10 ** chance.randint(-12, 3) for _ in range(200)]
    records = []
    for k, value in enumerate(values):
        sample = ImuSample("foot", k, k, k, (value, 1 / 3, -0.0), (0.0, 0.0, 0.0))
        records.append(("tick", k, tick(k, now_ns=k, samples=(sample,), view=IDLE_VIEW)))
    recording = write(tmp_path / "s.mcap", *records)
    export(recording, kind, tmp_path / "out")
    read = query(tmp_path / "out" / f"samples.{kind}", "acc_x_mps2, acc_y_mps2")
    assert [row[0] for row in read] == values
    assert {row[1] for row in read} == {1 / 3}
    assert query(tmp_path / "out" / f"ticks.{kind}", "count(foot_pitch_deg), count(commanded_ma)") == [(0, 0)]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_is_not_valid_is_empty_with_its_row_and_reason(tmp_path: Path, kind: Kind) -> None:
    zero = (0.0, 0.0, 0.0)
    bad = ImuSample("foot", 1, 1, 0, zero, zero, valid=False, reason="stuck")
    frames = (
        EmgFrame("emg", 1, 1, 0, 200.0, ((0.0, 0.0),), valid=False, reason="railed"),
        EmgFrame("emg", 2, 2, 1, 200.0, ((0.0, -3e-6),)),
    )
    made = tick(0)
    inputs = TickInputs(imu=(bad, ImuSample("foot", 2, 2, 1, zero, zero)), emg=frames)
    export(
        write(tmp_path / "s.mcap", ("tick", 0, Tick(1, 1, 1, 1.0, 2.0, inputs, made.decision))),
        kind, tmp_path / "out",
    )  # fmt: skip
    samples = query(tmp_path / "out" / f"samples.{kind}", "seq, acc_x_mps2, gyr_z_rps, valid, reason")
    assert samples == [(0, None, None, False, "stuck"), (1, 0.0, 0.0, True, None)]
    emg = query(tmp_path / "out" / f"emg.{kind}", "seq, channel, emg_uv, valid, reason")
    assert emg == [
        (0, 0, None, False, "railed"), (0, 1, None, False, "railed"),
        (1, 0, 0.0, True, None), (1, 1, -3.0, True, None),
    ]  # fmt: skip


def test_the_data_dictionary_says_of_every_column_what_it_is(walk: Path, tmp_path: Path) -> None:
    *tables, dictionary = export(walk, "parquet", tmp_path)
    with dictionary.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["definition"] and row["source"] for row in rows)
    for path in tables:
        schema = pyarrow.parquet.read_schema(path)
        told = {row["column"]: row["unit"] for row in rows if row["table"] == path.stem}
        assert list(told) == schema.names
        for name, unit in told.items():
            assert (schema.field(name).metadata.get(b"unit") or b"").decode() == unit


def test_a_table_without_rows_still_has_its_columns(sensed: Path, tmp_path: Path) -> None:
    export(sensed, "csv", tmp_path)
    with (tmp_path / "pulses.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [[column.name for column in TABLES["pulses"]]]


def test_edf_holds_signals_at_their_rates_with_time_and_pseudonym(sensed: Path, tmp_path: Path) -> None:
    slow, fast = export(sensed, "edf", tmp_path)
    assert (slow.name, fast.name) == ("sensed_100hz.edf", "sensed_200hz.edf")
    with pyedflib.EdfReader(str(fast)) as edf:
        assert set(edf.getSampleFrequencies()) == {200}
        labels = edf.getSignalLabels()
        assert "core ankle" in labels  # on a grid of 200 Hz, however often the core was stepped
        assert edf.getStartdatetime().isoformat() == "2027-01-15T08:00:00"
        ramp = edf.readSignal(labels.index("emg emg_0"))[: SECONDS * 200]
        step_uv = 2 * 799.0 / 65535
        assert np.abs(ramp - np.arange(SECONDS * 200)).max() < 2 * step_uv
    with pyedflib.EdfReader(str(slow)) as edf:
        assert set(edf.getSampleFrequencies()) == {100}
        labels = edf.getSignalLabels()
        rates = dict(zip(labels, edf.getSampleFrequencies(), strict=True))
        assert edf.getStartdatetime().isoformat() == "2027-01-15T08:00:00"
        assert edf.getPatientCode() == "P-07"
        assert edf.getPhysicalDimension(labels.index("foot acc_x")) == "m/s^2"
        foot = edf.readSignal(labels.index("foot acc_x"))
        at_s = np.arange(len(foot)) / rates["foot acc_x"]
        known = (at_s < 1.9) | ((at_s > 2.6) & (at_s < 3.9))
        wave = 3.0 * np.sin(2 * np.pi * at_s)
        assert (
            np.abs(foot - wave)[known].max() < 0.05
        )  # a line between samples 10 ms apart, one of them missing
        assert np.all(
            foot[(at_s > 2.01) & (at_s < 2.49)] == 0.0
        )  # the gap: exactly zero, and no line over it
        onsets, _, texts = edf.readAnnotations()
    notes = dict(zip(texts, onsets, strict=True))
    assert notes["gap foot 0.510 s"] == pytest.approx(1.99)
    assert "end foot" in notes
    assert any(text.startswith("process_telemetry recorder: said") for text in texts)


def test_edf_holds_a_current_until_the_next_tick_and_begins_on_a_whole_second(tmp_path: Path) -> None:
    """The first tick is 370 ms into a second of UTC; 20 mA from 1 s after it for half a second."""
    clock = Clock(0, UTC_NS + 370 * MS, 0)
    on_ms, off_ms = 1000, 1500
    ticks = []
    for k in range(400):
        sample = ImuSample("foot", 5 * k * MS, 5 * k * MS, k, acc(k / 200), (0.0, 0.0, 0.0))
        made = tick(k, samples=(sample,), current_ma=20.0 if on_ms <= 5 * k < off_ms else None)
        ticks.append(("tick", 5 * k * MS, made))
    recording = write(tmp_path / "s.mcap", ("clock", 0, clock), *ticks)
    (path,) = export(recording, "edf", tmp_path / "out")
    with pyedflib.EdfReader(str(path)) as edf:
        assert edf.getStartdatetime().isoformat() == "2027-01-15T08:00:00"
        current_ma = edf.readSignal(edf.getSignalLabels().index("core command"))
    at_ms = np.arange(len(current_ma)) * 5
    flows = (at_ms >= 370 + on_ms) & (at_ms < 370 + off_ms)
    assert np.all(current_ma[~flows] == 0.0)
    assert np.abs(current_ma[flows] - 20.0).max() < 20.0 / 32767


def test_bids_files_are_named_and_shaped_as_the_rules_want(sensed: Path, tmp_path: Path) -> None:
    files = export(sensed, "bids", tmp_path)
    rules = BIDSValidator()
    for file in files:
        assert rules.is_bids("/" + str(file.relative_to(tmp_path))), file
    motions = [file for file in files if file.name.endswith("_motion.tsv")]
    assert len(motions) == 2
    for motion in motions:
        with motion.open(newline="") as file:
            rows = list(csv.reader(file, delimiter="\t"))
        with Path(str(motion).replace("_motion.tsv", "_channels.tsv")).open(newline="") as file:
            channels = list(csv.DictReader(file, delimiter="\t"))
        sidecar = json.loads(motion.with_suffix(".json").read_text())
        assert {len(row) for row in rows} == {len(channels)} == {sidecar["MotionChannelCount"]}
        assert channels[0]["type"] == "LATENCY"
        assert rows[0][0] == "0.000000"
        assert sidecar["TaskName"] == "walk"
        assert {"component", "type", "tracked_point", "units"} <= channels[0].keys()
        if "tracksys-foot" in motion.name:
            assert sidecar["ACCELChannelCount"] == sidecar["GYROChannelCount"] == 3
            assert float(rows[25][1]) == acc(0.25)[0]
            assert rows[10][1:] == ["n/a"] * 6  # not valid
            assert len(rows) == SECONDS * 100 - 50
    (scans,) = (file for file in files if file.name.endswith("_scans.tsv"))
    assert "2027-01-15T08:00:00.000000Z" in scans.read_text()
    (events,) = (file for file in files if file.name.endswith("core_events.tsv"))
    with events.open(newline="") as file:
        (event,) = csv.DictReader(file, delimiter="\t")
    assert float(event["onset"]) == pytest.approx(1.0 - 0.009)
    assert event["text"] == "recorder: said with a tab and a line"


def test_a_cut_recording_is_exported_up_to_its_last_whole_message(walk: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(walk.read_bytes()[: walk.stat().st_size // 2])
    export(cut, "csv", tmp_path / "out")
    whole = sum(len(arm.ticks.now_ns) for arm in read_arms(walk))
    assert 0 < int(str(query(tmp_path / "out" / "ticks.csv", "count(*)")[0][0])) < whole


@pytest.mark.parametrize("kind", ["csv", "parquet", "edf", "bids"])
def test_what_is_no_recording_and_where_nothing_can_be_written_is_refused(
    walk: Path, tmp_path: Path, kind: Kind
) -> None:
    (tmp_path / "x.mcap").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="an MCAP record"):
        export(tmp_path / "x.mcap", kind, tmp_path / "out")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="a writable folder"):
        export(walk, kind, tmp_path / "file")


@pytest.mark.parametrize("kind", ["edf", "bids"])
def test_signals_need_a_sample(tmp_path: Path, kind: Kind) -> None:
    recording = write(tmp_path / "s.mcap", ("tick", 0, tick(0)))
    with pytest.raises(InputError, match="at least one sample"):
        export(recording, kind, tmp_path / "out")


def test_one_sample_and_a_value_never_known_make_an_edf(tmp_path: Path) -> None:
    sample = ImuSample("foot", 0, 0, 0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), valid=False)
    recording = write(tmp_path / "s.mcap", ("tick", 0, tick(0, samples=(sample,))))
    for path in export(recording, "edf", tmp_path / "out"):
        with pyedflib.EdfReader(str(path)) as edf:
            assert np.all(edf.readSignal(0) == 0.0)


MODES = (b"learning", b"trapezoid")


@pytest.mark.parametrize("kind", ["csv", "parquet", "edf", "bids"])
def test_no_export_of_a_blinded_trial_gives_an_arm_away(tmp_path: Path, kind: Kind) -> None:
    recording = trial(tmp_path / "trial.mcap")
    for path in export(recording, kind, tmp_path / "out"):
        assert not any(mode in path.read_bytes() for mode in MODES), path
    for path in export(recording, "csv", tmp_path / "csv"):
        assert "20.0" not in path.read_text(), path  # mA


def test_a_blinded_export_has_the_labels_and_no_dose(tmp_path: Path) -> None:
    export(trial(tmp_path / "trial.mcap"), "parquet", tmp_path)
    assert sorted(query(tmp_path / "ticks.parquet", "distinct mode")) == [("A",), ("B",)]
    assert query(tmp_path / "ticks.parquet", "count(*), count(commanded_ma)") == [(200, 0)]
    assert query(tmp_path / "pulses.parquet", "count(*)") == [(0,)]
    (dose,) = query(tmp_path / "strides.parquet", "count(*), count(charge_uc), count(pulses), count(mode)")
    assert (dose[0], dose[1], dose[2]) == (8, 0, 0)
    assert dose[3] == 8
    assert query(tmp_path / "samples.parquet", "count(*)") == [(200,)]


def test_a_blinded_edf_has_no_channel_of_the_command(tmp_path: Path) -> None:
    for unblind in (False, True):
        recording = trial(tmp_path / f"{unblind}.mcap")
        labels: list[str] = []
        for path in export(recording, "edf", tmp_path, unblind=unblind):
            with pyedflib.EdfReader(str(path)) as edf:
                labels += edf.getSignalLabels()
        assert "core ankle" in labels
        assert ("core command" in labels) is unblind


def test_an_unblinded_export_is_that_of_an_open_trial_with_the_labels_beside_the_modes(
    tmp_path: Path,
) -> None:
    export(trial(tmp_path / "b.mcap"), "parquet", tmp_path / "b", unblind=True)
    export(trial(tmp_path / "o.mcap", blinded=False), "parquet", tmp_path / "o")
    for table in ("ticks", "pulses", "samples"):
        assert query(tmp_path / "b" / f"{table}.parquet", "*") == query(
            tmp_path / "o" / f"{table}.parquet", "*"
        )
    strides = query(tmp_path / "b" / "strides.parquet", "distinct arm, mode")
    assert sorted(strides) == [("A: learning", "learning"), ("B: trapezoid", "trapezoid")]


def test_markers_of_other_programs_are_events_of_every_export(tmp_path: Path) -> None:
    sample = ImuSample("foot", 10 * MS, 12 * MS, 1, (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))
    one = replace(tick(1, now_ns=12 * MS), inputs=TickInputs(imu=(sample,)))
    marks = (
        Marker(15 * MS, 17 * MS, "stim-pc", "go"),
        Marker(19 * MS, 19 * MS, "stim-pc", "stop", False, "odd"),
    )
    told = [("marker", mark.arrival_ns, mark) for mark in marks]
    path = write(tmp_path / "s.mcap", ("clock", 0, Clock(0, UTC_NS, 0)), ("tick", 12 * MS, one), *told)
    export(path, "csv", tmp_path / "csv")
    rows = duckdb.sql(f"select t_ns, text from '{tmp_path}/csv/events.csv' where kind = 'marker'").fetchall()
    assert rows == [(15 * MS, "stim-pc: go"), (19 * MS, "stim-pc: stop (odd: at its arrival)")]
    (edf, *_) = [one for one in export(path, "edf", tmp_path / "edf") if one.suffix == ".edf"]
    with pyedflib.EdfReader(str(edf)) as reader:
        assert any("marker stim-pc: go" in text for text in reader.readAnnotations()[2])
