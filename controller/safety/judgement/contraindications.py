"""What has to be true before the guard arms: the contraindication checklist and the state of the rig.

Refuses on a question that was not answered. The patient file's answers hold until today's are given; both
are recorded with the session, today's with who gave them and when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from controller.safety.judgement.arming_refusals import Refusal

Answer = Literal["no", "yes", "accepted"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose good answer is "no", and who asks for it.

    Where ``absolute`` is false, "accepted" is possible too: the condition is there and the clinician
    in charge has decided for stimulation.
    """

    key: str
    text: str
    absolute: bool
    source: str


L300 = "NESS L300 foot drop system, contraindications, warnings and precautions (bioness.com, Canada)"
LABEL = "label of powered muscle stimulators, e.g. Zynex E-Wave, precautions, p. 10"
WARNING = "label of powered muscle stimulators, e.g. Mettler Sys*Stim 294, warnings, p. 30"

QUESTIONS: tuple[Question, ...] = (
    Question("pacemaker", "A demand pacemaker, defibrillator or any other electrical implant?", True, L300),
    Question("cancer", "Cancer, known or suspected, where the electrodes lie?", True, L300),
    Question("fracture", "A fracture, dislocation or fresh operation of this leg?", True, L300),
    Question("skin", "Broken, infected, inflamed or swollen skin where the electrodes lie?", True, L300),
    Question("thrombosis", "Thrombosis, phlebitis or varicose veins in this leg?", True, WARNING),
    Question("metal", "A metal implant under or near the electrodes?", True, L300),
    Question("epilepsy", "Epilepsy, or seizures in the last year?", False, LABEL),
    Question("pregnancy", "Pregnancy?", False, LABEL),
    Question("heart", "Heart disease, or an arrhythmia?", False, LABEL),
    Question("sensation", "Little or no feeling where the electrodes lie?", False, LABEL),
    Question(
        "dysreflexia",
        "A spinal cord injury at or above T6 (autonomic dysreflexia)?",
        False,
        "clinical practice, from memory, unverified",
    ),
)
QUESTION: Mapping[str, Question] = MappingProxyType({question.key: question for question in QUESTIONS})


def objections(answers: Mapping[str, str]) -> tuple[Refusal, ...]:
    """Why these answers do not allow stimulation; empty where they do."""
    found: list[Refusal] = []
    for question in QUESTIONS:
        key, answer = question.key, answers.get(question.key)
        fine = answer == "no" or (answer == "accepted" and not question.absolute)
        if answer is None:
            found.append(Refusal("unanswered", f"checklist: {key} is not answered", key))
        elif not fine:
            found.append(Refusal("checklist", f"checklist: {key} is answered {answer!r}", key))
    return tuple(found)


def answers_in(found: object) -> Mapping[str, str] | None:
    """The whole checklist as a person answered it today; ``None`` where ``found`` is anything else."""
    if not isinstance(found, Mapping) or set(found) != set(QUESTION):
        return None
    return found if all(answer in ANSWERS for answer in found.values()) else None
