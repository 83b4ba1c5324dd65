"""Hasomed P24 over ScienceMode4 low level: one command is one pulse, so a dead host gives no pulses.

Never waits outside ``open()``. Refuses any pulse that is not charge-balanced within the device's limits, and
any before the device has agreed to stimulate. Leaves one out where it could be given together with another:
what is written into a stalled line is given when the line wakes, and no line can be made to forget it.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from dataclasses import dataclass

from drivers.interface import FOREIGN_ANSWER, LEFT_OUT, DeviceError, StimulatorNotice
from drivers.links.serial_link import SerialLink
from drivers.stimulators import sciencemode4 as sm4
from drivers.stimulators import sheets
from drivers.stimulators.sciencemode4 import Command

NAME = "P24"
BAUD = 3_000_000  # with 2 stop bits and RTS/CTS, as in the vendor's C library; USB CDC ignores all three
STOP_BITS = 2
OPEN_ANSWER_S = 1.0  # per question at open; switching the high voltage on takes 2 x 40 ms
ACK_TIMEOUT_MS = 200.0  # vendor: 5 to 15 ms per command, 40 ms more to stop; the rest is for a busy host
# A pulse lies somewhere between its writing and its answer. USB hands an answer over within 16 ms, the vendor
# says 5 to 15 ms; one that comes later may have been given late, so the next one keeps its distance from it.
LATE_ANSWER_MS = 18.0

NOT_INITIALISED = 7  # the device's result

# Notice codes beyond the device's own results
NO_ANSWER = -1
NOT_UNDERSTOOD = -2
LATE = -3
BROKEN_ANSWERS = -4


@dataclass(frozen=True, slots=True)
class _Asked:
    """A command on its way: which, for which channel, since when."""

    command: Command
    channel: int | None
    sent_ns: int


class P24:
    """A :class:`drivers.interface.Stimulator` on a serial port.

    ``open()`` makes the device ready, also again after ``stop()``; it is the only call that waits. ``stop()``
    switches the output stage off; simply giving no pulses needs no call.
    """

    def __init__(
        self,
        port: str,
        *,
        real_time: bool = False,
        ack_timeout_ms: float = ACK_TIMEOUT_MS,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.capability = sheets.P24
        self._link = SerialLink(port, baud=BAUD, stop_bits=STOP_BITS, rts_cts=True, real_time=real_time)
        self._ack_timeout_ns = int(ack_timeout_ms * 1e6)
        self._clock = clock
        self._splitter = sm4.FrameSplitter()
        self._broken_reported = 0
        self._asked: dict[int, _Asked] = {}
        self._given_up: dict[int, _Asked] = {}  # no longer waited for; an answer may still come
        self._rest_until_ns: dict[int, int] = {}  # of a channel whose last pulse was answered late
        self._untold: list[StimulatorNotice] = []
        self._next_number = 0
        self._ready = False

    def open(self) -> None:
        """Opens the line if needed, ends whatever an earlier host left running, and initialises low level.

        Waits up to 1 s for each of at most three answers. The device answers in order, so after them nothing
        is on its way. :class:`DeviceError`: transient when the port is missing or another program has it, or
        an answer is missing; permanent when the device refuses.
        """
        self._ready = False
        if not self._link.is_open:
            self._link.open()
            self._splitter = sm4.FrameSplitter()
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
        """Sends one biphasic pulse, or a burst of 2 to 8 cycles, on channel 0 to 7; returns its packet number
        (0 to 63).

        ``None`` where it is left out: while the channel's last one has no answer, or any command none for
        18 ms, and for a period of the fastest rate (20 ms) after an answer that came later than that.

        Current and width are cut down to the device's steps, never up. :class:`DeviceError`, permanent, when
        not ready, for a value outside the capability (named with its range), or when the line does not take
        the command.
        """
        if not self._ready:
            raise DeviceError(NAME, "not ready for pulses: open() first", transient=False)
        try:
            data = sm4.ll_channel_config(channel, sm4.biphasic_points(current_ma, width_us, cycles))
        except (ValueError, TypeError) as error:
            raise DeviceError(NAME, f"pulse refused: {error}", transient=False) from error
        self._collect()  # an answer that waits to be read is there
        if why := self._wait_for(channel):
            what = f"a pulse on {sm4.channel_name(channel)} was left out: {why}"
            self._untold.append(_say(self._clock(), LEFT_OUT, what, channel=channel))
            return None
        return self._send(Command.LL_CHANNEL_CONFIG, data, channel)

    def poll(self) -> list[StimulatorNotice]:
        """What the device answered since the last call, and which commands it has left unanswered too long.

        :class:`DeviceError`, permanent, when the line has gone. Nothing to report when closed.
        """
        if not self._link.is_open:
            return []
        now_ns = self._collect()
        for number, asked in list(self._asked.items()):
            if now_ns - asked.sent_ns > self._ack_timeout_ns:
                self._given_up[number] = self._asked.pop(number)
                what = f"no answer to {_words(asked)} within {self._ack_timeout_ns / 1e6:g} ms"
                if waiting := self._link.waiting_bytes():
                    what += f", {waiting} bytes have not left this computer"
                self._untold.append(
                    _say(now_ns, NO_ANSWER, f"{what}; check the cable", fault=True, channel=asked.channel)
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
            if asked.command != Command.LL_STOP:
                self._given_up[number] = self._asked.pop(number)
        for _ in range(2):
            self._send(Command.LL_STOP, b"")

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

    def _initialise(self) -> None:
        status = self._ask(Command.STIM_STATUS, b"")
        if isinstance(status, sm4.StimStatus) and status.level:
            self._ask(Command.LL_STOP if status.level == 1 else Command.ML_STOP, b"")
        answer = self._ask(Command.LL_INIT, sm4.ll_init())
        if answer.result != 0:
            what = f"does not initialise: {sm4.result_text(answer.result)}"
            raise DeviceError(NAME, what, transient=False)

    def _ask(self, command: Command, data: bytes) -> sm4.Reply:
        """One question and its answer, other packets ignored; for ``open()`` only."""
        number = self._send(command, data)
        deadline_s = time.monotonic() + OPEN_ANSWER_S
        poller = select.poll()
        poller.register(self._link.fileno(), select.POLLIN)
        while (left_s := deadline_s - time.monotonic()) > 0:
            poller.poll(left_s * 1000)
            for frame in self._splitter.feed(self._link.read_available()):
                if (frame.packet_number, frame.command) == (number, command + 1):
                    del self._asked[number]
                    try:
                        return sm4.read_reply(frame)
                    except ValueError as error:
                        raise DeviceError(NAME, f"answer not understood: {error}", transient=True) from error
        raise DeviceError(NAME, f"no answer to {command.name} within {OPEN_ANSWER_S:g} s", transient=True)

    def _collect(self) -> int:
        """Reads what has arrived and makes notices of it; the time at which it was read."""
        frames = self._splitter.feed(self._link.read_available())
        now_ns = self._clock()
        self._untold.extend(self._notice(now_ns, frame) for frame in frames)
        broken = self._splitter.bad_frames - self._broken_reported
        if broken:
            self._broken_reported = self._splitter.bad_frames
            self._untold.append(_say(now_ns, BROKEN_ANSWERS, f"broken answers received: {broken}"))
        return now_ns

    def _wait_for(self, channel: int) -> str:
        """Why a pulse of ``channel`` could be given together with another one; empty where it could not."""
        now_ns = self._clock()
        if any(asked.channel == channel for asked in self._asked.values()):
            return "the one before it is not answered yet"
        if any(_late(asked, now_ns) for asked in self._asked.values()):
            return "the line stands still"
        if now_ns < self._rest_until_ns.get(channel, now_ns):
            return "the one before it was answered late"
        return ""

    def _send(self, command: Command, data: bytes, channel: int | None = None) -> int:
        number = self._next_number
        self._link.write(sm4.encode(number, command, data))
        self._asked[number] = _Asked(command, channel, self._clock())
        self._given_up.pop(number, None)  # the number means the new command from here on
        self._next_number = (number + 1) % sm4.PACKET_NUMBERS
        return number

    def _notice(self, now_ns: int, frame: sm4.Frame) -> StimulatorNotice:
        """One answer in plain words; what still arrives after ``stop()`` is told but no fault."""
        asked, waited_for = self._question(frame)
        try:
            reply = sm4.read_reply(frame)
        except ValueError as error:
            return _say(now_ns, NOT_UNDERSTOOD, f"answer not understood: {error}", fault=True)
        text = sm4.result_text(reply.result)
        if isinstance(reply, sm4.DeviceFault) and not (reply.unknown_command and asked is None):
            what = "does not know a command" if reply.unknown_command else "reports"
            return _say(now_ns, reply.result, f"the device {what}: {text}", fault=self._ready)
        channel = reply.channel if isinstance(reply, sm4.ChannelConfigured) else None
        if asked is None or (reply.result == 0 and channel != asked.channel):
            what = f"an answer to a command that was not sent from here (command {frame.command}): {text}"
            return _say(now_ns, FOREIGN_ANSWER, what, fault=self._ready, channel=channel)
        self._settle(now_ns, frame.packet_number, asked)
        if not waited_for:
            fault = self._ready and reply.result != 0
            what = f"late answer to {_words(asked)}: {text}"
            return _say(now_ns, reply.result or LATE, what, fault=fault, channel=channel)
        if asked.command == Command.LL_STOP:
            if reply.result == NOT_INITIALISED:
                return _say(now_ns, 0, "stop: it was off already")
            return _say(now_ns, reply.result, f"stop: {text}", fault=reply.result != 0)
        fault = reply.result != 0
        return _say(now_ns, reply.result, f"{_words(asked)}: {text}", fault=fault, channel=asked.channel)

    def _question(self, frame: sm4.Frame) -> tuple[_Asked | None, bool]:
        """What ``frame`` answers, and whether that is still waited for; ``None``: it was not asked here."""
        for asked, waited_for in (
            (self._asked.get(frame.packet_number), True),
            (self._given_up.get(frame.packet_number), False),
        ):
            if asked is not None and frame.command in (asked.command + 1, sm4.UNKNOWN_COMMAND):
                return asked, waited_for
        return None, False

    def _settle(self, now_ns: int, number: int, asked: _Asked) -> None:
        """This command is answered; an answered stop also settles the stops before it."""
        if asked.channel is not None and _late(asked, now_ns):
            closest_ns = round(1e9 / self.capability.rate_max_hz)
            self._rest_until_ns[asked.channel] = now_ns + closest_ns
        if asked.command == Command.LL_STOP:
            for earlier in list(self._asked):
                if earlier == number:
                    break
                if self._asked[earlier].command == Command.LL_STOP:
                    self._given_up[earlier] = self._asked.pop(earlier)
        self._asked.pop(number, None)
        self._given_up.pop(number, None)


def _words(asked: _Asked) -> str:
    return "stop" if asked.channel is None else f"a pulse on {sm4.channel_name(asked.channel)}"


def _late(asked: _Asked, now_ns: int) -> bool:
    return now_ns - asked.sent_ns > LATE_ANSWER_MS * 1e6


def _say(
    now_ns: int, code: int, text: str, *, fault: bool = False, channel: int | None = None
) -> StimulatorNotice:
    return StimulatorNotice(now_ns, fault, channel, code, text)
