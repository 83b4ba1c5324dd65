"""An exercise among the recordings: what was done, in a line and as a table of its muscles."""

from __future__ import annotations

from markupsafe import Markup

from controller.analysis.exercise import ExerciseSummary
from controller.console.i18n import Texts
from controller.console.render import render

FIGURES = ("contractions", "minutes", "current", "set", "charge")


def done_words(texts: Texts, done: ExerciseSummary) -> str:
    """Programme and repetitions, and what went otherwise."""
    t = texts.get
    parts = [t("exercise.result").format(done=done.repetitions, whole=done.planned)]
    if done.broken_off:
        parts.append(t("exercise.broken_off").format(count=done.broken_off))
    if done.missed:
        parts.append(t("exercise.missed").format(count=done.missed))
    one = next(iter(done.muscles), None)
    if one is not None and one.own_share is not None and one.support is not None:
        own, support = (texts.figure(100.0 * share, 0) for share in (one.own_share, one.support))
        parts.append(t("exercise.withdrawn").format(own=own, support=support))
    return f"{done.title}: {', '.join(parts)}"


def muscles_html(texts: Texts, done: ExerciseSummary) -> Markup:
    rows = [
        [
            texts.get(f"muscle.{one.muscle}"),
            str(one.contractions),
            texts.figure(one.on_s / 60.0, 1),
            texts.figure(one.current_ma, 1),
            texts.figure(one.set_ma, 1),
            texts.figure(one.charge_mc, 2),
        ]
        for one in done.muscles
    ]
    heads = [texts.get("programmes.muscles"), *(texts.get(f"exercise_figure.{name}") for name in FIGURES)]
    return render("recordings/muscles", texts, done=done_words(texts, done), heads=heads, rows=rows)
