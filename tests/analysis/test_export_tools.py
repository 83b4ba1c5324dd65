"""Exports in the tools that researchers open them with: MNE, pandas, the BIDS validator by the schema."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mne
import numpy as np
import pandas
import pytest

from controller.analysis.export.export import export
from controller.core.signals import TickInputs
from controller.record.records import Clock, Process, Pulse, Record, Tick
from drivers.interface import EmgFrame, ImuSample
from tests.analysis.exercised import exercised, listening
from tests.record.made import MS, tick, verdict, write

SECONDS = 6
UTC_NS = 1_800_000_000 * 10**9
EMG_HZ = 199.8  # of the device's own clock; it says 200
ON_MS, OFF_MS = 2000, 2500  # 20 mA
LOST_S = (3.0, 3.5)  # of the EMG: not valid
EARLY_S = 1.5  # a process began so long before the first sample
SESSION_FILE = """
[[sensors]]
name = "foot"
device = "movella-dot"
[[sensors]]
name = "bracelet"
device = "myo"
"""
mne.set_log_level("ERROR")


def emg_volts(number: int) -> tuple[float, float]:
    """Two channels that no interpolation gives: the signs alternate."""
    sign = (-1) ** number
    return sign * (50e-6 + number * 1e-8), -sign * 20e-6


def records(foot_hz: float, off_ns: int) -> Iterator[tuple[str, int, Record]]:
    """Some seconds of foot, EMG, current and pulses; ``off_ns`` is where in a second of UTC they begin."""
    yield "clock", 0, Clock(0, UTC_NS + off_ns, 0)
    yield "process", 0, Process(0, "world", 1, "started")
    first_ns = round(EARLY_S * 1e9)
    foot = [first_ns + round(k * 1e9 / foot_hz) for k in range(int(SECONDS * foot_hz))]
    bracelet = [first_ns + round(k * 1e9 / EMG_HZ) for k in range(int(SECONDS * EMG_HZ))]
    for k in range(SECONDS * 200):
        now_ns = first_ns + 5 * k * MS
        since_ns = now_ns - 5 * MS
        imu = tuple(
            ImuSample("foot", t_ns, t_ns, n, (n / 100, 9.81, 0.0), (0.0, 0.0, 0.0))
            for n, t_ns in enumerate(foot)
            if since_ns < t_ns <= now_ns
        )
        emg = tuple(
            EmgFrame(
                "bracelet", t_ns, t_ns, n, 200.0, (emg_volts(n),),
                valid=not LOST_S[0] <= (t_ns - first_ns) / 1e9 < LOST_S[1],
            )
            for n, t_ns in enumerate(bracelet)
            if since_ns < t_ns <= now_ns
        )  # fmt: skip
        on = ON_MS <= 5 * k < OFF_MS
        made = tick(k, now_ns=now_ns, current_ma=20.0 if on else None)
        yield "tick", now_ns, Tick(now_ns, k, k, 1.0, 2.0, TickInputs(imu=imu, emg=emg), made.decision)
        if on and k % 5 == 0:
            pulse = Pulse(now_ns + MS, 0, 20.0, 300.0, k % 256)
            yield "guard/verdict", now_ns + MS, verdict(k, pulse)


def recording(path: Path, foot_hz: float, off_ns: int, session: str) -> Path:
    path.parent.mkdir(parents=True)
    facts = {"session": session, "pseudonym": "P-07", "versions": '{"dorsi": "9.8.7"}', "mode": "feedback"}
    return write(path, *records(foot_hz, off_ns), session={**facts, "session_file": SESSION_FILE})


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("walk") / "a" / "session.mcap", 59.7, 370 * MS, "first")


def test_mne_reads_the_tables_values_whole_and_in_pieces(walk: Path, tmp_path: Path) -> None:
    tables = {file.stem: file for file in export(walk, "parquet", tmp_path / "t")}
    _, fast = export(walk, "edf", tmp_path / "e")
    pieces, whole = (mne.io.read_raw_edf(fast, preload=preload) for preload in (False, True))
    data = whole.get_data()
    for begin in range(0, whole.n_times, 333):
        end = min(begin + 333, whole.n_times)
        assert np.array_equal(pieces.get_data(start=begin, stop=end), data[:, begin:end])
    file_begin_ns = 370 * MS  # before the clock's first pair, at 0 of monotonic time
    table = pandas.read_parquet(tables["emg"]).query("channel == 0")
    at = np.round((table.t_ns + file_begin_ns) / 1e9 * 200).astype(int)  # the nearest point of the grid
    found_uv = data[whole.ch_names.index("bracelet emg_0")] * 1e6
    known = table.emg_uv.notna().to_numpy()
    step_uv = 2 * np.abs(table.emg_uv).max() / 65534
    off = np.abs(found_uv[at[known]] - table.emg_uv[known])
    assert np.mean(off <= step_uv) > 0.99  # where its clock slips against the grid one sample is left out
    assert np.all(np.isin(np.round(found_uv, 1), [0.0, *np.round(table.emg_uv[known], 1)]))
    ticks = pandas.read_parquet(tables["ticks"])
    current_ma = data[whole.ch_names.index("core command")]
    at = np.ceil((ticks.now_ns + file_begin_ns) / 1e9 * 200 - 1e-4).astype(int)
    assert np.abs(current_ma[at] - ticks.commanded_ma.fillna(0.0)).max() < 20 / 32767


def test_mne_joins_two_recordings_of_devices_whose_clocks_differ(walk: Path, tmp_path: Path) -> None:
    other = recording(tmp_path / "b" / "session.mcap", 60.4, 0, "second")
    for one, two in zip(
        export(walk, "edf", tmp_path / "1"), export(other, "edf", tmp_path / "2"), strict=True
    ):
        first, second = (mne.io.read_raw_edf(path) for path in (one, two))
        length = first.n_times
        joined = mne.concatenate_raws([first, second])
        assert joined.n_times > length
        pulses = [text for text in joined.annotations.description if text.startswith("pulse 0 20 mA 300 us")]
        assert len(pulses) == 2 * (OFF_MS - ON_MS) // 25


def test_an_edf_has_what_came_before_the_first_sample_the_pulses_and_each_span_without_signal(
    walk: Path, tmp_path: Path
) -> None:
    _, fast = export(walk, "edf", tmp_path)
    notes = mne.io.read_raw_edf(fast).annotations
    told = {
        text: (onset, long)
        for text, onset, long in zip(notes.description, notes.onset, notes.duration, strict=True)
    }
    assert told["process_started world"][0] == pytest.approx(0.37)
    (gap,) = (text for text in told if text.startswith("gap bracelet 0.5"))
    assert told[gap][0] == pytest.approx(0.37 + EARLY_S + LOST_S[0], abs=0.011)
    assert told[gap][1] == pytest.approx(0.5, abs=0.011)
    onsets = [note["onset"] for note in notes if note["description"].startswith("pulse")]
    first_s = 0.37 + EARLY_S + ON_MS / 1e3 + 0.001
    assert onsets == pytest.approx([first_s + 0.025 * n for n in range(20)])
    assert any("bracelet (Thalmic Myo)" in text for text in told)


def validated(folder: Path) -> tuple[list[str], set[str]]:
    """The errors that the validator by the schema finds, and the codes of its warnings."""
    validator = Path(sys.executable).with_name("bids-validator-deno")
    done = subprocess.run(
        [validator, str(folder), "--format", "json"], capture_output=True, text=True, check=False, timeout=120
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    errors = [json.dumps(issue) for issue in issues if issue["severity"] == "error"]
    return errors, {f"{issue['code']} {issue.get('subCode', '')}".strip() for issue in issues}


# What no recording knows, and a person writes in who does (docs/recording-format.md)
NOT_KNOWN = {
    "TOO_FEW_AUTHORS", "NO_AUTHORS Authors",
    *(f"JSON_KEY_RECOMMENDED {key}" for key in ("HEDVersion", "License", "SourceDatasets")),
    *(
        f"SIDECAR_KEY_RECOMMENDED {key}"
        for key in (
            "DeviceSerialNumber", "ElectrodeManufacturer", "ElectrodeManufacturersModelName",
            "InstitutionAddress", "InstitutionName", "InstitutionalDepartmentName", "Instructions",
            "SubjectArtefactDescription", "TaskDescription",
        )
    ),
}  # fmt: skip


def test_the_bids_validator_finds_no_error_and_only_what_a_recording_cannot_know(
    walk: Path, tmp_path: Path
) -> None:
    exercise = exercised(
        tmp_path / "x" / "session.mcap", None, params=listening(None), own_share=0.6, seconds=8.0
    )
    folder = tmp_path / "bids"
    files = (*export(walk, "bids", folder), *export(exercise, "bids", folder))
    errors, warnings = validated(folder)
    assert not errors
    assert warnings <= NOT_KNOWN
    emg = [file for file in files if file.name.endswith("_emg.json")]
    assert len(emg) == 2
    bracelet = json.loads(emg[0].read_text())
    assert bracelet["Manufacturer"] == "Thalmic"
    assert "assumed" in bracelet["UnitsAssumed"]
    raw = mne.io.read_raw_edf(emg[0].with_suffix(".edf"))
    with emg[0].with_name(emg[0].name.replace("_emg.json", "_channels.tsv")).open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file, delimiter="\t")] == raw.ch_names


def test_the_events_of_bids_have_every_pulse_with_what_it_was(walk: Path, tmp_path: Path) -> None:
    files = export(walk, "bids", tmp_path)
    data = [
        file for file in files if file.suffix in (".edf", ".tsv") and file.stem.endswith(("_emg", "_motion"))
    ]
    assert len(data) == 3
    for file in data:
        events = pandas.read_csv(f"{str(file).rpartition('_')[0]}_events.tsv", sep="\t")
        pulses = events[events.trial_type == "stimulation_pulse"]
        assert len(pulses) == 20
        assert list(pulses.duration) == pytest.approx([2 * 300e-6] * 20)
        assert set(pulses.current_ma) == {20.0}
        begin_s = 0.37 + EARLY_S if file.suffix == ".edf" else 0.0
        assert pulses.onset.iloc[0] == pytest.approx(begin_s + ON_MS / 1e3 + 0.001, abs=0.02)
        assert events.onset.is_monotonic_increasing


def test_what_somebody_wrote_into_the_data_set_stays(walk: Path, tmp_path: Path) -> None:
    export(walk, "bids", tmp_path)
    description = tmp_path / "dataset_description.json"
    description.write_text(description.read_text().replace('"raw"', '"raw",\n  "Authors": ["N. N."]'))
    (tmp_path / "README").write_text("Our study.")
    export(walk, "bids", tmp_path)
    assert json.loads(description.read_text())["Authors"] == ["N. N."]
    assert (tmp_path / "README").read_text() == "Our study."
