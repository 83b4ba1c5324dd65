"""`dorsi identify`: numbers with intervals from good tests, a named test to repeat from bad ones."""

from __future__ import annotations

import math
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.config.person_schema import EversionSection
from models.plate_files import load_holds, load_tests


@pytest.fixture(scope="module")
def identified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("identify")
    result = CliRunner().invoke(app, ["identify", "--seed", "3", "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_the_lines_for_the_patient_file_hold_the_virtual_patients_truth(identified: tuple[Path, str]) -> None:
    lines = tomllib.loads((identified[0] / "identified.toml").read_text())
    assert lines["muscle"]["i50_ma"] == pytest.approx(28.0, rel=0.05)  # the default patient's own numbers
    assert lines["muscle"]["delay_ms"] == pytest.approx(30.0, abs=8.0)
    assert lines["ankle"]["passive_factor"] == pytest.approx(1.0, abs=0.15)
    assert lines["ankle"]["neutral_deg"] == pytest.approx(0.0, abs=2.0)


def test_the_map_of_two_channels_is_given_where_both_were_held(
    identified: tuple[Path, str], tmp_path: Path
) -> None:
    folder = identified[0]
    found = tomllib.loads((folder / "identified.toml").read_text())["eversion"]
    EversionSection(**found)
    assert found["i50_ma"] == pytest.approx(30.0, rel=0.06)  # the default patient's own numbers
    assert found["second_eversion_nm"] == pytest.approx(12.2, rel=0.15)
    alone = tmp_path / "tests"
    shutil.copytree(folder / "tests", alone)
    (alone / "holds.csv").unlink()
    result = CliRunner().invoke(app, ["identify", str(alone), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "eversion" not in tomllib.loads((tmp_path / "identified.toml").read_text())


def test_a_picture_and_intervals_are_given(identified: tuple[Path, str]) -> None:
    folder, output = identified
    assert (folder / "identification.png").read_bytes().startswith(b"\x89PNG")
    assert "95 % interval" in output


def test_the_same_tests_from_files_give_the_same_lines(identified: tuple[Path, str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["identify", str(identified[0] / "tests"), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "identified.toml").read_text() == (identified[0] / "identified.toml").read_text()


def test_a_ruined_test_is_refused_with_which_to_repeat(identified: tuple[Path, str], tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    for file in (identified[0] / "tests").iterdir():
        (tests / file.name).write_bytes(file.read_bytes())
    header, *rows = (tests / "train.csv").read_text().splitlines()
    noise = np.random.default_rng(1).normal(0.0, 5.0, len(rows))
    spoiled = [f"{row.split(',')[0]},{value}" for row, value in zip(rows, noise, strict=True)]
    (tests / "train.csv").write_text("\n".join([header, *spoiled]) + "\n")
    result = CliRunner().invoke(app, ["identify", str(tests), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "repeat the pseudo-random train" in " ".join(result.output.split())
    assert not (tmp_path / "out" / "identified.toml").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["identify", str(tmp_path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "marks.csv" in result.output


def changed(
    tests: Path, to: Path, factors: dict[str, dict[str, float]], text: dict[str, Callable[[bytes], bytes]]
) -> Path:
    """A copy of the tests with columns of files multiplied, and files' bytes changed."""
    shutil.copytree(tests, to)
    for name, columns in factors.items():
        header, *lines = (to / f"{name}.csv").read_text().splitlines()
        heads = header.split(",")
        rows = [[float(cell) for cell in line.split(",")] for line in lines]
        for row in rows:
            for column, factor in columns.items():
                row[heads.index(column)] *= factor
        body = "\n".join(",".join(map(repr, row)) for row in rows)
        (to / f"{name}.csv").write_text(f"{header}\n{body}\n")
    for name, change in text.items():
        (to / f"{name}.csv").write_bytes(change((to / f"{name}.csv").read_bytes()))
    return to


RADIAN = math.pi / 180.0


@pytest.mark.parametrize(
    ("factors", "file", "column"),
    [
        ({"sweep": {"time_s": 1e3}}, "sweep.csv", "time_s"),
        ({"ramp": {"time_s": 1e3}, "ramp_pulses": {"time_s": 1e3}}, "ramp.csv", "time_s"),
        ({"train_pulses": {"time_s": 1e3}}, "train_pulses.csv", "time_s"),
        ({"sweep": {"ankle_deg": RADIAN, "knee_deg": RADIAN}}, "sweep.csv", "ankle_deg"),
        ({"sweep": {"torque_nm": -1.0}}, "sweep.csv", "torque_nm"),
        ({"sweep": {"ankle_deg": -1.0}}, "sweep.csv", "torque_nm"),
        ({"ramp": {"torque_nm": -1.0}}, "ramp.csv", "torque_nm"),
        ({"train": {"torque_nm": -1.0}}, "train.csv", "torque_nm"),
        ({"train": {"torque_nm": 1e3}}, "train.csv", "torque_nm"),
        ({"ramp_pulses": {"current_ma": 1e-3}}, "ramp_pulses.csv", "current_ma"),
        ({"ramp_pulses": {"width_us": 1e-3}}, "ramp_pulses.csv", "width_us"),
        ({"marks": {"comfort_ma": 0.1}}, "marks.csv", "rising order"),
        ({"marks": {"sensory_ma": 5.0}}, "marks.csv", "rising order"),
        ({"marks": {"sensory_ma": 1e-3, "motor_ma": 1e-3, "comfort_ma": 1e-3}}, "marks.csv", "milliamperes"),
    ],
)
def test_a_wrong_unit_or_sign_is_refused_before_any_fit_and_nobody_is_stimulated_again(
    identified: tuple[Path, str], tmp_path: Path, factors: dict[str, dict[str, float]], file: str, column: str
) -> None:
    tests = changed(identified[0] / "tests", tmp_path / "tests", factors, {})
    result = CliRunner().invoke(app, ["identify", str(tests), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2, result.output
    assert file in result.output
    assert column in result.output
    assert "repeat" not in result.output


@pytest.mark.parametrize("ending", ["bom", "blank"])
def test_what_spreadsheets_add_to_a_file_changes_nothing(
    identified: tuple[Path, str], tmp_path: Path, ending: str
) -> None:
    add = (lambda raw: b"\xef\xbb\xbf" + raw) if ending == "bom" else (lambda raw: raw + b"\r\n\r\n")
    tests = changed(
        identified[0] / "tests", tmp_path / "tests", {}, {"ramp": add, "marks": add, "holds": add}
    )
    assert load_tests(tests).marks == load_tests(identified[0] / "tests").marks
    assert np.array_equal(
        load_tests(tests).ramp.torque_nm, load_tests(identified[0] / "tests").ramp.torque_nm
    )
    assert load_holds(tests) == load_holds(identified[0] / "tests")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw[:500] + b"\xe9" + raw[500:], "byte 500"),
        (lambda raw: raw.replace(b"0.01", b"0_0.01", 1), "0_0.01"),
        (lambda raw: raw + b'9.9,"1', "comma-separated"),
        (lambda raw: raw + b"9.9,\0\r\n", "a finite number"),
        (lambda raw: raw + b"9.9,1e400\r\n", "a finite number"),
        (lambda raw: raw[: len(raw) // 2].rpartition(b",")[0], "values, allowed"),
    ],
)
def test_broken_text_is_refused_naming_its_file(
    identified: tuple[Path, str], tmp_path: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    tests = changed(identified[0] / "tests", tmp_path / "tests", {}, {"ramp": change})
    result = CliRunner().invoke(app, ["identify", str(tests), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2, result.output
    assert "ramp.csv" in result.output
    assert said in result.output
