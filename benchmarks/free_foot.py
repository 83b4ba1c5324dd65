"""Identification from test trains to a hanging foot, on virtual persons: how far off, which intervals hold.

`python benchmarks/free_foot.py [PERSONS] [COHORT]`; the margins in `models/free_foot.py` are from cohort 3.
Trains of 1.7 s in steps of 2 mA up to what the person accepts, 1.3 s apart; the pitch is measured to 0.2 deg.
"""

from __future__ import annotations

import sys

import numpy as np

from models.cohort import cohort
from models.free_foot import FreeFootTest, NotFree, identify_free_foot
from models.gait import Activity
from models.limb.foot import FootBody
from models.muscle.hill import ta_arm_m, ta_force_n
from models.patient import VirtualPatient
from models.patient_body import body_of
from models.patient_params import PatientParams

FIRST_MA, STEP_MA, RATE_HZ, WIDTH_US = 6.0, 2.0, 40.0, 300.0
TRAIN_S, RISE_S, FALL_S, EVERY_S, REST_S = 1.7, 0.5, 0.2, 3.3, 0.3
NOISE_DEG, SHANK_DEG = 0.2, 2.0


def perform(params: PatientParams, seed: int) -> FreeFootTest:
    """The trains of one person, as measured."""
    noise = np.random.default_rng(seed)
    person = VirtualPatient(params, seed, (Activity("hang", 1e5),))
    t_s, pitch_deg, begins, pulse_s, current_ma = [], [], [], [], []
    for number, level_ma in enumerate(np.arange(FIRST_MA, params.comfort_ma, STEP_MA)):
        begin_s = 4.0 + EVERY_S * number
        begins.append(len(t_s))
        ages = np.arange(int(TRAIN_S * RATE_HZ)) / RATE_HZ
        shape = np.minimum(1.0, np.minimum(ages / RISE_S, (TRAIN_S - ages) / FALL_S))
        due = [(begin_s + REST_S + a, round(2 * level_ma * s) / 2) for a, s in zip(ages, shape, strict=True)]
        due = [(at_s, ma) for at_s, ma in due if ma > 0.0]
        for now_s in begin_s + np.arange(300) / 100.0:
            while due and due[0][0] <= now_s + 0.02:
                at_s, ma = due.pop(0)
                person.pulse(at_s, 0, ma, WIDTH_US)
                pulse_s.append(at_s)
                current_ma.append(ma)
            person.advance(float(now_s))
            t_s.append(now_s)
            pitch_deg.append(person.truth().foot_pitch_deg + NOISE_DEG * noise.standard_normal())
    return FreeFootTest(
        np.array(t_s), np.array(pitch_deg), tuple(begins), np.array(pulse_s), np.array(current_ma), WIDTH_US,
        shank_deg=SHANK_DEG,
    )  # fmt: skip


def main(persons: int = 6, number: int = 11) -> None:
    names = ("i50 mA", "sigma", "torque Nm", "slowness", "stiffness")
    print("person", *(f"{name:>14}" for name in names), "  fit")
    held = asked = 0
    for member in cohort(persons, seed=number):
        p, b = member.params, body_of(member.params)
        foot = FootBody(b.mass_kg, b.com_x_m, b.com_y_m, b.inertia_kgm2)
        try:
            found = identify_free_foot(perform(p, member.number), foot)
        except NotFree as refusal:
            print(f"{member.number:6d} {refusal}")
            continue
        torque_nm = ta_force_n(p.evocable, 0.0, 0.0) * ta_arm_m(0.0)
        pairs = (
            (found.i50_ma, p.recruitment.i50_ma * p.electrode_gain),
            (found.sigma, p.recruitment.sigma),
            (found.torque_max_nm, torque_nm),
            (found.slowness, p.muscle_slowness),
            (found.stiffness, p.stiffness),
        )
        held += sum(one.covers(truth) for one, truth in pairs)
        asked += len(pairs)
        cells = " ".join(f"{one.value:6.3g} of {truth:4.3g}" for one, truth in pairs)
        print(f"{member.number:6d} {cells}  {found.fit_percent:.0f} %", flush=True)
    print(f"the truth lies within {held} of {asked} intervals of 95 %")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
