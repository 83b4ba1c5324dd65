"""The exercise page's HTML: the patient's cue, arming, intensity by muscle, own activity, goal and result.

The script fills it ten times a second; what stands here is readable without data.
"""

from __future__ import annotations

from markupsafe import Markup

from controller.config.console_settings import ConsoleSettings
from controller.config.exercise_facts import ExerciseFacts, IntensityFacts
from controller.console.i18n import Texts
from controller.console.render import render
from controller.runtime.tuning import BY_MAX

RING = 2 * 3.14159265 * 54  # circumference of the countdown's ring
SCRIPT_WORDS = (  # what the page's scripts say
    "state", "data.", "arm.", "alarm.", "tone.", "fault.", "refusal.", "question.", "telemetry.",
    "cue.", "cue_more.", "action.", "muscle.", "exercise.", "emg.", "unlock.",
)  # fmt: skip


def exercise_html(texts: Texts, settings: ConsoleSettings, facts: ExerciseFacts, by: str) -> Markup:
    """Everything between bar and footer."""
    muscles = [
        {
            "muscle": one.muscle,
            "name": texts.get(f"muscle.{one.muscle}"),
            "most_ma": one.most_ma,
            "most": texts.get("exercise.most").format(
                most=texts.figure(one.most_ma), why=bound_words(texts, one)
            ),
            "earlier_today": one.earlier_today,
        }
        for one in facts.intensities
    ]
    virtual = texts.get("page.virtual") if settings.virtual else ""
    return render(
        "exercise/exercise",
        texts,
        ring=RING,
        muscles=muscles,
        programme=facts.programme,
        who=" · ".join(part for part in (settings.pseudonym, settings.session, virtual) if part),
        by=by,
        by_max=BY_MAX,
    )


def bound_words(texts: Texts, one: IntensityFacts) -> str:
    """What holds this muscle's largest current where it is, in words."""
    if one.bound_by == "comfort":
        return texts.get("exercise.comfort")
    limit = texts.words.get(f"limit.{one.bound_by}", one.bound_by)
    who = texts.words.get(f"who.{one.set_by}", one.set_by)
    return texts.get("exercise.bound").format(limit=limit, who=who)


def page_facts(texts: Texts, facts: ExerciseFacts) -> Markup:
    """What the page's scripts are told: words, and the programme."""
    told = {
        "language": texts.language,
        "texts": {key: text for key, text in texts.words.items() if key.startswith(SCRIPT_WORDS)},
        "phrases": list(texts.phrases.items()),
        "repetitions": facts.programme.repetitions,
        "warm_up": facts.programme.warm_up,
        "set_of": facts.programme.set_of,
        "ring": RING,
        "contractions_per_day": facts.programme.contractions_per_day,
        "minutes_per_day": facts.programme.minutes_per_day,
        "days_per_week": facts.programme.days_per_week,
    }
    return render("told", texts, told=told)
