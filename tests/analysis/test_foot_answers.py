"""Test trains to a hanging foot: read from a recording, and what they tell of the person."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from controller.analysis.foot_answers import foot_body, read_answers
from controller.console.setup.threshold_search import PAUSE_S, TRAIN_S
from controller.core.signals import ProbeRequest, TickInputs
from controller.errors import InputError
from controller.record.records import CoreStart, GuardVerdict, Pulse, Record
from controller.simulation.closed_loop import EPOCH_NS, TICK_S, Rehearsal
from models.free_foot import FreeFootTest, NotFree, identify_free_foot
from models.gait import Activity, ActivityKind
from models.muscle.hill import ta_arm_m, ta_force_n
from models.patient import VirtualPatient
from models.patient_body import body_of
from models.patient_params import PatientParams
from tests.core.control.numbers import params
from tests.record.made import tick, write

PARAMS = params("feedback")
PERSON = PatientParams(stiffness=1.4, neutral_shift_deg=-3.0, muscle_slowness=1.1)
STAND_S, WALK_S, SIT_S = 4.0, 10.0, 15.0
EVERY_S = TRAIN_S + PAUSE_S  # as the search gives them
CURRENTS_MA = (8.0, 14.0, 18.0, 21.0, 24.0, 27.0, 30.0, 33.0, 36.0, 40.0)


def trains(folder: Path, then: ActivityKind) -> Path:
    """A walk in which the sensors find their axes, then trains to a leg that stands or hangs: a recording."""
    plan = (Activity("stand", STAND_S), Activity("walk", WALK_S), Activity(then, 1e5))
    loop = Rehearsal(replace(PARAMS, mode="trapezoid"), VirtualPatient(PERSON, 3, plan))
    document = msgspec.json.encode(loop.params)
    records: list[tuple[str, int, Record]] = [("core/start", 0, CoreStart(0, 1, msgspec.Raw(document)))]
    begin_s = STAND_S + WALK_S + SIT_S
    given = 0
    while (now_s := loop.ticks * TICK_S) < begin_s + EVERY_S * len(CURRENTS_MA):
        probe = None
        if given < len(CURRENTS_MA) and now_s >= begin_s + EVERY_S * given:
            probe, given = ProbeRequest(given + 1, CURRENTS_MA[given]), given + 1
        before = len(loop.pulses)
        inputs = TickInputs(imu=loop.arrivals(now_s), probe=probe, scope="tests")
        decision = loop.tick(inputs)
        if now_s < begin_s - 1.0:
            continue
        now_ns = EPOCH_NS + round(now_s * 1e9)
        records.append(
            ("tick", now_ns, replace(tick(loop.ticks, now_ns=now_ns), inputs=inputs, decision=decision))
        )
        for at_s, current_ma, width_us in loop.pulses[before:]:
            at_ns = EPOCH_NS + round(at_s * 1e9)
            pulse = Pulse(at_ns, 0, current_ma, width_us, packet=0)
            verdict = GuardVerdict(
                loop.ticks, at_ns, at_ns, "active", "ok", "", (), pulses=(pulse,), purpose="test_train"
            )
            records.append(("guard/verdict", at_ns, verdict))
    return write(folder / "session.mcap", *records, session={})


def test_the_numbers_of_a_person_come_from_a_hanging_foot_without_a_plate(tmp_path: Path) -> None:
    test, _ = read_answers(trains(tmp_path, "hang"))
    assert len(test.begins) == len(CURRENTS_MA)
    body = body_of(PERSON)
    foot = replace(
        foot_body(PARAMS.foot), mass_kg=body.mass_kg, com_x_m=body.com_x_m, com_y_m=body.com_y_m,
        inertia_com_kgm2=body.inertia_kgm2,
    )  # fmt: skip
    found = identify_free_foot(test, foot)
    held_nm = ta_force_n(PERSON.evocable, 0.0, 0.0) * ta_arm_m(0.0)
    for estimate, truth, within in (
        (found.i50_ma, PERSON.recruitment.i50_ma, 0.05),
        (found.sigma, PERSON.recruitment.sigma, 0.15),
        (found.slowness, PERSON.muscle_slowness, 0.1),
        (found.stiffness, PERSON.stiffness, 0.15),
        (found.torque_max_nm, held_nm, 0.25),
    ):
        assert estimate.covers(truth)
        assert estimate.value == pytest.approx(truth, rel=within)
    assert found.neutral_shift_deg.covers(PERSON.neutral_shift_deg)
    assert found.delay_s.covers(PERSON.delay_s)
    assert found.fit_percent > 90.0


def test_a_foot_on_the_ground_tells_nothing_and_is_told_so(tmp_path: Path) -> None:
    test, foot = read_answers(trains(tmp_path, "stand"))
    with pytest.raises(NotFree, match=r"found 0 currents .* leg hangs"):
        identify_free_foot(test, foot)


def test_a_recording_without_trains_is_refused(tmp_path: Path) -> None:
    start = CoreStart(0, 1, msgspec.Raw(msgspec.json.encode(PARAMS)))
    ticks = [("tick", 10**9 + n, tick(n, now_ns=10**9 + n)) for n in range(3)]
    path = write(tmp_path / "a.mcap", ("core/start", 0, start), *ticks, session={})
    with pytest.raises(InputError, match="test trains"):
        read_answers(path)


def test_the_controllers_foot_is_winters() -> None:
    body, foot = body_of(PatientParams()), foot_body(PARAMS.foot)
    assert foot.com_y_m / foot.com_x_m == pytest.approx(body.com_y_m / body.com_x_m)
    share = foot.inertia_com_kgm2 / (foot.mass_kg * foot.com_x_m**2)
    assert share == pytest.approx(body.inertia_kgm2 / (body.mass_kg * body.com_x_m**2))


@pytest.mark.parametrize("fault", ["shape", "nan", "order", "current"])
def test_a_series_that_is_none_is_refused_with_its_field(fault: str) -> None:
    t_s, current_ma = np.arange(4.0), np.full(2, 20.0)
    pitch_deg = {"shape": np.zeros(3), "nan": np.full(4, math.nan)}.get(fault, np.zeros(4))
    if fault == "order":
        t_s = t_s[::-1]
    if fault == "current":
        current_ma = -current_ma
    field = {"shape": "pitch_deg", "nan": "pitch_deg", "order": "t_s", "current": "current_ma"}[fault]
    with pytest.raises(ValueError, match=field):
        FreeFootTest(t_s, pitch_deg, (0,), np.array([0.5, 1.0]), current_ma, 300.0)
