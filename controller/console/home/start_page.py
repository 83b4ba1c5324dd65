"""The page before a session: by which settings, and today's checklist.

Promises that no answer is preset, and that "nothing has changed" is taken only where every question was on
the screen; what was answered last stands beside each in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from controller.console.home.persons import WALK, Person, Settings
from controller.console.i18n import Texts
from controller.console.render import render
from controller.runtime.tuning import BY_MAX
from controller.safety.judgement.contraindications import ANSWERS, QUESTION, QUESTIONS

SEEN = "seen_"  # + a question's key: it was on the screen
UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Answered:
    """What the form says; ``problem`` is a key of the texts with its values, where it is not enough."""

    answers: Mapping[str, str]
    by: str
    problem: str = ""
    question: str = ""


def read_form(form: Mapping[str, str], last: Mapping[str, str]) -> Answered:
    """Today's answers: one for each question, or last time's where nothing has changed."""
    by = form.get("by", "")
    if not 0 < len(by) <= BY_MAX:
        return Answered({}, by, "setup.who")
    if form.get(UNCHANGED):
        unseen = [key for key in QUESTION if not form.get(f"{SEEN}{key}")]
        if unseen:
            return Answered({}, by, "home.unseen", unseen[0])
        if missing := [key for key in QUESTION if key not in last]:
            return Answered({}, by, "setup.unanswered", missing[0])
        return Answered(dict(last), by)
    answers = {key: form[key] for key in QUESTION if form.get(key) in ANSWERS}
    missing = [key for key in QUESTION if key not in answers]
    return Answered(answers, by, "setup.unanswered", missing[0]) if missing else Answered(answers, by)


def start_html(
    texts: Texts,
    who: Person,
    chosen: Settings,
    choices: Sequence[Settings],
    last: Mapping[str, str],
    *,
    by: str,
    problem: str = "",
    begun: bool = False,
) -> Markup:
    """The whole page; an exercise asks its checklist on its own page. ``begun``: the rig comes up already."""
    return render(
        "home/start",
        texts,
        who=who,
        chosen=chosen,
        choices=choices,
        settings_words=partial(settings_words, texts),
        asks=chosen.kind == WALK,
        questions=QUESTIONS,
        last=last,
        unchanged=UNCHANGED if all(key in last for key in QUESTION) else "",
        seen=SEEN,
        by=by,
        by_max=BY_MAX,
        problem=problem,
        begun=begun,
    )


def settings_words(texts: Texts, one: Settings) -> str:
    """The file's name, and what it does."""
    if one.kind != WALK:
        return f"{one.name} ({texts.get('home.exercise')})"
    arms = texts.get("home.arms").format(count=one.arms)
    return f"{one.name} ({arms if one.arms else texts.words.get(f'mode.{one.mode}', one.mode)})"
