"""A Hasomed RehaStim2 as a peer on a pseudo-terminal: it judges every packet and logs each pulse it gives.

Never gives a pulse its limits, its mode, a loose electrode or the emergency switch forbid. It asks for a host
every 500 ms, and 1200 ms without a valid packet end what runs. It shares only the packet frames with the
driver and reads the contents on its own.

Unverified without the hardware: that it hears nothing before the handshake, that a damaged packet is passed
over, that an electrode error follows an answer that says ok, that the watchdog ends in a call for a host, and
that an odd current is given 1 mA stronger. Not emulated: low frequencies, simultaneous modules, a MOTOmed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drivers.emulated.serial_peer import OnPulse, PulsePoints, SerialPeer, arguments_of, serve
from drivers.stimulators import sciencemode2
from drivers.stimulators.framing import Frame
from drivers.stimulators.sciencemode2 import Command, encode

OK, PARAMETER, WRONG_MODE = 0, 254, 253
EMERGENCY, ELECTRODE = 255, 254
START, INITIALISED, RUNNING = 0, 1, 2

CALL_NS = 500_000_000
WATCHDOG_NS = 1_200_000_000
CURRENT_LIMIT_MA = 126
GAP_US = 100
NEVER_NS = 1 << 62


@dataclass(slots=True)
class _Train:
    """A channel of the list: one group's pulses (us from its beginning), and when the next group is due."""

    points: PulsePoints
    offsets_ns: tuple[int, ...]
    due_ns: int


class EmulatedRehaStim2(SerialPeer):
    """A RehaStim2; in list mode it pulses by itself.

    More faults to plant: ``loose_electrodes`` (channels), ``emergency`` (the switch is pressed), ``version``.
    """

    def __init__(
        self,
        pulse_log: Path | None = None,
        on_pulse: OnPulse | None = None,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(sciencemode2.new_splitter(), pulse_log, on_pulse, clock=clock)
        self.loose_electrodes: set[int] = set()
        self.emergency = False
        self.version = 1
        self._has_host = False
        self._call_ns = clock()
        self._heard_ns = 0
        self._number = 0
        self._mode = START
        self._listed: tuple[int, ...] = ()
        self._interval_ns = 0
        self._group_ns = 0
        self._trains: dict[int, _Train] = {}
        self._list_packet = 0

    @property
    def running_by_itself(self) -> bool:
        return self._mode == RUNNING

    @property
    def has_host(self) -> bool:
        """Whether a host has answered its call and was heard since."""
        return self._has_host

    def _hear_broken(self) -> None:
        pass

    def _pass_time(self, now_ns: int) -> None:
        self._give_due(now_ns)
        if self._has_host and now_ns - self._heard_ns >= WATCHDOG_NS:
            self._has_host = False
            self._end()
            self._call_ns = now_ns
        if not self._has_host and now_ns >= self._call_ns:
            self._call_ns = now_ns + CALL_NS
            self._tell(Command.INIT, bytes((self.version,)))

    def _tell(self, command: int, data: bytes) -> None:
        """Says something unasked."""
        self._say(encode(self._number, command, data))
        self._number = (self._number + 1) % 256

    def _end(self) -> None:
        self._mode = START
        self._trains.clear()

    # --- commands ---

    def _obey(self, frame: Frame) -> None:
        data = frame.data
        if frame.command == Command.INIT_ACK:
            self._has_host = data == b"\0"
        if not self._has_host:
            return
        self._heard_ns = self._clock()
        match frame.command:
            case Command.INIT_ACK | Command.WATCHDOG:
                return
            case Command.GET_MODE:
                reply = bytes((OK, self._mode))
            case Command.INIT_LIST:
                reply = bytes((self._init_list(data),))
            case Command.START_LIST:
                reply = bytes((self._start_list(frame.packet_number, data),))
            case Command.STOP_LIST:
                reply = bytes((WRONG_MODE if self._mode == START else OK,))
                self._end()
            case Command.SINGLE_PULSE:
                self._single_pulse(frame.packet_number, data)
                return
            case _:
                self._say(encode(frame.packet_number, Command.UNKNOWN, b""))
                return
        self._say(encode(frame.packet_number, frame.command + 1, reply))

    def _init_list(self, data: bytes) -> int:
        if self._mode != START:
            return WRONG_MODE
        if len(data) != 7 or data[0] > 7 or data[3] < 13 or data[6] > 1:  # 13: 8 ms
            return PARAMETER
        main = data[4] << 8 | data[5]
        if main and not 14 <= main <= 2048:  # 8 to 1025 ms
            return PARAMETER
        self._listed = tuple(channel for channel in range(8) if data[1] >> channel & 1)
        self._interval_ns = 1_000_000 + 500_000 * main if main else 0
        self._group_ns = 1_500_000 + 500_000 * data[3]
        self._mode = INITIALISED
        return OK

    def _start_list(self, packet_number: int, data: bytes) -> int:
        if self._mode == START:
            return WRONG_MODE
        if len(data) != 4 * len(self._listed):
            return PARAMETER
        now_ns = self._clock()
        trains: dict[int, _Train] = {}
        for place, channel in enumerate(self._listed):
            group, *pulse = data[4 * place : 4 * place + 4]
            points = _points(bytes(pulse))
            if group > 2 or points is None:
                return PARAMETER
            before = self._trains.get(channel)
            due_ns = now_ns if before is None or before.due_ns == NEVER_NS else before.due_ns
            trains[channel] = _Train(points, tuple(n * self._group_ns for n in range(group + 1)), due_ns)
        self._trains, self._list_packet, self._mode = trains, packet_number, RUNNING
        return OK

    def _single_pulse(self, packet_number: int, data: bytes) -> None:
        points = _points(data[1:]) if len(data) == 4 else None
        if self._mode != START:
            result = WRONG_MODE
        elif points is None or data[0] > 7:
            result = PARAMETER
        else:
            result = OK
        self._say(encode(packet_number, Command.SINGLE_PULSE + 1, bytes((result,))))
        if result == OK and points is not None and self._allowed(data[0], points):
            self._give(self._clock(), data[0], points, packet_number)

    # --- pulses ---

    def _allowed(self, channel: int, points: PulsePoints) -> bool:
        """Whether the output is given; says why where it is not."""
        if not any(current_ma for _, current_ma in points):
            return True
        if self.emergency:
            self._tell(Command.STIMULATION_ERROR, bytes((EMERGENCY,)))
        elif channel in self.loose_electrodes:
            self._tell(Command.STIMULATION_ERROR, bytes((ELECTRODE,)))
        else:
            return True
        self._end()
        return False

    def _give_due(self, now_ns: int) -> None:
        until_ns = min(now_ns, self._heard_ns + WATCHDOG_NS - 1)
        while self._mode == RUNNING and self._trains:
            channel, train = min(self._trains.items(), key=lambda item: item[1].due_ns)
            due_ns = train.due_ns
            if due_ns > until_ns:
                return
            train.due_ns = due_ns + self._interval_ns if self._interval_ns else NEVER_NS
            for offset_ns in train.offsets_ns:
                if not self._allowed(channel, train.points):
                    return
                self._give(due_ns + offset_ns, channel, train.points, self._list_packet)


def _points(packed: bytes) -> PulsePoints | None:
    """The pulse as the device would give it, or ``None`` when it is out of range."""
    width_us, current_ma = packed[0] << 8 | packed[1], packed[2] + packed[2] % 2
    if current_ma > CURRENT_LIMIT_MA or not (width_us == 0 or 20 <= width_us <= 500):
        return None
    return [(width_us, float(current_ma)), (GAP_US, 0.0), (width_us, -float(current_ma))]


def main() -> None:
    """``python -m drivers.emulated.rehastim2``: prints the port, serves until told to end."""
    arguments = arguments_of("An emulated Hasomed RehaStim2 on a pseudo-terminal.").parse_args()
    device = EmulatedRehaStim2(arguments.pulse_log)
    device.loose_electrodes.update(arguments.loose)
    device.let_in = arguments.let_in
    serve(device, "dorsi-rehastim2", arguments.link)


if __name__ == "__main__":
    main()
