"""What has to be true before the guard arms: the contraindication checklist and the state of the rig.

Refuses on a question that was not answered. The patient file's answers hold until today's are given; both
are recorded with the session, today's with who gave them and when.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from controller.safety.judgement.arming_refusals import Refusal
from controller.safety.judgement.limits import Caps

Answer = Literal["no", "yes", "accepted"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose good answer is "no", who asks for it, and ``why`` a "yes" forbids all stimulation.

    Where ``absolute`` is false, "accepted" is possible too: the condition is there and the clinician
    in charge has decided for stimulation. For some programmes that is not enough, see :data:`RULES`.
    """

    key: str
    text: str
    absolute: bool
    source: str
    why: str


L300 = "NESS L300 foot drop system, contraindications, warnings and precautions (bioness.com, Canada)"
LABEL = "label of powered muscle stimulators, e.g. Zynex E-Wave, precautions, p. 10"
WARNING = "label of powered muscle stimulators, e.g. Mettler Sys*Stim 294, warnings, p. 30"
ENDOMED = "Enraf-Nonius Endomed 484, NMES, contraindications, p. 25"

QUESTIONS: tuple[Question, ...] = (
    Question(
        "pacemaker",
        "A demand pacemaker, defibrillator or any other electrical implant?",
        True,
        L300,
        "the implant may take pulses for heartbeats or be disturbed",
    ),
    Question(
        "cancer",
        "Cancer, known or suspected, where the electrodes lie?",
        True,
        L300,
        "it might grow or spread",
    ),
    Question(
        "fracture",
        "A fracture, dislocation or fresh operation (a tendon's too) of this limb?",
        True,
        L300,
        "a contraction moves and loads what has to heal",
    ),
    Question(
        "skin",
        "Broken, infected, inflamed or swollen skin where the electrodes lie?",
        True,
        L300,
        "current gathers in damaged skin and burns it, and an infection may spread",
    ),
    Question(
        "thrombosis",
        "Thrombosis, phlebitis or varicose veins in this limb?",
        True,
        WARNING,
        "a contraction may loosen a clot",
    ),
    Question(
        "metal",
        "A metal implant under or near the electrodes?",
        True,
        L300,
        "current may gather at the metal",
    ),
    Question(
        "epilepsy",
        "Epilepsy, or seizures in the last year?",
        False,
        LABEL,
        "a seizure amid stimulation, with nobody to press STOP",
    ),
    Question("pregnancy", "Pregnancy?", False, LABEL, "not known to be safe for the child"),
    Question(
        "heart",
        "Heart disease, or an arrhythmia?",
        False,
        LABEL,
        "strong work of large muscles loads the heart",
    ),
    Question(
        "sensation",
        "Little or no feeling where the electrodes lie?",
        False,
        LABEL,
        "nobody feels a burn begin",
    ),
    Question(
        "dysreflexia",
        "A spinal cord injury at or above T6 (autonomic dysreflexia)?",
        False,
        "clinical practice, from memory, unverified",
        "strong stimuli below the injury may raise the blood pressure dangerously",
    ),
)
QUESTION: Mapping[str, Question] = MappingProxyType({question.key: question for question in QUESTIONS})

Region = Literal["forearm", "shoulder", "thigh", "lower leg"]
REGION: Mapping[str, Region] = MappingProxyType(
    {  # of a channel, by the name of its muscle
        "dorsiflexion": "lower leg",
        "eversion": "lower leg",
        "dorsiflexors": "lower leg",
        "calf": "lower leg",
        "quadriceps": "thigh",
        "hamstrings": "thigh",
        "wrist-extensors": "forearm",
        "finger-extensors": "forearm",
        "finger-flexors": "forearm",
        "deltoid-posterior": "shoulder",
        "supraspinatus": "shoulder",
    }
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Programmes of a region, or of a kind, that a condition forbids although a clinician accepted it."""

    key: str  # of the question
    region: Region | None  # None: wherever the electrodes lie
    caps: Caps | None  # None: whatever the therapy is
    why: str  # without a full stop, colon or semicolon: it stands in a sentence of the guard's
    source: str


RULES: tuple[Rule, ...] = (
    Rule("heart", "shoulder", None, "current between electrodes there may pass through the chest", ENDOMED),
    Rule("epilepsy", "shoulder", None, "electrodes there lie beside the neck", ENDOMED),
    Rule(
        "sensation",
        None,
        "comfort",
        "its current is set by what is felt",
        "no application over poorly innervated areas: Direct Supply DSDC2CA, TENS, p. 7",
    ),
    Rule(
        "sensation",
        None,
        "denervated",
        "its pulses carry enough charge to burn skin that does not warn",
        "burns as a side effect: Pieber 2015, doi 10.1186/s12984-015-0046-0",
    ),
)


def objections(answers: Mapping[str, str], muscles: Collection[str], caps: Caps) -> tuple[Refusal, ...]:
    """Why these answers do not allow stimulation of these muscles by such a therapy; empty where they do."""
    found: list[Refusal] = []
    for question in QUESTIONS:
        key, answer = question.key, answers.get(question.key)
        fine = answer == "no" or (answer == "accepted" and not question.absolute)
        if answer is None:
            found.append(Refusal("unanswered", f"checklist: {key} is not answered", key))
        elif not fine:
            found.append(Refusal("checklist", f"checklist: {key} is answered {answer!r}", key))
    for rule in not_enough(answers, muscles, caps):
        text = f"checklist: {rule.key} is answered 'accepted', which is not enough: {rule.why}"
        found.append(Refusal("checklist", text, rule.key))
    return tuple(found)


def not_enough(answers: Mapping[str, str], muscles: Collection[str], caps: Caps) -> tuple[Rule, ...]:
    """The rules by which "accepted" does not do here."""
    return tuple(
        rule for rule in RULES if answers.get(rule.key) == "accepted" and _applies(rule, muscles, caps)
    )


def _applies(rule: Rule, muscles: Collection[str], caps: Caps) -> bool:
    """A muscle that nobody knows may lie anywhere."""
    here = rule.region is None or any(REGION.get(one, rule.region) == rule.region for one in muscles)
    return here and rule.caps in (None, caps)


def answers_in(found: object) -> Mapping[str, str] | None:
    """The whole checklist as a person answered it today; ``None`` where ``found`` is anything else."""
    if not isinstance(found, Mapping) or set(found) != set(QUESTION):
        return None
    return found if all(answer in ANSWERS for answer in found.values()) else None
