"""What is wrong now, in the words of the fault table: condition, occurrence, signal, suppression.

Promises that a latched alarm stays until the guard has been acknowledged, and that each fault shows once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.safety.judgement.faults import FAULTS, Priority

PASSING_S = 15.0  # an alarm that latches nothing stays long enough to be read


@dataclass(frozen=True, slots=True)
class Alarm:
    """``since_s`` is seconds of the wall clock, for people; ``latched`` until a person acknowledges."""

    fault: str
    priority: Priority
    since_s: float
    last_s: float
    times: int
    detail: str
    latched: bool


ORDER: tuple[Priority, ...] = ("high", "medium", "low")


class Alarms:
    """The alarms by fault; the most urgent first."""

    def __init__(self) -> None:
        self._alarms: dict[str, Alarm] = {}

    def tripped(self, fault: str | None, detail: str, now_s: float) -> None:
        """The guard's latched fault; ``None`` once it is acknowledged."""
        for name, alarm in list(self._alarms.items()):
            if alarm.latched and name != fault:
                del self._alarms[name]
        if fault is not None and fault in FAULTS:
            known = self._alarms.get(fault)
            if known is not None and known.latched:
                self._alarms[fault] = replace(known, detail=detail or known.detail)
            else:
                self._alarms[fault] = Alarm(
                    fault, FAULTS[fault].priority, now_s, now_s, 1, detail, latched=True
                )

    def noticed(self, fault: str, detail: str, now_s: float) -> None:
        """A fault that latches nothing; it ends by itself."""
        known = self._alarms.get(fault)
        if fault not in FAULTS or (known is not None and known.latched):
            return
        if known is not None:
            self._alarms[fault] = replace(known, last_s=now_s, times=known.times + 1, detail=detail)
        else:
            self._alarms[fault] = Alarm(fault, FAULTS[fault].priority, now_s, now_s, 1, detail, latched=False)

    def lasts(self, fault: str, detail: str, now_s: float) -> None:
        """A fault that latches nothing is still there: shown on, and counted once."""
        known = self._alarms.get(fault)
        if known is None:
            self.noticed(fault, detail, now_s)
        elif not known.latched:
            self._alarms[fault] = replace(known, last_s=now_s, detail=detail)

    def now(self, now_s: float) -> tuple[Alarm, ...]:
        """The alarms at ``now_s``."""
        for name, alarm in list(self._alarms.items()):
            if not alarm.latched and now_s - alarm.last_s > PASSING_S:
                del self._alarms[name]
        return tuple(
            sorted(self._alarms.values(), key=lambda alarm: (ORDER.index(alarm.priority), -alarm.since_s))
        )
