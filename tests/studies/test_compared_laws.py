"""Laws to compare with: each lifts the foot by a law of its own, and no session can ask for one."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest

from controller.errors import ConfigError
from controller.simulation.closed_loop import TrueMeasure
from controller.simulation.walk import Walk
from controller.studies.compared_laws import LEARNERS, ComparedLaw, PredictiveLearner
from controller.studies.protocol import FaultsSection, load_protocol
from controller.studies.run import Arm, begin_arm, walk_arm
from models.cohort import CohortPatient
from models.patient_params import PatientParams
from tests.core.control.numbers import params

LAWS = Path(__file__).resolve().parents[2] / "configs" / "studies" / "laws.toml"
MEMBER = CohortPatient(0, PatientParams(), 1.4, 0.7, 1)
STRIDES = 7


@cache
def walked(law: ComparedLaw | None) -> tuple[Walk, list[TrueMeasure]]:
    told = params("off" if law is None else "learning")
    arm = Arm(
        "one", told, titrated=False, current_max_ma=None, faults=FaultsSection.model_validate({}), instead=law
    )
    return walk_arm(begin_arm(MEMBER, told, arm), MEMBER, STRIDES)


def error_deg(law: ComparedLaw | None) -> float:
    return float(np.mean([one.stride.swing_pitch_rmse_deg or 0.0 for one in walked(law)[1][3:]]))


@pytest.mark.parametrize("law", LEARNERS)
def test_each_law_lifts_the_foot_by_its_own_pulses(law: ComparedLaw) -> None:
    assert error_deg(law) < 0.6 * error_deg(None)
    learner = walked(law)[0].core.laws.strides.learner
    assert type(learner) is LEARNERS[law]
    assert learner.belief.gain == 1.0  # nothing is believed of the muscle
    others = [walked(other)[0].pulses for other in LEARNERS if other != law]
    assert walked(law)[0].pulses not in others


def test_the_predictive_law_learns_nothing_and_has_no_feedback_beside_it() -> None:
    core = walked("model-predictive")[0].core
    learner = core.laws.strides.learner
    assert isinstance(learner, PredictiveLearner)
    assert core.params.learning.kp_nm_per_rad == 0.0
    assert learner.command_nm == pytest.approx(learner.plan())


def test_a_law_in_place_of_another_mode_is_refused_by_its_line(tmp_path: Path) -> None:
    text = LAWS.read_text(encoding="utf-8").replace("../sessions", str(LAWS.parents[1] / "sessions"))
    path = tmp_path / "laws.toml"
    path.write_text(text.replace('mode = "off"', 'mode = "off"\ninstead = "plain"', 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"instead: found 'plain', allowed in mode 'off': none"):
        load_protocol(path)
    path.write_text(text.replace('mode = "learning"', 'mode = "learning"\ninstead = "magic"', 1), "utf-8")
    with pytest.raises(ConfigError, match="'norm-optimal'"):
        load_protocol(path)


def test_a_protocol_without_such_a_law_keeps_the_hash_it_had_before_there_were_any(tmp_path: Path) -> None:
    before = load_protocol(LAWS)
    text = LAWS.read_text(encoding="utf-8").replace("../sessions", str(LAWS.parents[1] / "sessions"))
    path = tmp_path / "laws.toml"
    path.write_text(text.replace('mode = "learning"', 'mode = "learning"\ninstead = "plain"', 1), "utf-8")
    assert load_protocol(path).sha256 != before.sha256
    table = before.file.model_dump()
    del table["study"]["session_file"]
    for arm in table["arms"]:
        assert arm.pop("instead") is None
    told = json.dumps([table, json.loads(msgspec.json.encode(before.base))], sort_keys=True)
    assert hashlib.sha256(told.encode()).hexdigest() == before.sha256
