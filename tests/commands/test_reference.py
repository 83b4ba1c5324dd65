"""`dorsi reference`: a recorded walk without pulses to the lift a patient file takes, and what is refused."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.config.core_params import core_params, normal_reference
from controller.config.person_schema import LIFT_PERCENT
from controller.config.session import load_session
from controller.core.params import CoreParams
from controller.core.signals import Mode, TickInputs
from controller.errors import ConfigError
from controller.record.records import CoreStart, Record, Tick
from controller.simulation.closed_loop import EPOCH_NS, TICK_S, Rehearsal
from models.patient import VirtualPatient
from models.patient_params import PatientParams
from tests.record.made import tick, write

SESSION_FILE = Path(__file__).resolve().parents[2] / "configs" / "sessions" / "demo.toml"
PATIENT_FILE = SESSION_FILE.parents[1] / "patients" / "virtual.toml"


def recorded(path: Path, mode: Mode, seconds: float, body: PatientParams) -> Path:
    """A virtual patient's walk, with what the core was told and what it decided."""
    core = core_params(load_session(SESSION_FILE), mode)
    walk = Rehearsal(core, VirtualPatient(body, seed=3))
    made: list[tuple[str, int, Record]] = [
        ("core/start", 0, CoreStart(0, 1, msgspec.Raw(msgspec.json.encode(core))))
    ]
    while walk.ticks * TICK_S < seconds:
        now_ns = EPOCH_NS + round(walk.ticks * TICK_S * 1e9)
        inputs = TickInputs(imu=walk.arrivals(walk.ticks * TICK_S))
        record = dataclasses.replace(
            tick(walk.ticks, now_ns=now_ns), inputs=inputs, decision=walk.tick(inputs)
        )
        assert isinstance(record, Tick)
        made.append(("tick", now_ns, record))
    return write(path, *made)


@pytest.fixture(scope="module")
def unstimulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Own muscle that holds the foot above normal early in swing: half of a normal drive, a soft ankle."""
    body = dataclasses.replace(PatientParams(), push_off=0.6, volition=0.3)
    return recorded(tmp_path_factory.mktemp("walk") / "session.mcap", "off", 22.0, body)


def test_the_lift_is_written_as_lines_for_the_patient_file_and_as_a_picture(
    unstimulated: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "reference.png"
    result = CliRunner().invoke(
        app, ["reference", str(SESSION_FILE), str(unstimulated), "--plot", str(picture)]
    )
    assert result.exit_code == 0, result.output
    assert "swings without pulses" in result.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    lines = result.output[result.output.index("[reference]") : result.output.index("written:")]
    core = load(tmp_path, lines)
    normal = normal_reference(0.7)
    above = np.subtract(core.reference.foot_pitch_deg, normal.foot_pitch_deg)
    assert float(above.max()) > 2.0
    assert float(above.min()) >= 0.0
    assert above[-5:] == pytest.approx(np.zeros(5), abs=0.1)  # the landing is the normal one
    assert int(np.argmax(above)) < normal.toe_off_percent + 0.7 * (100.0 - normal.toe_off_percent)


def test_a_foot_that_only_drops_keeps_the_normal_reference(tmp_path: Path) -> None:
    walk = recorded(tmp_path / "session.mcap", "off", 18.0, PatientParams())
    result = CliRunner().invoke(app, ["reference", str(SESSION_FILE), str(walk)])
    assert result.exit_code == 0, result.output
    assert "nothing to change" in " ".join(result.output.split())


@pytest.mark.parametrize("records", [[], [("tick", 0, tick(0, now_ns=0))]])
def test_a_recording_without_a_walk_or_parameters_is_refused_in_words(
    tmp_path: Path, records: list[tuple[str, int, Record]]
) -> None:
    path = write(tmp_path / "session.mcap", *records)
    result = CliRunner().invoke(app, ["reference", str(SESSION_FILE), str(path)])
    assert result.exit_code != 0
    assert str(path.name) in result.output.replace("\n", "")
    assert not isinstance(result.exception, msgspec.MsgspecError)


def load(folder: Path, reference: str) -> CoreParams:
    """The core's numbers with another ``[reference]`` table in the patient file."""
    (folder / "sessions").mkdir()
    (folder / "patients").mkdir()
    shutil.copy(SESSION_FILE, folder / "sessions")
    text = PATIENT_FILE.read_text(encoding="utf-8")
    patient = text[: text.index("[reference]")] + reference
    (folder / "patients" / PATIENT_FILE.name).write_text(patient, encoding="utf-8")
    return core_params(load_session(folder / "sessions" / SESSION_FILE.name))


def test_a_walk_with_pulses_says_nothing_of_the_foot_alone(tmp_path: Path) -> None:
    walk = recorded(tmp_path / "session.mcap", "trapezoid", 16.0, PatientParams())
    result = CliRunner().invoke(app, ["reference", str(SESSION_FILE), str(walk)])
    assert result.exit_code != 0
    assert "swings without pulses" in result.output
    assert "5 or more" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("lift", "said"),
    [
        ([0.0] * 20, "21 numbers"),
        ([0.0] * 20 + [30.1], "lift_deg"),
        ([0.0] * 20 + [-0.1], "lift_deg"),
        ([0.0] * 20 + ["high"], "lift_deg"),
    ],
)
def test_a_lift_that_is_none_is_refused(tmp_path: Path, lift: list[object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, f"[reference]\nspeed_mps = 0.7\nlift_deg = {lift}\n")


def test_a_lift_is_added_between_its_points_and_leaves_shank_and_knee_alone() -> None:
    lift = tuple(10.0 if percent == 70 else 0.0 for percent in LIFT_PERCENT)
    normal, lifted = normal_reference(0.7), normal_reference(0.7, lift_deg=lift)
    above = np.subtract(lifted.foot_pitch_deg, normal.foot_pitch_deg)
    assert above[[65, 68, 70, 74, 75]].tolist() == pytest.approx([0.0, 6.0, 10.0, 2.0, 0.0])
    assert (lifted.shank_pitch_deg, lifted.knee_flexion_deg) == (
        normal.shank_pitch_deg,
        normal.knee_flexion_deg,
    )
