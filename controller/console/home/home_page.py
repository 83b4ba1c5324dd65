"""The home page: who can be treated, how the last session was, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from controller.console.home.persons import Person, Settings
from controller.console.home.rigs import Started
from controller.console.home.start_page import settings_words
from controller.console.i18n import Texts
from controller.console.recordings.exercise_recording import done_words
from controller.console.recordings.recorded import Recorded
from controller.console.recordings.recordings_page import day_words, value_text
from controller.console.recordings.session_figures import (
    FIVE,
    UNITS,
    SessionFigures,
    last_walk,
    session_figures,
)


@dataclass(frozen=True, slots=True)
class Card:
    """A person with the sessions there were, the newest first, and the settings that come next."""

    who: Person
    sessions: Sequence[Recorded]
    settings: Settings | None
    several: bool = False  # settings to choose from


def home_html(texts: Texts, cards: Sequence[Card], *, patients: Path, sessions: Path, rehearse: bool) -> str:
    """The body of the home page."""
    t = texts.get
    note = f'<p class="notice">{escape(t("home.rehearsal"))}</p>' if rehearse else ""
    found = "".join(_card(texts, card) for card in cards)
    if not cards:
        found = f"<p>{escape(t('home.nobody').format(folder=patients))}</p>"
    if not any(card.settings for card in cards):
        found += f"<p>{escape(t('home.no_settings').format(folder=sessions))}</p>"
    return (
        f'{note}<div class="persons">{found}</div><div class="tools">'
        f'<a class="button second" href="/new-person">{escape(t("home.new"))}</a>'
        f'<form method="post" action="/training"><button class="button second" id="training">'
        f"{escape(t('home.training'))}</button></form></div>"
        f'<p class="quiet">{escape(t("home.training_do"))}</p>'
    )


def _card(texts: Texts, card: Card) -> str:
    t, who = texts.get, card.who
    name = escape(who.pseudonym)
    if who.problem:
        problem = f'<p class="bad">{escape(t("home.unreadable"))} {escape(who.problem)}</p>'
        return f'<section class="card person"><h2>{name}</h2>{problem}</section>'
    path = f"/persons/{quote(who.pseudonym)}"
    standard = f'<p class="standard">{escape(t("page.standard_model"))}</p>' if who.standard_model else ""
    last, figures = last_walk(card.sessions)
    if last is None:
        told = f"<p>{escape(t('home.first_time'))}</p>"
    else:
        told = f"<p>{escape(t('home.last'))} {escape(day_words(texts, last))}</p>"
        told += result_html(texts, last, figures)
    start = ""
    if card.settings is not None:
        label = t("home.start_last" if last else "home.start_first")
        other = (
            f'<a class="button second" href="{path}/start">{escape(t("home.other"))}</a>'
            if card.several
            else ""
        )
        start = (
            f'<form method="post" action="{path}/begin"><button class="button">{escape(label)}'
            f"<small>{escape(settings_words(texts, card.settings))}</small></button></form>{other}"
            f'<form method="post" action="{path}/setup"><button class="button second">'
            f"{escape(t('page.setup'))}</button></form>"
        )
    side = escape(t(f"setup.side_{who.side}"))
    return (
        f'<section class="card person" id="person-{name}"><h2>{name} <small>{side}</small></h2>'
        f'{standard}{told}<div class="tools">{start}'
        f'<a class="button second" href="{path}">{escape(t("home.progress"))}</a>'
        f'<a class="button second" href="/sessions?q={quote(who.pseudonym)}">{escape(t("page.sessions"))}</a>'
        "</div></section>"
    )


def result_html(
    texts: Texts, item: Recorded, figures: SessionFigures | None, before: SessionFigures | None = None
) -> str:
    """What came out of a session: five numbers of a walk, a line of an exercise."""
    if item.exercise is not None:
        return f"<p>{escape(done_words(texts, item.exercise))}</p>"
    if figures is None:
        return f"<p>{escape(texts.get('home.no_figures'))}</p>"
    return five_html(texts, figures, before)


def five_html(texts: Texts, figures: SessionFigures | None, before: SessionFigures | None = None) -> str:
    """Five numbers, each with last time's below it where there was one."""
    tiles = []
    for name in FIVE:
        then = "" if before is None else f"<dd class=before>{figure_words(texts, before, name)}</dd>"
        tiles.append(
            f"<div><dt>{escape(texts.get(f'figure.{name}'))}</dt>"
            f"<dd><b>{figure_words(texts, figures, name)}</b></dd>{then}</div>"
        )
    return f'<dl class="five">{"".join(tiles)}</dl>'


def figure_words(texts: Texts, figures: SessionFigures | None, name: str) -> str:
    """One number with its unit; strides are whole."""
    value = getattr(figures, name, None)
    if value is not None and name == "strides":
        value = round(value)
    return escape(value_text(texts, value, UNITS[name]))


def banner_html(texts: Texts, now: Started | None, door: str) -> str:
    """What stands on top of every page while a session lives; ``door`` is its console's address."""
    if now is None:
        return ""
    t = texts.get
    word = escape(state_words(texts, now))
    return (
        f'<section class="card running" role="status"><p>{word}</p>'
        f'<form method="post" action="{escape(door)}/stop" target="stop-answer">'
        f'<button class="button stop">{escape(t("stop.label"))}</button></form>'
        f'<iframe name="stop-answer" title="{escape(t("stop.label"))}"></iframe>'
        f'<p class="quiet">{escape(t("home.keep_open"))}</p>'
        f'<div class="tools"><a class="button" href="/rig">{escape(t("home.to_session"))}</a>'
        f'<a class="button second" href="/rig/end">{escape(t("home.end"))}</a></div></section>'
    )


def state_words(texts: Texts, one: Started) -> str:
    """How a session is, or how it ended."""
    return texts.get(f"home.state_{one.state.replace(' ', '_')}").format(who=_who(texts, one))


def _who(texts: Texts, one: Started) -> str:
    return one.pseudonym or texts.get("page.virtual")


def waiting_html(texts: Texts, one: Started) -> str:
    """While the rig comes up; the page's script goes on by itself."""
    word = escape(state_words(texts, one))
    return (
        '<noscript><meta http-equiv="refresh" content="2"></noscript>'
        f'<section class="card" id="follow" data-url="/rig/state"><p class="big" role="status">{word}</p>'
        "<progress></progress></section>"
    )


def end_html(texts: Texts, one: Started) -> str:
    """Asked before a session ends for all."""
    t = texts.get
    return (
        f'<section class="card"><p class="big">{escape(t("home.end_ask").format(who=_who(texts, one)))}</p>'
        f"<p>{escape(t('home.end_what'))}</p>"
        f'<div class="tools"><form method="post" action="/rig/end"><button class="button" id="end">'
        f"{escape(t('home.end'))}</button></form>"
        f'<a class="button second" href="/rig">{escape(t("home.to_session"))}</a></div></section>'
    )


def problem_html(lines: str) -> str:
    """What refused or failed, in its own words."""
    return f'<pre class="bad box" role="alert">{escape(lines)}</pre>'


def ended_html(texts: Texts, item: Recorded | None, before: Recorded | None, words: Mapping[str, str]) -> str:
    """After the walk: the five numbers against last time's, the report, and the next walk.

    ``words`` are ``note`` (how it ended), ``problem`` (its own words) and ``person`` where there is one to
    walk again.
    """
    t, parts = texts.get, []
    if words.get("note"):
        parts.append(f'<p class="notice" role="status">{escape(words["note"])}</p>')
    if words.get("problem"):
        parts.append(problem_html(words["problem"]))
    if item is not None and item.summed_up:
        figures = session_figures(item)
        then = None if before is None else session_figures(before)
        parts.append(f"<p>{escape(item.pseudonym)} · {escape(day_words(texts, item))}</p>")
        parts.append(result_html(texts, item, figures, then))
        if before is not None and then is not None:
            against = t("home.against").format(day=day_words(texts, before))
            parts.append(f'<p class="quiet">{escape(against)}</p>')
        path = f"/sessions/{quote(item.name)}"
        parts.append(
            f'<div class="tools"><a class="button second" href="{path}/report.pdf">'
            f"{escape(t('sessions.report'))} (PDF)</a>"
            f'<a class="button second" href="{path}">{escape(t("sessions.open"))}</a></div>'
        )
    again = ""
    if who := words.get("person"):
        again = (
            f'<form method="post" action="/persons/{quote(who)}/begin"><button class="button">'
            f"{escape(t('jobs.again' if words.get('problem') else 'home.again'))}</button></form>"
        )
    home = f'<a class="button second" href="/">{escape(t("page.home"))}</a>'
    parts.append(f'<div class="tools">{again}{home}</div>')
    return f'<section class="card">{"".join(parts)}</section>'


def summing_html(texts: Texts, name: str) -> str:
    """While the recording is being summed up."""
    return (
        '<noscript><meta http-equiv="refresh" content="2"></noscript>'
        f'<section class="card" id="follow" data-url="/ended/{quote(name)}/state">'
        f'<p class="big" role="status">{escape(texts.get("home.summing"))}</p><progress></progress></section>'
    )
