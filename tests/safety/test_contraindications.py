"""What a condition forbids although a clinician accepted it: by where the electrodes lie, by the therapy."""

from __future__ import annotations

from typing import get_args

import pytest

from controller.safety.judgement.contraindications import (
    QUESTION,
    QUESTIONS,
    REGION,
    RULES,
    Region,
    objections,
)
from controller.safety.judgement.guard_types import Checklist, Request
from controller.safety.judgement.limits import CAPS, Caps
from models.muscle_names import MuscleName
from tests.safety.rig import Bench

NO = {question.key: "no" for question in QUESTIONS}
OF_REGION: dict[Region, str] = {
    "forearm": "finger-flexors",
    "shoulder": "supraspinatus",
    "thigh": "quadriceps",
    "lower leg": "dorsiflexors",
}
NOT_ENOUGH = {  # question, muscle or therapy, and the word that says why
    ("heart", "shoulder", "chest"),
    ("epilepsy", "shoulder", "neck"),
    ("sensation", "comfort", "felt"),
    ("sensation", "denervated", "burn"),
}


def test_every_muscle_of_a_programme_and_of_gait_has_a_region() -> None:
    assert set(REGION) == {*get_args(MuscleName), "dorsiflexion", "eversion"}
    assert set(REGION.values()) == set(get_args(Region)) == set(OF_REGION)


@pytest.mark.parametrize("key", [one.key for one in QUESTIONS if not one.absolute])
@pytest.mark.parametrize("region", OF_REGION)
@pytest.mark.parametrize("caps", CAPS)
def test_accepted_is_enough_but_where_the_table_says_why_not(key: str, region: Region, caps: Caps) -> None:
    found = objections(NO | {key: "accepted"}, ["calf", OF_REGION[region]], caps)
    expected = [word for asked, where, word in NOT_ENOUGH if asked == key and where in (region, caps)]
    assert [(one.code, one.name) for one in found] == [("checklist", key)] * len(expected)
    for refusal, word in zip(found, expected, strict=True):
        assert refusal.text.startswith(f"checklist: {key} is answered 'accepted', which is not enough: ")
        assert word in refusal.text


def test_one_muscle_of_a_region_is_enough_to_forbid_and_one_that_nobody_knows_may_lie_anywhere() -> None:
    assert objections(NO | {"heart": "accepted"}, ["calf"], "exercise") == ()
    for muscles in (["calf", "deltoid-posterior"], ["deltoid-posterior", "calf"], ["a muscle of tomorrow"]):
        assert len(objections(NO | {"heart": "accepted"}, muscles, "exercise")) == 1, muscles
    assert objections(NO | {"heart": "accepted"}, [], "exercise") == ()


def test_no_and_yes_are_no_business_of_the_table() -> None:
    assert objections(NO, ["supraspinatus"], "comfort") == ()
    (one,) = objections(NO | {"heart": "yes"}, ["supraspinatus"], "exercise")
    assert one.text == "checklist: heart is answered 'yes'"


def test_each_rule_is_of_a_question_that_can_be_accepted_and_says_why_in_words_and_by_whom() -> None:
    for rule in RULES:
        assert not QUESTION[rule.key].absolute
        assert rule.region or rule.caps
        assert rule.source
        assert not set(rule.why) & set(".;:")  # it stands in a sentence that is cut at these
    assert all(question.why for question in QUESTIONS)


def _shoulder(**changes: object) -> Bench:
    channels = [{"name": "supraspinatus", "output": 0, "electrode_area_cm2": 25.0}]
    return Bench(channels=channels, caps="exercise", sensors=[], **changes)


def test_the_guard_does_not_arm_a_shoulder_with_an_accepted_heart_disease_and_says_why() -> None:
    bench = _shoulder(checklist=NO | {"heart": "accepted"}).ready()
    bench.feed(Request("arm"))
    assert bench.stage == "off"
    assert "which is not enough: current between electrodes there may pass" in bench.notes[-1].text


def test_an_answer_of_today_that_is_not_enough_for_this_programme_ends_it() -> None:
    bench = _shoulder(checklist=NO).ready()
    bench.feed(Request("arm"))
    assert bench.stage == "armed"
    bench.feed(Checklist(NO | {"epilepsy": "accepted"}, "Ada", "2026-01-02T03:04:05+00:00"))
    assert bench.stage != "armed"
    assert "beside the neck" in bench.notes[-1].text
