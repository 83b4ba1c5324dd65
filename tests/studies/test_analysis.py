"""dorsi trial on the command line: a study's figures and its page, recordings by the same tool, refusals."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from controller.analysis.arms import read_arms
from controller.cli import app
from controller.studies.gathered import from_recordings
from controller.studies.measures import GIVEN, NAMES
from controller.studies.protocol import load_protocol
from controller.studies.store import Store
from controller.studies.study import plan, walk
from tests.analysis.test_arms import trial as blinded_trial
from tests.record.walk import record_walk
from tests.studies.test_store import SAMPLE, InProcess

PERSONS = 5
MEAN = "mean (SD) or mean [interval]"


def dorsi(*words: object) -> tuple[int, str]:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["trial", *map(str, words)])
    return done.exit_code, " ".join(done.output.split())


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("study")
    store = Store(made, load_protocol(SAMPLE))
    walk(store, plan(store, PERSONS), InProcess(1), lambda _: None)
    return made


def test_a_study_s_figures_are_those_of_its_strides(folder: Path) -> None:
    """The fake strides of person n in arm number a have the error n + a, charge n + a + 1."""
    code, said = dorsi("analyse", folder, "--pdf")
    assert code == 0, said
    persons = rows(folder / "persons.csv")
    assert len(persons) == 3 * PERSONS
    assert {row["strides_walked"] for row in persons} == {"60"}
    assert {row["strides_counted"] for row in persons} == {"59"}
    for number, row in enumerate(persons):
        person, arm = divmod(number, 3)
        assert row["person"] == f"main-{person}"
        assert float(row["swing_pitch_rmse_deg_mean"]) == person + arm
        assert float(row["charge_uc_median"]) == person + arm + 1
        assert float(row["charge_uc_sd"]) == 0
    outcomes = rows(folder / "outcomes.csv")
    assert len(outcomes) == 3 * 3 + 2 * 3
    off = next(row for row in outcomes if row["arm or difference"] == "off")
    assert (off["persons"], off[MEAN]) == ("5", "2 (1.58)")  # of 0 to 4
    against = next(row for row in outcomes if row["arm or difference"] == "learning − off")
    assert against[MEAN] == "2 [none]"  # the same in everybody
    page = (folder / "study.html").read_text(encoding="utf-8")
    for words in ("How much swing error", "Flow", "main-4", "dorsi trial replay", "main 1000", "5 wash-out"):
        assert words in page
    assert (folder / "study.pdf").read_bytes().startswith(b"%PDF")


def test_recordings_of_persons_by_the_same_tool(tmp_path: Path) -> None:
    paths = []
    for person, strides in (("anna", 2), ("berta", 4)):
        (tmp_path / person).mkdir()
        paths.append(record_walk(tmp_path / person / "session.mcap", strides=strides))
    code, said = dorsi("analyse", *paths)
    assert code == 0, said
    assert "feedback − off" in said
    for row in rows(tmp_path / "persons.csv"):
        arm = next(
            arm for arm in read_arms(tmp_path / row["person"] / "session.mcap") if arm.label == row["arm"]
        )
        assert int(row["strides_counted"]) == len(arm.best) > 0
        errors = [
            stride.swing_pitch_rmse_deg for stride in arm.best if stride.swing_pitch_rmse_deg is not None
        ]
        assert float(row["swing_pitch_rmse_deg_mean"]) == pytest.approx(sum(errors) / len(errors))
        assert row["toe_clearance_mm_mean"] == ""  # no recording holds it
    page = (tmp_path / "study.html").read_text(encoding="utf-8")
    assert "Not registered" in page


def test_one_person_s_recordings_are_one_row_an_arm(tmp_path: Path) -> None:
    (tmp_path / "anna").mkdir()
    paths = [record_walk(tmp_path / "anna" / f"{name}.mcap", strides=2) for name in ("first", "second")]
    gathered = from_recordings(paths)
    single = from_recordings(paths[:1])
    assert [(one.person, one.arm) for one in gathered] == [("anna", "off"), ("anna", "feedback")]
    assert [one.counted for one in gathered] == [2 * one.counted for one in single]


def test_a_blinded_trial_tells_nothing_of_what_was_given(tmp_path: Path) -> None:
    path = blinded_trial(tmp_path / "session.mcap")
    dose = [NAMES.index(name) for name in GIVEN]
    for one in from_recordings([path]):
        assert one.counted > 0
        assert np.isnan(one.values[:, dose]).all()
    open_again = [one.values[:, dose] for one in from_recordings([path], unblind=True)]
    assert max(block.max() for block in open_again) > 0.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.toml",), "nowhere.toml: cannot be read"),
        (("run", SAMPLE, "--engine", "dask"), "scheduler: found ''"),
        (
            (SAMPLE, "--engine", "dask", "--scheduler", "tcp://127.0.0.1:9"),
            "one that runs there: dask scheduler",
        ),
        (("analyse", SAMPLE), "laws.toml"),
        (("replay", "nowhere", "main-0", "off"), "manifest"),
    ],
)
def test_a_refusal_is_in_words(words: tuple[object, ...], said: str) -> None:
    code, output = dorsi(*words)
    assert code == 2
    assert "refused: " in output
    assert said in output


def test_a_folder_that_cannot_take_the_study_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    session = SAMPLE.parent.parent / "sessions" / "demo.toml"
    text = SAMPLE.read_text(encoding="utf-8").replace("../sessions/demo.toml", str(session))
    other.write_text(text.replace("strides = 50", "strides = 40"), encoding="utf-8")
    assert "results of protocol laws" in dorsi(other, "--out", folder)[1]
    file = tmp_path / "file"
    file.touch()
    assert "a folder that can be written" in dorsi(SAMPLE, "--out", file)[1]


@pytest.mark.parametrize(
    ("person", "arm", "said"),
    [("main-5000", "off", "person"), ("other-0", "off", "person"), ("main-x", "off", "person"),
     ("main-0", "magic", "arm"), ("main-7", "off", "no such run")],
)  # fmt: skip
def test_a_run_that_the_study_does_not_have_is_refused(
    folder: Path, person: str, arm: str, said: str
) -> None:
    code, output = dorsi("replay", folder, person, arm)
    assert (code, said in output) == (2, True), output
