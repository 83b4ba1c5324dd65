"""Hasomed RehaStim2 over ScienceMode2 single pulses: one command is one pulse, so a dead host gives none.

The channel list mode, in which the device pulses by itself for up to 1.2 s after its host died, is not used.
What is on its way, and when a pulse is left out: :mod:`drivers.stimulators.pulse_line`.

From the vendor's description alone; unverified: that single pulses need no list to be initialised, and that
the device asks for a host anew after its watchdog has run out. Both show at ``open()`` or as a fault.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from drivers.interface import DeviceError, StimulatorNotice
from drivers.links.serial_link import SerialLink
from drivers.stimulators import sciencemode2 as sm2
from drivers.stimulators import sheets
from drivers.stimulators.framing import Frame, FrameSplitter
from drivers.stimulators.pulse_line import LATE, NOT_UNDERSTOOD, Asked, PulseLine, Timing, say
from drivers.stimulators.sciencemode2 import Command

NAME = "RehaStim2"
BAUD = 460_800  # 8E1, no flow control
OPEN_ANSWER_S = 1.5  # it asks for a host every 0.5 s and answers within 0.1 s
ACK_TIMEOUT_MS = 200.0  # vendor: at most 100 ms; the rest is for a busy host
LATE_ANSWER_MS = sheets.REHASTIM2.late_answer_ms
KEEP_ALIVE_NS = 400_000_000  # a third of the device's watchdog: two may be lost
WRONG_MODE = -3  # the device's result to a stop when nothing runs
# Codes of notices: the device's results are negative, as the driver's own are, so they are told as positive
ERROR_CODE = 100  # plus the number of a stimulation error
BEGAN_ANEW = 200


class RehaStim2(PulseLine):
    """A :class:`drivers.interface.Stimulator` on a serial port; channels 0 to 7, single pulses.

    The device wants to hear something within 1.2 s: ``poll()`` sees to it after 0.4 s of silence, so a host
    that no longer polls is forgotten.
    """

    pulse_command = Command.SINGLE_PULSE
    stop_command = Command.STOP_LIST
    packet_numbers = sm2.PACKET_NUMBERS

    def __init__(
        self,
        port: str,
        *,
        real_time: bool = False,
        ack_timeout_ms: float = ACK_TIMEOUT_MS,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.capability = sheets.REHASTIM2
        self._greeted = False
        self._written_ns = 0
        link = SerialLink(port, baud=BAUD, even_parity=True, low_latency=True, real_time=real_time)
        super().__init__(NAME, link, Timing(OPEN_ANSWER_S, ack_timeout_ms, LATE_ANSWER_MS), clock)

    def poll(self) -> list[StimulatorNotice]:
        notices = super().poll()
        if self._link.is_open and self._greeted and self._clock() - self._written_ns > KEEP_ALIVE_NS:
            self._write(self._take_number(), Command.WATCHDOG)
        return notices

    def _new_splitter(self) -> FrameSplitter:
        return sm2.new_splitter()

    def _encode(self, number: int, command: int, data: bytes) -> bytes:
        self._written_ns = self._clock()
        return sm2.encode(number, command, data)

    def _pulse_data(self, channel: int, current_ma: float, width_us: float, cycles: int) -> bytes:
        sheet = self.capability
        for field, value, low, high in (
            ("current_ma", current_ma, 0.0, sheet.current_max_ma),
            ("width_us", width_us, sheet.width_min_us, sheet.width_max_us),
            ("cycles", cycles, 1, sheet.cycles_max),
        ):
            if not low <= value <= high:  # also refuses NaN
                raise ValueError(f"{field}: found {value!r}, allowed: {low} to {high}")
        steps = math.floor(current_ma / sheet.current_step_ma)
        return sm2.single_pulse(channel, math.floor(width_us), steps * round(sheet.current_step_ma))

    def _channel_words(self, channel: int) -> str:
        return sm2.channel_name(channel)

    def _command_words(self, command: int) -> str:
        return sm2.NAMES[command]

    def _initialise(self) -> None:
        self._greeted = False
        mode = self._answered(Command.GET_MODE, size=2)
        if mode[1]:
            self._answered(Command.STOP_LIST, size=1)
            if self._answered(Command.GET_MODE, size=2)[1]:
                raise DeviceError(NAME, "keeps on stimulating after a stop: switch it off", transient=False)
        self._greeted = True

    def _answered(self, command: Command, size: int) -> bytes:
        frame = self._ask(command, b"")
        result = sm2.signed(frame.data[0]) if frame.data else None
        if result is None or (result == 0 and len(frame.data) != size):
            raise DeviceError(NAME, f"answer not understood: {sm2.NAMES[command + 1]}", transient=True)
        if result:
            what = f"refuses {sm2.NAMES[command]}: {sm2.result_text(result)}"
            raise DeviceError(NAME, what, transient=False)
        return frame.data

    def _overheard(self, frame: Frame) -> bool:
        """Its call for a host is answered, and the question is then put again."""
        if frame.command != Command.INIT:
            return False
        if not self._greet(frame):
            what = f"speaks version {frame.data.hex() or 'none'}, this driver version {sm2.VERSION:02x}"
            raise DeviceError(NAME, what, transient=False)
        return True

    def _greet(self, call: Frame) -> bool:
        """Answers its call for a host; whether it speaks the version known here."""
        known = call.data == bytes((sm2.VERSION,))
        answer = b"\0" if known else (-5).to_bytes(1, "big", signed=True)
        self._write(call.packet_number, Command.INIT_ACK, answer)
        return known

    def _write(self, number: int, command: Command, data: bytes = b"") -> None:
        """Writes what has no answer."""
        self._link.write(self._encode(number, command, data))

    def _take_number(self) -> int:
        number = self._next_number
        self._next_number = (number + 1) % self.packet_numbers
        return number

    def _answers(self, frame: Frame, asked: Asked) -> bool:
        return frame.command in (asked.command + 1, Command.UNKNOWN)

    def _notice(self, now_ns: int, frame: Frame) -> StimulatorNotice:
        if frame.command == Command.INIT:
            what = (
                "the device begins anew and asks for a host: it was switched on, or heard nothing for 1.2 s"
            )
            return say(now_ns, BEGAN_ANEW, what, fault=self._ready)
        if frame.command == Command.STIMULATION_ERROR:
            error = sm2.signed(frame.data[0]) if frame.data else 0
            return say(
                now_ns, ERROR_CODE - error, f"the device reports: {sm2.error_text(error)}", fault=self._ready
            )
        asked, waited_for = self._question(frame)
        if frame.command == Command.UNKNOWN and asked is not None:
            self._settle(now_ns, frame.packet_number, asked)
            return say(
                now_ns, Command.UNKNOWN, f"the device does not know {self._words(asked)}", fault=self._ready
            )
        if not frame.data:
            return say(now_ns, NOT_UNDERSTOOD, f"answer without a result: {frame.command}", fault=True)
        result = sm2.signed(frame.data[0])
        text = sm2.result_text(result)
        if asked is None:
            return self._foreign(now_ns, frame, text, None)
        self._settle(now_ns, frame.packet_number, asked)
        if not waited_for:
            fault = self._ready and result != 0
            what = f"late answer to {self._words(asked)}: {text}"
            return say(now_ns, -result or LATE, what, fault=fault, channel=asked.channel)
        if asked.command == Command.STOP_LIST and result == WRONG_MODE:
            return say(now_ns, 0, "stop: it was off already")
        what = f"{self._words(asked)}: {text}"
        return say(now_ns, -result, what, fault=result != 0, channel=asked.channel)
