"""What has to be true before the guard arms: the contraindication checklist and the state of the rig.

Refuses on a question that was not answered; answers are per session and recorded with the session.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

Answer = Literal["no", "yes", "accepted"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose good answer is "no".

    Where ``absolute`` is false, "accepted" is possible too: the condition is there and the clinician
    in charge has decided for stimulation.
    """

    key: str
    text: str
    absolute: bool


# After the contraindications, warnings and precautions that powered muscle stimulators carry by the
# guidance document of the U.S. Food and Drug Administration for them (product code IPF), and the user manuals
# of drop-foot stimulators; wording from memory, unverified against the present editions.
QUESTIONS: tuple[Question, ...] = (
    Question("pacemaker", "A demand pacemaker, defibrillator or any other electrical implant?", True),
    Question("cancer", "Cancer, known or suspected, where the electrodes lie?", True),
    Question("fracture", "A fracture, dislocation or fresh operation of this leg?", True),
    Question("skin", "Broken, infected, inflamed or swollen skin where the electrodes lie?", True),
    Question("thrombosis", "Thrombosis, phlebitis or varicose veins in this leg?", True),
    Question("metal", "A metal implant directly under the electrodes?", False),
    Question("epilepsy", "Epilepsy, or seizures in the last year?", False),
    Question("pregnancy", "Pregnancy?", False),
    Question("heart", "Heart disease, or an arrhythmia?", False),
    Question("sensation", "Little or no feeling where the electrodes lie?", False),
    Question("dysreflexia", "A spinal cord injury at or above T6 (autonomic dysreflexia)?", False),
)
QUESTION: Mapping[str, Question] = MappingProxyType({question.key: question for question in QUESTIONS})


def objections(answers: Mapping[str, str]) -> tuple[str, ...]:
    """Why these answers do not allow stimulation; empty where they do."""
    found: list[str] = []
    for question in QUESTIONS:
        answer = answers.get(question.key)
        fine = answer == "no" or (answer == "accepted" and not question.absolute)
        if answer is None:
            found.append(f"checklist: {question.key} is not answered")
        elif not fine:
            found.append(f"checklist: {question.key} is answered {answer!r}")
    return tuple(found)
