"""What every page of a report is made of: frame, sections, pictures, tables, the facts of a recording."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from html import escape
from pathlib import Path

from controller.analysis.columns import HEADS, TABLES, dictionary
from controller.analysis.report.figures import Picture
from controller.analysis.tables import Sheet
from controller.record import privacy, wall_clock
from controller.record.reader import NO_END, has_end, messages, unreadable
from controller.record.records import Clock, GuardEvent, GuardSetup

DISCLAIMER = (
    "Dorsi is research software, not a medical device. These figures are for research and development; "
    "no diagnosis or treatment may rest on them."
)
GUARD_HEADS = ("s", "what", "state", "fault", "by", "in words")
TRIPPED_ROW = ' class="tripped"'
SHORT_FACT = 120  # characters; anything longer is folded away


def page_html(title: str, subtitle: str, sections: Sequence[str]) -> str:
    """The whole page, which needs nothing else."""
    return _PAGE.format(
        title=escape(title),
        style=_STYLE,
        subtitle=escape(subtitle),
        disclaimer=escape(DISCLAIMER),
        sections="".join(sections),
    )


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


def sheet_html(sheet: Sheet) -> str:
    table = table_html(sheet.heads, sheet.rows) if sheet.rows else ""
    return table + (f'<p class="note">{escape(sheet.note)}</p>' if sheet.note else "")


def dictionary_html(names: Sequence[str]) -> str:
    """The data dictionary of these exported tables, folded away."""
    made = ""
    for name in names:
        rows = [row[1:] for row in dictionary({name: TABLES[name]})]
        made += f"<details><summary>{escape(name)}</summary>{table_html(HEADS[1:], rows)}</details>"
    return f'<p class="note">What the figures of the exported tables mean, as here.</p>{made}'


def section_html(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>\n"


def figure_html(picture: Picture) -> str:
    data = base64.b64encode(picture.svg()).decode()
    return (
        f'<figure><img src="data:image/svg+xml;base64,{data}" alt="{escape(picture.title)}">'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )


def limits_html(recording: Path) -> str:
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
    table = table_html(("limit", "value", "tightest set by"), rows)
    return f'{table}<p class="note">{escape(note)}</p>'


def event_words(begin_ns: int, event: GuardEvent) -> tuple[str, ...]:
    """One thing the guard said, as a row below GUARD_HEADS."""
    time_s = (event.t_ns - begin_ns) / 1e9
    word = privacy.guard_word(event)
    return f"{time_s:.3f}", word.kind, word.state, word.fault or "", word.by, word.text


def table_html(heads: Sequence[str], rows: Sequence[Sequence[str]], tripped: Collection[int] = ()) -> str:
    head = "".join(f'<th scope="col">{escape(word)}</th>' for word in heads)
    body = "".join(
        f"<tr{TRIPPED_ROW if number in tripped else ''}>"
        + "".join(f"<td>{escape(word)}</td>" for word in words)
        + "</tr>"
        for number, words in enumerate(rows)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def facts_html(recording: Path, session: Mapping[str, str], hidden: Collection[str] = ()) -> str:
    """The header without ``hidden``: short facts in a list, whole files and parameters folded away."""
    session = {key: value for key, value in privacy.facts(session).items() if key not in hidden}
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
