"""``dorsi report --pdf``: the report for paper, one picture a page, then the tables.

Promises the page's pictures as vectors and its tables whole, on A4. Refuses what the reader refuses.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from controller.analysis.report.figures import STYLE, Picture
from controller.analysis.tables import Sheet

A4_INCHES = (8.27, 11.69)
MARGIN_INCHES = 0.6
LINE_INCHES = 0.145
FONT_POINTS = 7.0
COLUMNS = 118  # characters of that size between the margins: 0.602 of its height wide
LINES = int((A4_INCHES[1] - 2 * MARGIN_INCHES) / LINE_INCHES)
CELL_MAX = 44
HEAD_MAX = 12
GAP = "  "
BOLD = "\0"  # begins a line that is a head


@dataclass(frozen=True, slots=True)
class Paper:
    """What the pages say."""

    title: str
    subtitle: str
    disclaimer: str
    pictures: Sequence[Picture]
    sheets: Sequence[Sheet]


def write_paper(paper: Paper, out: Path) -> None:
    """Write the PDF; the same paper gives the same file."""
    with (
        mpl.rc_context({**STYLE, "pdf.fonttype": 42}),
        PdfPages(out, metadata={"Title": paper.title, "Creator": "Dorsi", "CreationDate": None}) as pdf,
    ):
        head = [*textwrap.wrap(paper.subtitle, 100), "", *textwrap.wrap(paper.disclaimer, 100)]
        for number, picture in enumerate(paper.pictures):
            above = f"{paper.title}\n" + "\n".join(head) + "\n\n" if number == 0 else ""
            figure = picture.figure
            figure.suptitle(above + picture.title, x=0.01, ha="left", fontsize=10)
            caption = "\n".join(textwrap.wrap(picture.caption, int(13 * figure.get_figwidth())))
            figure.text(0.01, -0.01, caption, va="top", fontsize=8)
            pdf.savefig(figure, bbox_inches="tight", pad_inches=MARGIN_INCHES)
        lines = [line for sheet in paper.sheets for line in (*_lines(sheet), "")]
        for first in range(0, len(lines), LINES):
            pdf.savefig(_page(lines[first : first + LINES]))


def _page(lines: Sequence[str]) -> Figure:
    figure = Figure(figsize=A4_INCHES)
    x, top = MARGIN_INCHES / A4_INCHES[0], 1 - MARGIN_INCHES / A4_INCHES[1]
    for number, line in enumerate(lines):
        y = top - number * LINE_INCHES / A4_INCHES[1]
        weight = "bold" if line.startswith(BOLD) else "normal"
        text = figure.text(x, y, line.lstrip(BOLD), va="top", parse_math=False)
        text.set_fontproperties(FontProperties(family="DejaVu Sans Mono", weight=weight, size=FONT_POINTS))
    return figure


def _lines(sheet: Sheet) -> Iterator[str]:
    """A table as lines; what is wider than its column goes on below."""
    yield BOLD + sheet.title
    heads = [_wrapped(head, HEAD_MAX) for head in sheet.heads]
    cells = [heads, *([_wrapped(cell, CELL_MAX) for cell in row] for row in sheet.rows)]
    widths = [max(len(part) for row in cells for part in row[column]) for column in range(len(sheet.heads))]
    for number, row in enumerate(cells if sheet.rows else ()):
        for line in range(max(map(len, row))):
            parts = [cell[line] if line < len(cell) else "" for cell in row]
            text = GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
            yield (BOLD if number == 0 else "") + text
    yield from textwrap.wrap(sheet.note, COLUMNS)


def _wrapped(cell: str, width: int) -> list[str]:
    return textwrap.wrap(cell, width) or [""]
