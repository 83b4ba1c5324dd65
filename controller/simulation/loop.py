"""What every closed loop in virtual time has: core, body, sensors that come late, pulses in their rhythm.

Promises the samples and pulses of a session without faults of its own: the core learns what it learns from
the patient's sensors, at their rate and late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from controller.core.core import Core
from controller.core.params import CoreParams
from drivers.interface import ChannelCommand, ImuSample
from models.patient import VirtualPatient

TICK_S = 0.005
SENSOR_HZ = 60.0  # Movella DOT
LINK_S = 0.020  # sensor to host, as over a 30 ms connection interval
EPOCH_NS = 1_000_000_000  # any time but zero

Samples = Callable[[ImuSample], ImuSample | None]


@dataclass(slots=True)
class Loop:
    """Core and patient; ``patient`` may be changed between two ticks.

    ``spoil`` sees every sample before the core does and may change it, or lose it by ``None``.
    """

    params: CoreParams
    patient: VirtualPatient
    spoil: Samples | None = None
    core: Core = field(init=False)
    pulses: list[tuple[float, float, float]] = field(default_factory=list)  # time s, current mA, width us
    ticks: int = 0
    _sent: dict[str, int] = field(default_factory=dict)
    _air: list[ImuSample] = field(default_factory=list)
    _due_s: float = 0.0
    _others_due_s: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.core = Core(self.params)
        self._sent = {placement.sensor: 0 for placement in self.params.placements}

    def _stimulate(self, now_s: float, channels: tuple[ChannelCommand | None, ...]) -> None:
        """Pulse every muscle whose period has passed, a body that has lived until now."""
        command = channels[self.params.pulse.channel]
        if command is not None and now_s >= self._due_s - TICK_S / 10:
            if command.current_ma > 0.0:  # the guard's schedule leaves out a pulse of nothing, too
                self.patient.advance(now_s)
                self.patient.pulse(now_s, 0, command.current_ma, command.width_us)
                self.pulses.append((now_s, command.current_ma, command.width_us))
            self._due_s = max(self._due_s + 1.0 / command.rate_hz, now_s + 0.8 / command.rate_hz)
        for index, other in enumerate(channels):
            if (
                index != self.params.pulse.channel
                and other is not None
                and self._pulses_now(now_s, other, index)
            ):
                self.patient.advance(now_s)
                self.patient.pulse(now_s, index, other.current_ma, other.width_us)

    def _pulses_now(self, now_s: float, command: ChannelCommand, channel: int) -> bool:
        """Whether a channel beside the first pulses at this deadline."""
        due_s = self._others_due_s.get(channel, 0.0)
        if now_s < due_s - TICK_S / 10:
            return False
        self._others_due_s[channel] = max(due_s + 1.0 / command.rate_hz, now_s + 0.8 / command.rate_hz)
        return True

    def arrivals(self, now_s: float) -> tuple[ImuSample, ...]:
        """The samples that have reached the host by now, in order of their making."""
        for placement in self.params.placements:
            while (at_s := self._sent[placement.sensor] / SENSOR_HZ) <= now_s:
                number = self._sent[placement.sensor]
                self._sent[placement.sensor] += 1
                _, acc, gyr = self.patient.imu(placement.segment, at_s)
                made_ns = EPOCH_NS + round(at_s * 1e9)
                arrival_ns = made_ns + round(LINK_S * 1e9)
                made = ImuSample(placement.sensor, made_ns, arrival_ns, number, acc, gyr)
                kept = self.spoil(made) if self.spoil is not None else made
                if kept is not None:
                    self._air.append(kept)
        now_ns = EPOCH_NS + round(now_s * 1e9)
        ready = tuple([reading for reading in self._air if reading.arrival_ns <= now_ns])
        if ready:
            self._air = [reading for reading in self._air if reading.arrival_ns > now_ns]
        return ready
