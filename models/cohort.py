"""A seeded population of virtual patients.

Promises the same patient for the same seed and number; each range below cites a source or says it is assumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.gait import Activity
from models.patient import STAND_FIRST_S
from models.patient_params import PatientParams
from models.recruitment import RecruitmentParams, check


@dataclass(frozen=True, slots=True)
class Range:
    """Where a value of the population lies, and why."""

    low: float
    high: float
    source: str


RANGES: dict[str, Range] = {
    "mass_kg": Range(50.0, 100.0, "assumed: adults"),
    "height_m": Range(1.52, 1.90, "assumed: adults"),
    "i50_ma": Range(20.0, 40.0, "assumed; protocols titrate 20 to 60 mA at 300 us (unverified)"),
    "sigma": Range(0.15, 0.35, "refits of the Ding 2007 width curve give 0.17 to 0.29; widened"),
    "chronaxie_us": Range(150.0, 300.0, "motor nerve through skin 100 to 300 us (unverified)"),
    "comfort_over_i50": Range(1.25, 1.7, "assumed; comfortable maxima 30 to 60 mA (unverified)"),
    "sensory_over_i50": Range(0.3, 0.5, "assumed: felt well below motor threshold"),
    "electrode_gain": Range(0.9, 1.15, "assumed: pads placed by different hands"),
    "drift_per_minute": Range(0.0, 0.01, "assumed: gel dries"),
    "electrode_wander": Range(0.0, 0.01, "assumed"),
    "skin_slide_per_deg": Range(-0.003, 0.003, "assumed: the nerve lies still, the skin does not"),
    "nerve_eversion_share": Range(0.1, 0.5, "assumed: where the pads sit decides"),
    "second_dorsiflexion_share": Range(0.0, 0.2, "assumed"),
    "delay_s": Range(
        0.025, 0.060, "assumed; Riener and Fuhr 1998 25 ms, electromechanical delay 20 to 50 ms"
    ),
    "muscle_slowness": Range(0.75, 1.35, "assumed; bandwidth 14 to 25 rad/s around Ding 2003"),
    "resistance": Range(0.6, 2.5, "Chung 2004: stroke 1.5 times controls, wide spread"),
    "shifted_share": Range(0.0, 1.0, "Chung 2004: the same resistance, seen as 10 deg less range of motion"),
    "damping_nms": Range(0.3, 0.8, "order of magnitude only (unverified)"),
    "reflex_gain_nms": Range(2.0, 10.0, "order of magnitude only (unverified); in 4 of 11, Galiana 2005"),
    "reflex_threshold_dps": Range(10.0, 50.0, "order of magnitude only (unverified)"),
    "evocable": Range(0.3, 0.7, "surface stimulation evokes 30 to 70 % (unverified)"),
    "volition": Range(0.0, 0.3, "residual voluntary drive 0 to 0.3 (assumed)"),
    "fatigue_s": Range(18.0, 60.0, "Riener 1996 quadriceps 18 to 30 s (unverified); widened"),
    "recovery_s": Range(30.0, 80.0, "Riener 1996 quadriceps 30 to 50 s (unverified); widened"),
    "fatigue_min": Range(0.1, 0.3, "Riener 1996 (unverified)"),
    "hip_hike_m": Range(0.03, 0.06, "pelvic hiking compensates, Cruz and Dhaher 2009; size assumed"),
    "push_off": Range(0.7, 1.0, "assumed: weak push-off of the paretic leg"),
    "inversion_tone_nm": Range(-0.05, 0.35, "assumed: the foot tends to invert"),
    "cadence_cv": Range(0.015, 0.05, "NONAN adults 1 to 2 %; more after stroke (assumed)"),
    "shank_sd_deg": Range(0.5, 2.0, "assumed"),
    "gyr_bias_dps": Range(0.1, 1.0, "assumed: consumer sensor"),
    "stride_s": Range(1.15, 1.7, "assumed: slow gait after stroke"),
    "speed_mps": Range(0.5, 1.0, "assumed: slow gait after stroke"),
}
STEEP_DEG = 1.0 / 0.0843  # the calf's passive moment grows e-fold in this (Riener and Edrich 1999)
SPASTIC_SHARE = 4 / 11  # Galiana 2005: raised reflex gain in 4 of 11 stroke ankles


@dataclass(frozen=True, slots=True)
class CohortPatient:
    """One member: the body, how it walks, and the seed of everything random about it."""

    number: int
    params: PatientParams
    stride_s: float
    speed_mps: float
    seed: int

    def schedule(self, walk_s: float) -> tuple[Activity, ...]:
        """Quiet standing, then a walk at this person's pace."""
        return (
            Activity("stand", STAND_FIRST_S),
            Activity("walk", walk_s, speed_mps=self.speed_mps, stride_s=self.stride_s),
        )


def cohort_patient(number: int, seed: int = 1) -> CohortPatient:
    """Member ``number`` (from 0) of the population ``seed``; independent of the other members."""
    check("number", number, 0, 10_000_000)
    check("seed", seed, 0, 2**62)
    source = np.random.default_rng([0xC0, seed, number])
    drawn = {name: float(source.uniform(r.low, r.high)) for name, r in RANGES.items()}
    spastic = source.random() < SPASTIC_SHARE
    resistance = math.exp(
        source.uniform(math.log(RANGES["resistance"].low), math.log(RANGES["resistance"].high))
    )
    i50 = drawn["i50_ma"]
    params = PatientParams(
        side="left" if source.random() < 0.5 else "right",
        mass_kg=drawn["mass_kg"],
        height_m=drawn["height_m"],
        recruitment=RecruitmentParams(i50, drawn["sigma"], drawn["chronaxie_us"]),
        recruitment_eversion=RecruitmentParams(i50 * 1.07, drawn["sigma"], drawn["chronaxie_us"]),
        sensory_ma=drawn["sensory_over_i50"] * i50 * drawn["electrode_gain"],
        comfort_ma=drawn["comfort_over_i50"] * i50 * drawn["electrode_gain"],
        electrode_gain=drawn["electrode_gain"],
        drift_per_minute=drawn["drift_per_minute"],
        electrode_wander=drawn["electrode_wander"],
        skin_slide_per_deg=drawn["skin_slide_per_deg"],
        nerve_eversion_share=drawn["nerve_eversion_share"],
        second_dorsiflexion_share=drawn["second_dorsiflexion_share"],
        delay_s=drawn["delay_s"],
        muscle_slowness=drawn["muscle_slowness"],
        stiffness=resistance ** (1.0 - drawn["shifted_share"]),
        neutral_shift_deg=-drawn["shifted_share"] * math.log(resistance) * STEEP_DEG,
        damping_nms=drawn["damping_nms"],
        reflex_gain_nms=drawn["reflex_gain_nms"] if spastic else 0.0,
        reflex_threshold_dps=drawn["reflex_threshold_dps"],
        evocable=drawn["evocable"],
        volition=drawn["volition"] ** 2 / 0.3,  # most have little
        fatigue_s=drawn["fatigue_s"],
        recovery_s=drawn["recovery_s"],
        fatigue_min=drawn["fatigue_min"],
        hip_hike_m=drawn["hip_hike_m"],
        push_off=drawn["push_off"],
        inversion_tone_nm=drawn["inversion_tone_nm"],
        cadence_cv=drawn["cadence_cv"],
        shank_sd_deg=drawn["shank_sd_deg"],
        gyr_bias_dps=drawn["gyr_bias_dps"],
    )
    return CohortPatient(
        number, params, drawn["stride_s"], drawn["speed_mps"], int(source.integers(0, 2**31))
    )


def cohort(size: int, seed: int = 1) -> list[CohortPatient]:
    """The first ``size`` members of the population ``seed``."""
    check("size", size, 0, 1_000_000)
    return [cohort_patient(number, seed) for number in range(size)]
