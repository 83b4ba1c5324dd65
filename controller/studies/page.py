"""A study on paper and screen: flow, outcomes, differences, the worst persons, the data dictionary.

Promises the same figures in page, PDF and tables, each with n and unit. Everything here is made from
:class:`Figures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pyarrow
import pyarrow.csv
from matplotlib.figure import Figure

from controller.analysis.report.figures import COLUMN_INCHES, STYLE, Picture, colour
from controller.analysis.report.layout import DISCLAIMER, figure_html, page_html, section_html, sheet_html
from controller.analysis.report.pdf import Paper, write_paper
from controller.analysis.tables import STATE_WORDS, UNKNOWN, Sheet
from controller.studies.comparison import CONFIDENCE, RESAMPLES, ArmFigures, Difference, Figures, Spread
from controller.studies.measures import BY_NAME, MEASURES

STATS = ("n", "mean", "sd", "median", "q1", "q3")
ROWS_SHOWN = 200  # persons and arms on a page; the table holds them all
DOT_WIDTH = 0.18  # half width of the cloud of dots of an arm


@dataclass(frozen=True, slots=True)
class About:
    """What a report is of: in words, and where each worst run is replayed."""

    title: str
    subtitle: str
    question: str
    facts: tuple[tuple[str, str], ...]
    replay: str = ""  # command with {person} and {arm}; empty where a recording is its own replay


def write_page(figures: Figures, about: About, out: Path) -> None:
    """One HTML page that needs nothing else."""
    sections = [section_html(one.title, figure_html(one)) for one in _pictures(figures)]
    sections += [section_html(sheet.title, sheet_html(sheet)) for sheet in sheets(figures, about)]
    out.write_text(page_html(about.title, about.subtitle, sections), encoding="utf-8")


def write_pdf(figures: Figures, about: About, out: Path) -> None:
    write_paper(
        Paper(about.title, "", about.subtitle, DISCLAIMER, _pictures(figures), sheets(figures, about)), out
    )


def write_persons(figures: Figures, out: Path) -> None:
    """One row a person and arm as CSV."""
    columns: dict[str, list[object]] = {
        "person": [row.person for row in figures.rows],
        "arm": [row.arm for row in figures.rows],
        "strides_walked": [row.walked for row in figures.rows],
        "strides_counted": [row.counted for row in figures.rows],
        "failed": [row.failed for row in figures.rows],
    }
    for place, outcome in enumerate(figures.outcomes):
        for name in STATS:
            values = [getattr(row.spreads[place], name) for row in figures.rows]
            columns[f"{outcome.measure}_{name}"] = list(values)
    pyarrow.csv.write_csv(pyarrow.table(columns), out)


def write_outcomes(figures: Figures, out: Path) -> None:
    """The table of a paper as CSV: each outcome in each arm, then each difference."""
    rows = [*outcome_sheet(figures).rows, *difference_sheet(figures).rows]
    heads = [
        "outcome",
        "unit",
        "arm or difference",
        "persons",
        "mean (SD) or mean [interval]",
        "median [IQR]",
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(heads)
    pyarrow.csv.write_csv(pyarrow.table([pyarrow.array(c, pyarrow.string()) for c in columns], heads), out)


def sheets(figures: Figures, about: About) -> tuple[Sheet, ...]:
    """Every table, in the order of reading."""
    return (
        Sheet("Question", ("", ""), (("question", about.question), *about.facts)),
        flow_sheet(figures),
        outcome_sheet(figures),
        difference_sheet(figures),
        worst_sheet(figures, about),
        dictionary_sheet(),
        persons_sheet(figures),
    )


def flow_sheet(figures: Figures) -> Sheet:
    """Who walked, what failed, which strides count: after CONSORT's flow of participants."""

    def row(arm: ArmFigures) -> tuple[str, ...]:
        failed = "; ".join(f"{count}: {why}" for why, count in arm.failed.items())
        left_out = "; ".join(
            f"{count} {STATE_WORDS[state]}"
            for state, count in sorted(arm.states.items())
            if state != "counted"
        )
        analysed = arm.persons - sum(arm.failed.values()) - arm.without
        return (
            arm.arm,
            str(arm.persons),
            failed or "0",
            str(arm.without),
            str(analysed),
            str(arm.strides),
            str(arm.states.get("counted", 0)),
            left_out or "0",
        )

    heads = (
        "arm", "persons", "failed runs", "without a stride that counts", "analysed", "strides walked",
        "counted", "left out",
    )  # fmt: skip
    return Sheet("Flow", heads, tuple(row(arm) for arm in figures.arms))


def outcome_sheet(figures: Figures) -> Sheet:
    rows = tuple(
        (
            _outcome_words(outcome.measure, outcome.role, outcome.person),
            BY_NAME[outcome.measure].unit,
            arm.arm,
            str(arm.spreads[place].n),
            _mean_sd(arm.spreads[place]),
            _median_iqr(arm.spreads[place]),
        )
        for place, outcome in enumerate(figures.outcomes)
        for arm in figures.arms
    )
    heads = ("outcome", "unit", "arm", "persons", "mean (SD)", "median [IQR]")
    return Sheet("Outcomes", heads, rows, "Over persons: each is one value, over their counted strides.")


def difference_sheet(figures: Figures) -> Sheet:
    rows = tuple(
        (
            each.outcome,
            BY_NAME[each.outcome].unit,
            f"{each.arm} − {each.against}",
            str(each.n),
            _with_interval(each),
            _number(each.median),
        )
        for each in figures.differences
    )
    note = (
        f"The same persons in both arms. Interval: {CONFIDENCE:.0%}, bias-corrected and accelerated "
        f"bootstrap of the mean over persons, {RESAMPLES} resamples. None where it is not defined."
    )
    heads = ("outcome", "unit", "difference", "persons", "mean [interval]", "median")
    return Sheet("Paired differences", heads, rows, note if rows else "No comparison was registered.")


def worst_sheet(figures: Figures, about: About) -> Sheet:
    rows = tuple(
        (
            person,
            arm,
            _number(value),
            about.replay.format(person=person, arm=arm) if about.replay else "dorsi replay, of its recording",
        )
        for person, arm, value in figures.worst
    )
    return Sheet("Served worst", ("person", "arm", "primary outcome", "to walk it again"), rows)


def dictionary_sheet() -> Sheet:
    rows = tuple((m.name, m.unit or "-", m.meaning) for m in MEASURES)
    return Sheet("Data dictionary", ("column", "unit", "meaning, of one stride"), rows)


def persons_sheet(figures: Figures) -> Sheet:
    heads = ("person", "arm", "walked", "counted", *(f"{o.measure}: mean (SD)" for o in figures.outcomes))
    shown = figures.rows[:ROWS_SHOWN]
    rows = tuple(
        (row.person, row.arm, str(row.walked), str(row.counted), *map(_mean_sd, row.spreads)) for row in shown
    )
    more = len(figures.rows) - len(shown)
    return Sheet("Person by person", heads, rows, f"{more} more rows are in persons.csv." if more else "")


# --- pictures


def _pictures(figures: Figures) -> tuple[Picture, ...]:
    place = next((n for n, o in enumerate(figures.outcomes) if o.role == "primary"), 0)
    outcome = figures.outcomes[place]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(1.6 * len(figures.arms), COLUMN_INCHES), 3.6), layout="constrained")
        axes = figure.subplots()
        source = np.random.default_rng(1)
        for number, arm in enumerate(figures.arms):
            told = [row.spreads[place] for row in figures.rows if row.arm == arm.arm]
            one = [each.mean if outcome.person == "mean" else each.median for each in told]
            known = np.array([value for value in one if value is not None])
            across = number + source.uniform(-DOT_WIDTH, DOT_WIDTH, len(known))
            axes.plot(across, known, ".", color=colour(arm.arm), alpha=0.35, markersize=4, rasterized=True)
            if len(known):
                axes.boxplot(known, positions=[number], widths=0.5, showfliers=False)
        axes.set_xticks(range(len(figures.arms)), [arm.arm for arm in figures.arms])
        axes.set_ylabel(f"{outcome.measure} ({BY_NAME[outcome.measure].unit})")
        words = "A dot a person. Box: median and quartiles; whiskers: at most 1.5 times as far."
        return (Picture(f"Primary outcome: {BY_NAME[outcome.measure].meaning}", words, figure),)


# --- words


def _outcome_words(measure: str, role: str, person: str) -> str:
    return f"{measure} ({role}; {person} of the person's strides)"


def _mean_sd(spread: Spread) -> str:
    return f"{_number(spread.mean)} ({_number(spread.sd)})"


def _median_iqr(spread: Spread) -> str:
    return f"{_number(spread.median)} [{_number(spread.q1)} to {_number(spread.q3)}]"


def _with_interval(each: Difference) -> str:
    if each.low is None:
        return f"{_number(each.mean)} [none]"
    return f"{_number(each.mean)} [{_number(each.low)} to {_number(each.high)}]"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
