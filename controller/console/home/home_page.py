"""The home page: who can be treated, how the last session was, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from controller.analysis.session_figures import SessionFigures
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
    last_walk,
    session_figures,
)
from controller.console.render import NOTHING, render


@dataclass(frozen=True, slots=True)
class Card:
    """A person with the sessions there were, the newest first, and the settings that come next."""

    who: Person
    sessions: Sequence[Recorded]
    settings: Settings | None
    several: bool = False  # settings to choose from


def home_html(
    texts: Texts, cards: Sequence[Card], *, patients: Path, sessions: Path, rehearse: bool
) -> Markup:
    """The body of the home page."""
    return render(
        "home/home",
        texts,
        cards=[_card(texts, card) for card in cards],
        startable=any(card.settings for card in cards),
        patients=patients,
        sessions=sessions,
        rehearse=rehearse,
    )


def _card(texts: Texts, card: Card) -> Markup:
    last, figures = last_walk(card.sessions)
    return render(
        "home/card",
        texts,
        who=card.who,
        last=None if last is None else day_words(texts, last),
        result="" if last is None else result_html(texts, last, figures),
        settings=None if card.settings is None else settings_words(texts, card.settings),
        several=card.several,
    )


def result_html(
    texts: Texts, item: Recorded, figures: SessionFigures | None, before: SessionFigures | None = None
) -> Markup:
    """What came out of a session: five numbers of a walk, last time's below them; a line of an exercise."""
    rows = [
        (
            texts.get(f"figure.{name}"),
            figure_words(texts, figures, name),
            None if before is None else figure_words(texts, before, name),
        )
        for name in FIVE
    ]
    line = texts.get("home.no_figures") if item.exercise is None else done_words(texts, item.exercise)
    told = figures is not None and item.exercise is None
    return render("home/result", texts, figures=rows if told else None, line=line)


def figure_words(texts: Texts, figures: SessionFigures | None, name: str) -> str:
    """One number with its unit; strides are whole."""
    value = getattr(figures, name, None)
    if value is not None and name == "strides":
        value = round(value)
    return value_text(texts, value, UNITS[name])


def banner_html(texts: Texts, now: Started | None, door: str) -> Markup:
    """What stands on top of every page while a session lives; ``door`` is its console's address."""
    if now is None:
        return NOTHING
    return render("home/banner", texts, state=state_words(texts, now), door=door)


def state_words(texts: Texts, one: Started) -> str:
    """How a session is, or how it ended."""
    return texts.get(f"home.state_{one.state.replace(' ', '_')}").format(who=_who(texts, one))


def _who(texts: Texts, one: Started) -> str:
    return one.pseudonym or texts.get("page.virtual")


def waiting_html(texts: Texts, one: Started) -> Markup:
    """While the rig comes up; the page's script goes on by itself."""
    return render("home/follow", texts, url="/rig/state", words=state_words(texts, one))


def end_html(texts: Texts, one: Started) -> Markup:
    """Asked before a session ends for all."""
    return render("home/end", texts, who=_who(texts, one))


def ended_html(
    texts: Texts, item: Recorded | None, before: Recorded | None, words: Mapping[str, str]
) -> Markup:
    """After the walk: the five numbers against last time's, the report, and the next walk.

    ``words`` are ``note`` (how it ended), ``problem`` (its own words) and ``person`` where there is one to
    walk again.
    """
    told = item is not None and item.summed_up
    then = None if before is None else session_figures(before)
    return render(
        "home/ended",
        texts,
        item=item if told else None,
        day="" if item is None else day_words(texts, item),
        result=result_html(texts, item, session_figures(item), then) if item is not None and told else "",
        before="" if before is None or then is None else day_words(texts, before),
        **{name: words.get(name, "") for name in ("note", "problem", "person")},
    )


def summing_html(texts: Texts, name: str) -> Markup:
    """While the recording is being summed up."""
    return render("home/follow", texts, url=f"/ended/{quote(name)}/state", words=texts.get("home.summing"))
