"""The audit trail: who changed what, when, why, and what the preview had said.

Promises every entry the controller and the set-up made in this session, the newest first.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from controller.config.tunables import BY_KEY
from controller.console.i18n import Texts
from controller.console.render import render
from controller.ipc import bus
from controller.record import records
from controller.record.records import Audit

# Reasons that no person typed, and the words for them.
REASONS = {
    "intensity": "exercise.intensity",
    "tap": "strength.tap",
    "tap taken back": "strength.tap_taken_back",
}
HEADS = ("when", "who", "kind", "what", "why", "preview")


@dataclass(frozen=True, slots=True)
class Row:
    """One entry in words; of each change its name, and the number before and after."""

    entry: Audit
    when: str
    changes: Sequence[tuple[str, str, str]]
    text: str
    why: str
    seen: str


def trail_table(texts: Texts, entries: Sequence[Audit]) -> Markup:
    """``entries`` in the order given."""
    heads = [texts.get(f"audit.{name}") for name in HEADS]
    return render("tuning/trail", texts, heads=heads, rows=[_row(texts, entry) for entry in entries])


def audit_html(texts: Texts, entries: Sequence[Audit]) -> Markup:
    """The page of the trail."""
    return render("tuning/audit", texts, trail=trail_table(texts, entries))


def _row(texts: Texts, entry: Audit) -> Row:
    t = texts.get
    predicted = entry.preview.get("predicted_error_deg")
    before, after = entry.preview.get("error_deg_before"), entry.preview.get("error_deg_after")
    seen = "–"
    if predicted is not None:
        seen = f"{t('preview.error_deg')} {number(texts, round(predicted, 1))}°"
    elif before is not None and after is not None:
        seen = f"{number(texts, round(before, 1))}° → {number(texts, round(after, 1))}°"
    key = REASONS.get(entry.reason)
    return Row(
        entry=entry,
        when=time.strftime("%H:%M:%S", time.localtime(entry.utc_ns / 1e9)),
        changes=[(_name(texts, c.key), number(texts, c.old), number(texts, c.new)) for c in entry.changes],
        text=texts.own(entry.text),
        why=entry.reason if key is None else t(key),
        seen=seen,
    )


def _name(texts: Texts, key: str) -> str:
    """What was changed: a setting of gait assist, or a muscle's intensity."""
    table, _, muscle = key.removesuffix("_ma").partition(".")
    if table == "intensity" and f"muscle.{muscle}" in texts.words:
        return f"{texts.get('exercise.intensity')}, {texts.get(f'muscle.{muscle}')}, mA:"
    return texts.get(f"knob.{key}.name") if key in BY_KEY else key


def number(texts: Texts, value: float) -> str:
    text = f"{value:.6g}"
    return text.replace(".", ",") if texts.language == "de" else text


def recorded(rig: Path, text: str, by: str) -> Audit:
    """An entry of what somebody did at the console, sent to the recorder where there is one."""
    now_ns = time.monotonic_ns()
    entry = Audit(now_ns, time.time_ns(), "setup", by, "", text=text)
    with contextlib.suppress(TimeoutError, OSError):
        sender = bus.Sender(bus.connect(rig, "recorder", timeout_s=0.0))
        sender.send(bus.pack_record("audit", now_ns, records.encode(entry)))
        sender.close()
    return entry


def newest_first(*sources: Iterable[Audit]) -> list[Audit]:
    """Several trails as one."""
    return sorted((entry for source in sources for entry in source), key=lambda e: -e.utc_ns)
