"""When to stimulate: from heel-off, through swing, past initial contact, then down; never without an end.

Every state has its own time limit, so that a missed event ends the pulses instead of prolonging them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from controller.core.params import Envelope
from controller.core.signals import GaitEvent

PRE_SWING_MAX_S = 0.6  # heel-off not followed by toe-off: a weight shift, not a step
SWING_MAX_S = 1.2  # of one swing, whatever the events say (a proposal)
STOP_FALL_S = 0.1  # something speaks against the lift: down to nothing within this
FALL_MIN_S = 0.01
LATE_NS = 60_000_000  # contacts are known so late as a rule; what comes later shortens the extension
PAUSE_PER_TRAIN = 0.22  # of its length: on for 82 % of a stride, where the guard allows 90 % of 10 s
STANCE_LEFT_S = 0.13  # of a stance, before the heel comes off: a pause with a few ticks to spare
LOADING_LEFT_S = 0.14  # extension and ramp down give way to priming, but not below 12 % of 1.2 s: loading
PAUSE_NS = 110_000_000  # a shorter pause does not end a train (the guard's is 100 ms)
PRIMED_MAX_S = 0.3  # the heel has not come off although it was due: this stance is another

WindowState = Literal["closed", "primed", "pre_swing", "swing", "extension", "falling"]


@dataclass(slots=True)
class Window:
    """The stimulation window of one limb; ``share`` is what is left of the intensity, 0 to 1."""

    envelope: Envelope
    state: WindowState = "closed"
    since_ns: int = -PAUSE_NS
    opened_ns: int = 0
    train_ns: int = 0  # since when it has not been closed for a pause
    contact_ns: int | None = None
    stance_s: float = math.inf  # initial contact to heel-off, as last seen
    fall_s: float = 0.0
    lead_s: float = 0.0  # how long before heel-off the pulses should begin
    withheld: bool = False  # this swing's pulses, by what spoke against them: they may yet begin
    why: str = "waiting for the first heel-off"

    def note(self, event: GaitEvent, now_ns: int, *, against: str = "") -> None:
        """React to an event as it is emitted; ``now_ns`` is the tick's time. Nothing opens ``against`` which
        something speaks.
        """
        if event.kind == "heel_off" and self.contact_ns is not None:
            self.stance_s, self.contact_ns = (now_ns - self.contact_ns) / 1e9, None
        if event.kind in ("heel_off", "toe_off", "initial_contact"):
            self.withheld = bool(against) and event.kind != "initial_contact"
            if self.withheld:
                if self.state == "closed":
                    self.why = against
                return
        if event.kind == "heel_off" and self.state in ("closed", "primed", "falling", "extension"):
            if self.state != "primed":
                self.opened_ns = now_ns
            self._enter("pre_swing", now_ns, "pre-swing: heel is off")
        elif event.kind == "toe_off" and self.state != "swing":
            if self.state not in ("primed", "pre_swing"):
                self.opened_ns = now_ns
            self._enter("swing", now_ns, "swing: toe is off")
        elif event.kind == "initial_contact" and self.state in ("primed", "pre_swing", "swing"):
            self.contact_ns = now_ns
            self._enter("extension", now_ns, "extension past initial contact")
            self.since_ns = min(now_ns, event.t_ns + LATE_NS)  # the foot has been down since then

    def prime(self, now_ns: int) -> None:
        """The heel is due to come off: pulses too weak to move anything may begin, after a whole pause."""
        pause_ns = max(PAUSE_NS, int(PAUSE_PER_TRAIN * (self.since_ns - self.train_ns)))
        if self.state == "closed" and now_ns - self.since_ns >= pause_ns:
            self._enter("primed", now_ns, "primed: heel-off is due, below motor threshold")
            self.opened_ns = now_ns

    def tick(self, now_ns: int, *, against: str = "", swinging: bool = False) -> None:
        """Let time pass: the state's own limit, and the end of what something speaks ``against``.

        ``swinging``: the limb is well in a swing; where nothing speaks against it any more, it is lifted yet.
        """
        age_s = (now_ns - self.since_ns) / 1e9
        if self.state in ("pre_swing", "swing") and against:
            self.withheld = True
            self._fall(now_ns, STOP_FALL_S, f"{against}: ramping down")
        elif self.state in ("closed", "falling") and self.withheld and swinging and not against:
            self.opened_ns, self.withheld = now_ns, False
            self._enter("swing", now_ns, "swing: goes on")
        elif self.state == "primed" and age_s > PRIMED_MAX_S:
            self._fall(now_ns, STOP_FALL_S, "no heel-off when it was due: ramping down")
        elif self.state == "pre_swing" and age_s > PRE_SWING_MAX_S:
            self._fall(now_ns, self.envelope.fall_s, "no toe-off after heel-off: ramping down")
        elif self.state == "swing" and age_s > SWING_MAX_S:
            self._fall(now_ns, self.envelope.fall_s, "no initial contact in time: ramping down")
        elif self.state == "extension" and age_s > min(self.envelope.extension_s, self._loading_s() / 2):
            fall_s = min(self.envelope.fall_s, max(FALL_MIN_S, self._loading_s() - age_s))
            self._fall(now_ns, fall_s, "foot is loaded: ramping down")
        elif self.state == "falling" and age_s >= self.fall_s:
            self._enter("closed", now_ns, against or "stance: waiting for heel-off")

    def share(self, now_ns: int) -> float:
        """What the ramp down has left of the intensity: 1 while open, 0 when closed."""
        if self.state == "closed":
            return 0.0
        if self.state != "falling":
            return 1.0
        return max(0.0, 1.0 - (now_ns - self.since_ns) / 1e9 / self.fall_s)

    def _loading_s(self) -> float:
        """What a stance as short as the last one leaves for extension and ramp down, its pause kept."""
        train_s = (self.since_ns - self.train_ns) / 1e9  # up to initial contact
        paused_s = (self.stance_s - PAUSE_PER_TRAIN * train_s) / (1.0 + PAUSE_PER_TRAIN)
        most_s = min(paused_s, self.stance_s - STANCE_LEFT_S)
        return max(FALL_MIN_S, min(most_s, max(LOADING_LEFT_S, most_s - self.lead_s)))

    def _fall(self, now_ns: int, fall_s: float, why: str) -> None:
        self.fall_s = fall_s
        self._enter("falling", now_ns, why)

    def _enter(self, state: WindowState, now_ns: int, why: str) -> None:
        if self.state == "closed" and now_ns - self.since_ns >= PAUSE_NS:
            self.train_ns = now_ns
        self.state, self.since_ns, self.why = state, now_ns, why
