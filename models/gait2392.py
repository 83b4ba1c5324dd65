"""Muscles of the ankle in OpenSim's gait2392: strength, fibre, tendon and path, as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Name = Literal[
    "tibialis_anterior",
    "peroneus_longus",
    "peroneus_brevis",
    "soleus",
    "gastrocnemius_medialis",
    "gastrocnemius_lateralis",
]


@dataclass(frozen=True, slots=True)
class Muscle:
    """One muscle of gait2392; ``length_m[i][j]`` multiplies ankle^i knee^j (rad, DF + and flexion +).

    The polynomials are own fits to muscle-tendon length and moment arm of OpenSim 4.6, -40 to 30 deg of
    ankle and 0 to 60 deg of knee; the moment arm is the negative derivative of length.
    """

    f0_n: float
    fibre_m: float
    tendon_m: float
    pennation_deg: float
    length_m: tuple[tuple[float, ...], ...]


# Moment arm of tibialis anterior over the ankle angle in rad, ascending powers (max error 0.028 mm).
TA_ARM = (0.0420032985, 0.0095204985, -0.0126063582, -0.0081535347, -0.0044724315)
TA_LENGTH_M = 0.30378508


def _from_arm(length_m: float, *arm: float) -> tuple[tuple[float, ...], ...]:
    """Length polynomial of a muscle that crosses the ankle only, from its moment arm."""
    return ((length_m,), *((-a / (power + 1),) for power, a in enumerate(arm)))


MUSCLES: dict[Name, Muscle] = {
    "tibialis_anterior": Muscle(905.0, 0.098, 0.223, 5.0, _from_arm(TA_LENGTH_M, *TA_ARM)),
    "peroneus_longus": Muscle(
        943.0,
        0.049,
        0.345,
        10.0,
        _from_arm(0.3958145, -0.00881183, 0.00493429, 0.00120709, -0.00031029, 8.274e-05),
    ),
    "peroneus_brevis": Muscle(
        435.0,
        0.050,
        0.161,
        5.0,
        _from_arm(0.21080347, -0.00470182, 0.00468298, 0.00070902, -0.00028164, 3.732e-05),
    ),
    "soleus": Muscle(
        3549.0,
        0.050,
        0.250,
        25.0,
        _from_arm(0.29139783, -0.04534695, 0.01563094, 0.01907903, -0.00483869, -0.00034662),
    ),
    "gastrocnemius_medialis": Muscle(
        1558.0,
        0.060,
        0.390,
        17.0,
        (
            (0.45070706, -0.02312668, 0.00175192, 0.00038162),
            (0.04628391, 0.00022156, -0.00106133, 0.00075928),
            (-0.00536006, 0.00029627, -0.00105627, 0.00057060),
            (-0.00716447, -0.00005686, 0.00036334, -0.00026063),
            (0.00092598, -0.00000420, 0.00010341, -0.00007927),
            (0.00024938, 0.00000438, -0.00005689, 0.00004349),
        ),
    ),
    "gastrocnemius_lateralis": Muscle(
        683.0,
        0.064,
        0.380,
        8.0,
        (
            (0.44706155, -0.02281883, 0.00008558, 0.00179397),
            (0.04720338, 0.00018144, -0.00062441, 0.00033896),
            (-0.00587348, 0.00030441, -0.00114368, 0.00065275),
            (-0.00725149, -0.00004580, 0.00029598, -0.00019473),
            (0.00097797, -0.00000153, 0.00010261, -0.00007904),
            (0.00024124, 0.00000243, -0.00005309, 0.00003972),
        ),
    ),
}
