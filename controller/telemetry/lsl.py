"""Lab Streaming Layer outlets for researchers: samples, command, pulses and markers, from passing records.

Promises the recording's own times (LSL's clock is CLOCK_MONOTONIC in seconds) and streams that LabRecorder
finds by name. Refuses to guess: an invalid sample is left out, a channel that is off is NaN, not zero.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import msgspec
import pylsl

from controller.core.signals import GaitEvent
from controller.record.privacy import guard_word
from controller.record.records import Arm, GuardEvent, Pulse, decoded
from controller.record.telemetry_port import Scope
from drivers.interface import MICROVOLTS, ChannelCommand, EmgFrame, ImuSample

Channels = tuple[tuple[str, str], ...]  # name and unit

IMU: Channels = (
    *((f"acc_{axis}", "m/s^2") for axis in "xyz"),
    *((f"gyr_{axis}", "rad/s") for axis in "xyz"),
)
COMMAND: Channels = (("current", "mA"), ("width", "us"), ("rate", "Hz"))
PULSES: Channels = (("channel", "none"), ("current", "mA"), ("width", "us"), ("cycles", "none"))
WARNINGS = -1  # liblsl's level: it tells every start otherwise
OFF = (math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class _Inputs:
    imu: tuple[ImuSample, ...] = ()
    emg: tuple[EmgFrame, ...] = ()


@dataclass(frozen=True, slots=True)
class _Command:
    channels: tuple[ChannelCommand | None, ...]


@dataclass(frozen=True, slots=True)
class _Exercise:
    phase: str
    repetition: int
    repetitions: int


@dataclass(frozen=True, slots=True)
class _View:
    exercise: _Exercise | None = None


@dataclass(frozen=True, slots=True)
class _Decision:
    command: _Command
    events: tuple[GaitEvent, ...]
    view: _View


@dataclass(frozen=True, slots=True)
class _Tick:
    now_ns: int
    inputs: _Inputs
    decision: _Decision


@dataclass(frozen=True, slots=True)
class _Verdict:
    pulses: tuple[Pulse, ...] = ()


class LslOutlets:
    """Streams ``<rig>-<sensor>``, ``<rig>-command``, ``<rig>-pulses`` and ``<rig>-markers``.

    All have exact stamps and therefore say that their rate is irregular: readers put the samples of another
    stream on a straight line, over every pause (findings/pyxdf-hole.sh). A sensor that gives movement and EMG
    has a second stream, ``<rig>-<sensor>-emg`` or ``-imu``.

    ``scope`` is how far they are told: this machine, its network link, or the site. The command is that of
    the strongest channel; every channel's pulses are told.
    """

    def __init__(self, rig: str, session: str, scope: Scope) -> None:
        pylsl.set_config_content(f"[multicast]\nResolveScope = {scope}\n[log]\nlevel = {WARNINGS}\n")
        self._rig = rig
        self._source = f"dorsi/{rig}/{session}"
        self._tick = msgspec.json.Decoder(_Tick)
        self._verdict = msgspec.json.Decoder(_Verdict)
        self._guard_event = msgspec.json.Decoder(GuardEvent)
        self._arm = msgspec.json.Decoder(Arm)
        self._sensors: dict[tuple[str, str], pylsl.StreamOutlet] = {}
        self._phase = ""  # of an exercise, as marked last
        self._blinded = False  # of the arm that is walked: its command and its pulses are kept back
        self._command = self._outlet("command", "Stimulation", COMMAND)
        self._pulses = self._outlet("pulses", "Stimulation", PULSES)
        self._markers = self._outlet("markers", "Markers", (("event", "none"),), pylsl.cf_string)

    def take(self, topic: str, payload: bytes) -> None:
        """Send on what one record holds; a record of another shape is passed over."""
        with contextlib.suppress(msgspec.DecodeError):
            if topic == "tick":
                self._take_tick(decoded(self._tick, payload))
            elif topic == "guard/verdict":
                pulses = decoded(self._verdict, payload).pulses
                for pulse in () if self._blinded else pulses:
                    values = [float(pulse.channel), pulse.current_ma, pulse.width_us, float(pulse.cycles)]
                    self._pulses.push_sample(values, pulse.t_ns / 1e9)
            elif topic == "guard/event":
                told = decoded(self._guard_event, payload)
                if self._blinded and told.unlock is not None:
                    return  # only a leg that is stimulated answers
                event = guard_word(told)
                words = ("guard", event.kind, event.fault, event.text)
                self._mark(" ".join(word for word in words if word), event.t_ns)
            elif topic == "arm":
                arm = decoded(self._arm, payload)
                self._blinded = arm.blinded
                self._mark(f"arm {arm.kind} {arm.label or arm.mode}", arm.t_ns)

    def _take_tick(self, tick: _Tick) -> None:
        for sample in tick.inputs.imu:
            if sample.valid:
                outlet = self._sensor(sample.sensor, "IMU", IMU)
                outlet.push_sample([*sample.acc_mps2, *sample.gyr_rps], sample.t_ns / 1e9)
        for frame in tick.inputs.emg:
            if frame.valid and frame.volts:
                channels = tuple((f"emg_{k}", "microvolts") for k in range(len(frame.volts[0])))
                outlet = self._sensor(frame.sensor, "EMG", channels)
                for number, volts in enumerate(frame.volts):
                    outlet.push_sample(
                        [volt * MICROVOLTS for volt in volts], frame.t_ns / 1e9 + number / frame.rate_hz
                    )
        if not self._blinded:
            given = (channel for channel in tick.decision.command.channels if channel is not None)
            command = max(given, key=lambda channel: channel.current_ma, default=None)
            values = OFF if command is None else (command.current_ma, command.width_us, command.rate_hz)
            self._command.push_sample(list(values), tick.now_ns / 1e9)
        for event in tick.decision.events:
            self._mark(event.kind, event.t_ns)
        if (seen := tick.decision.view.exercise) is not None and seen.phase != self._phase:
            self._phase = seen.phase
            self._mark(f"exercise {seen.phase}, {seen.repetition} of {seen.repetitions}", tick.now_ns)

    def _mark(self, text: str, t_ns: int) -> None:
        self._markers.push_sample([text], t_ns / 1e9)

    def _sensor(self, sensor: str, kind: str, channels: Channels) -> pylsl.StreamOutlet:
        if (sensor, kind) not in self._sensors:
            second = any(sensor == other for other, _ in self._sensors)
            name = f"{sensor}-{kind.lower()}" if second else sensor
            self._sensors[sensor, kind] = self._outlet(name, kind, channels)
        return self._sensors[sensor, kind]

    def _outlet(
        self,
        name: str,
        kind: str,
        channels: Channels,
        form: int = pylsl.cf_double64,
    ) -> pylsl.StreamOutlet:
        info = pylsl.StreamInfo(
            f"{self._rig}-{name}", kind, len(channels), pylsl.IRREGULAR_RATE, form, f"{self._source}/{name}"
        )
        listed = info.desc().append_child("channels")
        for label, unit in channels:
            channel = listed.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
        return pylsl.StreamOutlet(info)
