"""The limb against OpenSim, Simbody and published tables."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import BPoly

from models import gait2392
from models.limb.foot import FootBody, ankle_acceleration, swing_foot
from models.limb.ground import scuff_moment_nm, sole_heights
from models.limb.passive import passive_moment_nm
from models.limb.reflex import reflex_moment_nm
from models.limb.subtalar import peroneal_force_n, subtalar_moment_nm, subtalar_rate
from models.muscle import hill
from tests.data import REFERENCE, needs_reference

ANKLE = REFERENCE / "ankle"
OPENSIM: dict[str, gait2392.Name] = {
    "tib_ant_r": "tibialis_anterior",
    "per_long_r": "peroneus_longus",
    "per_brev_r": "peroneus_brevis",
    "soleus_r": "soleus",
    "med_gas_r": "gastrocnemius_medialis",
    "lat_gas_r": "gastrocnemius_lateralis",
}


@pytest.mark.parametrize(
    ("ankle", "knee", "moment"),
    [(-40, 0, 2.3463), (-10, 20, -0.6814), (0, 0, -6.3869), (0, 60, -1.0527), (20, 5, -38.6391)],
)
def test_passive_moment_table(ankle: float, knee: float, moment: float) -> None:
    assert passive_moment_nm(ankle, knee) == pytest.approx(moment, abs=6e-5)


@needs_reference
def test_passive_moment_everywhere() -> None:
    reference = np.load(ANKLE / "riener_edrich_ankle_passive.npz")
    for i, ankle in enumerate(reference["ankle_df_deg"]):
        for j, knee in enumerate(reference["knee_flex_deg"]):
            assert passive_moment_nm(float(ankle), float(knee)) == pytest.approx(
                reference["moment_df_Nm"][i, j], abs=1e-9
            )


def test_stiffness_scales_and_neutral_shifts() -> None:
    assert passive_moment_nm(5.0, 10.0, stiffness=2.0) == pytest.approx(2 * passive_moment_nm(5.0, 10.0))
    assert passive_moment_nm(-5.0, 10.0, neutral_shift_deg=-10.0) == pytest.approx(
        passive_moment_nm(5.0, 10.0)
    )
    with pytest.raises(ValueError, match="ankle_deg: found nan"):
        passive_moment_nm(math.nan, 0.0)


@needs_reference
@pytest.mark.parametrize("name", OPENSIM)
def test_muscle_geometry_and_force_follow_opensim(name: str) -> None:
    model = json.loads((ANKLE / "opensim_ankle_reference.json").read_text())["gait2392_thelen2003muscle.osim"]
    own = OPENSIM[name]
    for knee in (0, 20, 40, 60):
        rows = model[f"{name}|knee{knee}"]
        strongest = max(rows["F_act1"])
        for ankle, arm, length, force in zip(
            rows["angle_deg"], rows["r"], rows["Lmt"], rows["F_act1"], strict=True
        ):
            assert hill.arm_m(own, ankle, knee) == pytest.approx(arm, abs=0.05e-3)
            assert hill.length_m(own, ankle, knee) == pytest.approx(length, abs=0.05e-3)
            found = hill.isometric_force_n(own, 1.0, ankle, knee)
            assert found == pytest.approx(force, abs=0.01 * strongest)


@needs_reference
def test_the_rigid_tendon_of_the_plant_is_close_to_the_elastic_one() -> None:
    model = json.loads((ANKLE / "opensim_ankle_reference.json").read_text())["gait2392_thelen2003muscle.osim"]
    rows = model["tib_ant_r|knee0"]
    for ankle, torque in zip(rows["angle_deg"], rows["torque_act1"], strict=True):
        rigid = hill.ta_force_n(1.0, math.radians(ankle), 0.0) * hill.ta_arm_m(math.radians(ankle))
        assert rigid == pytest.approx(torque, rel=0.03)


def test_faster_shortening_means_less_force() -> None:
    forces = [hill.ta_force_n(0.5, 0.0, rate) for rate in (-2.0, 0.0, 2.0, 10.0)]
    assert forces == sorted(forces, reverse=True)


@needs_reference
@pytest.mark.parametrize("path", sorted(ANKLE.glob("simbody_planar_*.npz")), ids=lambda p: p.stem)
def test_free_foot_on_a_moving_ankle_follows_simbody(path: Path) -> None:
    d = np.load(path)
    t, parts = d["time"], 10
    step = float(t[1] - t[0]) / parts
    halves = np.linspace(t[0], t[-1], 2 * parts * (len(t) - 1) + 1)

    def between(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p = BPoly.from_derivatives(t, np.array([d[name], d[f"{name}_d"], d[f"{name}_dd"]]).T)
        return p(halves), p(halves, 1), p(halves, 2)

    hip, knee = between("hip"), between("knee")
    angles, rates, accelerations = (np.array([h, h + k]) for h, k in zip(hip, knee, strict=True))
    pitch, _ = swing_foot(
        step,
        ankle_acceleration(angles, rates, accelerations, (float(d["Lt"]), float(d["Ls"]))),
        foot_rad=float(d["hip"][0] + d["knee"][0] + d["ankle"][0]),
        foot_rps=float(d["hip_d"][0] + d["knee_d"][0] + d["ankle_d"][0]),
        moment_nm=float(d["tau"]) if "tau" in d else 0.0,
        body=FootBody(float(d["m_f"]), float(d["c_x"]), float(d["c_y"]), float(d["Ic"])),
        gravity_mps2=9.81,  # what the reference was made with
    )
    ankle = pitch[::parts] - d["hip"] - d["knee"]
    assert np.degrees(np.abs(ankle - d["ankle"]).max()) < 1e-5


def test_reflex_answers_only_fast_dorsiflexion_and_late() -> None:
    rates = np.zeros(400)
    rates[100:200] = 2.0
    moment = reflex_moment_nm(rates, gain_nms=5.0, threshold_rps=0.5)
    assert not moment[:140].any()
    assert moment.min() < -1.0
    assert moment.max() <= 0.0
    # critically damped second order, 17 rad/s, drive 1.5 rad/s from 140 ms on
    x = 17.0 * (0.199 + 0.001 - 0.140)
    assert moment[199] == pytest.approx(-5.0 * 1.5 * (1 - (1 + x) * math.exp(-x)), rel=1e-6)
    assert not reflex_moment_nm(-rates, gain_nms=5.0, threshold_rps=0.5).any()
    assert not reflex_moment_nm(0.2 * rates, gain_nms=5.0, threshold_rps=0.5).any()


def test_a_low_foot_meets_the_ground_with_its_ball() -> None:
    heel, ball = sole_heights(math.radians(10.0), -0.05, 0.14, -0.07)
    assert heel < ball
    heel, ball = sole_heights(math.radians(-10.0), -0.05, 0.14, -0.07)
    assert ball < heel
    assert scuff_moment_nm(0.0, -0.001, 1.0, 0.14, -0.07) == 0.0
    assert scuff_moment_nm(0.0, 0.002, 0.0, 0.14, -0.07) > 0.0
    assert scuff_moment_nm(0.0, 0.001, -5.0, 0.14, -0.07) == 0.0  # the ground does not pull


def test_tibialis_inverts_the_peronei_evert_and_the_foot_comes_to_rest() -> None:
    assert subtalar_moment_nm(100.0, 0.0, 0.0) > 0.0
    assert subtalar_moment_nm(0.0, peroneal_force_n(0.1), 0.0) < 0.0
    assert peroneal_force_n(2.0) == peroneal_force_n(1.0)
    angle, rate = 0.0, 0.0
    for _ in range(3000):
        rate = subtalar_rate(angle, rate, 0.4, 0.001, 0.004, 0.15, 4.0)
        angle += 0.001 * rate
    assert angle == pytest.approx(0.1, abs=1e-6)  # moment over stiffness
