"""The main job with all its real processes: a foot that drops without stimulation and does not with it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from controller.analysis.judge import judge_recording
from controller.analysis.judge.pulse_log import read_pulse_log
from controller.record import records
from controller.record.reader import messages
from tests.process.rigs import (
    assert_every_pulse_is_accounted_for,
    children,
    finish,
    start,
    undisturbed,
    wait_for_pulses,
)

SECONDS = 5  # of each of four arms, after three strides of wash-out
MODES = ["off", "trapezoid", "feedback", "learning"]
NAMES = {"dorsi-broker", "dorsi-recorder", "dorsi-world", "dorsi-guard", "dorsi-controller"}

pytestmark = pytest.mark.real_time


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, set[str]]:
    """`dorsi demo` as a newcomer runs it, only shorter: its folder, its output, its processes."""
    names: set[str] = set()

    def look(process: subprocess.Popen[str], target: Path) -> None:
        wait_for_pulses(process, target, 10)
        names.update(children(process.pid))

    folder, output = undisturbed(
        tmp_path_factory.mktemp("demo"), "demo", "--seconds", str(SECONDS), meanwhile=look
    )
    return folder, output, names


def arms(folder: Path) -> list[dict[str, Any]]:
    summary: dict[str, list[dict[str, Any]]] = json.loads((folder / "summary.json").read_text())
    return summary["arms"]


def test_processes_carry_names_that_ps_shows(compared: tuple[Path, str, set[str]]) -> None:
    assert compared[2] >= NAMES


def test_the_foot_drops_without_and_is_lifted_with_stimulation(compared: tuple[Path, str, set[str]]) -> None:
    off, *lifted = arms(compared[0])
    assert [off["mode"], *(arm["mode"] for arm in lifted)] == MODES
    assert off["ankle_at_initial_contact_deg"]["median"] <= -8.0
    assert off["charge_per_stride_uc"] == 0.0
    for arm in lifted:
        assert arm["swing_pitch_rmse_deg"]["median"] < off["swing_pitch_rmse_deg"]["median"] / 2
        assert arm["charge_per_stride_uc"] > 0.0
        assert arm["ankle_at_initial_contact_deg"]["median"] > -8.0
    _, feedback, learning = lifted
    assert abs(feedback["ankle_at_initial_contact_deg"]["median"] - -2.0) <= 3.0
    assert learning["swing_pitch_rmse_deg"]["median"] < 3.0


def test_an_arm_is_in_force_from_its_marker_on_and_no_pulse_flows_at_the_change(
    compared: tuple[Path, str, set[str]],
) -> None:
    recording = compared[0] / "session.mcap"
    markers = [m.record for m in messages(recording, ("arm",)) if isinstance(m.record, records.Arm)]
    begun = [marker for marker in markers if marker.kind == "begin"]
    assert [marker.label for marker in begun] == MODES
    ticks = [m.record for m in messages(recording, ("tick",)) if isinstance(m.record, records.Tick)]
    for marker, following in zip(begun, [*begun[1:], markers[-1]], strict=True):
        inside = [t for t in ticks if marker.t_ns <= t.now_ns < following.t_ns]
        assert {t.decision.view.mode for t in inside} == {marker.mode}
        assert all(channel is None for channel in inside[0].decision.command.channels)


def test_while_the_arm_is_off_the_stimulator_gets_nothing_not_even_the_test_of_the_electrodes(
    compared: tuple[Path, str, set[str]],
) -> None:
    recording = compared[0] / "session.mcap"
    markers = [m.record for m in messages(recording, ("arm",)) if isinstance(m.record, records.Arm)]
    over = next(marker for marker in markers if marker.kind == "end")
    assert (over.mode, over.label) == ("off", "off")
    pulses = read_pulse_log(compared[0] / "pulses.jsonl")
    assert pulses
    assert min(pulse.t_ns for pulse in pulses) > over.t_ns
    (found,) = (f for f in judge_recording(recording) if f.id == "purpose")
    assert found.word == "kept"


def test_every_true_stride_is_detected_within_one(compared: tuple[Path, str, set[str]]) -> None:
    for arm in arms(compared[0]):
        assert arm["true_strides"] >= 5
        assert abs(arm["strides"] - arm["true_strides"]) <= 1


def test_nothing_trips_and_nothing_is_lost(compared: tuple[Path, str, set[str]]) -> None:
    for arm in arms(compared[0]):
        assert (arm["trips"], arm["samples_lost"]) == (0, 0)


def test_the_core_asks_for_nothing_that_a_limit_blocks(compared: tuple[Path, str, set[str]]) -> None:
    read = [message.record for message in messages(compared[0] / "session.mcap", ("guard/verdict",))]
    verdicts = [record for record in read if isinstance(record, records.GuardVerdict)]
    assert sum(verdict.state == "active" for verdict in verdicts) > 100
    beyond = [one.reason for one in verdicts if one.verdict == "blocked" and " is beyond " in one.reason]
    assert beyond == []


def test_every_executed_pulse_is_in_the_recording(compared: tuple[Path, str, set[str]]) -> None:
    assert_every_pulse_is_accounted_for(compared[0])


def test_replay_of_the_recording_is_identical(compared: tuple[Path, str, set[str]]) -> None:
    code, output = finish(start("replay", str(compared[0] / "session.mcap")))
    assert code == 0
    assert output.startswith("identical")


def test_the_demo_tells_how_to_watch_and_where_the_results_are(compared: tuple[Path, str, set[str]]) -> None:
    folder, output, _ = compared
    words = " ".join(output.split())
    assert "mosquitto_sub -h 127.0.0.1 -p" in words
    assert "not a medical device" in words
    for name in ("session.mcap", "pulses.jsonl", "report.html", "summary.json"):
        assert (folder / name).stat().st_size > 0
        assert name in words


def test_the_summary_has_every_figure(compared: tuple[Path, str, set[str]]) -> None:
    keys = {
        "mode", "seed", "seconds", "strides", "true_strides", "ankle_at_initial_contact_deg",
        "foot_pitch_at_initial_contact_deg", "peak_swing_dorsiflexion_deg", "swing_pitch_rmse_deg",
        "charge_per_stride_uc", "sensor_to_pulse_ms", "tick_ms", "missed_ticks", "samples_lost", "trips",
    }  # fmt: skip
    for arm in arms(compared[0]):
        assert keys <= set(arm)
        assert set(arm["tick_ms"]) == {"p50", "p99", "max"}
        assert set(arm["swing_pitch_rmse_deg"]) == {"median", "p90"}
