"""``dorsi report --pdf``: the report for paper: a summary, then a picture a page, then the tables.

Promises A4 throughout, the pictures as vectors and the tables whole. Refuses what the reader refuses.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from controller.analysis.report.figures import STYLE, Picture
from controller.analysis.tables import Sheet

A4_INCHES = (8.27, 11.69)
MARGIN_INCHES = 0.6
LINE_INCHES = 0.145
TITLE_INCHES = 0.3
CAPTION_COLUMNS = 19.0  # characters of 7 points an inch
FONT_POINTS = 7.0
COLUMNS = 118  # characters of that size between the margins: 0.602 of its height wide
LINES = int((A4_INCHES[1] - 2 * MARGIN_INCHES) / LINE_INCHES)
CELL_MAX = 44
HEAD_MAX = 12
GAP = "  "
BOLD = "\0"  # begins a line that is a head


@dataclass(frozen=True, slots=True)
class Paper:
    """What the pages say; the first sheet is the summary. ``who`` is a pseudonym, or empty."""

    title: str
    who: str
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
        pages = _pages(paper)
        for number, page in enumerate(pages, 1):
            figure = page()
            words = " · ".join(
                part for part in (paper.who, paper.title, f"page {number} of {len(pages)}") if part
            )
            figure.text(0.5, 0.5 * MARGIN_INCHES / figure.get_figheight(), words, ha="center", fontsize=7)
            pdf.savefig(figure)


def _pages(paper: Paper) -> list[Callable[[], Figure]]:
    """The summary, the pictures, the other tables; each is drawn when its turn comes."""
    summary, *others = paper.sheets
    head = [BOLD + paper.title, *([f"Person: {paper.who}"] if paper.who else [])]
    for words in (paper.subtitle, paper.disclaimer):
        head += ["", *textwrap.wrap(words, COLUMNS)]
    texts = [[*head, "", *_lines(summary)], [line for sheet in others for line in (*_lines(sheet), "")]]
    first, rest = (
        [partial(_text_page, lines[at : at + LINES]) for at in range(0, len(lines), LINES)] for lines in texts
    )
    return [*first, *(partial(_picture_page, picture) for picture in paper.pictures), *rest]


def _picture_page(picture: Picture) -> Figure:
    """The figure as large as A4 lets it be, upright or across, its words smaller by as much."""
    figure = picture.figure
    width, height = figure.get_size_inches()
    page = A4_INCHES if height > width else A4_INCHES[::-1]
    caption = textwrap.wrap(picture.caption, int(CAPTION_COLUMNS * (page[0] - 2 * MARGIN_INCHES)))
    below = MARGIN_INCHES + (len(caption) + 1) * LINE_INCHES
    room = page[0] - 2 * MARGIN_INCHES, page[1] - below - MARGIN_INCHES - TITLE_INCHES
    _scale_words(figure, min(1.0, room[0] / width, room[1] / height))
    figure.set_size_inches(page)
    left, foot = MARGIN_INCHES / page[0], below / page[1]
    inside = (left, foot, room[0] / page[0], room[1] / page[1])
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=inside))
    figure.draw_without_rendering()  # keeps room for the legend, and puts it at the page's edge
    figure.set_layout_engine("none")
    for legend in figure.legends:
        legend.set_bbox_to_anchor(inside, transform=figure.transFigure)
    figure.text(left, 1 - MARGIN_INCHES / page[1], picture.title, va="top", fontsize=10, weight="bold")
    figure.text(left, foot - LINE_INCHES / page[1], "\n".join(caption), va="top", fontsize=7)
    return figure


def _scale_words(figure: Figure, scale: float) -> None:
    for axes in figure.axes:
        axes.tick_params(labelsize=scale * float(mpl.rcParams["font.size"]))
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_fontsize(scale * float(text.get_fontsize()))


def _text_page(lines: Sequence[str]) -> Figure:
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
