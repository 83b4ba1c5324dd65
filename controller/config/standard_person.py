"""A patient file for somebody of whom nothing was measured yet: the person's own facts, and a standard model.

The file says so itself (``model = "standard"``), until the set-up writes what it identified.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from controller.config.loader import BOM

# The middle of the virtual population (models/cohort.py, where each range has its source or is assumed).
STANDARD = """\
[muscle]
i50_ma = 28.0
sigma = 0.25
chronaxie_us = 200.0
torque_max_nm = 15.0
bandwidth_rps = 18.0
delay_ms = 30.0

[ankle]
passive_factor = 1.0
damping_nms_per_rad = 0.5
"""


@dataclass(frozen=True, slots=True)
class NewPerson:
    """What a clinician knows before the first session; ``current_max_ma`` is the most they allow."""

    pseudonym: str
    side: str
    body_mass_kg: float
    body_height_m: float
    current_max_ma: float
    speed_mps: float
    checklist: Mapping[str, str]


def has_standard_model(patient_text: str) -> bool:
    """Whether a patient file says that muscle and ankle were not measured; False where it cannot be read."""
    try:
        patient = tomllib.loads(patient_text.removeprefix(BOM)).get("patient")
    except (ValueError, RecursionError):
        return False
    return isinstance(patient, dict) and patient.get("model") == "standard"


def patient_text(who: NewPerson) -> str:
    """The patient file, not yet checked."""
    answers = "".join(f"{key} = {json.dumps(answer)}\n" for key, answer in who.checklist.items())
    return f"""\
[patient]
pseudonym = {json.dumps(who.pseudonym)}
paretic_side = {json.dumps(who.side)}
body_mass_kg = {who.body_mass_kg!r}
body_height_m = {who.body_height_m!r}
model = "standard" # muscle and ankle below are not this person's

[checklist] # "no"; "yes" forbids stimulation; "accepted": present, and the clinician in charge decided for it
{answers}
[limits] # this person's; they may only tighten the device's and the clinic's
current_max_ma = {who.current_max_ma!r}

{STANDARD}
[reference]
speed_mps = {who.speed_mps!r}
"""
