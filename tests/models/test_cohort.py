"""The population: reproducible, within its ranges, and every member can walk."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.cohort import RANGES, cohort, cohort_patient
from models.patient import VirtualPatient


def test_a_member_does_not_depend_on_the_others() -> None:
    assert cohort(5, seed=3)[4] == cohort_patient(4, seed=3)
    assert cohort_patient(4, seed=3) != cohort_patient(4, seed=4)
    assert cohort_patient(3, seed=3) != cohort_patient(4, seed=3)


def test_the_population_fills_its_ranges_and_each_range_says_why() -> None:
    members = cohort(300)
    # at one angle, whether stiffer or stiff from an earlier angle on (exponent: Riener and Edrich 1999)
    resistance = [m.params.stiffness * math.exp(-0.0843 * m.params.neutral_shift_deg) for m in members]
    named = {name: [getattr(m.params, name) for m in members] for name in ("delay_s", "evocable")}
    for name, values in {"resistance": resistance, **named}.items():
        limit = RANGES[name]
        span = limit.high - limit.low
        assert limit.low <= min(values) < limit.low + 0.1 * span
        assert limit.high - 0.1 * span < max(values) <= limit.high
    assert all(len(r.source) > 5 for r in RANGES.values())
    spastic = np.mean([m.params.reflex_gain_nms > 0 for m in members])
    assert 0.25 < spastic < 0.5


def test_every_member_walks_with_continuous_angles() -> None:
    for member in cohort(12, seed=5):
        patient = VirtualPatient(member.params, seed=member.seed, schedule=member.schedule(60.0))
        rows = []
        for k in range(24):
            rows.append(patient.imu_block("foot", 0.5 * k, 100, 200.0))
        block = np.concatenate(rows)
        assert np.isfinite(block).all()
        assert np.abs(block[:, 7:]).max() < math.radians(2000.0)  # within a sensor's range
        assert np.abs(block[:, 4:7]).max() < 16 * 9.81
        strides = patient.strides()
        assert len(strides) >= 3
        for s in strides:
            assert -40.0 < s.ankle_at_initial_contact_deg < 15.0
            swing = s.next_initial_contact_s - s.toe_off_s
            assert 0.2 < swing < 1.0


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="number: found -1"):
        cohort_patient(-1)
