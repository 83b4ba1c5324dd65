"""The contractions of an exercise: trains that really left open loop, which count towards the unlock.

A contraction is whole when its current has ended. Pulses of the electrodes' test, of a test train or of
feedback belong to none.
"""

from __future__ import annotations

from controller.safety.judgement.frame_check import MS, TRAIN_PAUSE_NS
from controller.safety.judgement.guard_types import NOTHING, Known, Reaction, Setup
from controller.safety.judgement.requests import on_response
from controller.safety.judgement.staged_unlock import Contraction
from controller.safety.judgement.wire import Channels

WHOLE_NS = 500 * MS  # from the first pulse to the last: shorter is a twitch or a trial; a proposal


def after_pulse(now_ns: int, setup: Setup, known: Known) -> Known:
    """``known`` after a pulse has been written."""
    if setup.config.caps == "gait" or known.contact is not None or not known.frame_open_loop:
        return known
    first_ns = now_ns if known.contraction is None else known.contraction.first_ns
    return known._replace(contraction=Contraction(first_ns, now_ns))


def after_frame(now_ns: int, given: Channels, setup: Setup, known: Known) -> tuple[Reaction, Known]:
    """A frame of which ``given`` was let through; without current for long enough, a contraction is whole."""
    on = any(channel is not None and channel.current_ma > 0.0 for channel in given)
    if on or known.contraction is None or now_ns - known.contraction.last_ns < TRAIN_PAUSE_NS:
        return NOTHING, known
    lasted_ns = known.contraction.last_ns - known.contraction.first_ns
    known = known._replace(contraction=None)
    if lasted_ns < WHOLE_NS:
        return NOTHING, known
    return on_response(f"A contraction of {lasted_ns / 1e9:.1f} s was given.", setup, known)
