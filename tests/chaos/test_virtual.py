"""Virtual-time chaos, short: the same bytes twice, every fault named, healthy walks with nothing blocked."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from controller.commands.config_check import load_startable
from controller.commands.line import CONFIGS
from controller.config.core_params import core_params
from controller.core.signals import CLOSED_LOOP, Mode
from models.cohort import cohort_patient
from models.patient import VirtualPatient
from tests.chaos.soak import state_bytes, state_grew
from tests.chaos.virtual import GuardedWalk, guarded, guarded_walk, make_setup

SECONDS = 30.0


def test_the_same_seed_gives_the_same_bytes_and_every_trip_its_right_name() -> None:
    first, second = (guarded(cohort_patient(0), "trapezoid", SECONDS, random.Random(4)) for _ in range(2))
    assert first.finished() == second.finished()
    assert sum(first.trips.values()) >= 2
    assert first.wrong == []


@pytest.mark.parametrize(
    ("number", "mode"), [(1, "feedback"), (2, "learning"), (3, "trapezoid"), (4, "as-needed")]
)
def test_a_healthy_walk_does_not_trip_and_no_frame_of_it_is_blocked(number: int, mode: Mode) -> None:
    walk = guarded(cohort_patient(number), mode, SECONDS / 2, None)
    assert walk.given > 100
    assert (dict(walk.trips), walk.wrong, dict(walk.blocked)) == ({}, [], {})


@pytest.mark.parametrize("mode", ["trapezoid", "feedback", "learning"])
def test_a_core_planned_within_a_sessions_limits_asks_for_nothing_that_its_guard_blocks(
    tmp_path: Path, mode: Mode
) -> None:
    """8 uC a phase are 26.5 mA of 300 us; rises twice as fast as where nobody says anything."""
    shutil.copytree(CONFIGS, tmp_path / "configs")
    file = tmp_path / "configs" / "sessions" / "demo.toml"
    patient = tmp_path / "configs" / "patients" / "virtual.toml"
    patient.write_text(patient.read_text().replace("charge_max_uc = 20.0", "charge_max_uc = 8.0"))
    said = file.read_text().replace("current_ma = 32.0", "current_ma = 26.5")
    said = said.replace("rise_max_ma_per_frame = 1.0", "rise_max_ma_per_frame = 2.0")
    file.write_text(said.replace("rise_max_ma_per_250ms = 40.0", "rise_max_ma_per_250ms = 60.0"))
    session = load_startable(file)
    layers = [{"who": layer.who, "limits": dict(layer.values)} for layer in session.asked]
    setup = make_setup(layers, closed_loop=mode in CLOSED_LOOP)
    assert setup.rules.effective == session.effective
    params = core_params(session, mode)
    assert params.pulse.current_max_ma == 26.5
    walk = GuardedWalk(params, VirtualPatient(), setup=setup)
    walk.walk(SECONDS / 2)
    assert walk.given > 100
    assert (dict(walk.trips), walk.wrong, dict(walk.blocked)) == ({}, [], {})


def test_what_core_and_guard_remember_does_not_grow_with_the_walk() -> None:
    walk = guarded_walk(cohort_patient(2), "learning", 3 * SECONDS)
    sizes = []
    for look in range(9, 28):  # from half a minute on: the first strides fill what has a bound
        walk.walk(3 * SECONDS * look / 27)
        sizes.append(state_bytes(walk))
    assert not state_grew(sizes)
    assert state_grew([size + 50_000 * look for look, size in enumerate(sizes)])  # it would be seen
    assert walk.blocked == {}
