"""Exports of an exercise session, read back by readers that are not ours: its own columns alone."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyedflib
import pytest
from bids_validator import BIDSValidator

from controller.analysis.export.export import Kind, export
from tests.analysis.exercised import exercised, listening
from tests.core.exercise.numbers import EXTENSORS, FLEXORS, programme

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
OF_A_WALK = {"phase_percent", "swing", "strides", "foot_pitch_deg", "ankle_deg", "reference_pitch_deg"}
READY_S, HELD_S, FLEXED_S, OVER_S = 1.0, 5.0, 8.5, 19.005  # 3 s of countdown, 6.5 s, 3 s of rest, 6.5 s


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two muscles, one after the other, twice; no sensor."""
    folder = tmp_path_factory.mktemp("two")
    return exercised(folder / "session.mcap", NOON, params=programme(EXTENSORS, FLEXORS))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_table_of_ticks_has_the_phases_and_nothing_of_a_walk(
    two: Path, tmp_path: Path, kind: Kind
) -> None:
    files = export(two, kind, tmp_path)
    assert "strides" not in {file.stem for file in files}
    with duckdb.connect() as database:
        relation = database.execute(f"select * from '{tmp_path / f'ticks.{kind}'}' limit 1")
        assert not OF_A_WALK & {column[0] for column in relation.description or ()}
        for at_s, found in (
            (READY_S, ("ready", 0, None)),
            (HELD_S, ("on", 0, 20.0)),
            (FLEXED_S, ("on", 0, 15.0)),
            (OVER_S, ("done", 2, None)),
        ):
            where = f"from '{tmp_path / f'ticks.{kind}'}' where now_ns = {round(at_s * 1e9)}"
            assert database.execute(f"select phase, given, commanded_ma {where}").fetchall() == [found]


def test_an_edf_holds_each_muscles_current_and_the_phases(two: Path, tmp_path: Path) -> None:
    (path,) = export(two, "edf", tmp_path)
    with pyedflib.EdfReader(str(path)) as edf:
        heads = edf.getSignalHeaders()
        assert [(head["transducer"], head["dimension"]) for head in heads] == [
            ("wrist-extensors", "mA"),
            ("finger-flexors", "mA"),
        ]
        for number, right in enumerate(((0.0, 20.0, 0.0, 0.0), (0.0, 0.0, 15.0, 0.0))):
            rate_hz = heads[number]["sample_frequency"]
            signal_ma = edf.readSignal(number)
            found = [signal_ma[round(at_s * rate_hz)] for at_s in (READY_S, HELD_S, FLEXED_S, OVER_S)]
            assert np.allclose(found, right, atol=0.01)
        onsets_s, _, words = edf.readAnnotations()
    told = {word: onset_s for onset_s, word in zip(onsets_s, words, strict=True)}
    assert told["exercise on, 0 of 2"] == pytest.approx(3.0, abs=0.01)
    assert told["exercise rest, 1 of 2"] == pytest.approx(9.5, abs=0.01)
    assert told["exercise done, 2 of 2"] == pytest.approx(19.0, abs=0.01)


def test_bids_names_the_task_and_the_muscles(two: Path, tmp_path: Path) -> None:
    files = export(two, "bids", tmp_path)
    rules = BIDSValidator()
    assert all(rules.is_bids("/" + str(file.relative_to(tmp_path))) for file in files)
    assert not [file for file in files if "task-walk" in file.name]
    (channels,) = (file for file in files if file.name.endswith("_channels.tsv"))
    with channels.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [(row["type"], row["tracked_point"], row["units"]) for row in rows] == [
        ("LATENCY", "n/a", "s"),
        ("MISC", "wrist-extensors", "mA"),
        ("MISC", "finger-flexors", "mA"),
    ]
    (events,) = (file for file in files if file.name.endswith("_events.tsv"))
    assert "exercise\ton, 1 of 2" in events.read_text()


@pytest.mark.parametrize("kind", ["csv", "edf", "bids"])
def test_a_session_with_emg_has_it_beside_and_one_cut_off_is_exported_up_to_there(
    tmp_path: Path, kind: Kind
) -> None:
    whole = exercised(tmp_path / "session.mcap", NOON, params=listening(None), own_share=0.6, seconds=8.0)
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    for recording in (whole, cut):
        files = export(recording, kind, tmp_path / f"out-{recording.stem}")
        assert [file for file in files if file.stat().st_size > 0]
        if kind == "bids":
            assert [file for file in files if "recording-emg" in file.name]
        if kind == "edf":
            found = set()
            for file in files:
                with pyedflib.EdfReader(str(file)) as edf:
                    found |= {head["transducer"] for head in edf.getSignalHeaders()}
            assert found == {"emg", "wrist-extensors"}
