"""An exercise session over time: its phases, every pulse of each muscle, what the guard said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from controller.analysis.exercise import params_of
from controller.core.exercise.programme import MusclePlan
from controller.core.signals import Phase
from controller.record.reader import header, messages
from controller.record.records import GuardEvent, GuardVerdict, Tick
from controller.safety.judgement.states import Stage

Floats = npt.NDArray[np.float64]
TRAIN_GAP_S = 0.5  # a longer interval between two pulses is a rest, not a rate


@dataclass(frozen=True, slots=True)
class Span:
    """A phase of the programme, from its begin to its end in seconds of the session."""

    phase: Phase
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class PulseTrace:
    """Every pulse, or burst, of one muscle."""

    plan: MusclePlan
    t_s: Floats
    current_ma: Floats
    width_us: Floats
    cycles: int  # of the longest burst

    @property
    def rates_hz(self) -> Floats:
        """One over each interval within a contraction."""
        intervals_s = np.diff(self.t_s)
        return 1.0 / intervals_s[(intervals_s > 0.0) & (intervals_s < TRAIN_GAP_S)]


@dataclass(frozen=True, slots=True)
class ExerciseTrace:
    """``begin_ns`` is the first tick; all times are seconds from it."""

    begin_ns: int
    seconds: float
    spans: tuple[Span, ...]
    muscles: tuple[PulseTrace, ...]
    guard_events: tuple[GuardEvent, ...]
    blocked: Mapping[str, int]  # frames, by the guard's reason


def read_trace(path: Path) -> ExerciseTrace:
    """Raises InputError where the recording is not of an exercise session, or as the reader does."""
    params = params_of(path, header(path))
    found: list[list[tuple[int, float, float]]] = [[] for _ in params.muscles]
    cycles = [1 for _ in params.muscles]
    marks: list[tuple[int, Phase]] = []  # where a phase begins
    events: list[GuardEvent] = []
    blocked: Counter[str] = Counter()
    begin_ns = last_ns = 0
    for message in messages(path, ("tick", "guard/verdict", "guard/event")):
        record = message.record
        if isinstance(record, Tick):
            begin_ns, last_ns = begin_ns or record.now_ns, record.now_ns
            seen = record.decision.view.exercise
            if seen is not None and (not marks or marks[-1][1] != seen.phase):
                marks.append((record.now_ns, seen.phase))
        elif isinstance(record, GuardVerdict):
            if record.verdict == "blocked":
                blocked[record.reason] += 1
            tested = record.state == Stage.CONTACT.value  # the electrodes, by pulses too weak to feel
            for pulse in () if tested else record.pulses:
                if pulse.channel < len(found):
                    found[pulse.channel].append((pulse.t_ns, pulse.current_ma, pulse.width_us))
                    cycles[pulse.channel] = max(cycles[pulse.channel], pulse.cycles)
        elif isinstance(record, GuardEvent):
            events.append(record)
    ends = [*(t_ns for t_ns, _ in marks[1:]), last_ns]
    return ExerciseTrace(
        begin_ns,
        (last_ns - begin_ns) / 1e9,
        tuple(
            Span(phase, (t_ns - begin_ns) / 1e9, (end_ns - begin_ns) / 1e9)
            for (t_ns, phase), end_ns in zip(marks, ends, strict=True)
        )
        if marks
        else (),
        tuple(
            PulseTrace(plan, *_columns(pulses, begin_ns), cycles=most)
            for plan, pulses, most in zip(params.muscles, found, cycles, strict=True)
        ),
        tuple(events),
        blocked,
    )


def _columns(pulses: list[tuple[int, float, float]], begin_ns: int) -> tuple[Floats, Floats, Floats]:
    t_s = np.array([(t_ns - begin_ns) / 1e9 for t_ns, _, _ in pulses])
    return t_s, np.array([one for _, one, _ in pulses]), np.array([one for _, _, one in pulses])
