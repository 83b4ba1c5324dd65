"""Whether the limb walks: steps forward, a stride that has been measured, stops, a contact that is overdue.

No walking after a stop or in silence. Where in the stride the limb is, ``stride_clock.py`` says.
"""

from __future__ import annotations

from controller.core.signals import GaitEvent

LEARN = 0.4
STRIDE_MIN_S = 0.5
STRIDE_MAX_S = 3.0  # beyond it, two contacts are not one stride
SILENCE_S = 0.3
OVERDUE = 1.5  # strides
SURE_STRIDES = 1  # measured once in a session: before it, nothing is known of this leg's steps


class Walking:
    """What the contacts, steps and stops of one limb say of its walking."""

    def __init__(self) -> None:
        self._contact_ns: int | None = None
        self._step_ns: int | None = None
        self._step_level = self._ahead = False
        self._level = True
        self.sample_ns = 0
        self._measured = 0
        self._overdue = False  # the last stop was an overdue contact
        self.stride_s: float | None = None
        self.strides = 0
        self._walks = False

    def event(self, event: GaitEvent, *, ahead: bool) -> None:
        """Take one event in the order of emission; ``ahead`` where a contact ended a step forward."""
        if event.kind == "initial_contact":
            self._contact(event.t_ns, ahead=ahead)

    def settle(self, *, level: bool) -> None:
        """The stance ends; what the stride before it was is known better than at its contact."""
        self._level = level
        if self._ahead:
            self._step_level = level
            self._walks = level and self._sure

    def stop(self, *, overdue: bool = False) -> None:
        """The limb stands, turns or hangs still: it does not walk until it steps again.

        Contacts that are ``overdue`` twice running belong to a slower pace: the stride is measured anew.
        """
        if overdue and self._overdue:
            self.stride_s = None
        self._overdue = overdue
        self._walks = self._ahead = False
        self._contact_ns = None

    @property
    def walks(self) -> bool:
        """As of the last sample."""
        return self._walks

    def at(self, now_ns: int) -> bool:
        """Whether it walks now; nothing is said over silence."""
        return self._walks and (now_ns - self.sample_ns) * 1e-9 <= SILENCE_S

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
            self._walks = self._sure

    def _contact(self, t_ns: int, *, ahead: bool) -> None:
        self.strides += 1
        self._ahead = ahead
        self._step_level = ahead and self._level
        self._step_ns = t_ns
        if self._contact_ns is not None:
            self._overdue = False
            stride_s = (t_ns - self._contact_ns) * 1e-9
            if STRIDE_MIN_S <= stride_s <= STRIDE_MAX_S:
                self._measured += 1
                before_s = stride_s if self.stride_s is None else self.stride_s
                self.stride_s = before_s + LEARN * (stride_s - before_s)
        self._walks = self._step_level and self._sure
        self._contact_ns = t_ns

    @property
    def _sure(self) -> bool:
        """The stride's time, and with it the phase, has been measured."""
        return self._measured >= SURE_STRIDES
