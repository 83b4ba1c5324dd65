"""Hasomed P24 over ScienceMode4 low level: one command is one pulse, so a dead host gives no pulses.

Refuses any pulse that is not charge-balanced within the device's limits. What is on its way, and when a pulse
is left out: :mod:`drivers.stimulators.pulse_line`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from drivers.interface import DeviceError, MeasuredPulse, Quantity, StimulatorNotice
from drivers.links.serial_link import SerialLink
from drivers.stimulators import sciencemode4 as sm4
from drivers.stimulators import sheets
from drivers.stimulators.framing import Frame, FrameSplitter
from drivers.stimulators.measured import measured_pulse
from drivers.stimulators.pulse_line import LATE, NOT_UNDERSTOOD, Asked, PulseLine, Timing, say
from drivers.stimulators.sciencemode4 import Command

NAME = "P24"
BAUD = 3_000_000  # with 2 stop bits and RTS/CTS, as in the vendor's C library; USB CDC ignores all three
STOP_BITS = 2
OPEN_ANSWER_S = 1.0  # per question at open; switching the high voltage on takes 2 x 40 ms
ACK_TIMEOUT_MS = 200.0  # vendor: 5 to 15 ms per command, 40 ms more to stop; the rest is for a busy host
LATE_ANSWER_MS = sheets.P24.late_answer_ms

NOT_INITIALISED = 7  # the device's result
MEASUREMENTS: Mapping[Quantity | None, sm4.Measurement] = MappingProxyType(
    {None: sm4.Measurement.NONE, "current": sm4.Measurement.CURRENT, "voltage": sm4.Measurement.VOLTAGE}
)


class P24(PulseLine):
    """A :class:`drivers.interface.Stimulator` on a serial port; channels 0 to 7, bursts of up to 8 cycles.

    ``stop()`` switches the output stage off; simply giving no pulses needs no call. ``measure``: what the
    device samples of each pulse, one quantity at a time.
    """

    pulse_command = Command.LL_CHANNEL_CONFIG
    stop_command = Command.LL_STOP
    packet_numbers = sm4.PACKET_NUMBERS

    def __init__(
        self,
        port: str,
        *,
        real_time: bool = False,
        measure: Quantity | None = None,
        ack_timeout_ms: float = ACK_TIMEOUT_MS,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.capability = sheets.P24
        self._measure = measure
        link = SerialLink(port, baud=BAUD, stop_bits=STOP_BITS, rts_cts=True, real_time=real_time)
        super().__init__(NAME, link, Timing(OPEN_ANSWER_S, ack_timeout_ms, LATE_ANSWER_MS), clock)

    def _new_splitter(self) -> FrameSplitter:
        return sm4.new_splitter()

    def _encode(self, number: int, command: int, data: bytes) -> bytes:
        return sm4.encode(number, command, data)

    def _pulse_data(self, channel: int, current_ma: float, width_us: float, cycles: int) -> bytes:
        return sm4.ll_channel_config(channel, sm4.biphasic_points(current_ma, width_us, cycles))

    def _channel_words(self, channel: int) -> str:
        return sm4.channel_name(channel)

    def _command_words(self, command: int) -> str:
        return Command(command).name

    def _initialise(self) -> None:
        status = self._reply(Command.STIM_STATUS, b"")
        if isinstance(status, sm4.StimStatus) and status.level:
            self._reply(Command.LL_STOP if status.level == 1 else Command.ML_STOP, b"")
        answer = self._reply(Command.LL_INIT, sm4.ll_init(MEASUREMENTS[self._measure]))
        if answer.result != 0:
            what = f"does not initialise: {sm4.result_text(answer.result)}"
            raise DeviceError(NAME, what, transient=False)

    def _reply(self, command: Command, data: bytes) -> sm4.Reply:
        try:
            return sm4.read_reply(self._ask(command, data))
        except ValueError as error:
            raise DeviceError(NAME, f"answer not understood: {error}", transient=True) from error

    def _answers(self, frame: Frame, asked: Asked) -> bool:
        return frame.command in (asked.command + 1, sm4.UNKNOWN_COMMAND)

    def _notice(self, now_ns: int, frame: Frame) -> StimulatorNotice:
        asked, waited_for = self._question(frame)
        try:
            reply = sm4.read_reply(frame)
        except ValueError as error:
            return say(now_ns, NOT_UNDERSTOOD, f"answer not understood: {error}", fault=True)
        text = sm4.result_text(reply.result)
        if isinstance(reply, sm4.DeviceFault) and not (reply.unknown_command and asked is None):
            what = "does not know a command" if reply.unknown_command else "reports"
            return say(now_ns, reply.result, f"the device {what}: {text}", fault=self._ready)
        channel = reply.channel if isinstance(reply, sm4.ChannelConfigured) else None
        if asked is None or (reply.result == 0 and channel != asked.channel):
            return self._foreign(now_ns, frame, text, channel)
        self._settle(now_ns, frame.packet_number, asked)
        if not waited_for:
            fault = self._ready and reply.result != 0
            what = f"late answer to {self._words(asked)}: {text}"
            return say(now_ns, reply.result or LATE, what, fault=fault, channel=channel)
        if asked.command == Command.LL_STOP:
            if reply.result == NOT_INITIALISED:
                return say(now_ns, 0, "stop: it was off already")
            return say(now_ns, reply.result, f"stop: {text}", fault=reply.result != 0)
        fault = reply.result != 0
        told = say(now_ns, reply.result, f"{self._words(asked)}: {text}", fault=fault, channel=asked.channel)
        return replace(told, measured=self._measured(reply, asked))

    def _measured(self, reply: sm4.Reply, asked: Asked) -> MeasuredPulse | None:
        """Where the answer has samples of what was asked for."""
        if asked.pulse is None or self._measure is None or not isinstance(reply, sm4.ChannelConfigured):
            return None
        if reply.result != 0 or reply.measurement != MEASUREMENTS[self._measure]:
            return None
        first = sm4.biphasic_points(*asked.pulse)[0]  # as the device's steps have cut it
        return measured_pulse(self._measure, reply.samples, first.current_ma, first.time_us, asked.pulse[2])
