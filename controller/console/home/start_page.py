"""The page before a session: by which settings, and today's checklist.

Promises that no answer is preset, and that "nothing has changed" is taken only where every question was on
the screen; what was answered last stands beside each in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from controller.console.home.persons import WALK, Person, Settings
from controller.console.i18n import Texts
from controller.console.setup.setup_page import answer_radios
from controller.runtime.tuning import BY_MAX
from controller.safety.judgement.contraindications import ANSWERS, QUESTION, QUESTIONS, Question

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
) -> str:
    """The whole page; an exercise asks its checklist on its own page. ``begun``: the rig comes up already."""
    t = texts.get
    fault = f'<p class="bad box" role="alert">{escape(problem)}</p>' if problem else ""
    name = f"{escape(who.pseudonym)} <small>{escape(t(f'setup.side_{who.side}'))}</small>"
    head = f'<p class="big">{name}</p>{_model(texts, who)}'
    path = f"/persons/{quote(who.pseudonym)}/start"
    settings = f'<input type="hidden" name="settings" value="{escape(chosen.name, quote=True)}">'
    pick = _choice_html(texts, path, chosen, choices)
    if chosen.kind != WALK:
        button = f'<p class="tools"><button class="button">{escape(t("home.start"))}</button></p>'
        return f'{fault}{head}{pick}<form method="post" action="{path}">{settings}{button}</form>'
    rows = "".join(_question(texts, question, last) for question in QUESTIONS)
    sign = (
        f'<label>{escape(t("tuning.by"))} <input name="by" value="{escape(by, quote=True)}" required '
        f'maxlength="{BY_MAX}" size="8" autocomplete="off"></label>'
    )
    unchanged = (
        f'<button class="button" name="{UNCHANGED}" value="yes" id="unchanged" formnovalidate disabled>'
        f"{escape(t('home.unchanged'))}</button>"
        if not [key for key in QUESTION if key not in last]
        else ""
    )
    anew = f'<button class="button second">{escape(t("home.answered"))}</button>'
    follow = f'<p id="follow" class="quiet" data-url="/rig/state">{escape(t("home.begun"))} ' if begun else ""
    follow += (
        f'<a class="button second small" href="/rig/end">{escape(t("home.end"))}</a></p>' if begun else ""
    )
    return (
        f"{fault}{head}{pick}{follow}"
        f'<section class="card"><h2>{escape(t("setup.checklist"))}</h2><p>{escape(t("home.ask"))}</p>'
        f'<form method="post" action="{path}" id="ask">{settings}<div class="questions asked">{rows}</div>'
        f'<div class="tools sticky">{sign}{unchanged}{anew}</div></form></section>'
    )


def _question(texts: Texts, question: Question, last: Mapping[str, str]) -> str:
    t, key = texts.get, question.key
    before = escape(t(f"setup.answer_{last[key]}")) if key in last else "–"
    return (
        f'<fieldset data-question="{key}"><legend>{escape(t(f"question.{key}"))}</legend>'
        f'<span class="last">{escape(t("home.last_answer"))} <b>{before}</b></span>'
        f'{answer_radios(texts, question)}<input type="hidden" name="{SEEN}{key}"></fieldset>'
    )


def _choice_html(texts: Texts, path: str, chosen: Settings, choices: Sequence[Settings]) -> str:
    """By which session file; another one is another page of questions."""
    if len(choices) < 2:
        return f"<p>{escape(texts.get('home.settings'))}: {escape(settings_words(texts, chosen))}</p>"
    links = "".join(
        f'<a class="button small{"" if one == chosen else " second"}" '
        f'href="{path}?settings={quote(one.name)}">{escape(settings_words(texts, one))}</a>'
        for one in choices
    )
    return f'<p class="tools">{escape(texts.get("home.settings"))}: {links}</p>'


def settings_words(texts: Texts, one: Settings) -> str:
    """The file's name, and what it does."""
    if one.kind != WALK:
        return f"{one.name} ({texts.get('home.exercise')})"
    arms = texts.get("home.arms").format(count=one.arms)
    return f"{one.name} ({arms if one.arms else texts.words.get(f'mode.{one.mode}', one.mode)})"


def _model(texts: Texts, who: Person) -> str:
    return f'<p class="standard">{escape(texts.get("page.standard_model"))}</p>' if who.standard_model else ""
