"""A Hasomed P24 as a peer on a pseudo-terminal: it judges every packet itself and logs each pulse it gives.

Never gives a pulse its limits, its state or a loose electrode forbid; answers with the reason instead. It
shares only the packet frames with the driver and reads the contents on its own.

Unverified without the hardware: which result code a broken limit gets (here 2), that a damaged packet is
answered by a general error, the shape of the mid-level ramp (here linear), the layout of the version answers.
Measuring: the load is a resistance, 128 samples cover the pulse (the device's own time base is not known).
Not emulated: measuring the high voltage, the 40 ms it takes, selections 2 and 3 of the mid-level state.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drivers.emulated.serial_peer import OnPulse, PulsePoints, SerialPeer, arguments_of, serve
from drivers.stimulators.framing import Frame
from drivers.stimulators.sciencemode4 import (
    GENERAL_ERROR,
    UNKNOWN_COMMAND,
    Command,
    encode,
    new_splitter,
)

OK, TRANSFER, PARAMETER, NOT_INITIALISED, ELECTRODE, INVALID = 0, 1, 2, 7, 10, 11
NO_LEVEL, LOW, MID, MID_RUNNING = 0, 1, 2, 3

CURRENT_LIMIT_MA = 130.0
ELECTRODE_DETECT_MA = 15.0  # below this the device cannot tell a loose electrode
SHORTEST_POINT_US = 10  # anything shorter acts as this
PULSE_OVERHEAD_US = 60
SECOND_US = 1_000_000
KEEP_ALIVE_NS = 2_000_000_000  # mid level pauses without a sign of the host for this long
NEVER_NS = 1 << 62

SERIAL_NUMBER = b"EMULATED24"
BATTERY_PERCENT, BATTERY_MV = 87, 3912
FIRMWARE, SCIENCE_MODE = (1, 2, 3), (4, 0, 1)
HIGH_VOLTAGE_OFF, HIGH_VOLTAGE_150 = 1, 6
SUPPLY_V = 150.0  # what a current can be driven with
LOAD_OHM = 1500.0  # of moist pads on skin, some cm2 large
NO_MEASUREMENT, MEASURES_CURRENT, MEASURES_VOLTAGE = 0, 1, 2
SAMPLES = 128


@dataclass(slots=True)
class _Train:
    """A mid-level channel: the pulse, how often, and how far it is."""

    points: PulsePoints
    period_ns: int
    ramp_pulses: int
    due_ns: int
    given: int = 0
    error: int = 0  # as in the answer to get_current_data: 0 none, 1 electrode


class EmulatedP24(SerialPeer):
    """A P24; in mid level it pulses by itself. Other faults to plant: ``loose_electrodes`` (channels), and a
    ``load_ohm`` of one's own, by time in ns and channel.
    """

    def __init__(
        self,
        pulse_log: Path | None = None,
        on_pulse: OnPulse | None = None,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(new_splitter(), pulse_log, on_pulse, clock=clock)
        self.loose_electrodes: set[int] = set()
        self.load_ohm: Callable[[int, int], float] = lambda _t_ns, _channel: LOAD_OHM
        self._measurement = NO_MEASUREMENT
        self._level = NO_LEVEL
        self._stop_all_on_error = False
        self._trains: dict[int, _Train] = {}
        self._train_packet = 0
        self._paused_from_ns = 0
        self._spent: deque[tuple[int, int]] = deque()  # (when, microseconds) of the last second's pulses
        self._spent_us = 0

    @property
    def running_by_itself(self) -> bool:
        return self._level == MID_RUNNING

    def _hear_broken(self) -> None:
        self._answer(0, GENERAL_ERROR, bytes((TRANSFER,)))

    def _pass_time(self, now_ns: int) -> None:
        self._give_due(now_ns)

    # --- commands ---

    def _obey(self, frame: Frame) -> None:
        data = frame.data
        match frame.command:
            case Command.LL_INIT:
                reply = bytes((self._ll_init(data),))
            case Command.LL_CHANNEL_CONFIG:
                reply = self._ll_channel_config(frame.packet_number, data)
            case Command.LL_STOP:
                reply = bytes((self._stop(LOW),))
            case Command.ML_INIT:
                reply = bytes((self._ml_init(data),))
            case Command.ML_UPDATE:
                reply = bytes((self._ml_update(frame.packet_number, data),))
            case Command.ML_STOP:
                reply = bytes((self._stop(MID, MID_RUNNING),))
            case Command.ML_GET_CURRENT_DATA:
                reply = self._ml_current_data(data)
            case Command.DEVICE_ID:
                reply = bytes((OK,)) + SERIAL_NUMBER
            case Command.BATTERY:
                reply = bytes((OK, BATTERY_PERCENT)) + BATTERY_MV.to_bytes(2, "big")
            case Command.STIM_STATUS:
                voltage = HIGH_VOLTAGE_OFF if self._level == NO_LEVEL else HIGH_VOLTAGE_150
                reply = bytes((OK, self._level, voltage))
            case Command.VERSION_MAIN | Command.VERSION_STIM:
                reply = bytes((OK, *FIRMWARE, *SCIENCE_MODE))
            case Command.EXT_VERSION:
                reply = bytes((OK, *FIRMWARE, *SCIENCE_MODE, 0, 0, 0, 0, 1, 1))
            case Command.RESET:
                self._stop(LOW, MID, MID_RUNNING)
                reply = bytes((OK,))
            case _:
                self._answer(frame.packet_number, UNKNOWN_COMMAND, bytes((INVALID,)))
                return
        self._answer(frame.packet_number, frame.command + 1, reply)

    def _answer(self, packet_number: int, command: int, data: bytes) -> None:
        self._say(encode(packet_number, command, data))

    def _stop(self, *levels: int) -> int:
        if self._level not in levels:
            return NOT_INITIALISED
        self._level = NO_LEVEL
        self._trains.clear()
        return OK

    def _ll_init(self, data: bytes) -> int:
        if self._level not in (NO_LEVEL, LOW):
            return NOT_INITIALISED
        if len(data) != 1 or data[0] & 0b1000_0001 or data[0] >> 1 & 7 > 6:
            return PARAMETER
        if data[0] >> 4 > MEASURES_VOLTAGE:  # the high voltage is not measured here
            return PARAMETER
        self._measurement = data[0] >> 4
        self._level = LOW
        return OK

    def _ll_channel_config(self, packet_number: int, data: bytes) -> bytes:
        if not data:
            return bytes((PARAMETER, 0, 0))
        execute, colour, connector, count = (
            data[0] >> 7,
            data[0] >> 5 & 3,
            data[0] >> 4 & 1,
            (data[0] & 15) + 1,
        )
        if self._level != LOW:
            result = NOT_INITIALISED
        elif execute:
            result = self._ll_pulse(packet_number, 4 * connector + colour, data[1:], count)
        else:
            result = OK if len(data) == 1 else PARAMETER
        head = bytes((result, connector << 4 | colour))
        if result != OK or not execute or self._measurement == NO_MEASUREMENT:
            return head + bytes((NO_MEASUREMENT,))
        points = _read_points(data[1:]) or []
        return head + bytes((self._measurement,)) + self._samples(4 * connector + colour, points)

    def _samples(self, channel: int, points: PulsePoints) -> bytes:
        """Time between two, and 128 of them in hundredths of mA or V, without their signs."""
        load_ohm = self.load_ohm(self._clock(), channel)
        total_us = sum(time_us for time_us, _ in points)
        step_us = total_us // SAMPLES + 1
        values: list[int] = []
        end_us = 0
        for time_us, current_ma in points:
            driven_ma = min(abs(current_ma), 1e3 * SUPPLY_V / load_ohm)
            size = driven_ma if self._measurement == MEASURES_CURRENT else driven_ma * load_ohm / 1e3
            end_us += time_us
            while len(values) * step_us < end_us:
                values.append(min(round(100 * size), 0xFFFF))
        values += [0] * (SAMPLES - len(values))
        return step_us.to_bytes(2, "big") + b"".join(value.to_bytes(2, "big") for value in values)

    def _ll_pulse(self, packet_number: int, channel: int, packed: bytes, count: int) -> int:
        if len(packed) != 4 * count:
            return PARAMETER
        points = _read_points(packed)
        now_ns = self._clock()
        if points is None or not self._within_budget(now_ns, _cost_us(points)):
            return PARAMETER
        if self._loose(channel, points):
            return ELECTRODE
        self._give(now_ns, channel, points, packet_number)
        return OK

    def _ml_init(self, data: bytes) -> int:
        if self._level == LOW:
            return NOT_INITIALISED
        if len(data) != 1 or data[0] > 1:
            return PARAMETER
        self._level = MID
        self._stop_all_on_error = bool(data[0])
        self._trains.clear()
        return OK

    def _ml_update(self, packet_number: int, data: bytes) -> int:
        if self._level not in (MID, MID_RUNNING):
            return NOT_INITIALISED
        now_ns = self._clock()
        trains = _read_trains(data, now_ns)
        if trains is None:
            return PARAMETER
        load = sum(_cost_us(train.points) * SECOND_US / (train.period_ns / 1000) for train in trains.values())
        if load >= SECOND_US:
            return PARAMETER
        for channel, train in trains.items():
            # a channel that runs keeps its rhythm and does not ramp again
            if channel in self._trains and now_ns < self._paused_from_ns:
                train.given = self._trains[channel].given
                train.due_ns = min(self._trains[channel].due_ns, now_ns + train.period_ns)
        self._trains = trains
        self._train_packet = packet_number
        self._level = MID_RUNNING if trains else MID
        self._paused_from_ns = now_ns + KEEP_ALIVE_NS
        return OK

    def _ml_current_data(self, data: bytes) -> bytes:
        if self._level not in (MID, MID_RUNNING):
            return bytes((NOT_INITIALISED, 4)) + bytes(5)
        if data != b"\x04":
            return bytes((PARAMETER, 4)) + bytes(5)
        now_ns = self._clock()
        paused = now_ns >= self._paused_from_ns
        if not paused:
            self._paused_from_ns = now_ns + KEEP_ALIVE_NS
        running, errors = 0, bytearray(4)
        for channel, train in self._trains.items():
            running |= (train.due_ns != NEVER_NS and not paused) << channel
            errors[channel // 2] |= train.error << 4 * (channel % 2)
        return bytes((OK, 4, running)) + errors

    # --- pulses ---

    def _give_due(self, now_ns: int) -> None:
        while self._level == MID_RUNNING and self._trains:
            channel, train = min(self._trains.items(), key=lambda item: item[1].due_ns)
            due_ns = train.due_ns
            if due_ns > now_ns or due_ns >= self._paused_from_ns:
                return
            train.due_ns += train.period_ns
            train.given += 1
            share = min(1.0, train.given / (train.ramp_pulses + 1))
            points = [(time_us, int(2 * current_ma * share) / 2) for time_us, current_ma in train.points]
            if not self._loose(channel, points):
                self._give(due_ns, channel, points, self._train_packet)
                continue
            train.error, train.due_ns = 1, NEVER_NS
            if self._stop_all_on_error:
                for other in self._trains.values():
                    other.due_ns = NEVER_NS

    def _loose(self, channel: int, points: PulsePoints) -> bool:
        strongest_ma = max(abs(current_ma) for _, current_ma in points)
        return channel in self.loose_electrodes and strongest_ma >= ELECTRODE_DETECT_MA

    def _within_budget(self, now_ns: int, cost_us: int) -> bool:
        """Books the pulse if the last second's pulses leave room for it."""
        while self._spent and self._spent[0][0] <= now_ns - 1_000_000_000:
            self._spent_us -= self._spent.popleft()[1]
        if self._spent_us + cost_us >= SECOND_US:
            return False
        self._spent.append((now_ns, cost_us))
        self._spent_us += cost_us
        return True


def _cost_us(points: PulsePoints) -> int:
    return sum(time_us for time_us, _ in points) + PULSE_OVERHEAD_US


def _read_points(packed: bytes) -> PulsePoints | None:
    """The points as the device would give them, or ``None`` when a current is beyond the limit."""
    points: PulsePoints = []
    for start in range(0, len(packed), 4):
        high, middle, low, _ = packed[start : start + 4]
        time_us = high << 4 | middle >> 4
        current_ma = (((middle & 0x0F) << 6 | low >> 2) - 300) / 2
        if abs(current_ma) > CURRENT_LIMIT_MA:
            return None
        points.append((max(time_us, SHORTEST_POINT_US), current_ma))
    return points


def _read_trains(data: bytes, now_ns: int) -> dict[int, _Train] | None:
    """The active channels of a mid-level update, or ``None`` when its data does not add up."""
    trains: dict[int, _Train] = {}
    rest = data[1:]
    for channel in range(8):
        if not data or not data[0] >> channel & 1:
            continue
        count = (rest[0] >> 4) + 1 if rest else 0
        end = 3 + 4 * count
        if not count or len(rest) < end:
            return None
        period, fine = divmod(rest[1] << 8 | rest[2], 2)
        points = _read_points(rest[3:end])
        if points is None or period == 0:
            return None
        period_ns = period * (250_000 if fine else 500_000)
        trains[channel] = _Train(points, period_ns, rest[0] & 0x0F, now_ns)
        rest = rest[end:]
    return None if rest or not data else trains


def main() -> None:
    """``python -m drivers.emulated.p24``: prints the port, serves until told to end."""
    arguments = arguments_of("An emulated Hasomed P24 on a pseudo-terminal.").parse_args()
    device = EmulatedP24(arguments.pulse_log)
    device.loose_electrodes.update(arguments.loose)
    device.let_in = arguments.let_in
    serve(device, "dorsi-p24", arguments.link)


if __name__ == "__main__":
    main()
