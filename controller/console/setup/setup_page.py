"""The set-up's pages: seven steps from the person's name to the first assisted steps.

Promises one thing to do on each, in plain words, with the live state beside it. Escapes every text.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from controller.config.console_settings import ConsoleSettings
from controller.console import layout
from controller.console.i18n import Texts
from controller.console.setup.leg_drawing import leg_svg, pads_svg, place_of
from controller.console.setup.patient_file import CEILING, Found
from controller.console.setup.progress import EFFECTS, MARKS, STEPS, SetupState, Step, next_ma
from controller.console.tuning.tuning_page import figure
from controller.runtime.tuning import BY_MAX
from controller.safety.judgement.contraindications import QUESTIONS, Question

IDENTIFIED_UNITS: Mapping[str, str] = {
    "muscle.i50_ma": "mA",
    "muscle.sigma": "",
    "muscle.chronaxie_us": "µs",
    "muscle.torque_max_nm": "Nm",
    "muscle.bandwidth_rps": "rad/s",
    "muscle.delay_ms": "ms",
    "ankle.passive_factor": "",
    "ankle.neutral_deg": "°",
}


def setup_html(
    texts: Texts,
    settings: ConsoleSettings,
    state: SetupState,
    shown: Step,
    *,
    problem: str,
    busy: bool,
    most_ma: float,
) -> str:
    """The whole page with ``shown`` as its step; no train is larger than ``most_ma``."""
    fault = f'<p class="bad box" role="alert">{escape(problem)}</p>' if problem else ""
    body = {
        "patient": _patient,
        "checklist": _checklist,
        "sensors": _sensors,
        "electrodes": _electrodes,
        "thresholds": lambda t, s, st: _thresholds(t, s, st, most_ma),
        "tests": lambda t, s, st: _tests(t, s, st, busy=busy),
        "walk": _walk,
    }[shown](texts, settings, state)
    number = STEPS.index(shown) + 1
    title = escape(texts.get(f"setup.{shown}"))
    return (
        f'{_stepper(texts, state, shown)}{fault}<section class="card step" id="step-{shown}" '
        f'data-step="{shown}"><h2>{number}. {title}</h2>'
        f'<p class="lead">{escape(texts.get(f"setup.{shown}_do"))}</p>{body}</section>'
        f'<p class="quiet">{escape(texts.get("setup.leave"))}</p>'
    )


def _stepper(texts: Texts, state: SetupState, shown: Step) -> str:
    items = []
    for number, step in enumerate(STEPS, 1):
        done = step in state.done
        current = ' aria-current="step"' if step == shown else ""
        mark = "✓" if done else str(number)
        word = f'<span class="unseen">{escape(texts.get("setup.done"))} </span>' if done else ""
        items.append(
            f'<li class="{"done" if done else "open"}"><a href="/setup?step={step}"{current}>'
            f'<b aria-hidden="true">{mark}</b>{word}{escape(texts.get(f"setup.{step}"))}</a></li>'
        )
    return f'<ol class="stepper">{"".join(items)}</ol>'


def _form(step: str, inside: str, action: str = "") -> str:
    path = f"/setup/{action or step}"
    return f'<form method="post" action="{path}">{inside}</form>'


def _button(texts: Texts, key: str, *, second: bool = False, attributes: str = "") -> str:
    look = "button second" if second else "button"
    return f'<button class="{look}" {attributes}>{escape(texts.get(key))}</button>'


# --- the steps


def _patient(texts: Texts, settings: ConsoleSettings, state: SetupState) -> str:
    t = texts.get
    side = escape(t(f"setup.side_{settings.side}"))
    virtual = f" · {escape(t('page.virtual'))}" if settings.virtual else ""
    virtual += f" · {escape(t('page.standard_model'))}" if settings.standard_model else ""
    inside = (
        f'<label>{escape(t("tuning.by"))} <input name="by" value="{escape(state.by, quote=True)}" required '
        f'maxlength="{BY_MAX}" size="8" autocomplete="off"></label>'
        f"{_button(texts, 'setup.patient_ok')}"
    )
    return (
        f'<p class="big">{escape(settings.pseudonym)} <small>{side}{virtual}</small></p>'
        f'<form method="post" action="/setup/patient" class="tools" novalidate>{inside}</form>'
    )


def _checklist(texts: Texts, settings: ConsoleSettings, state: SetupState) -> str:
    return checklist_html(texts, settings, state.answers, "/setup/checklist")


def checklist_html(
    texts: Texts, settings: ConsoleSettings, answers: Mapping[str, str], action: str, *, more: str = ""
) -> str:
    """The form with every question; ``answers`` are today's so far, ``more`` stands above its button.

    Where some are given, each that is missing is marked.
    """
    t = texts.get
    file = dict(settings.checklist)
    rows = []
    for question in QUESTIONS:
        radios = answer_radios(texts, question, answers.get(question.key))
        before = file.get(question.key, "")
        before_word = escape(t(f"setup.answer_{before}")) if before else "–"
        missing = bool(answers) and question.key not in answers
        mark = f' <b class="bad">{escape(t("setup.not_answered"))}</b>' if missing else ""
        rows.append(
            f"<fieldset{' class=missing' if missing else ''}>"
            f"<legend>{escape(t(f'question.{question.key}'))}{mark}</legend>{radios}"
            f'<span class="quiet">{escape(t("setup.in_file"))} {before_word}</span></fieldset>'
        )
    return (
        f'<form method="post" action="{action}" novalidate>'
        f'<div class="questions">{"".join(rows)}</div>{more}'
        f'<p class="tools">{_button(texts, "setup.checklist_ok")}</p></form>'
    )


def answer_radios(texts: Texts, question: Question, checked: str | None = None) -> str:
    """What may be answered; ``checked`` is what was, in this form."""
    return "".join(
        f'<label><input type="radio" name="{question.key}" value="{choice}" required'
        f"{' checked' if choice == checked else ''}>{escape(texts.get(f'setup.answer_{choice}'))}</label>"
        for choice in (("no", "yes") if question.absolute else ("no", "yes", "accepted"))
    )


def _sensors(texts: Texts, settings: ConsoleSettings, state: SetupState) -> str:
    t = texts.get
    rows = "".join(
        f'<tr id="sensor-{escape(name)}"><th scope="row">{escape(name)}</th>'
        f"<td>{escape(t(f'setup.place_{place_of(device, segment)}'))}</td>"
        f'<td class="live-age">–</td><td class="live-loss">–</td><td class="live-battery">–</td>'
        f'<td class="live-axes">–</td></tr>'
        for name, device, segment in settings.sensors
    )
    heads = "".join(
        f"<th scope=col>{escape(t(f'setup.{name}'))}</th>"
        for name in ("sensor", "place", "age", "received", "battery", "axes")
    )
    walk = _walk_buttons(texts, settings)
    return (
        f'<div class="split">{leg_svg(texts, settings)}<div>'
        f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        f'<p id="findings" role="status">{escape(t("setup.live_no_findings"))}</p>'
        f'<p class="quiet">{escape(t("setup.sensors_walk"))} '
        f'<b><span id="strides-seen">–</span></b></p>{walk}'
        f"{_form('sensors', _button(texts, 'setup.sensors_ok'))}</div></div>"
    )


def _electrodes(texts: Texts, settings: ConsoleSettings, state: SetupState) -> str:
    return (
        f'<div class="split">{pads_svg(texts, settings)}<div><ol class="todo">'
        + "".join(f"<li>{escape(texts.get(f'setup.electrodes_{n}'))}</li>" for n in (1, 2, 3))
        + f"</ol>{_walk_buttons(texts, settings)}{hold_button(texts)}"
        f"{_form('electrodes', _button(texts, 'setup.electrodes_ok'))}</div></div>"
    )


def hold_button(texts: Texts) -> str:
    """Press and hold to arm, as on the live page; and disarm."""
    t = texts.get
    return (
        f'<div class="tools"><button type="button" id="arm" aria-disabled="true">'
        f'<span id="arm-word">{escape(t("arm.label"))}</span><small>{escape(t("arm.hint"))}</small></button>'
        f'<button type="button" id="disarm" hidden>{escape(t("arm.disarm"))}</button>'
        f'<button type="button" class="button" id="unlock" hidden>{escape(t("unlock.label"))}</button>'
        '</div><p id="refusals" role="status"></p>'
    )


def _thresholds(texts: Texts, settings: ConsoleSettings, state: SetupState, most_ma: float) -> str:
    t = texts.get
    marks = "".join(
        f'<div class="tile"><dt>{escape(t(f"setup.mark_{mark}"))}</dt><dd><span class="value">'
        f"{figure(texts, state.thresholds[mark], 1) if mark in state.thresholds else '–'}</span>"
        f'<span class="unit">mA</span></dd></div>'
        for mark in MARKS
    )
    if "comfort" in state.thresholds:
        action = (
            f'<p class="lead">{escape(t("setup.thresholds_found"))}</p>'
            f"{_form('thresholds', _button(texts, 'setup.thresholds_ok'))}"
            f"{_form('thresholds', _button(texts, 'setup.thresholds_again', second=True), 'search-again')}"
        )
    elif state.given_ma is not None:
        effects = "".join(_effect(texts, state, effect, most_ma) for effect in EFFECTS)
        question = t("setup.what_happened").format(current=figure(texts, state.given_ma, 1))
        most = f"<p>{escape(t('setup.at_most'))}</p>" if state.given_ma >= most_ma else ""
        action = (
            f'<p class="big">{escape(question)}</p><p id="train" role="status"></p>{most}'
            '<form method="post" action="/setup/effect" class="tools effects">'
            f'<input type="hidden" name="train" value="{state.trains}">{effects}</form>'
        )
    else:
        level = figure(texts, state.level_ma, 1)
        action = (
            f'{hold_button(texts)}<p class="big">{escape(t("setup.next_train"))} '
            f'<span id="level">{level}</span> mA</p>'
            f'<div class="tools"><form method="post" action="/setup/train">'
            f'<button class="button" id="give">{escape(t("setup.give"))}</button></form>'
            f'<form method="post" action="/setup/level" class="tools">'
            f"{_lower(texts, 1.0)}{_lower(texts, 0.5)}</form></div>"
        )
    return (
        f'<dl class="marks">{marks}</dl>{_stand_button(texts, settings)}'
        f'<p>{escape(t("setup.moved"))} <b><span id="pitch">–</span>°</b> · '
        f'{escape(t("tile.current"))} <b><span id="delivered">–</span> mA</b></p>{action}'
    )


def _effect(texts: Texts, state: SetupState, effect: str, most_ma: float) -> str:
    """What a person says of the train, and the current that follows at once."""
    follows_ma = next_ma(state, effect, most_ma)
    then = "" if follows_ma is None else texts.get("setup.then").format(current=figure(texts, follows_ma, 1))
    look = "button second" if effect == "again" else "button"
    return (
        f'<button class="{look}" name="effect" value="{effect}">{escape(texts.get(f"setup.effect_{effect}"))}'
        f" <small>{escape(then)}</small></button>"
    )


def _lower(texts: Texts, by_ma: float) -> str:
    words = f"−{figure(texts, by_ma)} mA"
    return f'<button class="button second" name="by_ma" value="{-by_ma:g}">{words}</button>'


def _tests(texts: Texts, settings: ConsoleSettings, state: SetupState, *, busy: bool) -> str:
    t = texts.get
    if busy:
        return (
            f'<div id="progress" data-url="/setup/tests/progress"><p>{escape(t("setup.tests_running"))}</p>'
            '<progress max="100"></progress></div>'
        )
    found = ""
    if state.identified:
        rows = [
            (
                escape(t(f"setup.found_{key.partition('.')[2]}")),
                figure(texts, value),
                IDENTIFIED_UNITS.get(key, ""),
            )
            for key, value in state.identified.items()
        ]
        heads = [escape(t("tuning.setting")), escape(t("setup.value")), escape(t("tuning.unit"))]
        found = (
            f'{layout.table(heads, rows)}<img class="fit" src="/setup/tests/fit.png" '
            f'alt="{escape(t("setup.fit_picture"))}"><p>{escape(t("setup.tests_use"))}</p>'
        )
    how = t("setup.tests_virtual" if settings.virtual else "setup.tests_folder")
    run = _form("tests", _button(texts, "setup.tests_run", second=bool(state.identified)), "tests/run")
    accept = _form("tests", _button(texts, "setup.tests_ok" if state.identified else "setup.tests_skip",
                                    second=not state.identified))  # fmt: skip
    return f'<p>{escape(how)}</p>{found}<div class="tools">{run}{accept}</div>'


def _walk(texts: Texts, settings: ConsoleSettings, state: SetupState) -> str:
    t = texts.get
    tiles = "".join(
        f'<div class="tile"><dt>{escape(t(words))}</dt><dd><span class="value" id="{name}">–</span>'
        f'<span class="unit">{unit}</span></dd></div>'
        for words, name, unit in (
            ("setup.assisted", "assisted", ""),
            ("tile.error", "error", "°"),
            ("tile.current", "delivered", "mA"),
        )
    )
    return (
        f"{hold_button(texts)}{_walk_buttons(texts, settings)}"
        f'<dl class="marks">{tiles}</dl>{_form("walk", _button(texts, "setup.walk_ok"))}'
    )


def finished_html(texts: Texts, state: SetupState) -> str:
    t = texts.get
    file = f'<a class="button second" href="/setup/file">{escape(t("setup.file_title"))}</a>'
    return (
        f'{_stepper(texts, state, STEPS[-1])}<section class="card step">'
        f"<h2>{escape(t('setup.all_done'))}</h2>"
        f'<p class="lead">{escape(t("setup.all_done_do"))}</p><div class="tools">'
        f'<a class="button" href="/">{escape(t("page.live"))}</a>'
        f'<a class="button second" href="/profiles">{escape(t("profiles.title"))}</a>'
        f"{file if state.thresholds or state.identified else ''}"
        f"{_form('', _button(texts, 'setup.anew', second=True), 'anew')}</div></section>"
    )


def file_html(
    texts: Texts, found: Found | None, *, virtual: bool, notice: str = "", problem: str = ""
) -> str:
    """What would change in the patient file, and the button that does it."""
    t = texts.get
    head = f'<p class="notice" role="status">{escape(notice)}</p>' if notice else ""
    head += f'<p class="bad box" role="alert">{escape(problem)}</p>' if problem else ""
    back = f'<a class="button second" href="/setup">{escape(t("setup.title"))}</a>'
    if found is None or not found.edits:
        key = "file_virtual" if virtual else "file_unreadable" if found is None else "file_same"
        return f'{head}<p>{escape(t(f"setup.{key}"))}</p><p class="tools">{back}</p>'
    rows = [
        (
            escape(_file_name(texts, edit.key)),
            "–" if edit.old is None else figure(texts, edit.old),
            f"<b>{figure(texts, edit.new)}</b>",
            IDENTIFIED_UNITS.get(edit.key, "mA"),
        )
        for edit in found.edits
    ]
    heads = [escape(t(key)) for key in ("tuning.setting", "setup.file_old", "setup.file_new", "tuning.unit")]
    button = _button(texts, "setup.file_ok")
    form = f'<input type="hidden" name="digest" value="{found.digest}">{button}'
    return (
        f'{head}<p class="lead">{escape(t("setup.file_do"))}</p>{layout.table(heads, rows)}'
        f'<div class="tools">{_form("file", form)}{back}</div>'
    )


def _file_name(texts: Texts, key: str) -> str:
    table, _, name = key.rpartition(".")
    if table == "thresholds":
        return texts.get(f"setup.mark_{name.removesuffix('_ma')}")
    return texts.get("setup.file_ceiling" if key == CEILING else f"setup.found_{name}")


def _walk_buttons(texts: Texts, settings: ConsoleSettings) -> str:
    if not settings.virtual:
        return ""
    buttons = "".join(
        f'<button class="button small second" name="do" value="{what}">'
        f"{escape(texts.get(f'setup.{what}s'))}</button>"
        for what in ("stand", "walk")
    )
    return (
        '<form method="post" action="/setup/virtual" class="tools">'
        f'<span class="quiet">{escape(texts.get("setup.virtual_patient"))}</span>{buttons}</form>'
    )


def _stand_button(texts: Texts, settings: ConsoleSettings) -> str:
    return f'<p id="stands" role="status"></p>{_walk_buttons(texts, settings)}'
