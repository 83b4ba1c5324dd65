"""A recording taken apart into the arms of its trial, in columns: what summary, report and export work on.

Promises every tick, pulse, stride and event in the arm whose time it lies in; a recording without ``arm``
messages is one arm. Refuses what the reader refuses.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import numpy as np

from controller.analysis.arm_columns import LAWS, ArmData, Ticks, TruthTrace
from controller.analysis.arm_strides import estimated_strides, with_dose
from controller.analysis.arm_veil import blinded, unblinded
from controller.analysis.tick_columns import TickColumns, law_place, rung_place, tick_columns
from controller.core.signals import GaitEvent, View
from controller.record.reader import Part, RawMessage, header, messages, parts, read
from controller.record.records import (
    TOPICS,
    Arm,
    Delivered,
    GuardEvent,
    GuardVerdict,
    Pulse,
    Tick,
    TrialKey,
    TrueStride,
    Truth,
)
from controller.record.stride_state import (
    ABLE,
    Heard,
    StrideJudge,
    mode_of,
)
from controller.record.strides import Stride, tick_angles
from controller.record.table_view import TableView

NEVER_NS = 2**63 - 1
OTHERS = tuple(topic for topic in TOPICS if topic != "tick")


def _floats() -> array[float]:
    return array("d")


def _times() -> array[int]:
    return array("q")


@dataclass(slots=True)
class _Builder:
    """Gathers one arm while the recording is read."""

    arm: Arm
    end_ns: int = NEVER_NS
    now_ns: array[int] = field(default_factory=_times)
    rows: array[float] = field(default_factory=_floats)  # the float columns of Ticks, one row a tick
    truth_ns: array[int] = field(default_factory=_times)
    truth_rows: array[float] = field(default_factory=_floats)
    true: list[Stride] = field(default_factory=list)
    gait_events: list[GaitEvent] = field(default_factory=list)
    pulses: list[Pulse] = field(default_factory=list)
    first_pulse_ns: dict[int, list[int]] = field(default_factory=dict)  # of each frame: its pulses' times
    imu_seqs: array[int] = field(default_factory=_times)  # of frames with an inertial sample
    newest_imu_ns: array[int] = field(default_factory=_times)  # of them: the newest one's arrival
    delivered: list[Delivered] = field(default_factory=list)
    guard_events: list[GuardEvent] = field(default_factory=list)
    blocked: dict[str, int] = field(default_factory=dict)
    armed: bool | None = None  # None: nothing was heard of the guard
    next_seq: dict[str, int] = field(default_factory=dict)  # by sensor
    last_deadline: int | None = None
    last_strides: int | None = None
    last_view: View | None = None
    lessons: list[View] = field(default_factory=list)
    mode: str = ""
    strides: int = 0
    missed: int = 0
    lost: int = 0
    unlifted_before: int | None = None  # of earlier arms

    def take(self, record: object) -> None:
        match record:
            case Tick():
                self._take_tick(record)
            case GuardVerdict():
                self.armed = bool(self.armed) or record.state in ABLE
                if record.verdict == "blocked":
                    self.blocked[record.reason] = self.blocked.get(record.reason, 0) + 1
                if record.pulses:
                    self.pulses.extend(record.pulses)
                    self.first_pulse_ns[record.frame_seq] = [pulse.t_ns for pulse in record.pulses]
            case Delivered():
                self.delivered.append(record)
            case GuardEvent():
                self.guard_events.append(record)
            case Truth():
                self.truth_ns.append(record.t_ns)
                self.truth_rows.extend((record.foot_pitch_deg, record.ankle_deg, float(record.in_swing)))
            case TrueStride():
                self.true.append(
                    Stride(
                        record.initial_contact_ns,
                        record.toe_off_ns,
                        record.next_initial_contact_ns,
                        record.ankle_at_initial_contact_deg,
                        record.foot_pitch_at_initial_contact_deg,
                        record.peak_swing_dorsiflexion_deg,
                        record.swing_pitch_rmse_deg,
                    )
                )
            case _:
                pass

    def _take_tick(self, tick: Tick) -> None:
        view = tick.decision.view
        angles = tick_angles(tick.now_ns, view)
        currents = [c.current_ma for c in tick.decision.command.channels if c is not None]
        self.now_ns.append(tick.now_ns)
        self.rows.extend(
            (
                tick.lateness_us,
                tick.duration_us,
                angles.foot_pitch_deg,
                angles.ankle_deg,
                angles.reference_pitch_deg,
                math.nan if view.phase_percent is None else view.phase_percent,
                max(currents, default=0.0),
                rung_place(view.rung, tick.decision.reason, stimulated=bool(currents)),
                law_place(view.mode, view.rung, asked=bool(currents)),
                float(view.swing),
            )
        )
        self.gait_events.extend(tick.decision.events)
        self.mode = view.mode
        if self.last_strides is not None:
            self.strides += max(0, view.strides - self.last_strides)
            if view.strides > self.last_strides and self.last_view is not None:
                self.lessons.append(self.last_view)
        else:
            self.strides = view.strides if tick.deadline <= 1 else 0
        self.last_strides, self.last_view = view.strides, view
        if self.unlifted_before is None:
            self.unlifted_before = view.unlifted_swings
        if self.last_deadline is not None and tick.deadline > self.last_deadline:
            self.missed += tick.deadline - self.last_deadline - 1
        self.last_deadline = tick.deadline
        if tick.inputs.imu:
            self.imu_seqs.append(tick.seq)
            self.newest_imu_ns.append(max(sample.arrival_ns for sample in tick.inputs.imu))
        for sample in tick.inputs.imu:
            self._count_lost(sample.sensor, sample.seq, 1)
        for frame in tick.inputs.emg:
            self._count_lost(frame.sensor, frame.seq, max(1, len(frame.volts)))

    def take_ticks(self, ticks: TickColumns, views: Mapping[int, View]) -> None:
        """As single ticks; ``views`` has those of the first row, the last, and each before a stride began."""
        self.now_ns.extend(ticks.now_ns.tolist())
        self.rows.extend(ticks.rows.ravel().tolist())
        self.gait_events.extend(ticks.events)
        self.mode = ticks.mode
        before = self.last_strides
        if before is None:
            self.strides = int(ticks.strides[0]) if ticks.deadlines[0] <= 1 else 0
            before = int(ticks.strides[0])
        steps = np.diff(ticks.strides, prepend=before)
        self.strides += int(steps[steps > 0].sum())
        for place in np.flatnonzero(steps > 0).tolist():
            last = views[int(ticks.places[place - 1])] if place else self.last_view
            if last is not None:
                self.lessons.append(last)
        self.last_strides, self.last_view = int(ticks.strides[-1]), views[int(ticks.places[-1])]
        if self.unlifted_before is None:
            self.unlifted_before = views[int(ticks.places[0])].unlifted_swings
        first = int(ticks.deadlines[0]) if self.last_deadline is None else self.last_deadline
        missed = np.diff(ticks.deadlines, prepend=first) - 1
        self.missed += int(missed[missed > 0].sum())
        self.last_deadline = int(ticks.deadlines[-1])
        heard = ticks.newest_imu_ns > 0
        self.imu_seqs.extend(ticks.frame_seqs[heard].tolist())
        self.newest_imu_ns.extend(ticks.newest_imu_ns[heard].tolist())
        for sensor, (seqs, counts) in ticks.seqs.items():
            for seq, samples in zip(seqs.tolist(), counts.tolist(), strict=True):
                self._count_lost(sensor, seq, samples)

    def _count_lost(self, sensor: str, seq: int, samples: int) -> None:
        """``seq`` is the number of the first of ``samples``; what lies before it and did not come is lost."""
        expected = self.next_seq.get(sensor, seq)
        self.lost += max(0, seq - expected)
        self.next_seq[sensor] = seq + samples

    def build(self, key: dict[str, str], heard: Sequence[Heard]) -> ArmData:
        rows = np.frombuffer(self.rows, dtype=np.float64).reshape(-1, 10)
        truth_rows = np.frombuffer(self.truth_rows, dtype=np.float64).reshape(-1, 3)
        now_ns = np.frombuffer(self.now_ns, dtype=np.int64)
        lateness, duration, pitch, ankle, reference, phase, commanded, rung, laws, swing = rows.T
        ticks = Ticks(
            now_ns, lateness, duration, pitch, ankle, reference, phase, commanded, rung, laws, swing > 0.5
        )
        truth_ns = np.frombuffer(self.truth_ns, dtype=np.int64)
        truth = TruthTrace(truth_ns, truth_rows[:, 0], truth_rows[:, 1], truth_rows[:, 2] > 0.5)
        seen_ns = np.concatenate([now_ns, truth_ns])
        begin_ns = self.arm.t_ns if self.arm.t_ns > -NEVER_NS else int(seen_ns.min(initial=NEVER_NS))
        end_ns = self.end_ns if self.end_ns < NEVER_NS else int(seen_ns.max(initial=begin_ns))
        pulses = tuple(sorted(self.pulses, key=attrgetter("t_ns")))
        newest_ns = {
            seq: arrival_ns
            for seq, arrival_ns in zip(self.imu_seqs, self.newest_imu_ns, strict=True)
            if seq in self.first_pulse_ns
        }
        latencies_ms = [
            (pulse_ns - newest_ns[frame_seq]) / 1e6
            for frame_seq, times_ns in self.first_pulse_ns.items()
            if frame_seq in newest_ns
            for pulse_ns in times_ns
        ]
        return ArmData(
            mode=self.arm.mode or self.mode,
            label=self.arm.label or self.arm.mode or self.mode,
            seed=self.arm.seed,
            begin_ns=min(begin_ns, end_ns),
            end_ns=end_ns,
            ticks=ticks,
            truth=truth,
            strides=self.strides,
            estimated=self._judged(estimated_strides(self.gait_events, ticks, pulses), ticks, key, heard),
            true=self._judged((with_dose(one, pulses) for one in self.true), ticks, key, heard),
            gait_events=tuple(self.gait_events),
            pulses=pulses,
            sensor_to_pulse_ms=np.array(latencies_ms, dtype=np.float64),
            guard_events=tuple(self.guard_events),
            blocked=self.blocked,
            missed_ticks=self.missed,
            samples_lost=self.lost,
            trips=_trips(self.guard_events),
            wash_out_strides=self.arm.wash_out_strides,
            armed=self.armed is not False,
            blinded=self.arm.blinded,
            unlifted_swings=(self.last_view.unlifted_swings if self.last_view else 0)
            - (self.unlifted_before or 0),
            delivered=tuple(self.delivered),
            lessons=tuple(self.lessons),
        )

    def _judged(
        self, strides: Iterable[Stride], ticks: Ticks, key: dict[str, str], heard: Sequence[Heard]
    ) -> tuple[Stride, ...]:
        """The strides with their states."""
        mode = mode_of(self.arm.label, self.arm.mode or self.mode, key)
        judge = StrideJudge(mode, self.arm.wash_out_strides)
        times_ns = [each.t_ns for each in heard]
        judged, told = [], 0
        for stride in strides:
            until = bisect_left(times_ns, stride.next_initial_contact_ns)
            swing_ns = stride.toe_off_ns or stride.initial_contact_ns
            first, last = np.searchsorted(ticks.now_ns, (swing_ns, stride.next_initial_contact_ns))
            codes = ticks.law[first:last][ticks.swing[first:last]]
            laws = {None if math.isnan(code) else LAWS[int(code)] for code in codes.tolist()}
            state = judge.judge(stride.initial_contact_ns, heard[told:until], laws)
            judged.append(replace(stride, state=state))
            told = until
        return tuple(judged)


def read_arms(path: Path, *, unblind: bool = False) -> tuple[ArmData, ...]:
    """The arms of a recording in the order of their beginning. Raises InputError as the reader does.

    Of a blinded arm everything that gives its mode away is left out, unless ``unblind``.
    """
    builders = _intervals(path)
    heard: list[Heard] = []
    for part in parts(path, ("tick",)):
        if not isinstance(part, Part):
            _take_tick(builders, part)
        elif not _take_ticks(builders, part):
            for each in part.messages():
                _take_tick(builders, each)
    for message in messages(path, OTHERS):
        _hear(message.record, heard)
        builder = _holding(builders, message.t_ns)
        if builder is None:
            continue
        if isinstance(message.record, TrueStride) and message.record.initial_contact_ns < builder.arm.t_ns:
            continue  # begun in the arm before
        builder.take(message.record)
    key = trial_key(path)
    heard.sort(key=lambda each: each.t_ns)
    return tuple(
        unblinded(arm, key) if unblind else blinded(arm) if arm.blinded else arm
        for arm in (builder.build(key, heard) for builder in builders)
    )


def _take_tick(builders: list[_Builder], message: RawMessage) -> None:
    builder = _holding(builders, message.t_ns)
    if builder is not None:
        builder.take(read(message))


def _take_ticks(builders: list[_Builder], part: Part) -> bool:
    """Take a table of ticks by its columns; False where that cannot be, and nothing is taken."""
    view = TableView(part.table)
    found = []
    for builder in builders:
        wanted = (builder.arm.t_ns <= view.times_ns) & (view.times_ns < builder.end_ns)
        if wanted.any():
            ticks = tick_columns(view, wanted)
            if ticks is None:
                return False
            found.append((builder, ticks))
    asked = {row for _, ticks in found for row in _turns(ticks)}
    views = {}
    for row, message in enumerate(part.messages() if asked else ()):
        if row in asked:
            tick = read(message)
            if not isinstance(tick, Tick):
                return False
            views[row] = tick.decision.view
    for builder, ticks in found:
        builder.take_ticks(ticks, views)
    return True


def _turns(ticks: TickColumns) -> list[int]:
    """Rows before which a stride began, and the first and the last."""
    before = ticks.places[:-1][np.diff(ticks.strides) > 0]
    return [*before.tolist(), int(ticks.places[0]), int(ticks.places[-1])]


def _hear(record: object, heard: list[Heard]) -> None:
    """What the guard said, as far as it is news: most verdicts are like the one before."""
    match record:
        case GuardVerdict(t_ns=t_ns, state=state, verdict=given, unlocked=unlocked):
            last = heard[-1] if heard else None
            news = last is None or (last.state, last.unlocked, last.kind) != (state, unlocked, "")
            if given != "ok" or news:
                heard.append(Heard(t_ns, state, given != "ok", unlocked))
        case GuardEvent(t_ns=t_ns, state=state, kind=kind):
            heard.append(Heard(t_ns, state, kind=kind))
        case _:
            pass


def trial_key(path: Path) -> dict[str, str]:
    """Label to mode of a blinded trial; empty where the recording is not one."""
    for message in messages(path, ("trial/key",)):
        if isinstance(message.record, TrialKey):
            return message.record.modes
    return {}


def _intervals(path: Path) -> list[_Builder]:
    """An empty builder for each arm, its times known."""
    builders: list[_Builder] = []
    for message in messages(path, ("arm",)):
        if not isinstance(message.record, Arm):
            continue
        if builders and builders[-1].end_ns == NEVER_NS:
            builders[-1].end_ns = message.record.t_ns
        if message.record.kind == "begin":
            builders.append(_Builder(message.record))
    if builders:
        return builders
    session = header(path)
    seed = session.get("seed", "")
    whole = Arm(-NEVER_NS, "begin", session.get("mode", ""), int(seed) if seed.isdecimal() else None)
    return [_Builder(whole)]


def _holding(builders: list[_Builder], t_ns: int) -> _Builder | None:
    return next((b for b in builders if b.arm.t_ns <= t_ns < b.end_ns), None)


def _trips(events: list[GuardEvent]) -> int:
    """How often the guard went into its tripped state."""
    states = ["", *(event.state.lower() for event in events)]
    return sum(now == "tripped" != before for before, now in pairwise(states))
