"""What a channel's pulses meet, where the stimulator measures it: pads that dry or lift by half.

A warning (F28) and nothing else: contact that is lost altogether is the device's own fault F20. Pulses are
judged twenty at a time, and only those near the strongest of late, as skin takes weak ones worse. The bounds
are choices of this project; no published one is known to it.
"""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from drivers.interface import MeasuredPulse

BLOCK = 20  # pulses: half a second at 40 Hz, about the swing of one stride
DRY = 1.5  # times the least load since arming: skin under a fresh pad only gets better for minutes
LIFTED = 1.5  # times the block's median: one pad that halves its area doubles its own part of the load
LIFTED_PULSES = 4  # a fifth of the block: fewer are noise
SHARE_MIN = 0.8  # of the charge asked for
NEAR = 0.6  # of the strongest current of late
FADE = 0.999  # a pulse: the strongest of late has halved after some 700, for a person who lowers it
AGAIN_NS = 60_000_000_000  # between two warnings about a channel
FIRST_NS = -(2**62)


class LoadTrack(NamedTuple):
    """Of one channel, since it was armed."""

    strongest_ma: float = 0.0
    loads_ohm: tuple[float, ...] = ()  # of the block under way
    shares: tuple[float, ...] = ()
    least_ohm: float | None = None  # median of the best block
    told_ns: int = FIRST_NS


def heard(now_ns: int, pulse: MeasuredPulse, track: LoadTrack) -> tuple[str, LoadTrack]:
    """What is to be told of the channel, empty where nothing, and what is known from here on."""
    strongest_ma = max(pulse.current_ma, FADE * track.strongest_ma)
    track = track._replace(strongest_ma=strongest_ma)
    if pulse.current_ma < NEAR * strongest_ma:
        return "", track
    if pulse.load_ohm is not None:
        track = track._replace(loads_ohm=(*track.loads_ohm, pulse.load_ohm))
    if pulse.charge_uc is not None:
        track = track._replace(shares=(*track.shares, pulse.charge_uc / pulse.asked_uc))
    if len(track.loads_ohm) >= BLOCK:
        words, track = _load(track)
    elif len(track.shares) >= BLOCK:
        words, track = _share(track)
    else:
        return "", track
    if not words or now_ns - track.told_ns < AGAIN_NS:
        return "", track
    return words, track._replace(told_ns=now_ns)


def _load(track: LoadTrack) -> tuple[str, LoadTrack]:
    usual_ohm = median(track.loads_ohm)
    least_ohm = usual_ohm if track.least_ohm is None else min(usual_ohm, track.least_ohm)
    lifted = sum(load_ohm > LIFTED * usual_ohm for load_ohm in track.loads_ohm)
    track = track._replace(loads_ohm=(), least_ohm=least_ohm)
    if lifted >= LIFTED_PULSES:
        return f"{lifted} of {BLOCK} pulses met half as much load again: a pad lifts as the leg moves", track
    if usual_ohm > DRY * least_ohm:
        return f"load {usual_ohm:.0f} ohm, the least was {least_ohm:.0f} ohm: the pads dry or lift", track
    return "", track


def _share(track: LoadTrack) -> tuple[str, LoadTrack]:
    share = median(track.shares)
    low = sum(one < SHARE_MIN for one in track.shares)
    track = track._replace(shares=())
    if share < SHARE_MIN:
        return f"{100 * share:.0f} % of the charge that was asked for arrives", track
    if low >= LIFTED_PULSES:
        least = 100 * SHARE_MIN
        return f"{low} of {BLOCK} pulses gave less than {least:.0f} % of their charge: a pad lifts", track
    return "", track
