"""What each muscle says while it is stimulated: EMG frames and pulse times in, an estimate per electrode out.

No clock, no file, no chance: same in, same out; a copy or a pickle goes on as it would. A sample waits until
the pulses of its time are told (``WAIT_S``), so that a pulse may be told a tick later than the EMG shows it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from controller.core.emg.channel import MuscleChannel
from controller.core.emg.m_wave import solve
from controller.core.emg.params import EmgParams
from controller.core.emg.pulse_finder import PulseFinder
from controller.core.signals import PulseGiven
from drivers.interface import EmgFrame

WAIT_S = 0.008  # a tick and a half: the word of a pulse is here by then
FOUND_WAIT_S = 0.003  # a pulse may be found so much later than it shows
FOUND_MA, FOUND_US = 1.0, 300.0  # of a pulse that nobody tells of: all count alike


@dataclass(frozen=True, slots=True)
class MuscleEmg:
    """One muscle at a time. ``quality`` says why the envelope is not to be relied on; '' where it is.

    ``envelope_v`` is the r.m.s. of the person's own activity over the last eighth of a second, None where
    nothing is known; ``activation`` its share (0 to 1) of the way from rest to the person's maximum, 0 where
    the quality is not ''; ``m_wave_v`` the last pulse's M-wave peak to peak; ``triggered`` while an effort
    above the threshold lasts; ``onsets`` counts these efforts. ``mains_v`` is the mains' amplitude; ``leak``
    the activation that the last pulses could feign, None where it is not known; ``floor`` the one that rest
    reaches by chance. ``slow`` says why it steers nothing while ``stimulated``: answers are in its signal.
    """

    muscle: str
    envelope_v: float | None
    quality: str
    m_wave_v: float | None
    activation: float
    triggered: bool
    onsets: int = 0
    rest_v: float | None = None
    mains_v: float = 0.0
    leak: float | None = None
    floor: float = 0.0
    slow: str = ""
    stimulated: bool = False


@dataclass(frozen=True, slots=True)
class EmgEstimate:
    """All electrodes at ``now_ns``, in the order of the parameters."""

    now_ns: int
    muscles: tuple[MuscleEmg, ...]

    def of(self, muscle: str) -> MuscleEmg:
        """The muscle of this name; KeyError where there is none."""
        for one in self.muscles:
            if one.muscle == muscle:
                return one
        raise KeyError(muscle)


class EmgEstimator:
    """Feed with :meth:`take` and :meth:`told`, read with :meth:`at`."""

    def __init__(self, params: EmgParams) -> None:
        self.params = params
        self._channels = [MuscleChannel(one, params) for one in params.electrodes]
        self._sensors = {one.sensor for one in params.electrodes}
        self._waiting: deque[tuple[int, str, float, tuple[float, ...] | None]] = deque()
        self._pulses: deque[PulseGiven] = deque()
        self._newest_ns: dict[str, int] = {}
        self._next_seq: dict[str, int] = {}
        self._finders: dict[str, PulseFinder] = {}

    def take(self, frame: EmgFrame, pulses: Iterable[PulseGiven] = ()) -> None:
        """Take a frame and the pulses told since the last call."""
        self.told(pulses)
        if frame.sensor not in self._sensors:
            return
        if not (frame.valid and frame.volts and math.isfinite(frame.rate_hz) and frame.rate_hz > 0.0):
            return
        expected = self._next_seq.get(frame.sensor)
        step_ns = 1e9 / frame.rate_hz
        newest_ns = self._newest_ns.get(frame.sensor)
        if newest_ns is not None and frame.t_ns <= newest_ns:
            return  # twice, or later than its successor
        if expected is not None and frame.seq != expected:
            self._waiting.append((frame.t_ns - 1, frame.sensor, frame.rate_hz, None))
        self._next_seq[frame.sensor] = frame.seq + len(frame.volts)
        for i, row in enumerate(frame.volts):
            t_ns = frame.t_ns + round(i * step_ns)
            self._waiting.append((t_ns, frame.sensor, frame.rate_hz, row))
            if self.params.pulses == "found":
                self._find(frame, t_ns, row)
        self._newest_ns[frame.sensor] = self._waiting[-1][0]
        self._run(frame.arrival_ns)

    def told(self, pulses: Iterable[PulseGiven]) -> None:
        """Take pulses that were given, in order of time; none where they are found in the EMG."""
        lag_ns = round(self.params.lag_s * 1e9)
        for pulse in pulses:
            if pulse.current_ma > 0.0 and pulse.width_us > 0.0 and self.params.pulses == "told":
                for channel in self._channels:
                    channel.told(replace(pulse, t_ns=pulse.t_ns + lag_ns))

    def _find(self, frame: EmgFrame, t_ns: int, row: tuple[float, ...]) -> None:
        if not all(map(math.isfinite, row)):
            return
        finder = self._finders.get(frame.sensor)
        if finder is None or finder.electrodes != len(row) or finder.rate_hz != frame.rate_hz:
            finder = self._finders[frame.sensor] = PulseFinder(frame.rate_hz, len(row))
        found = finder.step(t_ns, np.array(row))
        if found is not None:
            pulse = PulseGiven(found.source, found.t_ns, FOUND_MA, FOUND_US)
            for channel in self._channels:
                if channel.electrode.sensor == frame.sensor:
                    channel.told(pulse)

    def resting(self, now_ns: int, rests: bool) -> None:
        """Say whether the person rests now: while so, rest is measured anew."""
        for channel in self._channels:
            channel.resting(now_ns, rests)

    def at(self, now_ns: int) -> EmgEstimate:
        """The estimate now."""
        self._run(now_ns)
        return EmgEstimate(now_ns, tuple(self._read(channel, now_ns) for channel in self._channels))

    def _run(self, now_ns: int) -> None:
        until_ns = now_ns - WAIT_S * 1e9
        if self.params.pulses == "found" and self._newest_ns:
            until_ns = min(until_ns, min(self._newest_ns.values()) - FOUND_WAIT_S * 1e9)
        while self._waiting and self._waiting[0][0] <= until_ns:
            _, sensor, rate_hz, row = self._waiting[0]
            channels = [one for one in self._channels if one.electrode.sensor == sensor]
            if row is None:
                self._waiting.popleft()
                for channel in channels:
                    channel.gap()
                continue
            times, rows = self._together(sensor, rate_hz, len(row), until_ns)
            given = [one for one in channels if one.electrode.column < len(row)]
            columns = [[one[channel.electrode.column] for one in rows] for channel in given]
            self._advance(given, times, columns, rate_hz)

    def _together(
        self, sensor: str, rate_hz: float, width: int, until_ns: float
    ) -> tuple[list[int], list[tuple[float, ...]]]:
        """The next samples of one sensor that may be used now, without a gap."""
        times: list[int] = []
        rows: list[tuple[float, ...]] = []
        while self._waiting and self._waiting[0][0] <= until_ns:
            t_ns, its_sensor, its_hz, row = self._waiting[0]
            if row is None or its_sensor != sensor or its_hz != rate_hz or len(row) != width:
                break
            self._waiting.popleft()
            times.append(t_ns)
            rows.append(row)
        return times, rows

    @staticmethod
    def _advance(
        channels: list[MuscleChannel], times: list[int], columns: list[list[float]], rate_hz: float
    ) -> None:
        """Each channel up to where a pulse's segment is to be solved; these together; and so on."""
        done = [0] * len(channels)
        while any(one < len(times) for one in done):
            for k, channel in enumerate(channels):
                if done[k] < len(times):
                    done[k] = channel.take(times, columns[k], rate_hz, done[k])
            due = [channel for channel in channels if channel.m_wave.due]
            if due:
                solve([channel.m_wave for channel in due])
            for channel in due:
                channel.solved()

    @staticmethod
    def _read(channel: MuscleChannel, now_ns: int) -> MuscleEmg:
        envelope_v, quality = channel.envelope_at(now_ns)
        return MuscleEmg(
            muscle=channel.electrode.muscle,
            envelope_v=envelope_v,
            quality=quality,
            m_wave_v=channel.m_wave_v,
            activation=channel.activation(envelope_v) if not quality else 0.0,
            triggered=channel.trigger.on and not quality,
            onsets=channel.trigger.fired,
            rest_v=channel.rest_mean_v,
            mains_v=channel.mains_v,
            leak=channel.feigned(),
            floor=channel.floor(now_ns),
            slow=channel.slow,
            stimulated=channel.stimulated(now_ns),
        )
