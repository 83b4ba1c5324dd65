"""What a stride is and how it is measured: the one definition for console, report, MQTT, exports, benchmarks.

A stride goes from one initial contact of the leg to its next and lasts at most ``STRIDE_MAX_NS``; a longer
pause is a stop. Its swing goes from toe-off to the contact that ends it. Its angles at contact are those of
the contact that begins it, its landing is the contact that ends it. What no sensor showed is None, as is an
angle that no body can have.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple, Protocol

from controller.core.gait.joint_range import possible_ankle_deg, possible_pitch_deg
from controller.core.signals import GaitEvent
from controller.record.records import Pulse
from controller.record.stride_state import StrideState

STRIDE_MAX_NS = 3_000_000_000  # half of the slowest cadence in field use
# A tick's verdict comes within milliseconds; its pulses are complete when ticks have gone on for so long.
SETTLED_NS = 200_000_000
REMEMBERED_NS = STRIDE_MAX_NS + 1_000_000_000  # the longest stride, and the delay of its last event


class TickAngles(NamedTuple):
    """The foot at one tick, degrees (toe-up and dorsiflexion +); NaN where it is not known."""

    now_ns: int
    foot_pitch_deg: float
    ankle_deg: float
    reference_pitch_deg: float
    swing: bool


class Angles(Protocol):
    """What a core's view, or a part of it, tells of the foot."""

    @property
    def foot_pitch_deg(self) -> float | None: ...
    @property
    def ankle_deg(self) -> float | None: ...
    @property
    def reference_pitch_deg(self) -> float | None: ...
    @property
    def swing(self) -> bool: ...


def tick_angles(now_ns: int, view: Angles) -> TickAngles:
    return TickAngles(
        now_ns,
        _number(possible_pitch_deg(view.foot_pitch_deg)),
        _number(possible_ankle_deg(view.ankle_deg)),
        _number(view.reference_pitch_deg),
        view.swing,
    )


@dataclass(frozen=True, slots=True)
class Stride:
    """One stride; times in ns of monotonic time, angles in degrees, None where they are not known.

    ``swing_pitch_rmse_deg`` is the foot's pitch against the reference, r.m.s. over the ticks in swing;
    ``peak_swing_dorsiflexion_deg`` the largest ankle angle of them. ``charge_uc`` is the phase charge of
    all pulses from the first contact on and before the next one. ``landing_pitch_deg`` is the foot's pitch
    at the contact that ends the stride, ``landing_reference_deg`` the reference where its swing ended, and
    ``swing_shortfall_deg`` how far the foot was below the reference in the mean over the ticks in swing.
    """

    initial_contact_ns: int
    toe_off_ns: int | None
    next_initial_contact_ns: int
    ankle_at_initial_contact_deg: float | None
    foot_pitch_at_initial_contact_deg: float | None
    peak_swing_dorsiflexion_deg: float | None
    swing_pitch_rmse_deg: float | None
    charge_uc: float = 0.0
    pulses: int = 0
    current_max_ma: float = 0.0
    state: StrideState = "counted"
    landing_pitch_deg: float | None = None
    landing_reference_deg: float | None = None
    swing_shortfall_deg: float | None = None

    @property
    def duration_s(self) -> float:
        return (self.next_initial_contact_ns - self.initial_contact_ns) / 1e9

    @property
    def swing_s(self) -> float | None:
        return None if self.toe_off_ns is None else (self.next_initial_contact_ns - self.toe_off_ns) / 1e9

    @property
    def swing_percent(self) -> float | None:
        """Swing's share of the stride."""
        return None if self.swing_s is None else 100.0 * self.swing_s / self.duration_s

    @property
    def cadence_spm(self) -> float:
        """Steps a minute, two to the stride."""
        return 120.0 / self.duration_s


def is_stride(contact_ns: int, next_contact_ns: int) -> bool:
    """Whether two initial contacts in a row are one stride."""
    return 0 < next_contact_ns - contact_ns <= STRIDE_MAX_NS


def measure(
    contact_ns: int,
    next_contact_ns: int,
    ticks: Sequence[TickAngles],
    toe_offs_ns: Iterable[int],
    pulses: Iterable[Pulse],
) -> Stride:
    """The stride between two contacts. ``ticks`` are in order and not empty; all may reach beyond it."""
    at_contact, at_landing = _tick_at(ticks, contact_ns), _tick_at(ticks, next_contact_ns)
    swing = [tick for tick in ticks if contact_ns <= tick.now_ns < next_contact_ns and tick.swing]
    errors_deg = [tick.foot_pitch_deg - tick.reference_pitch_deg for tick in swing]
    known_deg = [error_deg for error_deg in errors_deg if math.isfinite(error_deg)]
    ankles_deg = [tick.ankle_deg for tick in swing if math.isfinite(tick.ankle_deg)]
    targets_deg = [tick.reference_pitch_deg for tick in swing if math.isfinite(tick.reference_pitch_deg)]
    charge_uc, count, current_max_ma = dose(contact_ns, next_contact_ns, pulses)
    return Stride(
        initial_contact_ns=contact_ns,
        toe_off_ns=next((t_ns for t_ns in toe_offs_ns if contact_ns < t_ns < next_contact_ns), None),
        next_initial_contact_ns=next_contact_ns,
        ankle_at_initial_contact_deg=_known(at_contact.ankle_deg),
        foot_pitch_at_initial_contact_deg=_known(at_contact.foot_pitch_deg),
        peak_swing_dorsiflexion_deg=max(ankles_deg, default=None),
        swing_pitch_rmse_deg=rms(known_deg),
        charge_uc=charge_uc,
        pulses=count,
        current_max_ma=current_max_ma,
        landing_pitch_deg=_known(at_landing.foot_pitch_deg),
        landing_reference_deg=targets_deg[-1] if targets_deg else None,
        swing_shortfall_deg=-math.fsum(known_deg) / len(known_deg) if known_deg else None,
    )


def _tick_at(ticks: Sequence[TickAngles], t_ns: int) -> TickAngles:
    """The last tick that is not after ``t_ns``, or the first one."""
    return ticks[max(0, bisect_right(ticks, t_ns, key=attrgetter("now_ns")) - 1)]


def dose(contact_ns: int, next_contact_ns: int, pulses: Iterable[Pulse]) -> tuple[float, int, float]:
    """Charge (uC), number and largest current (mA) of the pulses of a stride."""
    inside = [pulse for pulse in pulses if contact_ns <= pulse.t_ns < next_contact_ns]
    charge_uc = math.fsum(pulse.charge_uc for pulse in inside)
    return charge_uc, len(inside), max((pulse.current_ma for pulse in inside), default=0.0)


def rms(values: Sequence[float]) -> float | None:
    return math.sqrt(math.fsum(value * value for value in values) / len(values)) if values else None


class StrideMeter:
    """Strides from ticks and pulses as they pass, in bounded space: each once its pulses are complete."""

    def __init__(self) -> None:
        self._ticks: deque[TickAngles] = deque()
        self._pulses: deque[Pulse] = deque()
        self._toe_offs_ns: deque[int] = deque(maxlen=16)
        self._contact_ns: int | None = None
        self._closed: deque[tuple[int, int]] = deque()  # contacts of strides that wait for their pulses

    def take_pulses(self, pulses: Iterable[Pulse]) -> None:
        self._pulses.extend(pulses)

    def take_tick(self, tick: TickAngles, events: Iterable[GaitEvent]) -> list[Stride]:
        """The strides that are complete with this tick."""
        self._ticks.append(tick)
        for event in events:
            if event.kind == "toe_off":
                self._toe_offs_ns.append(event.t_ns)
            elif event.kind == "initial_contact":
                if self._contact_ns is not None and is_stride(self._contact_ns, event.t_ns):
                    self._closed.append((self._contact_ns, event.t_ns))
                self._contact_ns = event.t_ns
        found = []
        while self._closed and tick.now_ns >= self._closed[0][1] + SETTLED_NS:
            found.append(self._measured(*self._closed.popleft()))
        if not self._closed:
            self._forget(tick.now_ns - REMEMBERED_NS)
        return found

    def end(self) -> list[Stride]:
        """The strides whose pulses were still waited for when the records ended."""
        found = [self._measured(*contacts) for contacts in self._closed]
        self._closed.clear()
        return found

    def _measured(self, contact_ns: int, next_contact_ns: int) -> Stride:
        return measure(contact_ns, next_contact_ns, list(self._ticks), self._toe_offs_ns, self._pulses)

    def _forget(self, before_ns: int) -> None:
        while self._ticks and self._ticks[0].now_ns < before_ns:
            self._ticks.popleft()
        while self._pulses and self._pulses[0].t_ns < before_ns:
            self._pulses.popleft()


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
