"""The stride clock: where in the stride the limb is now, when the next events are due, and whether it walks
at all.

Promises a phase that never runs past an event not yet seen and no walking after a stop; refuses to
extrapolate over silence.
"""

from __future__ import annotations

from typing import NamedTuple

from controller.core.signals import EventKind, GaitEvent

LEARN = 0.4
# usual shares of the stride before a leg has shown its own (adult and child means, Schwartz 2008, Pinzone
# 2014)
USUAL_SHARE: tuple[tuple[EventKind, float], ...] = (
    ("initial_contact", 0.0),
    ("foot_flat", 0.10),
    ("heel_off", 0.42),
    ("toe_off", 0.62),
    ("mid_swing", 0.80),
)
STRIDE_MIN_S = 0.5
STRIDE_MAX_S = 3.0  # beyond it, two contacts are not one stride
SILENCE_S = 0.3
OVERDUE = 1.5  # strides
SURE_STRIDES = 1  # measured once in a session: before it, nothing is known of this leg's steps
SPREAD_START = 0.08  # of the stride, until strides have shown their own spread


class GaitPhase(NamedTuple):  # made at every tick, in a quarter of a frozen dataclass's time
    """The stride as believed at one instant.

    ``phase_percent`` runs from 0 at initial contact to 100, ``None`` while not walking or before the first
    stride is known. ``next_*_ns`` are predictions, ``uncertainty_ns`` their standard deviation.
    ``confidence`` is between 0 and 1.
    """

    phase_percent: float | None
    in_swing: bool
    walking: bool
    strides: int
    stride_s: float | None
    last_event: EventKind | None
    since_last_event_s: float | None
    next_initial_contact_ns: int | None
    next_heel_off_ns: int | None
    next_toe_off_ns: int | None
    uncertainty_ns: int | None
    confidence: float


class StrideClock:
    """Learns stride time and event shares from events; ``at`` extrapolates and changes nothing."""

    def __init__(self) -> None:
        self._shares: dict[EventKind, float] = dict(USUAL_SHARE)
        self._seen: dict[EventKind, int] = {}
        self._contact_ns: int | None = None
        self._step_ns: int | None = None
        self._step_level = self._ahead = False
        self._level = True
        self._event_ns = 0
        self.sample_ns = 0
        self._last_kind: EventKind | None = None
        self._spread_s = 0.0
        self._measured = 0
        self._overdue = False  # the last stop was an overdue contact
        self.stride_s: float | None = None
        self.strides = 0
        self.walking = False
        self.in_swing = False
        self.confidence = 0.0

    def event(self, event: GaitEvent, *, ahead: bool) -> None:
        """Take one event in the order of emission; ``ahead`` where a contact ended a step forward."""
        self._event_ns = event.t_ns
        self._last_kind = event.kind
        self.confidence = event.confidence
        if event.kind == "initial_contact":
            self._contact(event.t_ns, ahead=ahead)
        else:
            self._seen[event.kind] = event.t_ns

    def settle(self, *, level: bool) -> None:
        """The stance ends; what the stride before it was is known better than at its contact."""
        self._level = level
        if self._ahead:
            self._step_level = level
            self.walking = level and self._sure

    def stop(self, *, overdue: bool = False) -> None:
        """The limb stands, turns or hangs still: no phase until it steps again.

        Contacts that are ``overdue`` twice running belong to a slower pace: the stride is measured anew.
        """
        if overdue and self._overdue:
            self.stride_s = None
        self._overdue = overdue
        self.walking = self._ahead = False
        self._contact_ns = None
        self._seen = {}

    @property
    def stepping(self) -> bool:
        """The last contact ended a step forward and no stop has come since, on the level or not."""
        return self._ahead and self._contact_ns is not None

    @property
    def setting_off(self) -> bool:
        """The limb has stepped forward once, on the level as far as is known, and no stride was measured yet.

        How high the step was is known best when its stance ends.
        """
        return self.stepping and self._step_level and not self._sure

    def overdue(self, t_ns: int) -> bool:
        """No next contact for much longer than a stride."""
        if self._contact_ns is None:
            return False
        limit_s = OVERDUE * self.stride_s if self.stride_s is not None else STRIDE_MAX_S
        return (t_ns - self._contact_ns) * 1e-9 > limit_s

    def resume(self, t_ns: int) -> None:
        """The limb swings ahead from standing: it walks, though no contact has shown it yet."""
        if self._step_level or self._step_ns is None or (t_ns - self._step_ns) * 1e-9 > STRIDE_MAX_S:
            self.walking = self._sure

    def _contact(self, t_ns: int, *, ahead: bool) -> None:
        self.strides += 1
        self._ahead = ahead
        self._step_level = ahead and self._level
        self._step_ns = t_ns
        if self._contact_ns is not None:
            self._overdue = False
            stride_s = (t_ns - self._contact_ns) * 1e-9
            if STRIDE_MIN_S <= stride_s <= STRIDE_MAX_S:
                self._learn(stride_s)
        self.walking = self._step_level and self._sure
        self._contact_ns = t_ns
        self._seen = {}

    @property
    def _sure(self) -> bool:
        """The stride's time, and with it the phase, has been measured."""
        return self._measured >= SURE_STRIDES

    def _learn(self, stride_s: float) -> None:
        self._measured += 1
        if self.stride_s is None:
            self.stride_s = stride_s
            self._spread_s = SPREAD_START * stride_s
        else:
            off = stride_s - self.stride_s
            self.stride_s += LEARN * off
            self._spread_s += 0.2 * (
                1.25 * abs(off) - self._spread_s
            )  # sigma of a normal law from its mean deviation
        assert self._contact_ns is not None
        for kind, t_ns in self._seen.items():
            share = (t_ns - self._contact_ns) * 1e-9 / stride_s
            if 0.0 < share < 1.0:
                self._shares[kind] += LEARN * (share - self._shares[kind])

    def _due_ns(self, kind: EventKind, contact_ns: int, stride_s: float, *, late: bool) -> int:
        """When ``kind`` is next due: within this stride, or where it came already in the next one."""
        return contact_ns + round((self._shares[kind] + (1.0 if late else 0.0)) * stride_s * 1e9)

    def at(self, now_ns: int) -> GaitPhase:
        walking = self.walking and (now_ns - self.sample_ns) * 1e-9 <= SILENCE_S
        contact_ns, stride_s, seen = self._contact_ns, self.stride_s, self._seen
        percent: float | None = None
        contact_due_ns: int | None = None
        heel_off_due_ns: int | None = None
        toe_off_due_ns: int | None = None
        if walking and contact_ns is not None and stride_s is not None:
            lifted = "toe_off" in seen
            percent = self._percent(now_ns, contact_ns, stride_s)
            contact_due_ns = self._due_ns("initial_contact", contact_ns, stride_s, late=True)
            heel_off_due_ns = self._due_ns(
                "heel_off", contact_ns, stride_s, late=lifted or "heel_off" in seen
            )
            toe_off_due_ns = self._due_ns("toe_off", contact_ns, stride_s, late=lifted)
        return GaitPhase(
            percent,
            walking and self.in_swing,
            walking,
            self.strides,
            stride_s,
            self._last_kind,
            None if self._last_kind is None else (now_ns - self._event_ns) * 1e-9,
            contact_due_ns,
            heel_off_due_ns,
            toe_off_due_ns,
            round(self._spread_s * 1e9) if stride_s is not None else None,
            self.confidence if walking else 0.0,
        )

    def _percent(self, now_ns: int, contact_ns: int, stride_s: float) -> float:
        """Linear from the last event's share at the usual stride time, held at the share of the next
        unseen.
        """
        base, base_ns, ceiling = 0.0, contact_ns, 1.0
        toe_off_ns = self._seen.get("toe_off")
        if toe_off_ns is None:
            ceiling = self._shares["toe_off"]
        else:
            base, base_ns = self._shares["toe_off"], toe_off_ns
        share = base + (now_ns - base_ns) * 1e-9 / stride_s
        return 100.0 * max(base, min(ceiling, share))
