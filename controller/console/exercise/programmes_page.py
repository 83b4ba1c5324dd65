"""The programmes there are, to look at: aim, source, length, muscles, what this stimulator cannot give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from controller.config.exercise_facts import ContractionFacts, ExerciseFacts, ProgrammeFacts, Reason
from controller.console.i18n import Texts
from controller.console.render import render


@dataclass(frozen=True, slots=True)
class Shown:
    """One programme in words; ``cannot`` with whether a line is English."""

    facts: ProgrammeFacts
    runs: bool
    rows: Sequence[tuple[str, str]]
    muscles: Sequence[str]
    prescribed: str
    cannot: Sequence[tuple[str, bool]]


def programmes_html(texts: Texts, facts: ExerciseFacts) -> Markup:
    shown = [_shown(texts, one, runs=one.name == facts.programme.name) for one in facts.programmes]
    return render("exercise/programmes", texts, stimulator=facts.stimulator, programmes=shown)


def _shown(texts: Texts, one: ProgrammeFacts, *, runs: bool) -> Shown:
    rows = [("aim", one.aim), ("source", one.source)] if one.aim else []
    if one.contractions and one.minutes is not None:
        rows.append(("length", _length(texts, one, one.minutes)))
    return Shown(
        facts=one,
        runs=runs,
        rows=rows,
        muscles=[_contraction(texts, part) for part in one.contractions],
        prescribed=prescribed_words(texts, one),
        cannot=[_why(texts, reason) for reason in one.cannot],
    )


def _why(texts: Texts, one: Reason) -> tuple[str, bool]:
    """A reason in the reader's language; a line of a check of the file is English, and marked so."""
    if not one.code:
        return one.text, True
    said = texts.get(f"programmes_cannot.{one.code}").format(
        muscle=texts.get(f"muscle.{one.muscle}") if one.muscle else "",
        found=texts.figure(one.found),
        allowed=texts.figure(float(f"{one.allowed:.5g}")),
        more=[texts.figure(value) for value in one.more],
    )
    by = texts.get("programmes.set_by").format(who=texts.get(f"who.{one.set_by}")) if one.set_by else ""
    return f"{said} {by}".rstrip(), False


def _length(texts: Texts, one: ProgrammeFacts, minutes: float) -> str:
    words = texts.get("programmes.length_words")
    said = words.format(minutes=texts.figure(max(1, round(minutes))), count=one.repetitions)
    warm_up = texts.get("programmes.warm_up").format(count=one.warm_up)
    return f"{said}, {warm_up}" if one.warm_up else said


def _contraction(texts: Texts, part: ContractionFacts) -> str:
    said = texts.get("programmes.contraction").format(
        muscle=texts.get(f"muscle.{part.muscle}"),
        width=texts.figure(part.width_us),
        rate=texts.figure(part.rate_hz),
        on=texts.figure(part.on_s),
    )
    if part.carrier_hz is None:
        return said
    carrier = texts.get("programmes.carrier").format(carrier=texts.figure(part.carrier_hz))
    return f"{said}, {carrier}"


def prescribed_words(texts: Texts, one: ProgrammeFacts) -> str:
    """What is prescribed; empty where nothing is."""
    t, parts = texts.get, []
    if one.contractions_per_day is not None:
        parts.append(t("programmes.per_day").format(count=one.contractions_per_day))
    if one.minutes_per_day is not None:
        parts.append(t("programmes.minutes").format(day=texts.figure(one.minutes_per_day)))
    if one.days_per_week is not None:
        parts.append(t("exercise.goal_week").format(days=one.days_per_week))
    return ", ".join(parts)
