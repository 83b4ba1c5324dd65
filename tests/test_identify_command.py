"""`dorsi identify`: numbers with intervals from good tests, a named test to repeat from bad ones."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.config import EversionSection


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
