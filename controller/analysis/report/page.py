"""``dorsi report``: a recording as one page of HTML that needs nothing else, or as PDF.

Promises pictures first, then the figures, then everything the guard said. Refuses what the reader refuses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

import msgspec
from markupsafe import Markup

from controller.analysis.arm_columns import ArmData, rung_changes, rung_seconds
from controller.analysis.arms import read_arms
from controller.analysis.exercise import is_exercise
from controller.analysis.report.exercise_page import exercise_html, write_exercise_pdf
from controller.analysis.report.figure_table import FIGURES, FIGURES_NOTE
from controller.analysis.report.figures import Picture, colour, draw
from controller.analysis.report.layout import (
    DISCLAIMER,
    GUARD_HEADS,
    begun_words,
    dictionary_html,
    event_words,
    facts_html,
    figure_html,
    folded_html,
    limits_html,
    page_html,
    render,
    section_html,
    sheet_html,
    table_html,
    unreadable_words,
)
from controller.analysis.report.pdf import Paper, write_paper
from controller.analysis.report.progress_figures import progress
from controller.analysis.summary import ArmSummary, summarise_arm
from controller.analysis.tables import Sheet, change_sheet, dose_sheet, electrode_sheet, stride_sheet
from controller.config.standard_person import has_standard_model
from controller.core.control.fallback import Rung
from controller.core.params import Reference
from controller.core.signals import LEARNS
from controller.record.reader import header
from controller.record.replay import PARAMS_KEY

BELOW: Mapping[Rung, str] = {
    "two sensors": "foot and shank are heard again",
    "one sensor": "the shank's sensor is not heard",
    "learned command": "the foot's pitch is not known",
    "trapezoid": "the events are uncertain",
    "off": "the sensor that shows the events is silent",
}
GUARD_EVENTS_MAX = 200  # for each arm; the recording holds them all

TELLING = ("session_file", PARAMS_KEY, "mode")  # of the header: they name the arms' modes


class _Params(msgspec.Struct):
    reference: Reference


def write_report(recording: Path, out: Path, *, unblind: bool = False) -> None:
    """Write the report of a recording, whole or cut. Raises InputError as the reader does."""
    html = exercise_html(recording) if is_exercise(recording) else report_html(recording, unblind=unblind)
    out.write_text(html, encoding="utf-8")


def report_html(recording: Path, *, unblind: bool = False) -> str:
    """The report as one self-contained page; blinded arms stay so unless ``unblind``."""
    session = header(recording)
    arms = read_arms(recording, unblind=unblind)
    summaries = [summarise_arm(arm) for arm in arms]
    title = f"Dorsi session {session.get('session', recording.stem)}"
    sections = [
        *(
            section_html(picture.title, figure_html(picture))
            for picture in _pictures(arms, _reference(session))
        ),
        section_html("In numbers", _summary_table(arms, summaries)),
        section_html("Doses", sheet_html(dose_sheet(arms))),
        *_electrodes_html(arms),
        section_html("Changes of settings", sheet_html(_changes(recording, arms))),
        section_html("What was learned", Markup("").join(_learned(arm) for arm in arms if arm.mode != "off")),
        section_html("Fallback ladder", Markup("").join(_ladder(arm) for arm in arms if arm.mode != "off")),
        section_html("What the guard said", Markup("").join(_guard(arm) for arm in arms)),
        section_html("Limits in force", limits_html(recording)),
        section_html("Stride by stride", Markup("").join(folded_html(stride_sheet(arm)) for arm in arms)),
        section_html("Data dictionary", dictionary_html(("strides", "pulses", "ticks", "events"))),
        section_html(
            "Session", facts_html(recording, session, TELLING if any(arm.blinded for arm in arms) else ())
        ),
    ]
    return page_html(title, _subtitle(recording, arms), sections)


def write_pdf(recording: Path, out: Path, *, unblind: bool = False) -> None:
    """Write the report for paper. Raises InputError as the reader does."""
    if is_exercise(recording):
        write_exercise_pdf(recording, out)
        return
    session = header(recording)
    arms = read_arms(recording, unblind=unblind)
    summaries = [summarise_arm(arm) for arm in arms]
    figures = tuple(
        (f"{name} {unit}".strip(), *(cell(summary) for summary in summaries)) for name, unit, cell in FIGURES
    )
    paper = Paper(
        f"Dorsi session {session.get('session', recording.stem)}",
        session.get("pseudonym", ""),
        _subtitle(recording, arms),
        DISCLAIMER,
        _pictures(arms, _reference(session)) if arms else (),
        (
            Sheet("In numbers", ("", *(arm.label for arm in arms)), figures, FIGURES_NOTE),
            dose_sheet(arms),
            *_electrodes(arms),
            _changes(recording, arms),
            *(_guard_sheet(arm) for arm in arms),
            *(stride_sheet(arm) for arm in arms),
        ),
    )
    write_paper(paper, out)


def _electrodes(arms: Sequence[ArmData]) -> list[Sheet]:
    sheet = electrode_sheet([(arm.label, arm.delivered) for arm in arms])
    return [] if sheet is None else [sheet]


def _electrodes_html(arms: Sequence[ArmData]) -> list[Markup]:
    return [section_html(sheet.title, sheet_html(sheet)) for sheet in _electrodes(arms)]


def _changes(recording: Path, arms: Sequence[ArmData]) -> Sheet:
    if any(arm.blinded for arm in arms):
        return Sheet("Changes of settings", ("",), (), "Not shown while the trial is blinded.")
    return change_sheet(recording)


def _guard_sheet(arm: ArmData) -> Sheet:
    rows = tuple(event_words(arm.begin_ns, event) for event in arm.guard_events[:GUARD_EVENTS_MAX])
    return Sheet(f"{arm.label}: what the guard said; trips {arm.trips}", GUARD_HEADS, rows)


def _pictures(arms: Sequence[ArmData], reference: Reference | None) -> tuple[Picture, ...]:
    first, *rest = draw(arms, reference)
    return first, *progress(arms, reference), *rest


def _learned(arm: ArmData) -> Markup:
    """What each arm made of its strides: taught or why not, the bound, what is believed of the muscle."""
    if arm.blinded:
        return _arm_html(arm, said="Blinded.")
    rows: list[tuple[str, str]] = []
    if any(view.mode in LEARNS for view in arm.lessons):
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
    needed = [view for view in arm.lessons if view.support_swing is not None]
    if needed:
        shares = [v for one in needed for v in (one.support_swing, one.support_landing) if v is not None]
        cleared = [view.toe_clearance_mm for view in needed if view.toe_clearance_mm is not None]
        rows += [
            ("share of the lift given, in swing and at landing", _between(shares, 2)),
            ("toe clearance as estimated, ± 12 mm (mm)", _between(cleared, 0)),
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
    if not rows:
        return _arm_html(arm, said="Nothing was learned.")
    return _arm_html(arm, tables=[table_html(("", "over the strides"), rows)])


def _between(values: Sequence[float], digits: int) -> str:
    """Smallest to largest; a dash where nothing is known."""
    if not values:
        return "–"
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return low if low == high else f"{low} to {high}"


def _ladder(arm: ArmData) -> Markup:
    """How long each rung carried the control, how long something below it did, and every change."""
    if arm.blinded:
        return _arm_html(arm, said="Blinded.")
    seconds, changes = rung_seconds(arm.ticks), rung_changes(arm.ticks)
    lower = list(accumulate(reversed(seconds.values()), initial=0.0))[-2::-1]
    rows = [
        (rung, f"{spent:.1f}", f"{below:.1f}")
        for (rung, spent), below in zip(seconds.items(), lower, strict=True)
        if spent or below
    ]
    if not rows:
        return _arm_html(arm, said="No current was asked for.")
    tables = [table_html(("rung", "s on it", "s below it"), rows)]
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
    if shown:
        tables.append(table_html(heads, shown))
    return _arm_html(arm, tables=tables, note="" if shown else "No change.")


def _subtitle(recording: Path, arms: Sequence[ArmData]) -> str:
    virtual = any(arm.virtual for arm in arms)
    body = "virtual body" if virtual else "no virtual body: angles are estimates"
    walked = [f"{arm.label} {arm.seconds:.0f} s" for arm in arms]
    standard = has_standard_model(header(recording).get("patient_file", ""))
    model = "model: standard, not measured with this person" if standard else ""
    parts = [begun_words(recording), body, model, *walked, unreadable_words(recording)]
    return " · ".join(part for part in parts if part)


def _reference(session: Mapping[str, str]) -> Reference | None:
    """The reference curve the core was given; None where the header has none."""
    try:
        return msgspec.json.decode(session.get(PARAMS_KEY, ""), type=_Params).reference
    except msgspec.DecodeError:
        return None


def _summary_table(arms: Sequence[ArmData], summaries: Sequence[ArmSummary]) -> Markup:
    return render(
        "summary",
        arms=[(arm.label, colour(arm.mode)) for arm in arms],
        rows=[(name, unit, [cell(summary) for summary in summaries]) for name, unit, cell in FIGURES],
        note=FIGURES_NOTE,
    )


def _guard(arm: ArmData) -> Markup:
    shown = arm.guard_events[:GUARD_EVENTS_MAX]
    rows = [event_words(arm.begin_ns, event) for event in shown]
    tripped = {row for row, event in enumerate(shown) if event.state.lower() == "tripped"}
    left_out = len(arm.guard_events) - GUARD_EVENTS_MAX
    return _arm_html(
        arm,
        f"{arm.label}: trips {arm.trips}",
        said="" if rows else "No event.",
        tables=[table_html(GUARD_HEADS, rows, tripped)] if rows else (),
        note=f"{left_out} later events are in the recording alone." if left_out > 0 else "",
        blocked=sorted(arm.blocked.items(), key=lambda item: -item[1]),
    )


def _arm_html(
    arm: ArmData,
    title: str = "",
    *,
    said: str = "",
    tables: Sequence[Markup] = (),
    note: str = "",
    blocked: Sequence[tuple[str, int]] = (),
) -> Markup:
    """What there is of one arm, below its label or ``title``."""
    return render(
        "arm",
        title=title or arm.label,
        colour=colour(arm.mode),
        said=said,
        tables=tables,
        note=note,
        blocked=blocked,
    )
