"""What the rig is doing right now, gathered from the records that pass: for terminal, console and MQTT.

Promises a small status at any moment, at a cost of a few microseconds a record. Refuses nothing: a record
it cannot read is left to the recording.
"""

from __future__ import annotations

import contextlib
import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field

import msgspec

from controller.core.signals import LEARNS, ExerciseView, GaitEvent, View
from controller.record.emg_picture import Envelope
from controller.record.loads import Loads
from controller.record.privacy import guard_word
from controller.record.records import Arm, Delivered, GuardEvent, GuardVerdict, decoded
from controller.record.stream_records import STREAMS, newest_words
from controller.record.stride_state import ABLE
from controller.record.strides import Stride, StrideMeter, tick_angles
from controller.record.telemetry_port import BrokerLink
from controller.safety.judgement.staged_unlock import UnlockStage
from drivers.interface import ChannelCommand

BUCKET_RATIO = 1.04  # neighbouring histogram buckets: a quantile is right to 2 %
BUCKETS = 600  # covers 1 us to 4 h at that ratio
PENDING_TICKS = 64  # ticks whose verdict may still come; at 200 Hz a third of a second
TRACE_PERIOD_NS = 20_000_000  # a chart needs 50 Hz to show a swing of 0.4 s
TRACE_POINTS = 50  # what one status carries at most; the rest is in the recording
NOTES = 20


class Histogram:
    """Counts in logarithmic buckets: any number of values in a fixed space."""

    def __init__(self) -> None:
        self.count = 0
        self.largest = 0.0
        self._buckets = [0] * BUCKETS

    def add(self, value: float) -> None:
        self.count += 1
        self.largest = max(self.largest, value)
        index = 0 if value <= 1.0 else int(math.log(value) / math.log(BUCKET_RATIO)) + 1
        self._buckets[min(index, BUCKETS - 1)] += 1

    def quantile(self, fraction: float) -> float | None:
        """The value below which ``fraction`` of the values lie; None while there is none."""
        if self.count == 0:
            return None
        rank, seen = fraction * self.count, 0
        for index, bucket in enumerate(self._buckets):
            seen += bucket
            if bucket and seen >= rank:
                middle = BUCKET_RATIO ** (index - 0.5) if index else 1.0
                return min(middle, self.largest)
        return self.largest


@dataclass(frozen=True, slots=True)
class TracePoint:
    """One point of the live charts. ``charge_uc`` is the phase charge of the arm's pulses up to here."""

    t_ns: int
    foot_pitch_deg: float | None
    reference_pitch_deg: float | None
    ankle_deg: float | None
    commanded_ma: float | None
    applied_ma: float | None
    phase_percent: float | None
    swing: bool
    charge_uc: float
    emg_uv: float | None = None  # envelope of the strongest channel, artefacts of stimulation and all


@dataclass(frozen=True, slots=True)
class LinkGlance:
    """A sensor's radio link since it came up."""

    sensor: str
    received: int
    lost: int
    battery_percent: int | None = None


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """The live feed's message, as JSON. Angles in degrees, currents in mA; None where it is not known.

    ``trace``, ``gait_events``, ``whole_strides`` and ``notes`` (of the guard) hold what came since the
    status before.
    """

    t_ns: int
    recorder: str  # "ok", or why nothing is being recorded
    arm: str
    guard_state: str
    guard_text: str
    mode: str | None
    reason: str
    strides: int
    phase_percent: float | None
    swing: bool
    foot_pitch_deg: float | None
    ankle_deg: float | None
    reference_pitch_deg: float | None
    commanded_ma: float | None
    applied_ma: float | None
    width_us: float | None
    sensor_age_ms: dict[str, float]
    ticks: int
    missed_ticks: int
    lateness_p50_us: float | None
    lateness_p99_us: float | None
    sensor_to_pulse_p50_ms: float | None
    sensor_to_pulse_p99_ms: float | None
    pulses: int
    tick_age_ms: float | None = None
    charge_uc: float = 0.0
    links: tuple[LinkGlance, ...] = ()
    trace: tuple[TracePoint, ...] = ()
    gait_events: tuple[GaitEvent, ...] = ()
    whole_strides: tuple[Stride, ...] = ()
    notes: tuple[GuardEvent, ...] = ()
    blinded: bool = False  # the arm's mode must not show
    believed_gain: float | None = None  # of the muscle; None where nothing is learned, or not to be seen
    believed_late_ms: float | None = None
    believed_reflex_nms: float | None = None
    response_share: float | None = None  # of the rested muscle's torque for a charge; None like the gain
    load_ohm: float | None = None  # of the worst channel's last pulses; None like the gain, and not measured
    delivered_share: float | None = None  # of the charge asked for, of the worst channel
    unlifted_swings: int | None = None  # since the start; None like the gain where it would tell the arm
    unlifted_advice: str = ""  # where they are too many
    reference_speed_mps: float | None = None  # the pace it is for; None where it follows none
    telemetry: BrokerLink | None = None  # None where this session has no broker
    unlock: UnlockGlance | None = None  # None where none is under way
    exercise: ExerciseView | None = None  # where in its programme; None in gait assist
    streams: dict[str, str] = field(default_factory=dict)  # others', by name: the newest in words


@dataclass(frozen=True, slots=True)
class _SampleGlance:
    sensor: str
    arrival_ns: int


@dataclass(frozen=True, slots=True)
class _EmgGlance(_SampleGlance):
    volts: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class _InputsGlance:
    imu: tuple[_SampleGlance, ...] = ()
    emg: tuple[_EmgGlance, ...] = ()


@dataclass(frozen=True, slots=True)
class _CommandGlance:
    channels: tuple[ChannelCommand | None, ...]


@dataclass(frozen=True, slots=True)
class _DecisionGlance:
    command: _CommandGlance
    reason: str
    view: View
    events: tuple[GaitEvent, ...]


@dataclass(frozen=True, slots=True)
class _TickGlance:
    now_ns: int
    seq: int
    deadline: int
    lateness_us: float
    inputs: _InputsGlance
    decision: _DecisionGlance


@dataclass(frozen=True, slots=True)
class UnlockGlance:
    """The staged unlock while it lasts; ``answered`` is None where it must not show.

    Only a leg that is stimulated answers: in a blinded arm the number would name the mode.
    """

    answered: int | None
    needed: int
    by: str
    ceiling_ma: float
    counted: str = "strides"  # that answered; or the contractions that were given


class Live:
    """Gathers records into a status; counters begin anew with each arm."""

    def __init__(self) -> None:
        self._tick_decoder = msgspec.json.Decoder(_TickGlance)
        self._verdict_decoder = msgspec.json.Decoder(GuardVerdict)
        self._event_decoder = msgspec.json.Decoder(GuardEvent)
        self._delivered_decoder = msgspec.json.Decoder(Delivered)
        self._arm_decoder = msgspec.json.Decoder(Arm)
        self._link_decoder = msgspec.json.Decoder(LinkGlance)
        self._arm, self._blinded = "", False
        self._guard_state = "OFF"
        self._guard_text = ""
        self._streams: dict[str, str] = {}
        self._unlock: UnlockStage | None = None
        self._of_unlock = False  # whether the guard's text is about the unlock
        self._notes: deque[GuardEvent] = deque(maxlen=NOTES)
        self._begin_arm()

    def _begin_arm(self) -> None:
        self._tick: _TickGlance | None = None
        self._verdict: GuardVerdict | None = None
        self._arrival_ns: dict[str, int] = {}
        self._newest_imu_ns: OrderedDict[int, int] = OrderedDict()
        self._lateness_us = Histogram()
        self._sensor_to_pulse_us = Histogram()
        self._ticks = self._missed = self._pulses = 0
        self._charge_uc = 0.0
        self._links: dict[str, LinkGlance] = {}
        self._trace: deque[TracePoint] = deque(maxlen=TRACE_POINTS)
        self._trace_ns = -TRACE_PERIOD_NS
        self._gait_events: deque[GaitEvent] = deque(maxlen=TRACE_POINTS)
        self._meter = StrideMeter()
        self._whole: deque[Stride] = deque(maxlen=TRACE_POINTS)
        self._envelope = Envelope()
        self._loads = Loads()

    @property
    def guard_state(self) -> str:
        return self._guard_state

    def take(self, topic: str, payload: bytes) -> tuple[GaitEvent, ...]:
        """Note one record; returns the gait events it reports. A record of another shape is passed over."""
        with contextlib.suppress(msgspec.DecodeError):
            if topic == "tick":
                return self._take_tick(decoded(self._tick_decoder, payload))
            if topic == "guard/verdict":
                self._take_verdict(decoded(self._verdict_decoder, payload))
            elif topic == "guard/event":
                event = decoded(self._event_decoder, payload)
                word = guard_word(event)
                self._guard_state, self._guard_text = word.state, word.text
                self._of_unlock = event.unlock is not None
                if event.unlock is not None or event.state not in ABLE:
                    self._unlock = event.unlock
                self._notes.append(word)
            elif topic == "guard/delivered":
                self._loads.take(decoded(self._delivered_decoder, payload))
            elif topic in STREAMS:
                told = decoded(STREAMS[topic], payload)
                self._streams[told.stream] = newest_words(told)
            elif topic == "link":
                link = decoded(self._link_decoder, payload)
                self._links[link.sensor] = link
            elif topic == "arm":
                arm = decoded(self._arm_decoder, payload)
                if arm.kind == "begin":
                    self._begin_arm()
                    self._arm, self._blinded = arm.label or arm.mode, arm.blinded
        return ()

    def _take_tick(self, tick: _TickGlance) -> tuple[GaitEvent, ...]:
        if self._tick is not None and tick.deadline > self._tick.deadline:
            self._missed += tick.deadline - self._tick.deadline - 1
        self._tick = tick
        self._ticks += 1
        self._lateness_us.add(tick.lateness_us)
        for sample in (*tick.inputs.imu, *tick.inputs.emg):
            self._arrival_ns[sample.sensor] = sample.arrival_ns
        for frame in tick.inputs.emg:
            self._envelope.take(frame.volts)
        if tick.inputs.imu:
            self._newest_imu_ns[tick.seq] = max(sample.arrival_ns for sample in tick.inputs.imu)
            if len(self._newest_imu_ns) > PENDING_TICKS:
                self._newest_imu_ns.popitem(last=False)
        if tick.now_ns - self._trace_ns >= TRACE_PERIOD_NS:
            self._trace_ns = tick.now_ns
            self._trace.append(self._point(tick))
        self._gait_events.extend(tick.decision.events)
        angles = tick_angles(tick.now_ns, tick.decision.view)
        self._whole.extend(self._meter.take_tick(angles, tick.decision.events))
        return tick.decision.events

    def _point(self, tick: _TickGlance) -> TracePoint:
        view = tick.decision.view
        commanded = _strongest(tick.decision.command.channels)
        applied = _strongest(self._verdict.channels) if self._verdict else None
        return TracePoint(
            t_ns=tick.now_ns,
            foot_pitch_deg=view.foot_pitch_deg,
            reference_pitch_deg=view.reference_pitch_deg,
            ankle_deg=view.ankle_deg,
            commanded_ma=commanded.current_ma if commanded else None,
            applied_ma=applied.current_ma if applied else None,
            phase_percent=view.phase_percent,
            swing=view.swing,
            charge_uc=self._charge_uc,
            emg_uv=self._envelope.value_uv,
        )

    def _take_verdict(self, verdict: GuardVerdict) -> None:
        self._verdict = verdict
        self._guard_state = verdict.state
        self._pulses += len(verdict.pulses)
        self._meter.take_pulses(verdict.pulses)
        self._charge_uc += sum(pulse.charge_uc for pulse in verdict.pulses)
        if verdict.pulses:
            arrival_ns = self._newest_imu_ns.pop(verdict.frame_seq, None)
            if arrival_ns is not None:
                self._sensor_to_pulse_us.add((verdict.pulses[0].t_ns - arrival_ns) / 1e3)

    def status(self, now_ns: int, recorder: str, telemetry: BrokerLink | None = None) -> LiveStatus:
        """The state of things at ``now_ns`` (CLOCK_MONOTONIC), with what came since the last call."""
        trace, gait_events, notes = tuple(self._trace), tuple(self._gait_events), tuple(self._notes)
        whole_strides = tuple(self._whole)
        for queue in (self._trace, self._gait_events, self._whole, self._notes):
            queue.clear()
        decision = self._tick.decision if self._tick else None
        view = decision.view if decision else None
        learns = view is not None and view.mode in LEARNS and not self._blinded  # it would name the arm
        commanded = _strongest(decision.command.channels) if decision else None
        applied = _strongest(self._verdict.channels) if self._verdict else None
        return LiveStatus(
            t_ns=now_ns,
            recorder=recorder,
            arm=self._arm,
            guard_state=self._guard_state,
            guard_text="" if self._blinded and self._of_unlock else self._guard_text,
            mode=self._arm if self._blinded else view.mode if view else None,
            reason="" if self._blinded or decision is None else decision.reason,
            strides=view.strides if view else 0,
            phase_percent=view.phase_percent if view else None,
            swing=view.swing if view else False,
            foot_pitch_deg=view.foot_pitch_deg if view else None,
            ankle_deg=view.ankle_deg if view else None,
            reference_pitch_deg=view.reference_pitch_deg if view else None,
            commanded_ma=commanded.current_ma if commanded else None,
            applied_ma=applied.current_ma if applied else None,
            width_us=applied.width_us if applied and not self._blinded else None,  # the trapezoid's is one
            sensor_age_ms={name: (now_ns - t_ns) / 1e6 for name, t_ns in self._arrival_ns.items()},
            ticks=self._ticks,
            missed_ticks=self._missed,
            lateness_p50_us=self._lateness_us.quantile(0.5),
            lateness_p99_us=self._lateness_us.quantile(0.99),
            sensor_to_pulse_p50_ms=_milliseconds(self._sensor_to_pulse_us.quantile(0.5)),
            sensor_to_pulse_p99_ms=_milliseconds(self._sensor_to_pulse_us.quantile(0.99)),
            pulses=self._pulses,
            tick_age_ms=(now_ns - self._tick.now_ns) / 1e6 if self._tick else None,
            charge_uc=self._charge_uc,
            links=tuple(self._links.values()),
            trace=trace,
            gait_events=gait_events,
            whole_strides=whole_strides,
            notes=notes,
            blinded=self._blinded,
            believed_gain=view.believed_gain if view and learns else None,
            believed_late_ms=view.believed_late_ms if view and learns else None,
            believed_reflex_nms=view.believed_reflex_nms if view and learns else None,
            response_share=view.response_share if view and learns else None,
            load_ohm=None if self._blinded else self._loads.load_ohm,
            delivered_share=None if self._blinded else self._loads.share,
            unlifted_swings=view.unlifted_swings if view and not self._blinded else None,
            unlifted_advice=view.unlifted_advice if view and not self._blinded else "",
            reference_speed_mps=view.reference_speed_mps if view else None,
            telemetry=telemetry,
            unlock=self._unlock_glance(),
            exercise=view.exercise if view else None,
            streams=dict(self._streams),
        )

    def _unlock_glance(self) -> UnlockGlance | None:
        stage = self._unlock
        if stage is None or stage.full:
            return None
        answered = None if self._blinded else stage.answered
        return UnlockGlance(answered, stage.needed, stage.by, stage.ceiling_ma, stage.counted)


def _strongest(channels: tuple[ChannelCommand | None, ...]) -> ChannelCommand | None:
    return max((c for c in channels if c is not None), key=lambda c: c.current_ma, default=None)


def _milliseconds(value_us: float | None) -> float | None:
    return None if value_us is None else value_us / 1e3
