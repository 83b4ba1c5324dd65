"""The guard's line to the stimulator: pulses are written after a last look at age and pace."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from controller.safety.guard_journal import Payload
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import Link, Note, Trouble
from controller.safety.judgement.pulse_schedule import PulseOrder, closest_ns
from drivers.interface import DeviceError, Stimulator

if TYPE_CHECKING:
    from controller.safety.guard import Guard


class StimulatorLine:
    """Whatever fails here is fed to the guard, which then asks for silence."""

    def __init__(self, stimulator: Stimulator, poller: select.poll, guard: Guard) -> None:
        self._stimulator = stimulator
        self._poller = poller
        self._guard = guard
        self._written_ns: dict[int, int] = {}  # by channel, when its last pulse had been written
        self._withheld = 0  # pulses that a guard held up before its writing would have given too close

    def open(self) -> None:
        """This may take a moment: only while nothing may leave."""
        try:
            self._stimulator.open()
        except DeviceError as error:
            self._guard.tell(Note("warning", f"The stimulator does not open: {error}"))
        else:
            self._poller.register(self._stimulator.fileno(), select.POLLIN)
            self._guard.feed(Link(up=True))

    def hear(self) -> None:
        try:
            notices = self._stimulator.poll()
        except DeviceError as error:
            self._failed(error)
            return
        for notice in notices:
            self._guard.feed(notice)
            if notice.measured is not None:
                self._guard.delivered(notice)

    def _failed(self, error: DeviceError) -> None:
        self._unregister()
        self._stimulator.close()
        self._guard.feed(Link(up=False, text=str(error)))

    def _unregister(self) -> None:
        with contextlib.suppress(DeviceError, KeyError, ValueError):
            self._poller.unregister(self._stimulator.fileno())

    def silence(self) -> None:
        """No command, no pulse: what can fail here is only the courtesy of switching the output stage off."""
        self._unregister()
        try:
            self._stimulator.stop()
        except DeviceError as error:
            self._guard.tell(Note("warning", f"The stimulator did not take the stop command: {error}"))

    def close(self) -> None:
        self.silence()
        self._stimulator.close()

    def send(self, pulses: Sequence[PulseOrder], made_ns: int) -> tuple[list[Payload], list[int]]:
        """What was sent, and the channels whose pulse was left out: too close to the last one, or unanswered.

        ``made_ns`` is their frame's tick: a guard that stood still since then lets nothing of it out.
        """
        guard = self._guard
        sent: list[Payload] = []
        left_out: list[int] = []
        limits = guard.setup_now.rules.effective.limits
        age_max_ns = round(limits.frame_age_max_ms * MS)
        for pulse in pulses:
            if guard.notice_sleep():
                break
            now_ns = guard.now_ns()
            age_ns = now_ns - made_ns
            if age_ns > age_max_ns:
                guard.feed(Trouble("F4", f"the guard stood still, its frame is {age_ns // MS} ms old"))
                break
            since_ns = now_ns - self._written_ns.get(pulse.channel, now_ns - closest_ns(limits.rate_max_hz))
            if since_ns < closest_ns(limits.rate_max_hz):
                self._withhold(pulse.channel, since_ns, closest_ns(limits.rate_max_hz))
                left_out.append(pulse.channel)
                continue
            output = guard.setup_now.config.channels[pulse.channel].output
            try:
                packet = self._stimulator.pulse(output, pulse.current_ma, pulse.width_us, pulse.cycles)
            except DeviceError as error:
                self._failed(error)
                break
            if packet is None:
                left_out.append(pulse.channel)
                continue
            written_ns = self._written_ns[pulse.channel] = guard.now_ns()
            guard.left(written_ns, pulse)
            sent.append({"t_ns": written_ns, **asdict(pulse), "packet": packet})
        return sent, left_out

    def _withhold(self, channel: int, since_ns: int, least_ns: int) -> None:
        """The last look before the writing: too close to the pulse before it, so it is left out and told."""
        self._withheld += 1
        text = (
            f"A pulse of channel {channel} came {since_ns / MS:.1f} ms after the one before it, at least "
            f"{least_ns / MS:g} ms are allowed. It was left out; {self._withheld} so far in this session. "
            "Close other programs on this computer if it happens again."
        )
        self._guard.tell(Note("warning", text))
