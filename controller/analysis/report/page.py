"""``dorsi report``: a recording as one page of HTML that needs nothing else, or as PDF.

Promises pictures first, then the figures, then everything the guard said. Refuses what the reader refuses.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from html import escape
from itertools import accumulate
from pathlib import Path

import msgspec

from controller.analysis.arm_columns import ArmData, rung_changes, rung_seconds
from controller.analysis.arms import read_arms
from controller.analysis.report.figure_table import FIGURES, FIGURES_NOTE
from controller.analysis.report.figures import Picture, colour, draw
from controller.analysis.report.pdf import Paper, write_paper
from controller.analysis.report.progress_figures import progress
from controller.analysis.summary import ArmSummary, summarise_arm
from controller.analysis.tables import Sheet, change_sheet, dose_sheet, stride_sheet
from controller.core.control.fallback import Rung
from controller.core.params import Reference
from controller.record import privacy, wall_clock
from controller.record.reader import header, messages, unreadable
from controller.record.records import Clock, GuardEvent, GuardSetup
from controller.record.replay import PARAMS_KEY

DISCLAIMER = (
    "Dorsi is research software, not a medical device. These figures are for research and development; "
    "no diagnosis or treatment may rest on them."
)
BELOW: Mapping[Rung, str] = {
    "two sensors": "foot and shank are heard again",
    "one sensor": "the shank's sensor is not heard",
    "learned command": "the foot's pitch is not known",
    "trapezoid": "the events are uncertain",
    "off": "the sensor that shows the events is silent",
}
GUARD_HEADS = ("s", "what", "state", "fault", "by", "in words")
GUARD_EVENTS_MAX = 200  # for each arm; the recording holds them all

TRIPPED_ROW = ' class="tripped"'
TELLING = ("session_file", PARAMS_KEY, "mode")  # of the header: they name the arms' modes
SHORT_FACT = 120  # characters; anything longer is folded away


class _Params(msgspec.Struct):
    reference: Reference


def write_report(recording: Path, out: Path, *, unblind: bool = False) -> None:
    """Write the report of a recording, whole or cut. Raises InputError as the reader does."""
    out.write_text(report_html(recording, unblind=unblind), encoding="utf-8")


def report_html(recording: Path, *, unblind: bool = False) -> str:
    """The report as one self-contained page; blinded arms stay so unless ``unblind``."""
    session = header(recording)
    arms = read_arms(recording, unblind=unblind)
    summaries = [summarise_arm(arm) for arm in arms]
    title = f"Dorsi session {session.get('session', recording.stem)}"
    sections = [
        *(_section(picture.title, _figure(picture)) for picture in _pictures(arms, _reference(session))),
        _section("In numbers", _summary_table(arms, summaries)),
        _section("Doses", _sheet(dose_sheet(arms))),
        _section("Changes of settings", _sheet(_changes(recording, arms))),
        _section("What was learned", "".join(_learned(arm) for arm in arms if arm.mode != "off")),
        _section("Fallback ladder", "".join(_ladder(arm) for arm in arms if arm.mode != "off")),
        _section("What the guard said", "".join(_guard(arm) for arm in arms)),
        _section("Limits in force", _limits(recording)),
        _section("Stride by stride", "".join(_folded(stride_sheet(arm)) for arm in arms)),
        _section("Session", _facts(recording, session, blinded=any(arm.blinded for arm in arms))),
    ]
    return _PAGE.format(
        title=escape(title),
        style=_STYLE,
        subtitle=escape(_subtitle(recording, arms)),
        disclaimer=escape(DISCLAIMER),
        sections="".join(sections),
    )


def write_pdf(recording: Path, out: Path, *, unblind: bool = False) -> None:
    """Write the report for paper. Raises InputError as the reader does."""
    session = header(recording)
    arms = read_arms(recording, unblind=unblind)
    summaries = [summarise_arm(arm) for arm in arms]
    figures = tuple(
        (f"{name} {unit}".strip(), *(cell(summary) for summary in summaries)) for name, unit, cell in FIGURES
    )
    paper = Paper(
        f"Dorsi session {session.get('session', recording.stem)}",
        _subtitle(recording, arms),
        DISCLAIMER,
        _pictures(arms, _reference(session)) if arms else (),
        (
            Sheet("In numbers", ("", *(arm.label for arm in arms)), figures, FIGURES_NOTE),
            dose_sheet(arms),
            _changes(recording, arms),
            *(_guard_sheet(arm) for arm in arms),
            *(stride_sheet(arm) for arm in arms),
        ),
    )
    write_paper(paper, out)


def _changes(recording: Path, arms: Sequence[ArmData]) -> Sheet:
    if any(arm.blinded for arm in arms):
        return Sheet("Changes of settings", ("",), (), "Not shown while the trial is blinded.")
    return change_sheet(recording)


def _guard_sheet(arm: ArmData) -> Sheet:
    rows = tuple(_event_words(arm, event) for event in arm.guard_events[:GUARD_EVENTS_MAX])
    return Sheet(f"{arm.label}: what the guard said; trips {arm.trips}", GUARD_HEADS, rows)


def _sheet(sheet: Sheet) -> str:
    table = _table(sheet.heads, sheet.rows) if sheet.rows else ""
    return table + (f'<p class="note">{escape(sheet.note)}</p>' if sheet.note else "")


def _folded(sheet: Sheet) -> str:
    return f"<details><summary>{escape(sheet.title)}</summary>{_sheet(sheet)}</details>"


def _pictures(arms: Sequence[ArmData], reference: Reference | None) -> tuple[Picture, ...]:
    first, *rest = draw(arms, reference)
    return first, *progress(arms, reference), *rest


def _learned(arm: ArmData) -> str:
    """What each arm made of its strides: taught or why not, the bound, what is believed of the muscle."""
    heading = _arm_heading(arm, arm.label)
    if arm.blinded:
        return heading + "<p>Blinded.</p>"
    rows: list[tuple[str, str]] = []
    if any(view.mode == "learning" for view in arm.lessons):
        last = arm.lessons[-1]
        why = Counter(view.not_learned for view in arm.lessons if view.not_learned)
        bounds = [view.learning_bound for view in arm.lessons if view.learning_bound is not None]
        gains = [view.believed_gain for view in arm.lessons]
        late_ms = [view.believed_late_ms for view in arm.lessons]
        reflexes = [view.believed_reflex_nms for view in arm.lessons]
        responses = [view.response_share for view in arm.lessons if view.response_share is not None]
        limits = [view.limit_share for view in arm.lessons if view.limit_share is not None]
        rows = [
            ("strides that taught", f"{last.strides_learned}"),
            *((f"taught nothing: {reason}", f"{count}") for reason, count in why.most_common()),
            ("bound on a command's distance from its limit, stride to stride", _between(bounds, 3)),
            (
                "muscle's gain believed, against the identified one",
                f"{_between(gains, 2)}, last {gains[-1]:.2f}",
            ),
            ("muscle's delay believed, against the first strides (ms)", _between(late_ms, 0)),
            ("calf's stretch reflex believed (Nm s/rad; a calm calf has none)", _between(reflexes, 1)),
            ("muscle's torque for a charge, against the rested muscle's", _between(responses, 2)),
            ("share of a swing at the highest current allowed", _between(limits, 2)),
        ]
    speeds = [view.reference_speed_mps for view in arm.lessons if view.reference_speed_mps is not None]
    if speeds:
        rows.append(("walking speed that the reference was for (m/s)", _between(speeds, 2)))
    turned = [view for view in arm.lessons if view.inversion_deg is not None]
    if turned:
        inversions = [view.inversion_deg for view in turned if view.inversion_deg is not None]
        lost = [view.eversion_lost_nm for view in turned if view.eversion_lost_nm is not None]
        rows += [
            ("inversion as the foot landed (°)", f"{_between(inversions, 1)}, last {inversions[-1]:.1f}"),
            ("eversion asked of the channels at last (Nm)", f"{turned[-1].eversion_demand_nm or 0.0:.2f}"),
            ("eversion they could not give (Nm)", _between(lost, 2)),
        ]
    return heading + (_table(("", "over the strides"), rows) if rows else "<p>Nothing was learned.</p>")


def _between(values: Sequence[float], digits: int) -> str:
    """Smallest to largest; a dash where nothing is known."""
    if not values:
        return "–"
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return low if low == high else f"{low} to {high}"


def _ladder(arm: ArmData) -> str:
    """How long each rung carried the control, how long something below it did, and every change."""
    heading = _arm_heading(arm, arm.label)
    if arm.blinded:
        return heading + "<p>Blinded.</p>"
    seconds, changes = rung_seconds(arm.ticks), rung_changes(arm.ticks)
    lower = list(accumulate(reversed(seconds.values()), initial=0.0))[-2::-1]
    rows = [
        (rung, f"{spent:.1f}", f"{below:.1f}")
        for (rung, spent), below in zip(seconds.items(), lower, strict=True)
        if spent or below
    ]
    if not rows:
        return f"{heading}<p>No current was asked for.</p>"
    table = _table(("rung", "s on it", "s below it"), rows)
    shown = [
        (
            f"{(change.t_ns - arm.begin_ns) / 1e9:.3f}",
            change.before,
            change.after,
            BELOW[change.after],
            f"{change.current_ma:.1f}",
            f"{change.step_ma:+.1f}",
        )
        for change in changes[:GUARD_EVENTS_MAX]
    ]
    heads = ("s", "from", "to", "because", "current (mA)", "step (mA)")
    return heading + table + (_table(heads, shown) if shown else '<p class="note">No change.</p>')


def _subtitle(recording: Path, arms: Sequence[ArmData]) -> str:
    clocks = [each.record for each in messages(recording, ("clock",)) if isinstance(each.record, Clock)]
    parts = []
    if clocks and (begin := wall_clock.utc(clocks[0].monotonic_ns, wall_clock.first_offset_ns(clocks))):
        parts.append(f"{begin:%Y-%m-%d %H:%M} UTC")
    elif clocks:
        parts.append("date not known: the clock was not set")
    parts.append(
        "virtual body" if any(arm.virtual for arm in arms) else "no virtual body: angles are estimates"
    )
    parts += [f"{arm.label} {arm.seconds:.0f} s" for arm in arms]
    if bad := len(unreadable(recording)):
        parts.append(
            f"{bad} message{'s' if bad > 1 else ''} cannot be read and {'are' if bad > 1 else 'is'} left out"
        )
    return " · ".join(parts)


def _reference(session: Mapping[str, str]) -> Reference | None:
    """The reference curve the core was given; None where the header has none."""
    try:
        return msgspec.json.decode(session.get(PARAMS_KEY, ""), type=_Params).reference
    except msgspec.DecodeError:
        return None


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>\n"


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.svg).decode()
    return (
        f'<figure><img src="data:image/svg+xml;base64,{data}" alt="{escape(picture.title)}">'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )


def _summary_table(arms: Sequence[ArmData], summaries: Sequence[ArmSummary]) -> str:
    heads = "".join(
        f'<th scope="col" style="border-bottom:3px solid {colour(arm.mode)}">{escape(arm.label)}</th>'
        for arm in arms
    )
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(cell(summary))}</td>" for summary in summaries)
        + f'<td class="unit">{unit}</td></tr>'
        for name, unit, cell in FIGURES
    )
    return (
        f'<table class="figures"><thead><tr><td></td>{heads}<td></td></tr></thead>'
        f'<tbody>{body}</tbody></table><p class="note">{FIGURES_NOTE}</p>'
    )


def _guard(arm: ArmData) -> str:
    shown = arm.guard_events[:GUARD_EVENTS_MAX]
    rows = [_event_words(arm, event) for event in shown]
    tripped = {row for row, event in enumerate(shown) if event.state.lower() == "tripped"}
    table = _table(GUARD_HEADS, rows, tripped) if rows else "<p>No event.</p>"
    left_out = len(arm.guard_events) - GUARD_EVENTS_MAX
    if left_out > 0:
        table += f'<p class="note">{left_out} later events are in the recording alone.</p>'
    blocked = "".join(
        f"<li>{count} frames blocked: {escape(reason)}</li>"
        for reason, count in sorted(arm.blocked.items(), key=lambda item: -item[1])
    )
    heading = _arm_heading(arm, f"{arm.label}: trips {arm.trips}")
    return heading + table + (f"<ul>{blocked}</ul>" if blocked else "")


def _arm_heading(arm: ArmData, text: str) -> str:
    """The arm's colour stands beside the words: as their own it has too little contrast."""
    return f'<h3 style="border-left:4px solid {colour(arm.mode)};padding-left:6px">{escape(text)}</h3>'


def _limits(recording: Path) -> str:
    """The limits the guard judged by and who set each; the last set-up counts."""
    setup = None
    for message in messages(recording, ("guard/setup",)):
        if isinstance(message.record, GuardSetup):
            setup = message.record
    if setup is None:
        return "<p>Not recorded.</p>"
    rows = [(name, f"{limit.value:g}", limit.set_by) for name, limit in setup.limits.items()]
    device = f"{setup.stimulator.name}; {setup.stimulator.own_watchdog}"
    answered = "answered, its answers are in the recording" if setup.checklist else "not in the patient file"
    note = f"Stimulator: {device}. Checklist: {answered}."
    table = _table(("limit", "value", "tightest set by"), rows)
    return f'{table}<p class="note">{escape(note)}</p>'


def _event_words(arm: ArmData, event: GuardEvent) -> tuple[str, ...]:
    time_s = (event.t_ns - arm.begin_ns) / 1e9
    word = privacy.guard_word(event)
    return f"{time_s:.3f}", word.kind, word.state, word.fault or "", word.by, word.text


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], tripped: Collection[int] = ()) -> str:
    head = "".join(f'<th scope="col">{escape(word)}</th>' for word in heads)
    body = "".join(
        f"<tr{TRIPPED_ROW if number in tripped else ''}>"
        + "".join(f"<td>{escape(word)}</td>" for word in words)
        + "</tr>"
        for number, words in enumerate(rows)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _facts(recording: Path, session: Mapping[str, str], *, blinded: bool) -> str:
    """The header: short facts in a list, whole files and parameters folded away; of a blinded trial neither
    the schedule nor the mode that it began in.
    """
    session = privacy.facts(session)
    if blinded:
        session = {key: value for key, value in session.items() if key not in TELLING}
    short = {"recording": recording.name, **{k: v for k, v in session.items() if len(v) <= SHORT_FACT}}
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v) or '-'}</dd>" for k, v in short.items())
    folded = "".join(
        f"<details><summary>{escape(key)}</summary><pre>{escape(value)}</pre></details>"
        for key, value in session.items()
        if key not in short
    )
    return f"<dl>{items}</dl>{folded}"


_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #22262b; background: #f4f5f7;
  margin: 0; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 16px 48px; }
header h1 { font-size: 26px; margin: 0; }
header p { margin: 4px 0 0; color: #5b626b; }
.disclaimer { border-left: 4px solid #d55e00; padding-left: 10px; color: #22262b; margin: 14px 0 20px; }
section { background: #fff; border: 1px solid #e1e4e8; border-radius: 8px; padding: 16px 20px;
  margin: 0 0 18px; }
h2 { font-size: 18px; margin: 0 0 10px; }
h3 { font-size: 15px; margin: 14px 0 6px; }
figure { margin: 0; }
figure img { width: 100%; height: auto; display: block; }
figcaption, .note { color: #5b626b; font-size: 13px; margin: 8px 0 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 4px 14px 4px 0; border-bottom: 1px solid #eceef1; vertical-align: top; }
table.figures { width: 100%; }
table.figures td, table.figures th[scope=col] { text-align: right; }
table.figures th[scope=row] { font-weight: 400; }
table.figures td.unit { text-align: left; color: #5b626b; width: 3em; padding-left: 0; }
tr.tripped td { background: #fdeee6; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 0 0 10px; }
dt { color: #5b626b; }
dd { margin: 0; overflow-wrap: anywhere; }
details { margin: 8px 0; overflow-x: auto; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; background: #f4f5f7; padding: 10px; }
@media print {
  body { background: #fff; font-size: 11px; }
  main { max-width: none; padding: 0; }
  section { border: 0; padding: 0; break-inside: avoid; }
  h2 { break-after: avoid; }
}
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<header><h1>{title}</h1><p>{subtitle}</p></header>
<p class="disclaimer">{disclaimer}</p>
{sections}</main>
</body>
</html>
"""
