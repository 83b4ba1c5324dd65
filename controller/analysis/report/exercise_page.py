"""The report of an exercise session: what was done, the currents over time, doses against the prescription.

The same sections for the page and for paper. Refuses a recording of another therapy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from controller.analysis.dose_book import (
    DoseEntry,
    MuscleDay,
    entry_of,
    in_order,
    muscle_days,
    owner_of,
    programme_days,
)
from controller.analysis.dose_file import read_book
from controller.analysis.exercise import ExerciseSummary, summarise_exercise
from controller.analysis.exercise_trace import ExerciseTrace, read_trace
from controller.analysis.judge import as_table, judge_recording
from controller.analysis.progression import own_share_weeks, proposals, words
from controller.analysis.report.exercise_figures import draw_exercise
from controller.analysis.report.figures import Picture
from controller.analysis.report.layout import (
    DISCLAIMER,
    GUARD_HEADS,
    begun_words,
    dictionary_html,
    event_words,
    facts_html,
    figure_html,
    limits_html,
    page_html,
    section_html,
    sheet_html,
    unreadable_words,
)
from controller.analysis.report.pdf import Paper, write_paper
from controller.analysis.tables import UNKNOWN, Sheet, electrode_sheet
from controller.errors import InputError
from controller.record.reader import header, messages
from controller.record.records import Delivered
from controller.safety.kept_file import REST_FOLDER

GUARD_EVENTS_MAX = 200  # the recording holds them all
PULSE_LOG = "pulses.jsonl"  # the emulated stimulator's own, beside the recording


@dataclass(frozen=True, slots=True)
class _Read:
    """All that the report says, read once."""

    session: dict[str, str]
    summary: ExerciseSummary
    trace: ExerciseTrace
    entry: DoseEntry | None  # None where nothing was begun
    book: tuple[DoseEntry, ...]  # the person's, with this session
    subtitle: str

    @property
    def title(self) -> str:
        return f"{self.summary.title}: session {self.session.get('session', '')}"


def exercise_html(recording: Path) -> Markup:
    """One self-contained page. Raises InputError as the reader does."""
    read = _read(recording)
    sheets = {sheet.title: sheet for sheet in _sheets(recording, read)}
    pictures = _pictures(read)

    def one(title: str) -> Markup:
        return section_html(title, sheet_html(sheets[title]))

    sections = [
        one("What was done"),
        *(section_html(picture.title, figure_html(picture)) for picture in pictures),
        *(one(title) for title in sheets if title not in ("What was done", "What the guard said")),
        one("What the guard said"),
        section_html("Limits in force", limits_html(recording)),
        section_html("Data dictionary", dictionary_html(("contractions", "pulses", "emg", "events"))),
        section_html("Session", facts_html(recording, read.session)),
    ]
    return page_html(read.title, read.subtitle, sections)


def write_exercise_pdf(recording: Path, out: Path) -> None:
    """The same for paper. Raises InputError as the reader does."""
    read = _read(recording)
    write_paper(
        Paper(
            read.title,
            read.session.get("pseudonym", ""),
            read.subtitle,
            DISCLAIMER,
            _pictures(read),
            tuple(_sheets(recording, read)),
        ),
        out,
    )


def _read(recording: Path) -> _Read:
    session, entry = header(recording), entry_of(recording)
    book: Sequence[DoseEntry] = ()
    with contextlib.suppress(InputError):  # a recording of nobody, or a book that `dorsi dose` cannot read
        book = read_book(recording.resolve().parent.parent / REST_FOLDER, owner_of(recording)).entries
    body = "virtual body" if session.get("virtual") == "yes" else "no virtual body"
    parts = [begun_words(recording), body, unreadable_words(recording)]
    return _Read(
        session,
        summarise_exercise(recording),
        read_trace(recording),
        entry,
        tuple(in_order([*book, *([entry] if entry else [])])),
        " · ".join(part for part in parts if part),
    )


def _pictures(read: _Read) -> tuple[Picture, ...]:
    return draw_exercise(read.trace, muscle_days(read.book), read.entry.day if read.entry else "")


def _sheets(recording: Path, read: _Read) -> list[Sheet]:
    made = [
        _done(read.summary),
        _doses(read),
        _programmes(read),
        _pulses(read.trace),
        _weeks(read),
        _next(read),
    ]
    told = [m.record for m in messages(recording, ("guard/delivered",)) if isinstance(m.record, Delivered)]
    met = electrode_sheet([("session", told)])
    shown = [*(sheet for sheet in made if sheet.rows), *([] if met is None else [met])]
    return [*shown, _judged(recording), _guard(read.trace)]


def _done(summary: ExerciseSummary) -> Sheet:
    state = "whole" if summary.whole else f"{summary.repetitions} of {summary.planned} repetitions"
    rows = [
        ("programme", f"{summary.title} ({summary.programme})"),
        ("done", state),
        ("repetitions given", f"{summary.repetitions} of {summary.planned}"),
        ("minutes from the first armed tick to the last", f"{summary.seconds / 60.0:.1f}"),
        ("repetitions broken off, which begin anew", f"{summary.broken_off}"),
        ("tries that came to nothing", f"{summary.missed}"),
        ("trips", f"{summary.trips}"),
    ]
    shares = next(((one.own_share, one.support) for one in summary.muscles), (None, None))
    names = ("own share of the movement, mean", "support, mean share of the current")
    rows += [(name, f"{share:.0%}") for name, share in zip(names, shares, strict=True) if share is not None]
    return Sheet("What was done", ("", ""), tuple(rows))


def _doses(read: _Read) -> Sheet:
    """Each muscle in this session, and on its day, against what that day's programmes prescribe."""
    day = read.entry.day if read.entry else ""
    whole = {one.muscle: one for one in muscle_days(read.book) if day and one.day == day}
    rows = []
    for one in read.summary.muscles:
        of_day: MuscleDay | None = whole.get(one.muscle)
        rows.append(
            (
                one.muscle,
                f"{one.contractions}",
                f"{one.on_s / 60.0:.1f}",
                f"{one.charge_mc:.2f}",
                UNKNOWN if of_day is None else f"{of_day.contractions}",
                UNKNOWN if of_day is None or of_day.prescribed is None else f"{of_day.prescribed}",
                UNKNOWN if of_day is None else f"{of_day.on_s / 60.0:.1f}",
                UNKNOWN if of_day is None else f"{of_day.charge_mc:.2f}",
            )
        )
    heads = (
        *("muscle", "contractions", "minutes on", "charge (mC)"),
        *("day: contractions", "day: prescribed", "day: minutes on", "day: charge (mC)"),
    )
    note = "Charge: of the phases of one sign. A day: all its sessions in the dose book, and this one."
    return Sheet("Doses against the prescription", heads, tuple(rows), note)


def _programmes(read: _Read) -> Sheet:
    """The newest days of each programme, in minutes."""
    rows = tuple(
        (
            one.day or "not known",
            one.title,
            f"{one.sessions}, {one.whole}",
            f"{one.minutes:.1f}",
            UNKNOWN if one.prescribed_minutes is None else f"{one.prescribed_minutes:g}",
        )
        for one in programme_days(read.book)[-31:]
    )
    return Sheet("Days", ("day", "programme", "sessions, whole", "minutes", "prescribed"), rows)


def _pulses(trace: ExerciseTrace) -> Sheet:
    rows = tuple(
        (
            one.plan.muscle,
            f"{one.t_s.size}",
            _range(one.width_us, "g"),
            f"{one.cycles}",
            _median(one.rates_hz),
            _range(one.rates_hz, ".1f"),
            _median(one.current_ma),
            f"{one.current_ma.max(initial=0.0):g}",
        )
        for one in trace.muscles
    )
    heads = (
        *("muscle", "pulses", "width (µs)", "cycles", "rate, median (Hz)", "rate (Hz)"),
        *("current, median (mA)", "highest (mA)"),
    )
    note = "Rates: one over the interval between two pulses of a contraction. Ramps count in the medians."
    return Sheet("Pulses", heads, rows, note)


def _weeks(read: _Read) -> Sheet:
    rows = tuple(
        (
            one.monday,
            one.muscle,
            f"{one.contractions}",
            f"{one.share:.0%}",
            UNKNOWN if one.support is None else f"{one.support:.0%}",
        )
        for one in own_share_weeks(read.book)
    )
    heads = ("week of", "muscle", "contractions", "own share", "support")
    note = "Means over the contractions. Support: share of the current, withdrawn as the own share grows."
    return Sheet("Own share and support", heads, rows, note)


def _next(read: _Read) -> Sheet:
    said = [f"{one.title}: {words(one)}" for one in proposals(read.book)]
    note = "Proposed by the prescription's progression; a therapist decides, and nothing changes by itself."
    return Sheet("What is proposed next", ("",), tuple((one,) for one in said), note)


def _judged(recording: Path) -> Sheet:
    log = recording.with_name(PULSE_LOG)
    try:
        findings = judge_recording(recording, log if log.exists() else None)
    except InputError as error:
        return Sheet("Limits and deadlines, judged", ("",), (), f"Not judged: {error}")
    order = {"broken": 0, "kept": 1}
    rows = sorted(as_table(findings), key=lambda row: order.get(row[0], 2))
    note = "Worked out from the recording, with no code of the guard's."
    return Sheet(
        "Limits and deadlines, judged", ("", "id", "promise", "worst", "seen", "detail"), tuple(rows), note
    )


def _guard(trace: ExerciseTrace) -> Sheet:
    shown = trace.guard_events[:GUARD_EVENTS_MAX]
    rows = tuple(event_words(trace.begin_ns, event) for event in shown)
    said = [f"{count} frames blocked: {reason}." for reason, count in sorted(trace.blocked.items())]
    if (more := len(trace.guard_events) - len(shown)) > 0:
        said.append(f"{more} later events are in the recording alone.")
    return Sheet("What the guard said", GUARD_HEADS, rows, " ".join(said))


def _median(values: np.ndarray) -> str:
    return f"{np.median(values):.1f}" if values.size else UNKNOWN


def _range(values: np.ndarray, form: str) -> str:
    if not values.size:
        return UNKNOWN
    low, high = f"{values.min():{form}}", f"{values.max():{form}}"
    return low if low == high else f"{low} to {high}"
