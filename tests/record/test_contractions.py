"""What leaves the rig of an exercise session: phases, contractions with their pulses, streams, tables."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.analysis.exercise import summarise_exercise
from controller.analysis.export.export import export
from controller.record.live import Live
from controller.record.numbered_events import told
from controller.record.reader import header
from controller.telemetry.streams import description, idle_programme, streams
from tests.analysis.exercised import exercised
from tests.core.exercise.numbers import EXTENSORS, FLEXORS, programme

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    return exercised(folder / "session.mcap", NOON, params=programme(EXTENSORS, FLEXORS))


def _told(recording: Path, kind: str) -> list[dict[str, object]]:
    return [json.loads(one.payload_json) for one in told(recording) if one.kind == kind]


def test_each_phase_is_told_once_and_nothing_of_a_stride(recording: Path) -> None:
    phases = [(one["phase"], one["repetition"]) for one in _told(recording, "exercise")]
    assert phases == [("ready", 0), ("on", 0), ("rest", 1), ("on", 1), ("done", 2)]
    assert _told(recording, "stride") == []


def test_each_contraction_is_told_with_its_pulses_and_they_add_up_to_the_summary(recording: Path) -> None:
    found = _told(recording, "contraction")
    assert [(one["muscle"], one["repetition"], one["whole"]) for one in found] == [
        ("wrist-extensors", 1, True),
        ("finger-flexors", 1, True),
        ("wrist-extensors", 2, True),
        ("finger-flexors", 2, True),
    ]
    for muscle in summarise_exercise(recording).muscles:
        mine = [one for one in found if one["muscle"] == muscle.muscle]
        assert sum(one["pulses"] for one in mine) == muscle.pulses  # type: ignore[misc]
        assert sum(one["charge_uc"] for one in mine) == pytest.approx(1e3 * muscle.charge_mc)  # type: ignore[misc]
        assert {one["current_max_ma"] for one in mine} == {muscle.current_ma}


def test_a_contraction_that_the_end_cut_off_is_told_as_not_whole(tmp_path: Path) -> None:
    cut = exercised(tmp_path / "session.mcap", NOON, seconds=5.0)
    (one,) = _told(cut, "contraction")
    assert (one["whole"], one["repetition"]) == (False, 1)
    assert isinstance(one["pulses"], int)
    assert one["pulses"] > 0


def test_the_streams_are_those_of_a_programme_from_its_begin(recording: Path) -> None:
    idle = idle_programme(header(recording)["core_params"])
    walking = Live().status(0, "ok")
    assert "gait" in streams(walking)
    found = streams(replace(walking, exercise=idle))
    assert "gait" not in found
    assert found["exercise"]["wrist-extensors_set_ma"] == 20.0
    assert found["exercise"]["on"] == 0.0
    names = json.loads(description(header(recording)))["streams"]
    assert sorted(names) == ["exercise", "stimulation", "timing"]
    assert idle_programme('{"gain": 1}') is None


def test_an_export_has_a_table_of_contractions_in_place_of_strides(recording: Path, tmp_path: Path) -> None:
    files = export(recording, "csv", tmp_path / "csv")
    assert {one.stem for one in files} >= {"contractions", "pulses", "ticks", "events", "clock"}
    assert "strides" not in {one.stem for one in files}
    rows = (tmp_path / "csv" / "contractions.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 4
    events = (tmp_path / "csv" / "events.csv").read_text(encoding="utf-8")
    assert '"exercise","rest, 1 of 2"' in events
