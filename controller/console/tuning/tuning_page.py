"""The tuning page: every setting with unit, meaning and range; a proposal with its preview; the way back.

Promises to show what was typed beside why it was refused.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from markupsafe import Markup

from controller.config.tunables import BY_KEY, KNOBS, USED_BY, Allowed, Knob
from controller.console.i18n import Texts
from controller.console.render import render
from controller.console.tuning.audit import trail_table
from controller.console.tuning.preview_chart import Line, chart
from controller.console.tuning.preview_client import Job
from controller.console.tuning.preview_messages import PERCENTS, Binding, Preview, Walk
from controller.console.tuning.profiles import LAST
from controller.record.records import Change
from controller.runtime.console_messages import Told
from controller.runtime.tuning import BY_MAX, REASON_MAX, REASON_MIN

GROUPS = ("gait", "feedback", "trapezoid", "limits", "learning")
CURVES = ("pitch_deg", "ankle_deg", "current_ma")
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


def range_words(texts: Texts, allowed: Allowed) -> str:
    words = f"{texts.figure(allowed.low)} … {texts.figure(allowed.high)}"
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
) -> Markup:
    """The page; ``typed`` and ``problems`` by setting, from a form that was refused.

    ``left_over`` are settings that somebody changed before the controller was started anew.
    """
    trail = () if told is None else told.trail
    return render(
        "tuning/tuning",
        texts,
        told=told,
        typed=typed,
        problems=problems,
        notice=notice,
        by=by,
        left_over=left_over,
        last_profile=LAST,
        groups=[] if told is None else [_group(name, told, typed, problems) for name in GROUPS],
        undo=next((entry for entry in trail[::-1] if entry.kind in ("change", "undo")), None),
        trail=trail_table(texts, trail[::-1][:RECENT]),
        range_words=partial(range_words, texts),
        unit_of=lambda key: BY_KEY[key].unit,
    )


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that stand together; open where the mode uses them, or where somebody typed."""

    name: str
    knobs: Sequence[Knob]
    in_use: bool
    touched: bool


def _group(name: str, told: Told, typed: Mapping[str, str], problems: Mapping[str, str]) -> Group:
    return Group(
        name=name,
        knobs=[knob for knob in KNOBS if knob.group == name],
        in_use=told.params.mode in USED_BY[name],
        touched=any(key.startswith(f"{name}.") for key in (*typed, *problems)),
    )


# --- a proposal


def proposal_html(texts: Texts, proposal: Proposal, told: Told | None, by: str, problem: str) -> Markup:
    stale = told is None or told.version != proposal.version
    job = proposal.job
    return render(
        "tuning/proposal",
        texts,
        proposal=proposal,
        result="" if job.preview is None else result_html(texts, proposal, job.preview),
        percent=round(100 * job.progress),
        stale=stale,
        problem=problem or (texts.get("tuning.stale") if stale else ""),
        unit_of=lambda key: BY_KEY[key].unit,
        by=by,
        by_max=BY_MAX,
        reason_min=REASON_MIN,
        reason_max=REASON_MAX,
    )


def result_html(texts: Texts, proposal: Proposal, found: Preview) -> Markup:
    return render(
        "tuning/result",
        texts,
        found=found,
        measured=proposal.measured,
        measured_deg=proposal.job.question.measured_error_deg,
        figures=list(zip(FIGURES, FIGURE_UNITS, strict=True)),
        limits=_limits(texts, found),
        charts=[_chart(texts, name, found) for name in CURVES],
    )


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves over the stride, and the same as a table."""

    name: str
    drawing: Markup
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def _chart(texts: Texts, name: str, found: Preview) -> Chart:
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
        (str(percent), *(texts.figure(column[index], 1) for column in columns))
        for index, percent in enumerate(PERCENTS)
        if percent % 10 == 0
    ]
    drawing = chart(t(f"preview.{name}"), lines, t("chart.percent"), from_zero=name == "current_ma")
    return Chart(name, drawing, heads, rows)


def _limits(texts: Texts, found: Preview) -> list[tuple[str, str, str]]:
    """Each limit that holds one of the walks back, and in how many strides of each."""
    names = dict.fromkeys(b.limit for b in (*found.current.bindings, *found.proposed.bindings))
    return [
        (_limit_words(texts, name), _share(texts, found.current, name), _share(texts, found.proposed, name))
        for name in names
    ]


def _share(texts: Texts, walk: Walk, name: str) -> str:
    found: Binding | None = next((b for b in walk.bindings if b.limit == name), None)
    if found is None:
        return "–"
    words = texts.get("preview.share").format(strides=found.strides, share=f"{100 * found.share:.0f}")
    return words + (f" ({who(texts, found.set_by)})" if found.set_by else "")


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
