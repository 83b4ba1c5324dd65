"""The programmes there are, to look at: aim, source, length, muscles, what this stimulator cannot give."""

from __future__ import annotations

from html import escape

from controller.config.exercise_facts import ContractionFacts, ExerciseFacts, ProgrammeFacts, Reason
from controller.console.i18n import Texts
from controller.console.tuning.tuning_page import figure


def programmes_html(texts: Texts, facts: ExerciseFacts) -> str:
    intro = texts.get("programmes.intro").format(stimulator=facts.stimulator)
    cards = "".join(_card(texts, one, runs=one.name == facts.programme.name) for one in facts.programmes)
    return f'<p class="quiet">{escape(intro)}</p>{cards}'


def _card(texts: Texts, one: ProgrammeFacts, *, runs: bool) -> str:
    t = texts.get
    running = f' <span class="kind change">{escape(t("programmes.running"))}</span>' if runs else ""
    rows = [("aim", escape(one.aim)), ("source", escape(one.source))] if one.aim else []
    if one.contractions:
        if one.minutes is not None:
            rows.append(("length", escape(_length(texts, one, one.minutes))))
        muscles = "".join(f"<li>{escape(_contraction(texts, part))}</li>" for part in one.contractions)
        rows.append(("muscles", f"<ul>{muscles}</ul>"))
    if prescribed := prescribed_words(texts, one):
        rows.append(("prescription", escape(prescribed)))
    if one.cannot:
        why = "".join(
            f"<li{attributes}>{escape(said)}</li>"
            for said, attributes in (_why(texts, reason) for reason in one.cannot)
        )
        verdict = f'<p class="cannot">{escape(t("programmes.cannot"))}</p><ul class="cannot">{why}</ul>'
    else:
        verdict = f'<p class="can">✓ {escape(t("programmes.can"))}</p>'
    facts = "".join(f"<dt>{escape(t(f'programmes.{key}'))}</dt><dd>{value}</dd>" for key, value in rows)
    kind = escape(t(f"programme_kind.{one.kind}")) if one.kind else ""
    return (
        f'<section class="card programme"><h2>{escape(one.title)}{running}</h2>'
        f'<p class="quiet"><code>{escape(one.name)}</code> {kind}</p><dl>{facts}</dl>{verdict}</section>'
    )


def _why(texts: Texts, one: Reason) -> tuple[str, str]:
    """A reason in the reader's language; a line of a check of the file is English, and marked so."""
    if not one.code:
        return one.text, ' lang="en"'
    said = texts.get(f"programmes_cannot.{one.code}").format(
        muscle=texts.get(f"muscle.{one.muscle}") if one.muscle else "",
        found=figure(texts, one.found),
        allowed=figure(texts, float(f"{one.allowed:.5g}")),
        more=[figure(texts, value) for value in one.more],
    )
    by = texts.get("programmes.set_by").format(who=texts.get(f"who.{one.set_by}")) if one.set_by else ""
    return f"{said} {by}".rstrip(), ""


def _length(texts: Texts, one: ProgrammeFacts, minutes: float) -> str:
    words = texts.get("programmes.length_words")
    said = words.format(minutes=figure(texts, max(1, round(minutes))), count=one.repetitions)
    warm_up = texts.get("programmes.warm_up").format(count=one.warm_up)
    return f"{said}, {warm_up}" if one.warm_up else said


def _contraction(texts: Texts, part: ContractionFacts) -> str:
    said = texts.get("programmes.contraction").format(
        muscle=texts.get(f"muscle.{part.muscle}"),
        width=figure(texts, part.width_us),
        rate=figure(texts, part.rate_hz),
        on=figure(texts, part.on_s),
    )
    if part.carrier_hz is None:
        return said
    carrier = texts.get("programmes.carrier").format(carrier=figure(texts, part.carrier_hz))
    return f"{said}, {carrier}"


def prescribed_words(texts: Texts, one: ProgrammeFacts) -> str:
    """What is prescribed; empty where nothing is."""
    t, parts = texts.get, []
    if one.contractions_per_day is not None:
        parts.append(t("programmes.per_day").format(count=one.contractions_per_day))
    if one.minutes_per_day is not None:
        parts.append(t("programmes.minutes").format(day=figure(texts, one.minutes_per_day)))
    if one.days_per_week is not None:
        parts.append(t("exercise.goal_week").format(days=one.days_per_week))
    return ", ".join(parts)
