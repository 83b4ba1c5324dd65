"""What drivers share of a stimulator that gives one pulse a command and answers each: what is on its way.

Never waits outside ``open()``. Refuses any pulse that is not within the device's limits, and any before the
device has agreed to stimulate. Leaves one out where it could be given together with another: what is written
into a stalled line is given when the line wakes, and no line can be made to forget it.
"""

from __future__ import annotations

import select
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from drivers.interface import FOREIGN_ANSWER, LEFT_OUT, DeviceError, StimulatorCapability, StimulatorNotice
from drivers.links.serial_link import SerialLink
from drivers.stimulators.framing import Frame, FrameSplitter

# Notice codes beyond the device's own results
NO_ANSWER = -1
NOT_UNDERSTOOD = -2
LATE = -3
BROKEN_ANSWERS = -4


@dataclass(frozen=True, slots=True)
class Asked:
    """A command on its way: which, for which channel, since when."""

    command: int
    channel: int | None
    sent_ns: int
    pulse: tuple[float, float, int] | None = None  # mA, us, cycles as asked for


@dataclass(frozen=True, slots=True)
class Timing:
    """``answer_s``: how long ``open()`` waits for an answer; ``timeout_ms``: after which one is missed.

    A pulse lies somewhere between its writing and its answer. One answered later than ``late_ms`` may have
    been given late, so the next one keeps its distance from it.
    """

    answer_s: float
    timeout_ms: float
    late_ms: float


class PulseLine(ABC):
    """A :class:`drivers.interface.Stimulator` on a serial port; its device's language is the subclass's.

    ``open()`` makes the device ready, also again after ``stop()``; it is the only call that waits. An answer
    has the packet number of its command, and the command's number plus one.
    """

    pulse_command: int
    stop_command: int
    packet_numbers: int
    capability: StimulatorCapability

    def __init__(self, name: str, link: SerialLink, timing: Timing, clock: Callable[[], int]) -> None:
        self._name = name
        self._link = link
        self._timing = timing
        self._clock = clock
        self._splitter = self._new_splitter()
        self._broken_reported = 0
        self._asked: dict[int, Asked] = {}
        self._given_up: dict[int, Asked] = {}  # no longer waited for; an answer may still come
        self._rest_until_ns: dict[int, int] = {}  # of a channel whose last pulse was answered late
        self._untold: list[StimulatorNotice] = []
        self._next_number = 0
        self._ready = False

    @abstractmethod
    def _new_splitter(self) -> FrameSplitter: ...

    @abstractmethod
    def _encode(self, number: int, command: int, data: bytes) -> bytes: ...

    @abstractmethod
    def _pulse_data(self, channel: int, current_ma: float, width_us: float, cycles: int) -> bytes:
        """Data of the pulse command; ``ValueError`` names what is out of range, and the range."""

    @abstractmethod
    def _initialise(self) -> None:
        """Ends what an earlier host left running and makes the device ready; asks by :meth:`_ask`."""

    @abstractmethod
    def _notice(self, now_ns: int, frame: Frame) -> StimulatorNotice:
        """One answer in plain words; what still arrives after ``stop()`` is told but no fault."""

    @abstractmethod
    def _answers(self, frame: Frame, asked: Asked) -> bool:
        """Whether a frame with the packet number of a command answers it."""

    @abstractmethod
    def _channel_words(self, channel: int) -> str: ...

    def open(self) -> None:
        """Opens the line if needed, ends whatever an earlier host left running, and makes the device ready.

        Waits for few answers, each for a second or two at most. The device answers in order, so after them
        nothing is on its way. :class:`DeviceError`: transient when the port is missing or another program has
        it, or an answer is missing; permanent when the device refuses.
        """
        self._ready = False
        if not self._link.is_open:
            self._link.open()
            self._splitter = self._new_splitter()
            self._broken_reported = 0
        try:
            self._link.require_alone()
            self._asked.clear()
            self._initialise()
            self._given_up.clear()
            self._rest_until_ns.clear()
            self._untold.clear()
        except DeviceError:
            self._link.close()
            raise
        self._ready = True

    def pulse(self, channel: int, current_ma: float, width_us: float, cycles: int = 1) -> int | None:
        """Sends one biphasic pulse, or a burst of them, now; returns its packet number.

        ``None`` where it is left out: while the channel's last one has no answer or any command's is late,
        and for a period of the fastest rate after a late answer.

        Current and width are cut down to the device's steps, never up. :class:`DeviceError`, permanent, when
        not ready, for a value outside the capability (named with its range), or when the line does not take
        the command.
        """
        if not self._ready:
            raise DeviceError(self._name, "not ready for pulses: open() first", transient=False)
        try:
            data = self._pulse_data(channel, current_ma, width_us, cycles)
        except (ValueError, TypeError) as error:
            raise DeviceError(self._name, f"pulse refused: {error}", transient=False) from error
        self._collect()  # an answer that waits to be read is there
        if why := self._wait_for(channel):
            what = f"a pulse on {self._channel_words(channel)} was left out: {why}"
            self._untold.append(say(self._clock(), LEFT_OUT, what, channel=channel))
            return None
        return self._send(self.pulse_command, data, channel, (current_ma, width_us, cycles))

    def poll(self) -> list[StimulatorNotice]:
        """What the device answered since the last call, and which commands it has left unanswered too long.

        :class:`DeviceError`, permanent, when the line has gone. Nothing to report when closed.
        """
        if not self._link.is_open:
            return []
        now_ns = self._collect()
        for number, asked in list(self._asked.items()):
            if now_ns - asked.sent_ns > self._timing.timeout_ms * 1e6:
                self._given_up[number] = self._asked.pop(number)
                what = f"no answer to {self._words(asked)} within {self._timing.timeout_ms:g} ms"
                if waiting := self._link.waiting_bytes():
                    what += f", {waiting} bytes have not left this computer"
                self._untold.append(
                    say(now_ns, NO_ANSWER, f"{what}; check the cable", fault=True, channel=asked.channel)
                )
        notices, self._untold = self._untold, []
        return notices

    def stop(self) -> None:
        """Ends all output; idempotent. The driver queues nothing, and what waits in the system is discarded.

        A packet cut in two by the discarding, or by a full line, could swallow the one behind it: so stop is
        sent twice. :class:`DeviceError`, permanent, when the line does not take it.
        """
        if not self._link.is_open:
            return
        self._ready = False
        self._link.discard_output()
        for number, asked in list(self._asked.items()):
            if asked.command != self.stop_command:
                self._given_up[number] = self._asked.pop(number)
        for _ in range(2):
            self._send(self.stop_command, b"")

    def close(self) -> None:
        """Stops if it still can, and lets go of the line; idempotent, never raises."""
        try:
            if self._ready:
                self.stop()
        except DeviceError:
            self._ready = False  # the line is gone or full: no command, no pulse
        self._link.close()
        self._asked.clear()
        self._given_up.clear()

    def fileno(self) -> int:
        return self._link.fileno()

    def _ask(self, command: int, data: bytes) -> Frame:
        """One question and its answer, other packets to :meth:`_overheard`; for ``open()`` only."""
        number = self._send(command, data)
        deadline_s = time.monotonic() + self._timing.answer_s
        poller = select.poll()
        poller.register(self._link.fileno(), select.POLLIN)
        while (left_s := deadline_s - time.monotonic()) > 0:
            poller.poll(left_s * 1000)
            for frame in self._splitter.feed(self._link.read_available()):
                if (frame.packet_number, frame.command) == (number, command + 1):
                    del self._asked[number]
                    return frame
                if self._overheard(frame):
                    del self._asked[number]
                    number = self._send(command, data)
        what = f"no answer to {self._command_words(command)} within {self._timing.answer_s:g} s"
        raise DeviceError(self._name, what, transient=True)

    def _overheard(self, frame: Frame) -> bool:
        """Takes a packet that is not the answer waited for; whether the question is to be repeated."""
        return False

    @abstractmethod
    def _command_words(self, command: int) -> str: ...

    def _collect(self) -> int:
        """Reads what has arrived and makes notices of it; the time at which it was read."""
        frames = self._splitter.feed(self._link.read_available())
        now_ns = self._clock()
        self._untold.extend(self._notice(now_ns, frame) for frame in frames)
        broken = self._splitter.bad_frames - self._broken_reported
        if broken:
            self._broken_reported = self._splitter.bad_frames
            self._untold.append(say(now_ns, BROKEN_ANSWERS, f"broken answers received: {broken}"))
        return now_ns

    def _wait_for(self, channel: int) -> str:
        """Why a pulse of ``channel`` could be given together with another one; empty where it could not."""
        now_ns = self._clock()
        if any(asked.channel == channel for asked in self._asked.values()):
            return "the one before it is not answered yet"
        if any(self._late(asked, now_ns) for asked in self._asked.values()):
            return "the line stands still"
        if now_ns < self._rest_until_ns.get(channel, now_ns):
            return "the one before it was answered late"
        return ""

    def _send(
        self,
        command: int,
        data: bytes,
        channel: int | None = None,
        pulse: tuple[float, float, int] | None = None,
    ) -> int:
        number = self._next_number
        self._link.write(self._encode(number, command, data))
        self._asked[number] = Asked(command, channel, self._clock(), pulse)
        self._given_up.pop(number, None)  # the number means the new command from here on
        self._next_number = (number + 1) % self.packet_numbers
        return number

    def _question(self, frame: Frame) -> tuple[Asked | None, bool]:
        """What ``frame`` answers, and whether that is still waited for; ``None``: it was not asked here."""
        for asked, waited_for in (
            (self._asked.get(frame.packet_number), True),
            (self._given_up.get(frame.packet_number), False),
        ):
            if asked is not None and self._answers(frame, asked):
                return asked, waited_for
        return None, False

    def _foreign(self, now_ns: int, frame: Frame, text: str, channel: int | None) -> StimulatorNotice:
        what = f"an answer to a command that was not sent from here (command {frame.command}): {text}"
        return say(now_ns, FOREIGN_ANSWER, what, fault=self._ready, channel=channel)

    def _settle(self, now_ns: int, number: int, asked: Asked) -> None:
        """This command is answered; an answered stop also settles the stops before it."""
        if asked.channel is not None and self._late(asked, now_ns):
            closest_ns = round(1e9 / self.capability.rate_max_hz)
            self._rest_until_ns[asked.channel] = now_ns + closest_ns
        if asked.command == self.stop_command:
            for earlier in list(self._asked):
                if earlier == number:
                    break
                if self._asked[earlier].command == self.stop_command:
                    self._given_up[earlier] = self._asked.pop(earlier)
        self._asked.pop(number, None)
        self._given_up.pop(number, None)

    def _words(self, asked: Asked) -> str:
        return "stop" if asked.channel is None else f"a pulse on {self._channel_words(asked.channel)}"

    def _late(self, asked: Asked, now_ns: int) -> bool:
        return now_ns - asked.sent_ns > self._timing.late_ms * 1e6


def say(
    now_ns: int, code: int, text: str, *, fault: bool = False, channel: int | None = None
) -> StimulatorNotice:
    """A notice; no fault and of no channel unless said."""
    return StimulatorNotice(now_ns, fault, channel, code, text)
