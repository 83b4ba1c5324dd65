"""A virtual walker's numbers as the constants of the compiled leg."""

from __future__ import annotations

import math

from models.muscle.ding import FORCE_100_HZ_N
from models.muscle.stimulated import Tiring
from models.patient_params import PatientParams
from models.plant import Body

CALF_DRIVE = 0.4  # of the gastrocnemius at its peak in normal walking (assumed)


def body_of(p: PatientParams) -> Body:
    """Constants of the leg in SI units; Winter's proportions of body height and mass."""
    foot_m = 0.152 * p.height_m
    com_x, com_y = 0.44 * foot_m, -0.35 * 0.039 * p.height_m  # about midway between malleolus and toes
    mass = 0.0145 * p.mass_kg
    return Body(
        thigh_m=0.245 * p.height_m,
        shank_m=0.246 * p.height_m,
        mass_kg=mass,
        com_x_m=com_x,
        com_y_m=com_y,
        inertia_kgm2=mass * (0.25 * foot_m) ** 2,  # J about the ankle is then 0.018 kg m2 at 70 kg
        heel_x_m=-0.2 * foot_m,
        ball_x_m=0.55 * foot_m,
        sole_y_m=-0.039 * p.height_m,
        stiffness=p.stiffness,
        neutral_deg=p.neutral_shift_deg,
        damping=p.damping_nms,
        reflex_gain=p.reflex_gain_nms,
        reflex_threshold_rps=math.radians(p.reflex_threshold_dps),
        reflex_delay_s=p.reflex_delay_s,
        reflex_wn=17.0,
        evocable=p.evocable,
        volition=p.volition,
        calf=CALF_DRIVE * p.push_off,
        tiring=Tiring(
            force_ref_n=FORCE_100_HZ_N,
            fatigue_min=p.fatigue_min if p.fatigue_model == "riener" else 1.0,
            fatigue_s=p.fatigue_s,
            recovery_s=p.recovery_s,
        ),
        hike_m=p.hip_hike_m,
        push_off=p.push_off,
        roll_inertia=0.004,  # kg m2 about the foot's long axis (assumed)
        roll_damping=0.15,
        roll_stiffness=4.0,  # Nm/rad (assumed)
        roll_tone_nm=p.inversion_tone_nm,
        ta_share0=1.0,
        ta_share1=p.second_dorsiflexion_share,
        per_share0=p.nerve_eversion_share,
        per_share1=1.0,
        cadence_cv=p.cadence_cv,
        shank_sd_rad=math.radians(p.shank_sd_deg),
    )
