"""The exercise page's HTML: the patient's cue, arming, intensity by muscle, own activity, goal and result.

The script fills it ten times a second; what stands here is readable without data. Escapes every text.
"""

from __future__ import annotations

import json
from html import escape

from controller.config.console_settings import ConsoleSettings
from controller.config.exercise_facts import ExerciseFacts, IntensityFacts
from controller.console import layout
from controller.console.i18n import Texts
from controller.console.tuning.tuning_page import figure
from controller.runtime.tuning import BY_MAX

RING = 2 * 3.14159265 * 54  # circumference of the countdown's ring
SCRIPT_WORDS = (  # what the page's scripts say
    "state", "data.", "arm.", "alarm.", "tone.", "fault.", "refusal.", "question.", "telemetry.",
    "cue.", "cue_more.", "action.", "muscle.", "exercise.", "emg.", "unlock.",
)  # fmt: skip


def exercise_html(texts: Texts, settings: ConsoleSettings, facts: ExerciseFacts, by: str) -> str:
    """Everything between bar and footer."""
    t = texts.get
    muscles = "".join(_muscle(texts, one) for one in facts.intensities)
    activity = "".join(_activity(texts, one.muscle) for one in facts.intensities)
    return (
        f'<h1 class="unseen">Dorsi: {escape(t("page.live"))}</h1>'
        f'<div id="stale" role="status"><span id="stale-words">{escape(t("page.loading"))}</span></div>'
        '<div id="alarms" role="alert"></div>'
        f"{_cue(texts)}"
        f'<section class="card" id="activity" hidden><h2>{escape(t("emg.title"))}</h2>'
        f'<ul class="muscles">{activity}</ul></section>'
        '<section class="card" id="result" role="status" hidden></section>'
        f"{_control(texts)}"
        f'<section class="card" id="intensity"><h2>{escape(t("exercise.intensity"))}</h2>'
        f'<ul class="muscles">{muscles}</ul><p id="held" role="status" class="notice" hidden>'
        f'{escape(t("exercise.held"))}</p><p id="said" role="status"></p></section>'
        f"{_goal(texts)}{_details(texts, settings, facts, by)}"
    )


def _cue(texts: Texts) -> str:
    """The patient's: what to do now, and for how long."""
    t = texts.get
    return (
        '<section id="cue" class="cue-unknown"><svg class="ring" viewBox="0 0 120 120" aria-hidden="true">'
        '<circle class="track" cx="60" cy="60" r="54"/>'
        f'<circle id="ring" cx="60" cy="60" r="54" stroke-dasharray="{RING:.1f}" '
        f'stroke-dashoffset="{RING:.1f}"/></svg>'
        '<p id="cue-left"><span id="cue-seconds"></span>'
        f'<span class="unseen"> {escape(t("exercise.seconds"))}</span></p>'
        f'<div class="words"><p id="cue-word" role="status">{escape(t("cue.unknown"))}</p>'
        '<p id="cue-more"></p><p id="cue-number"></p></div></section>'
    )


def _control(texts: Texts) -> str:
    t = texts.get
    buttons = "".join(
        f'<button type="button" class="button second" id="{name}" hidden>{escape(t(words))}</button>'
        for name, words in (
            ("pause", "exercise.pause"),
            ("go-on", "exercise.go_on"),
            ("skip", "exercise.skip_rest"),
        )
    )
    return (
        f'<div class="card" id="control">{layout.arm_buttons(texts)}'
        f"{layout.unlock_stage(texts)}"
        f'<div class="tools">{buttons}</div><p id="refusals" role="status"></p></div>'
    )


def _muscle(texts: Texts, one: IntensityFacts) -> str:
    """One muscle's row: what is set, what flows, one tap less, one tap more."""
    t = texts.get
    name = t(f"muscle.{one.muscle}")
    most = t("exercise.most").format(most=figure(texts, one.most_ma), why=bound_words(texts, one))
    key = escape(one.muscle)
    return (
        f'<li data-muscle="{key}" data-most="{one.most_ma:g}" '
        f'data-today="{one.earlier_today}"><p class="name">{escape(name)}</p>'
        f'<button type="button" class="tap less" data-taps="-1" '
        f'aria-label="{escape(t("exercise.weaker").format(muscle=name))}">−</button>'
        f'<p class="set"><b class="set-ma">–</b> mA<small>{escape(t("exercise.now"))} '
        '<span class="now-ma">–</span> mA</small></p>'
        f'<button type="button" class="tap more" data-taps="1" '
        f'aria-label="{escape(t("exercise.stronger").format(muscle=name))}">+</button>'
        '<div class="level" aria-hidden="true"><span class="level-set"></span>'
        '<span class="level-now"></span></div>'
        f'<p class="quiet">{escape(most)}</p></li>'
    )


def bound_words(texts: Texts, one: IntensityFacts) -> str:
    """What holds this muscle's largest current where it is, in words."""
    if one.bound_by == "comfort":
        return texts.get("exercise.comfort")
    limit = texts.words.get(f"limit.{one.bound_by}", one.bound_by)
    who = texts.words.get(f"who.{one.set_by}", one.set_by)
    return texts.get("exercise.bound").format(limit=limit, who=who)


def _activity(texts: Texts, muscle: str) -> str:
    """The muscle's own activity against threshold and target; shown where it is measured."""
    t = texts.get
    name = t(f"muscle.{muscle}")
    return (
        f'<li data-emg="{escape(muscle)}" hidden><p class="name">{escape(name)}</p>'
        '<div class="activity" aria-hidden="true"><span class="own"></span><i class="threshold"></i>'
        '<i class="target"></i></div><p class="own-words">–</p>'
        '<div class="tools"><p class="reached" role="status"></p>'
        f'<button type="button" class="button second small" data-target="-0.05" '
        f'aria-label="{escape(t("emg.target_less").format(muscle=name))}">−</button>'
        '<span class="target-words"></span>'
        f'<button type="button" class="button second small" data-target="0.05" '
        f'aria-label="{escape(t("emg.target_more").format(muscle=name))}">+</button></div></li>'
    )


def _goal(texts: Texts) -> str:
    return (
        f'<section class="card" id="goal"><h2>{escape(texts.get("exercise.goal"))}</h2>'
        '<p class="big" id="goal-words">–</p>'
        f'<progress id="goal-bar" max="1" value="0" aria-label="{escape(texts.get("exercise.goal"))}">'
        '</progress><p id="goal-more" class="quiet"></p></section>'
    )


def _details(texts: Texts, settings: ConsoleSettings, facts: ExerciseFacts, by: str) -> str:
    t = texts.get
    who = " · ".join(
        part
        for part in (settings.pseudonym, settings.session, t("page.virtual") if settings.virtual else "")
        if part
    )
    return (
        f'<details class="card"><summary><h2>{escape(t("exercise.details"))}</h2></summary>'
        f"<p>{escape(t('exercise.programme'))}: <b>{escape(facts.programme.title)}</b></p>"
        f"<p>{escape(facts.programme.aim)}</p><p>{escape(who)}</p>"
        '<p id="telemetry" class="quiet" role="status" hidden></p>'
        f'<form method="post" action="/exercise/by" class="tools"><label>{escape(t("exercise.signed"))} '
        f'<input name="by" value="{escape(by, quote=True)}" required maxlength="{BY_MAX}" size="8" '
        f'autocomplete="off"></label><button class="button small">{escape(t("exercise.sign"))}</button>'
        "</form></details>"
    )


def page_facts(texts: Texts, facts: ExerciseFacts) -> str:
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
    safe = json.dumps(told).replace("<", "\\u003c")  # no text may end the script element
    return f'<script type="application/json" id="dorsi-page">{safe}</script>'
