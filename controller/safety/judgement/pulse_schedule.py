"""When a pulse is due: on an absolute schedule, and only on a frame that was let through.

The rate is that of each frame, so a first pair closer than the rest (a doublet) and trains of varied rate
need nothing else: the next pulse is due one period of the present rate after the slot of the last. Missed
pulses are never caught up; two of a channel are never closer than the rate limit allows, but for NEAR_NS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from controller.safety.judgement.wire import Channels
from drivers.interface import ChannelCommand, StimulatorCapability

EARLY_NS = 500_000  # a tick this close before the due time fires: waiting for the next would be further off
# Two pulses of a channel may be so much nearer than the rate limit, as the one before was written after its
# tick. Without it a train at 50 Hz on ticks of 5 ms has more than half of its distances a tick too long, with
# half of it a quarter, with it 3 in 100, on a computer with twice the work it can do.
NEAR_NS = 1_000_000


class Metronome(NamedTuple):
    """One channel's schedule: the due time the last pulse stood for, and when it really left."""

    slot_ns: int | None = None  # None while off: the next pulse leaves at once
    fired_ns: int | None = None


def closest_ns(rate_max_hz: float) -> int:
    """The shortest time between two pulses of a channel."""
    return math.ceil(1e9 / rate_max_hz) - NEAR_NS


def written(metronomes: tuple[Metronome, ...], channel: int, t_ns: int) -> tuple[Metronome, ...]:
    """``channel``'s pulse has only now been written: the next one keeps its distance from here."""
    late = metronomes[channel]._replace(fired_ns=t_ns)
    return (*metronomes[:channel], late, *metronomes[channel + 1 :])


@dataclass(frozen=True, slots=True)
class PulseOrder:
    """One biphasic pulse, or a burst of ``cycles`` of them, to be sent now."""

    channel: int
    current_ma: float
    width_us: float
    cycles: int = 1


def quantised(channel: ChannelCommand, capability: StimulatorCapability) -> tuple[float, float]:
    """Current and width as the device can make them, rounded towards less."""
    steps = math.floor(channel.current_ma / capability.current_step_ma + 1e-9)  # 1e-9: 0.3 / 0.1 is 3
    return steps * capability.current_step_ma, float(math.floor(channel.width_us))


def beat(
    now_ns: int, channel: ChannelCommand | None, metronome: Metronome, rate_max_hz: float
) -> tuple[bool, Metronome]:
    """Whether a pulse leaves now, and the schedule after it."""
    if channel is None:
        return False, Metronome(None, metronome.fired_ns)
    period_ns = round(1e9 / channel.rate_hz)
    due_ns = now_ns if metronome.slot_ns is None else metronome.slot_ns + period_ns
    if now_ns < due_ns - EARLY_NS:
        return False, metronome
    if metronome.fired_ns is not None and now_ns - metronome.fired_ns < closest_ns(rate_max_hz):
        return False, metronome
    slot_ns = due_ns if now_ns - due_ns < period_ns else now_ns
    return True, Metronome(slot_ns, now_ns)


def orders(
    now_ns: int,
    channels: Channels,
    metronomes: tuple[Metronome, ...],
    rate_max_hz: float,
    capability: StimulatorCapability,
) -> tuple[tuple[PulseOrder, ...], tuple[Metronome, ...]]:
    """The pulses of all channels that are due at this frame; one too weak for the device is left out."""
    due: list[PulseOrder] = []
    after: list[Metronome] = []
    for index, (channel, metronome) in enumerate(zip(channels, metronomes, strict=True)):
        fires, metronome_after = beat(now_ns, channel, metronome, rate_max_hz)
        after.append(metronome_after)
        if fires and channel is not None:
            current_ma, width_us = quantised(channel, capability)
            if current_ma > 0.0:
                due.append(PulseOrder(index, current_ma, width_us, channel.cycles))
    return tuple(due), tuple(after)
