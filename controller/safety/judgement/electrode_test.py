"""Do the electrodes touch the skin? A short train too weak to feel before arming, and the device's answers.

Promises the commands of the test and when it is passed; they are judged like any others, rise limits and all.
Where the limits keep the test below what the device needs to tell, it is not made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.safety.judgement.limits import Limits
from controller.safety.judgement.pulse_schedule import PulseOrder
from controller.safety.judgement.wire import Channels
from drivers.interface import ChannelCommand, ContactCheck

# 15 mA is the least at which a P24 can tell (ScienceMode4, result 10), so it is the width that keeps the test
# from being felt: at the shortest allowed pulse, 20 us, it carries 0.3 uC a phase, where feeling begins at
# 1 uC or more at any width (from memory, unverified). That a P24 tells at 20 us is unverified too.
RATE_HZ = 25.0
STRONG_PULSES = 3  # answered well by each electrode pair: one alone may be chance
TIMEOUT_NS = 2_000_000_000  # a swing in the middle of the test makes it start again; it lasts 0.6 s


@dataclass(frozen=True, slots=True)
class Probe:
    """One channel's share of the test: pulses sent, those of full strength, and the device's good answers."""

    sent: int = 0
    strong: int = 0
    answered: int = 0


@dataclass(frozen=True, slots=True)
class Contact:
    """A test under way: who wants to arm, since when, how far each channel is."""

    by: str
    since_ns: int
    probes: tuple[Probe, ...]


def testable(check: ContactCheck, limits: Limits) -> bool:
    """Whether the limits allow the current the device needs."""
    return min(limits.current_max_ma, limits.rise_max_ma_per_250ms) >= check.current_ma


def command(check: ContactCheck, limits: Limits) -> ChannelCommand:
    """The test pulse: as strong as the device needs, as narrow as the limits allow."""
    rate_hz = min(limits.rate_max_hz, max(limits.rate_min_hz, RATE_HZ))
    return ChannelCommand(check.current_ma, limits.width_min_us, rate_hz)


def start(by: str, now_ns: int, channels: int) -> Contact:
    return Contact(by, now_ns, (Probe(),) * channels)


def wish(contact: Contact, wanted: ChannelCommand) -> Channels:
    """What the test asks of each channel now; nothing of one that has had its pulses."""
    return tuple(wanted if probe.strong < STRONG_PULSES else None for probe in contact.probes)


def sent(contact: Contact, pulses: tuple[PulseOrder, ...], check: ContactCheck) -> Contact:
    """The test after these pulses have left."""
    probes = list(contact.probes)
    for pulse in pulses:
        probe = probes[pulse.channel]
        strong = probe.strong + (pulse.current_ma >= check.current_ma)
        probes[pulse.channel] = replace(probe, sent=probe.sent + 1, strong=strong)
    return replace(contact, probes=tuple(probes))


def left_out(contact: Contact, channel: int) -> Contact:
    """The test after a pulse of ``channel`` has not left after all: it gets its strong ones anew."""
    probes = list(contact.probes)
    probes[channel] = replace(probes[channel], sent=probes[channel].sent - 1, strong=0)
    return replace(contact, probes=tuple(probes))


def answered(contact: Contact, channel: int) -> Contact:
    """The test after the device has found nothing wrong with a pulse of ``channel``."""
    probes = list(contact.probes)
    probes[channel] = replace(probes[channel], answered=probes[channel].answered + 1)
    return replace(contact, probes=tuple(probes))


def passed(contact: Contact) -> bool:
    return all(probe.strong >= STRONG_PULSES and probe.answered >= probe.sent for probe in contact.probes)
