"""Identification on patients it has not seen, its refusals, and a measured recruitment curve."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.cohort import cohort
from models.foot_plate import SweepTest, TestSet, perform_tests
from models.identification import (
    IdentificationRefused,
    fit_recruitment,
    identify,
)
from models.identification_picture import plot_identification
from models.intervals import Estimate
from models.patient_params import PatientParams
from models.plate_files import load_tests, save_tests
from models.plate_model import equivalent_second_order
from tests.data import DATA, needs_data


@pytest.fixture(scope="module")
def tests_of_default() -> TestSet:
    return perform_tests(PatientParams(), seed=5)


def spoil(tests: TestSet, name: str) -> TestSet:
    """The same tests with one recording ruined: a loose strap, a patient who moves."""
    test = getattr(tests, name)
    wild = np.cumsum(np.random.default_rng(7).standard_normal(test.torque_nm.size))
    wild *= 2.0 * float(np.std(test.torque_nm)) / float(np.std(wild))
    spoilt = replace(test, torque_nm=test.torque_nm + wild)
    return replace(tests, **{name: spoilt})


def test_each_test_is_short_and_within_what_the_person_accepts(tests_of_default: TestSet) -> None:
    marks = tests_of_default.marks
    assert marks.sensory_ma < marks.motor_ma < marks.comfort_ma
    for test in (tests_of_default.ramp, tests_of_default.train):
        assert test.t_s[-1] < 30.0
        assert test.current_ma.max() <= marks.comfort_ma
    assert tests_of_default.sweep.t_s[-1] < 30.0


def test_unseen_patients_are_identified_and_the_intervals_hold_the_truth() -> None:
    half_points, delays, held, asked = [], [], 0, 0
    for member in cohort(6, seed=2024):
        p = member.params
        found = identify(perform_tests(p, seed=member.number))
        truths: list[tuple[Estimate, float]] = [
            (found.i50_ma, p.recruitment.i50_ma * p.electrode_gain),
            (found.sigma, p.recruitment.sigma),
            (found.delay_s, p.delay_s),
            (found.bandwidth_rad_per_s, equivalent_second_order(p.muscle_slowness)[0]),
            (found.stiffness, p.stiffness),
        ]
        half_points.append(abs(found.i50_ma.value / truths[0][1] - 1.0))
        delays.append(abs(found.delay_s.value - p.delay_s))
        held += sum(estimate.covers(truth) for estimate, truth in truths)
        asked += len(truths)
    assert np.median(half_points) < 0.05
    assert np.median(delays) < 0.008
    assert held / asked >= 0.9


def test_the_controllers_model_comes_out_of_it(tests_of_default: TestSet, tmp_path: Path) -> None:
    found = identify(tests_of_default)
    assert found.recruitment().i50_ma == pytest.approx(28.0, rel=0.02)
    assert 15.0 < found.hammerstein().wn_rad_per_s < 25.0  # published for this muscle model: 18 to 19
    assert found.hammerstein().delay_s >= found.delay_s.value
    plot_identification(found, tmp_path / "fit.png")
    assert (tmp_path / "fit.png").stat().st_size > 10000


@pytest.mark.parametrize("name", ["ramp", "train", "sweep"])
def test_a_ruined_test_is_refused_and_named(tests_of_default: TestSet, name: str) -> None:
    with pytest.raises(IdentificationRefused, match=rf"{name}: .* 60 % .* repeat") as refusal:
        identify(spoil(tests_of_default, name))
    assert refusal.value.test == name


def test_recordings_that_do_not_match_are_refused(tests_of_default: TestSet) -> None:
    ramp = tests_of_default.ramp
    with pytest.raises(ValueError, match="torque_nm: found shape"):
        replace(ramp, torque_nm=ramp.torque_nm[:-1])
    with pytest.raises(ValueError, match="t_s: found values that do not increase"):
        replace(ramp, t_s=ramp.t_s[::-1].copy())
    torque = ramp.torque_nm.copy()
    torque[7] = math.nan
    with pytest.raises(ValueError, match=r"torque_nm: .* not finite at 7"):
        replace(ramp, torque_nm=torque)
    with pytest.raises(ValueError, match="current_ma: found -"):
        replace(ramp, current_ma=-ramp.current_ma)
    with pytest.raises(ValueError, match="knee_deg: found nan"):
        SweepTest(ramp.t_s, ramp.torque_nm, math.nan, ramp.torque_nm)


@needs_data
def test_a_measured_recruitment_curve_is_fitted() -> None:
    """M-wave over stimulation (McKinnon et al. 2023): the response is half way between 2.5 and 3.5."""
    with (DATA / "emg_pns_recruitment" / "example-data1.txt").open() as lines:
        rows = [row for row in csv.reader(lines) if row and not row[0].startswith("#")]
    level = np.array([float(row[2]) for row in rows])
    m_wave = np.array([float(row[3]) for row in rows])
    found = fit_recruitment(level, m_wave)
    assert 2.5 < found.i50.low <= found.i50.value <= found.i50.high < 3.5
    assert found.top.value == pytest.approx(m_wave[level >= 4.5].mean(), rel=0.05)
    assert found.fit_percent > 90.0
    with pytest.raises(ValueError, match="intensity: found nan"):
        fit_recruitment(np.where(level == 2.0, math.nan, level), m_wave)
    with pytest.raises(IdentificationRefused):
        fit_recruitment(level, np.random.default_rng(1).standard_normal(level.size))


def test_a_folder_of_csv_files_carries_the_tests(tests_of_default: TestSet, tmp_path: Path) -> None:
    save_tests(tests_of_default, tmp_path)
    back = load_tests(tmp_path)
    assert back.marks == tests_of_default.marks
    assert np.array_equal(back.ramp.torque_nm, tests_of_default.ramp.torque_nm)
    assert np.array_equal(back.train.current_ma, tests_of_default.train.current_ma)
    assert np.array_equal(back.sweep.ankle_deg, tests_of_default.sweep.ankle_deg)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (
            "ramp.csv",
            "torque_nm",
            "torque_ncm",
            r"ramp.csv: line 1: found 'time_s, torque_ncm', allowed: time_s",
        ),
        ("sweep.csv", "\n0.01,", "\nnan,", r"sweep.csv: line 3: column time_s: found 'nan'"),
        ("sweep.csv", "\n0.01,", "\n-0.01,", r"sweep.csv: t_s: found values that do not increase"),
        ("train_pulses.csv", ",300.0", ",-300.0", r"width_us: found -300.0, allowed"),
        ("marks.csv", "comfort_ma", "comfort", r"marks.csv: line 1"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_place(
    tests_of_default: TestSet, tmp_path: Path, name: str, old: str, new: str, words: str
) -> None:
    save_tests(tests_of_default, tmp_path)
    path = tmp_path / name
    text = path.read_text().replace("\r\n", "\n")
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=words):
        load_tests(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"marks.csv: found no such file"):
        load_tests(tmp_path)
