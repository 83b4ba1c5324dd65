"""What every page of a report is made of: frame, sections, pictures, tables, the facts of a recording."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from controller.analysis.columns import HEADS, TABLES, dictionary
from controller.analysis.report.figures import Picture
from controller.analysis.tables import Sheet
from controller.record import privacy, wall_clock
from controller.record.reader import NO_END, has_end, messages, unreadable
from controller.record.records import Clock, GuardEvent, GuardSetup
from controller.templates import Templates

DISCLAIMER = (
    "Dorsi is research software, not a medical device. These figures are for research and development; "
    "no diagnosis or treatment may rest on them."
)
GUARD_HEADS = ("s", "what", "state", "fault", "by", "in words")
SHORT_FACT = 120  # characters; anything longer is folded away


_TEMPLATES = Templates(Path(__file__).parent / "templates")


def render(name: str, /, **values: object) -> Markup:
    """The HTML of ``templates/NAME.html``."""
    return _TEMPLATES.render(f"{name}.html", **values)


def page_html(title: str, subtitle: str, sections: Sequence[Markup]) -> Markup:
    """The whole page, which needs nothing else."""
    return render("page", title=title, subtitle=subtitle, disclaimer=DISCLAIMER, sections=sections)


def begun_words(recording: Path) -> str:
    """When a recording began, as its clock said; empty where it has none."""
    clocks = [each.record for each in messages(recording, ("clock",)) if isinstance(each.record, Clock)]
    if not clocks:
        return ""
    begin = wall_clock.utc(clocks[0].monotonic_ns, wall_clock.settled_offset_ns(clocks))
    return f"{begin:%Y-%m-%d %H:%M} UTC" if begin else "date not known: the clock was not set"


def unreadable_words(recording: Path) -> str:
    """What is missing: the recording's end, messages that nobody can read; empty where nothing is."""
    bad, said = len(unreadable(recording)), "" if has_end(recording) else NO_END
    if not bad:
        return said
    left = f"{bad} message{'s' if bad > 1 else ''} cannot be read and {'are' if bad > 1 else 'is'} left out"
    return f"{said}; {left}" if said else left


def sheet_html(sheet: Sheet) -> Markup:
    return render("sheet", table=table_html(sheet.heads, sheet.rows) if sheet.rows else "", note=sheet.note)


def folded_html(sheet: Sheet) -> Markup:
    return render("folded", title=sheet.title, content=sheet_html(sheet))


def dictionary_html(names: Sequence[str]) -> Markup:
    """The data dictionary of these exported tables, folded away."""
    rows = {name: [row[1:] for row in dictionary({name: TABLES[name]})] for name in names}
    return render("dictionary", tables=[(name, table_html(HEADS[1:], rows[name])) for name in names])


def section_html(title: str, content: Markup) -> Markup:
    return render("section", title=title, content=content)


def figure_html(picture: Picture) -> Markup:
    data = base64.b64encode(picture.svg()).decode()
    return render("figure", data=data, title=picture.title, caption=picture.caption)


def limits_html(recording: Path) -> Markup:
    """The limits the guard judged by and who set each; the last set-up counts."""
    setup = None
    for message in messages(recording, ("guard/setup",)):
        if isinstance(message.record, GuardSetup):
            setup = message.record
    if setup is None:
        return render("limits", table=None)
    rows = [(name, f"{limit.value:g}", limit.set_by) for name, limit in setup.limits.items()]
    return render(
        "limits",
        table=table_html(("limit", "value", "tightest set by"), rows),
        device=f"{setup.stimulator.name}; {setup.stimulator.own_watchdog}",
        checklist="answered, its answers are in the recording"
        if setup.checklist
        else "not in the patient file",
    )


def event_words(begin_ns: int, event: GuardEvent) -> tuple[str, ...]:
    """One thing the guard said, as a row below GUARD_HEADS."""
    time_s = (event.t_ns - begin_ns) / 1e9
    word = privacy.guard_word(event)
    return f"{time_s:.3f}", word.kind, word.state, word.fault or "", word.by, word.text


def table_html(heads: Sequence[str], rows: Sequence[Sequence[str]], tripped: Collection[int] = ()) -> Markup:
    return render("table", heads=heads, rows=rows, tripped=tripped)


def facts_html(recording: Path, session: Mapping[str, str], hidden: Collection[str] = ()) -> Markup:
    """The header without ``hidden``: short facts in a list, whole files and parameters folded away."""
    session = {key: value for key, value in privacy.facts(session).items() if key not in hidden}
    short = {"recording": recording.name, **{k: v for k, v in session.items() if len(v) <= SHORT_FACT}}
    return render(
        "facts",
        short=list(short.items()),
        long=[(key, value) for key, value in session.items() if key not in short],
    )
