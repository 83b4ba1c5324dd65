"""The tuning page: every setting with unit, meaning and range; a proposal with its preview; the way back.

Promises to show what was typed beside why it was refused. Escapes every text a person wrote.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby

from controller.config.tunables import BY_KEY, KNOBS, Allowed
from controller.console.i18n import Texts
from controller.console.layout import table
from controller.console.tuning.audit import trail_table
from controller.console.tuning.preview_chart import Line, chart
from controller.console.tuning.preview_client import Job
from controller.console.tuning.preview_messages import PERCENTS, Binding, Preview, Walk
from controller.console.tuning.profiles import LAST
from controller.record.records import Change
from controller.runtime.console_messages import Told
from controller.runtime.tuning import BY_MAX, REASON_MAX, REASON_MIN

GROUPS = ("gait", "feedback", "trapezoid", "limits", "learning")
FIGURES = ("error_deg", "ankle_contact_deg", "charge_uc", "current_max_ma")
FIGURE_UNITS = ("°", "°", "µC", "mA")
RECENT = 5
PREVIEW_VALID_S = 600.0  # an older one is of another walk


@dataclass(slots=True)
class Proposal:
    """A change that somebody looks at: from which settings, to which, and what the preview says."""

    number: int
    version: int
    changes: tuple[Change, ...]
    job: Job
    measured: bool  # whether the present error was known
    made_s: float = field(default_factory=time.monotonic)

    @property
    def wanted(self) -> dict[str, float]:
        return {change.key: change.new for change in self.changes}

    @property
    def old(self) -> bool:
        return time.monotonic() - self.made_s > PREVIEW_VALID_S


def read_number(text: str) -> float | None:
    """What a person typed, with point or comma; ``None`` where it is no number."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def figure(texts: Texts, value: float, digits: int | None = None) -> str:
    text = f"{value:.10g}" if digits is None else f"{value:.{digits}f}"
    return text.replace(".", ",") if texts.language == "de" else text


def range_words(texts: Texts, allowed: Allowed) -> str:
    words = f"{figure(texts, allowed.low)} … {figure(texts, allowed.high)}"
    if not allowed.set_by:
        return words
    return f"{words} ({texts.get('tuning.bound_by')} {who(texts, allowed.set_by.rpartition(', ')[2])})"


def who(texts: Texts, layer: str) -> str:
    """Who set a limit, in words."""
    return texts.words.get(f"who.{layer}", layer)


def tuning_html(
    texts: Texts,
    told: Told | None,
    *,
    typed: Mapping[str, str],
    problems: Mapping[str, str],
    notice: str,
    by: str,
    left_over: Mapping[str, float],
) -> str:
    """The page; ``typed`` and ``problems`` by setting, from a form that was refused.

    ``left_over`` are settings that somebody changed before the controller was started anew.
    """
    t = texts.get
    if told is None:
        return f'<p id="waits" role="status">{escape(t("tuning.no_controller"))}</p>'
    head = f'<p class="notice" role="status">{escape(notice)}</p>' if notice else ""
    if problems:
        lines = "".join(f"<li>{escape(text)}</li>" for text in problems.values())
        head += (
            f'<div class="bad box" role="alert"><p>{escape(t("tuning.refused"))}</p><ul>{lines}</ul></div>'
        )
    if left_over:
        head += _left_over(texts, told, left_over)
    recent = _recent(texts, told, by)
    groups = "".join(_group(texts, group, told, typed, problems) for group in GROUPS)
    return (
        f'{head}{recent if told.trail else ""}<p class="quiet">{escape(t("tuning.intro"))}</p>'
        '<form method="post" action="/tuning/propose" id="gains">'
        f'<input type="hidden" name="version" value="{told.version}">{groups}'
        f'<div class="tools sticky"><button class="button">{escape(t("tuning.preview"))}</button>'
        f'<span class="quiet">{escape(t("tuning.version"))} {told.version}</span></div></form>'
        f"{'' if told.trail else recent}"
    )


def _left_over(texts: Texts, told: Told, values: Mapping[str, float]) -> str:
    t = texts.get
    rows = [
        (
            escape(t(f"knob.{key}.name")),
            figure(texts, told.values[key]),
            figure(texts, value),
            escape(BY_KEY[key].unit),
        )
        for key, value in values.items()
    ]
    heads = [escape(t(f"tuning.{name}")) for name in ("setting", "old", "before", "unit")]
    return (
        f'<section class="card reset" role="status"><h2>{escape(t("tuning.reset"))}</h2>'
        f'<p>{escape(t("tuning.reset_why"))}</p>{table(heads, rows)}<div class="tools">'
        f'<form method="post" action="/profiles/{LAST}/propose">'
        f'<button class="button">{escape(t("tuning.reset_preview"))}</button></form>'
        f'<form method="post" action="/tuning/keep">'
        f'<button class="button second">{escape(t("tuning.reset_keep"))}</button></form></div></section>'
    )


def _group(
    texts: Texts, group: str, told: Told, typed: Mapping[str, str], problems: Mapping[str, str]
) -> str:
    t = texts.get
    rows = "".join(_row(texts, knob.key, told, typed, problems) for knob in KNOBS if knob.group == group)
    touched = any(key.startswith(f"{group}.") for key in (*typed, *problems))
    mine = (
        told.params.mode
        in {
            "gait": ("feedback", "learning"),
            "feedback": ("feedback",),
            "trapezoid": ("trapezoid", "feedback", "learning"),
            "limits": ("trapezoid", "feedback", "learning"),
            "learning": ("learning",),
        }[group]
    )
    opened = " open" if mine or touched else ""
    quiet = "" if mine else f" <small>({escape(t('tuning.not_in_use'))})</small>"
    return (
        f'<details class="card group"{opened}><summary><h2>{escape(t(f"tuning.group_{group}"))}{quiet}</h2>'
        f'</summary><div class="knobs">{rows}</div></details>'
    )


def _row(texts: Texts, key: str, told: Told, typed: Mapping[str, str], problems: Mapping[str, str]) -> str:
    t, knob, now = texts.get, BY_KEY[key], figure(texts, told.values[key])
    wrong = ' aria-invalid="true"' if key in problems else ""
    range_text = range_words(texts, told.allowed[key]) if key in told.allowed else "–"
    value = escape(typed.get(key, now), quote=True)
    return (
        f'<div class="knob"><label for="{key}">{escape(t(f"knob.{key}.name"))}'
        f'<small id="{key}-why">{escape(t(f"knob.{key}.why"))}</small></label>'
        f'<span class="set"><input id="{key}" name="{key}" value="{value}" inputmode="decimal" '
        f'autocomplete="off" data-now="{now}" aria-describedby="{key}-why {key}-range"{wrong}>'
        f'<span class="unit">{escape(knob.unit)}</span></span>'
        f'<span class="range" id="{key}-range"><b>{escape(t("tuning.now"))} {now}</b> '
        f"{escape(range_text)}</span></div>"
    )


def _recent(texts: Texts, told: Told, by: str) -> str:
    t = texts.get
    newest = list(told.trail)[::-1][:RECENT]
    last = next((entry for entry in told.trail[::-1] if entry.kind in ("change", "undo")), None)
    undo = ""
    if last is not None:
        words = ", ".join(f"{t(f'knob.{c.key}.name')} {figure(texts, c.new)} → {figure(texts, c.old)}"
                          for c in last.changes)  # fmt: skip
        undo = (
            '<form method="post" action="/tuning/undo" class="tools">'
            f'<input type="hidden" name="version" value="{told.version}">'
            f'<input type="hidden" name="by" value="{escape(by or last.by, quote=True)}">'
            f'<button class="button second" id="undo">{escape(t("tuning.undo"))}</button>'
            f"<span>{escape(words)}</span></form>"
        )
    return (
        f'<section class="card"><h2>{escape(t("tuning.recent"))}</h2>{undo}'
        f"{trail_table(texts, newest)}"
        f'<p><a class="button small second" href="/audit">{escape(t("tuning.all_changes"))}</a></p></section>'
    )


# --- a proposal


def proposal_html(texts: Texts, proposal: Proposal, told: Told | None, by: str, problem: str) -> str:
    t = texts.get
    stale = told is None or told.version != proposal.version
    rows = [
        (
            escape(t(f"knob.{c.key}.name")),
            figure(texts, c.old),
            f"<b>{figure(texts, c.new)}</b>",
            escape(BY_KEY[c.key].unit),
        )
        for c in proposal.changes
    ]
    heads = [escape(t(f"tuning.{name}")) for name in ("setting", "old", "new", "unit")]
    if problem or stale:
        words = problem or t("tuning.stale")
        again = f'<a href="/tuning">{escape(t("tuning.again"))}</a>'
        fault = f'<p class="bad box" role="alert">{escape(words)} {again}</p>'
    else:
        fault = ""
    job = proposal.job
    if job.preview is not None:
        middle = result_html(texts, proposal, job.preview)
    elif job.error:
        middle = f'<p class="bad box" role="alert">{escape(t("preview.failed"))} {escape(job.error)}</p>'
    else:
        percent = round(100 * job.progress)
        middle = (
            f'<section class="card" id="progress" data-url="/tuning/proposal/{proposal.number}/progress">'
            f'<h2>{escape(t("preview.running"))}</h2><progress max="100" value="{percent}"></progress>'
            f'<noscript><meta http-equiv="refresh" content="1"></noscript></section>'
        )
    apply = _apply_form(texts, proposal, by) if job.preview is not None and not stale else ""
    return (
        f"{fault}{table(heads, rows)}{middle}{apply}"
        f'<p class="tools"><a class="button second" href="/tuning">{escape(t("tuning.discard"))}</a></p>'
    )


def _apply_form(texts: Texts, proposal: Proposal, by: str) -> str:
    t = texts.get
    return (
        f'<form method="post" action="/tuning/proposal/{proposal.number}/apply" class="card confirm">'
        f"<h2>{escape(t('tuning.confirm'))}</h2>"
        f'<label>{escape(t("tuning.by"))} <input name="by" value="{escape(by, quote=True)}" required '
        f'maxlength="{BY_MAX}" autocomplete="off" size="8"></label>'
        f'<label class="wide-field">{escape(t("tuning.reason"))} <input name="reason" required '
        f'minlength="{REASON_MIN}" maxlength="{REASON_MAX}" autocomplete="off"></label>'
        f'<button class="button" id="apply">{escape(t("tuning.apply"))}</button>'
        f'<p class="quiet">{escape(t("tuning.when"))}</p></form>'
    )


def result_html(texts: Texts, proposal: Proposal, found: Preview) -> str:
    t = texts.get
    titles = [escape(t(f"preview.{name}")) for name in ("figure", "current", "proposed", "unit")]
    rows = [
        (
            escape(t(f"preview.{name}")),
            figure(texts, getattr(found.current, name), 1),
            f"<b>{figure(texts, getattr(found.proposed, name), 1)}</b>",
            escape(unit),
        )
        for name, unit in zip(FIGURES, FIGURE_UNITS, strict=True)
    ]
    expected = t("preview.expected").format(error=figure(texts, found.predicted_error_deg, 1))
    measured_deg = proposal.job.question.measured_error_deg
    if measured_deg is not None:
        expected += " " + t("preview.measured").format(error=figure(texts, measured_deg, 1))
    basis = t("preview.basis_measured" if proposal.measured else "preview.basis_model")
    charts = "".join(
        _chart(texts, name, found, from_zero=name == "current_ma")
        for name in ("pitch_deg", "ankle_deg", "current_ma")
    )
    return (
        f'<section class="card"><h2>{escape(t("preview.title"))}</h2>'
        f'<p class="big" id="expected">{escape(expected)}</p><p class="quiet">{escape(basis)}</p>'
        f"{table(titles, rows)}"
        f"<h2>{escape(t('preview.limits'))}</h2>{_limits(texts, found)}</section>"
        f'<p class="legend"><span class="key old"></span>{escape(t("preview.current"))} '
        f'<span class="key new"></span>{escape(t("preview.proposed"))} '
        f'<span class="key ref"></span>{escape(t("chart.reference"))}</p>'
        f'<div class="charts three">{charts}</div>'
    )


def _chart(texts: Texts, name: str, found: Preview, *, from_zero: bool) -> str:
    t = texts.get
    old, new = getattr(found.current, name), getattr(found.proposed, name)
    lines = [Line(old, "old"), Line(new, "new")]
    heads = [t("chart.percent"), t("preview.current"), t("preview.proposed")]
    columns: list[Sequence[float]] = [old, new]
    if name == "pitch_deg":
        lines.insert(0, Line(found.reference_deg, "ref"))
        heads.append(t("chart.reference"))
        columns.append(found.reference_deg)
    rows = [
        (str(percent), *(figure(texts, column[index], 1) for column in columns))
        for index, percent in enumerate(PERCENTS)
        if percent % 10 == 0
    ]
    title = t(f"preview.{name}")
    return (
        f'<section class="card"><h2>{escape(title)}</h2>'
        f"{chart(title, lines, t('chart.percent'), from_zero=from_zero)}"
        f'<details class="twin"><summary>{escape(t("chart.table"))}</summary>'
        f"{table([escape(head) for head in heads], rows)}</details></section>"
    )


def _limits(texts: Texts, found: Preview) -> str:
    t = texts.get
    names = [b.limit for b in (*found.current.bindings, *found.proposed.bindings)]
    if not names:
        return f"<p>{escape(t('preview.no_limit'))}</p>"
    unique = [name for name, _ in groupby(sorted(set(names), key=names.index))]
    rows = [
        (
            escape(_limit_words(texts, name)),
            _share(texts, found.current, name),
            _share(texts, found.proposed, name),
        )
        for name in unique
    ]
    heads = [escape(t(f"preview.{name}")) for name in ("limit", "current", "proposed")]
    return table(heads, rows)


def _share(texts: Texts, walk: Walk, name: str) -> str:
    found: Binding | None = next((b for b in walk.bindings if b.limit == name), None)
    if found is None:
        return "–"
    words = texts.get("preview.share").format(strides=found.strides, share=f"{100 * found.share:.0f}")
    return escape(words + (f" ({who(texts, found.set_by)})" if found.set_by else ""))


def _limit_words(texts: Texts, name: str) -> str:
    if name in BY_KEY:
        return texts.get(f"knob.{name}.name")
    return texts.get(f"limit.{name.removeprefix('guard.')}")


def figures_of(found: Preview) -> dict[str, float]:
    """What the audit trail keeps of a preview."""
    told = {
        f"{name}_{side}": round(float(getattr(walk, name)), 3)
        for side, walk in (("before", found.current), ("after", found.proposed))
        for name in FIGURES
    }
    return {**told, "predicted_error_deg": round(found.predicted_error_deg, 3)}
