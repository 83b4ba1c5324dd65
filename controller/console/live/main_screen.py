"""The main screen of a walk: is the foot lifted, how strong is the help, how long has it been.

The scripts fill it; what stands here is readable without data. Escapes every text.
"""

from __future__ import annotations

from html import escape

from controller.config.console_settings import ConsoleSettings
from controller.console import layout
from controller.console.i18n import Texts
from controller.runtime.tuning import BY_MAX

MARKS = 10  # steps that are shown one by one


def main_html(texts: Texts, settings: ConsoleSettings, by: str, line: str = "") -> str:
    """Everything between the bar and Details; ``by`` signed last at this browser, ``line`` is HTML that says
    which view of a blinded trial it is.
    """
    t = texts.get
    return (
        f'<h1 class="unseen">Dorsi: {escape(t("page.live"))}</h1>'
        f'<div id="stale" role="status"><span id="stale-words">{escape(t("page.loading"))}</span></div>'
        '<div id="alarms" role="alert"></div>'
        f"{line}{_control(texts, settings)}{_steps(texts)}{_strength(texts, by)}{_walked(texts)}"
    )


def _control(texts: Texts, settings: ConsoleSettings) -> str:
    """Arming, and what is walked now."""
    t = texts.get
    who = " · ".join(
        part
        for part in (
            settings.pseudonym,
            settings.session,
            t("page.virtual") if settings.virtual else "",
            t("page.standard_model") if settings.standard_model else "",
        )
        if part
    )
    return (
        f'<div class="card" id="control">{layout.arm_buttons(texts)}{_pause(texts)}'
        f'<div><p>{escape(t("mode.label"))}: <strong id="mode">–</strong> · {escape(who)}</p>'
        f"{layout.unlock_stage(texts)}"
        f'<p id="left-over" role="status" hidden>{escape(t("tuning.reset"))} '
        f'<a href="/tuning">{escape(t("page.tuning"))}</a></p>'
        '<p id="schedule" role="status" hidden></p><p id="refusals" role="status"></p>'
        '<p id="telemetry" class="quiet" role="status" hidden></p></div></div>'
    )


def _pause(texts: Texts) -> str:
    """A soft end after this step, which one tap takes back; STOP is another thing."""
    t = texts.get
    return (
        f'<button type="button" id="pause-walk" class="button second" hidden>{escape(t("pause.pause"))}'
        f"<small>{escape(t('pause.hint'))}</small></button>"
        f'<button type="button" id="go-on-walk" class="button" hidden>{escape(t("pause.go_on"))}</button>'
        '<p id="paused" class="notice" role="status" hidden></p>'
    )


def _strength(texts: Texts, by: str) -> str:
    """Less and more of what the mode goes by, and how long it holds after landing."""
    t = texts.get
    rows = "".join(
        f'<li data-row="{row}"><p class="name">{escape(t(f"strength.{row}"))}</p>'
        f"{_tap(texts, row, 'less')}"
        '<p class="set"><b class="set-now">–</b><small class="set-next"></small></p>'
        f'{_tap(texts, row, "more")}<p class="quiet most"></p></li>'
        for row in ("main", "hold")
    )
    return (
        f'<section class="card" id="strength" aria-label="{escape(t("strength.title"))}" hidden>'
        f'<ul class="muscles">{rows}</ul><p id="tapped" role="status"></p><div class="tools">'
        f'<button type="button" class="button second small" id="undo-tap">{escape(t("strength.undo"))}'
        f"</button><label>{escape(t('strength.sign'))} "
        f'<input id="by" value="{escape(by, quote=True)}" maxlength="{BY_MAX}" size="6" autocomplete="off">'
        "</label></div></section>"
    )


def _tap(texts: Texts, row: str, way: str) -> str:
    label = escape(texts.get(f"strength.{row}_{way}"))
    taps, sign = ("-1", "−") if way == "less" else ("1", "+")
    return f'<button type="button" class="tap {way}" data-taps="{taps}" aria-label="{label}">{sign}</button>'


def _steps(texts: Texts) -> str:
    """The verdict of the last step, the last ten as marks, how far the toes were up, the last curves."""
    t = texts.get
    marks = '<li class="mark-none"></li>' * MARKS
    return (
        f'<section class="card" id="steps" aria-label="{escape(t("main.steps"))}">'
        '<div class="verdict verdict-none" id="verdict"><span id="verdict-shape" class="shape"></span>'
        f'<p id="verdict-word" role="status">{escape(t("verdict.none"))}</p></div>'
        '<div class="tally"><p id="tally-words">–</p>'
        f'<ol id="tally" aria-label="{escape(t("main.tally"))}">{marks}</ol></div>'
        f'<div class="toes"><p class="name">{escape(t("main.toes"))}</p>'
        '<p class="toes-value"><b id="toes-now">–</b><small id="toes-target"></small></p>'
        '<div class="gauge" aria-hidden="true"><span class="gauge-band" id="gauge-band" hidden></span>'
        '<i id="gauge-now" hidden></i></div></div>'
        f'<div class="curves"><p class="quiet">{escape(t("main.curves"))}</p>'
        '<canvas id="swing-curves" aria-hidden="true"></canvas></div></section>'
    )


def _walked(texts: Texts) -> str:
    """How much has been walked, and when a rest is due."""
    t = texts.get
    cells = "".join(
        f'<p><span class="quiet">{escape(t(f"main.{name}"))}</span><b id="walked-{name}">–</b></p>'
        for name in ("strides", "time", "rest", "link")
    )
    return f'<section class="card" id="walked">{cells}</section>'
