"""Changes of settings as the controller process takes them: validated whole, applied at a boundary.

Promises that a change is applied whole between two windows, or refused with a reason; both are told. Refuses
a change that was made from settings which no longer hold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from controller.config.tunables import Allowed, objections, values, with_values
from controller.core.params import CoreParams, objection
from controller.record.records import Audit, Change

BY_MAX, REASON_MIN, REASON_MAX = 20, 3, 300  # characters
PREVIEW_MAX = 20  # figures
CEILING = "limits.current_max_ma"
CURRENTS = ("trapezoid.current_ma", CEILING)
SAME_MA = 1e-3  # allowed ranges are told with three digits
KEPT = 60  # entries, of a few hundred bytes each, of the trail that a console which comes later is told


def unsigned(by: str, reason: str) -> str:
    """Why a change with this name and this reason is not taken; empty where it is."""
    if not 0 < len(by.strip()) <= BY_MAX:
        return f"by: found {len(by.strip())} characters, allowed: 1 to {BY_MAX}"
    if not REASON_MIN <= len(reason.strip()) <= REASON_MAX:
        return f"reason: found {len(reason.strip())} characters, allowed: {REASON_MIN} to {REASON_MAX}"
    return ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person at the console asks for; ``version`` is that of the settings they looked at."""

    version: int
    wanted: dict[str, float]
    by: str
    reason: str
    utc_ns: int
    kind: Literal["change", "undo"] = "change"
    preview: dict[str, float] = field(default_factory=dict)


class Tuning:
    """The settings of one core, and the change that waits for the boundary."""

    def __init__(self, params: CoreParams, allowed: Mapping[str, Allowed]) -> None:
        self.params = params
        self._allowed = dict(allowed)
        self._version = 0
        self._waiting: tuple[CoreParams, Audit] | None = None
        self._lowering: Audit | None = None
        ceiling = self._allowed.get(CEILING)
        self._ceiling_ma = params.pulse.current_max_ma if ceiling is None else ceiling.high
        self._trail: deque[Audit] = deque(maxlen=KEPT)

    @property
    def version(self) -> int:
        """Counts the changes taken."""
        return self._version

    @property
    def waiting(self) -> bool:
        return self._waiting is not None or self._lowering is not None

    @property
    def allowed(self) -> dict[str, Allowed]:
        return self._allowed

    @property
    def trail(self) -> tuple[Audit, ...]:
        """The newest last."""
        return tuple(self._trail)

    def note(self, entry: Audit) -> None:
        """Something else that a person did, into the trail."""
        self._trail.append(entry)

    def ask(self, now_ns: int, wish: Wish) -> Audit | None:
        """Keep the wish for the boundary; or the entry that says why it was refused."""
        standing = values(self.params)
        changes = tuple(
            Change(key, standing.get(key, 0.0), new)
            for key, new in wish.wanted.items()
            if new != standing.get(key)
        )
        why = self._why_not(wish, changes)
        if not why:
            new = with_values(self.params, {change.key: change.new for change in changes})
            why = objection(self.params, new)
        if why:
            by, reason = wish.by[:BY_MAX], wish.reason[:REASON_MAX]
            entry = Audit(now_ns, wish.utc_ns, "refused", by, reason, self._version, text=why)
            self._trail.append(entry)
            return entry
        self._version += 1
        entry = Audit(
            now_ns, wish.utc_ns, wish.kind, wish.by, wish.reason, self._version, changes, wish.preview
        )
        self._waiting = (new, entry)
        return None

    def tighten(self, current_max_ma: float, by: str, utc_ns: int) -> None:
        """The guard lets no more than this out from now on: no plan goes beyond, from the next boundary on.

        Needs no preview, as it is less; no wish raises it again.
        """
        if current_max_ma > self._ceiling_ma - SAME_MA:
            return
        self._ceiling_ma = current_max_ma
        for key in CURRENTS:
            if key in self._allowed:
                low, high = self._allowed[key].low, self._allowed[key].high
                name = "current_max_ma, session"
                most_ma = min(high, current_max_ma)
                self._allowed[key] = Allowed(min(low, most_ma), most_ma, name)
        before, after = values(self.params), values(self._capped(self.params))
        changes = tuple(Change(key, before[key], after[key]) for key in CURRENTS if after[key] != before[key])
        self._version += 1
        text = f"largest current {current_max_ma:g} mA"
        self._lowering = Audit(0, utc_ns, "setup", by[:BY_MAX], "", self._version, changes, text=text)

    def _capped(self, params: CoreParams) -> CoreParams:
        over = {key: self._ceiling_ma for key in CURRENTS if values(params)[key] > self._ceiling_ma}
        params = with_values(params, over)
        if params.second is not None and params.second.current_max_ma > self._ceiling_ma:
            params = replace(params, second=replace(params.second, current_max_ma=self._ceiling_ma))
        return params

    def _why_not(self, wish: Wish, changes: tuple[Change, ...]) -> str:
        if wish.version != self._version:
            return f"stale: made from version {wish.version} of the settings, now is {self._version}"
        if self._waiting is not None:
            return "busy: a change waits for the end of the stride"
        if why := unsigned(wish.by, wish.reason):
            return why
        if len(wish.preview) > PREVIEW_MAX:
            return f"preview: found {len(wish.preview)} figures, allowed: at most {PREVIEW_MAX}"
        wrong = objections(wish.wanted, self._allowed)
        if wrong:
            return "; ".join(wrong)
        return "" if changes else "nothing changed"

    def take(self, now_ns: int) -> tuple[CoreParams, Audit] | None:
        """At a boundary: the new settings and their entry, in force from now on; ``None`` where none wait."""
        if self._waiting is not None:
            params, entry = self._waiting
            self._waiting = None
        elif self._lowering is not None:
            params, entry = self.params, self._lowering
            self._lowering = None
        else:
            return None
        self.params = self._capped(params)
        entry = replace(entry, t_ns=now_ns)
        self._trail.append(entry)
        return self.params, entry
