"""The preview's stride error against what then happens, on virtual patients unlike the model.

Each patient is identified by the three tests, walks, and is measured by its sensors; then settings change.
The preview knows the identified numbers and the measured strides alone. Each patient has one of
the changes in turn, or with ``all`` every one. Exits with 1 where the median is further off than WRONG_MAX.
Usage: preview.py [patients] [seed] [all]
"""

from __future__ import annotations

import copy
import dataclasses
import math
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.control import identified
from controller.config.tunables import with_values
from controller.console.tuning.preview import preview
from controller.console.tuning.preview_messages import Question
from controller.core.params import CoreParams
from controller.core.signals import Mode
from controller.record.strides import Stride, StrideMeter, tick_angles
from controller.simulation.closed_loop import EPOCH_NS, TICK_S, Rehearsal, TracePoint, with_mode
from models.cohort import CohortPatient, cohort
from models.patient import VirtualPatient

BEFORE, AFTER = 14, 10  # strides walked before the change, and judged after it
MEASURED = 10  # of those before, as the console keeps
WRONG_MAX = 0.25  # in the median


@dataclass(frozen=True)
class Outcome:
    """One change on one patient; degrees."""

    patient: int
    change: str
    before: float
    predicted: float
    model_before: float
    model_alone: float
    happened: float

    @property
    def wrong(self) -> float:
        return abs(self.predicted / self.happened - 1.0)


def changes(params: CoreParams) -> tuple[tuple[str, Mode, dict[str, float]], ...]:
    """What a therapist might try, from settings that fit this patient."""
    half_ma = round(2.0 * params.muscle.i50_ma) / 2.0
    return (
        ("gain twice", "feedback", {"feedback.kp_nm_per_rad": 16.0}),
        ("gain a quarter", "feedback", {"feedback.kp_nm_per_rad": 2.0}),
        ("ceiling at half of the fibres", "feedback", {"limits.current_max_ma": half_ma}),
        ("amplitude up by a fifth", "trapezoid", {"trapezoid.current_ma": 1.1 * half_ma}),
    )


def walked(points: list[TracePoint]) -> list[Stride]:
    """The strides as the sensors see them and the console shows them."""
    meter, found = StrideMeter(), []
    for point in points:
        decision = point.decision
        now_ns = EPOCH_NS + round(point.time_s * 1e9)
        found += meter.take_tick(tick_angles(now_ns, decision.view), decision.events)
    return found + meter.end()


def usual_error_deg(strides: list[Stride]) -> float:
    return statistics.median(s.swing_pitch_rmse_deg for s in strides if s.swing_pitch_rmse_deg is not None)


def tried(member: CohortPatient, params: CoreParams, name: str, wanted: dict[str, float]) -> Outcome:
    walk = Rehearsal(params, VirtualPatient(member.params, member.seed, member.schedule(1e4)))
    walk.walk(4.0 + BEFORE * member.stride_s)
    walk.to_boundary()
    seen = walked(walk.trace)[-MEASURED:]
    before = usual_error_deg(seen)
    lengths_s = [stride.duration_s for stride in seen]
    stride_s = statistics.median(lengths_s)
    question = Question(
        params, wanted, stride_s, statistics.pstdev(lengths_s) / stride_s, member.speed_mps, before
    )
    told = preview(question)
    after = copy.deepcopy(walk)
    after.reconfigure(with_values(params, wanted))
    begun = after.ticks
    after.walk(after.ticks * TICK_S + (AFTER + 2) * member.stride_s)
    happened = usual_error_deg(walked(after.trace[begun:])[:AFTER])
    return Outcome(
        member.number,
        name,
        before,
        told.predicted_error_deg,
        told.current.error_deg,
        told.proposed.error_deg,
        happened,
    )


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    every = "all" in sys.argv[3:]
    found: list[Outcome] = []
    for member in cohort(count, seed):
        params = identified(member)
        mine = changes(params)
        for name, mode, wanted in mine if every else mine[member.number % len(mine) :][:1]:
            envelope = dataclasses.replace(
                params.envelope, current_ma=round(1.8 * params.muscle.i50_ma) / 2.0
            )
            base = with_mode(dataclasses.replace(params, envelope=envelope), mode)
            outcome = tried(member, base, name, wanted)
            found.append(outcome)
            print(
                f"{outcome.patient:3d} {name:30s} before {outcome.before:5.2f} (model "
                f"{outcome.model_before:5.2f} to {outcome.model_alone:5.2f})  predicted "
                f"{outcome.predicted:5.2f}  happened {outcome.happened:5.2f}  off by {outcome.wrong:4.0%}",
                flush=True,
            )
    print("\nmedian difference of predicted and real stride error (90 % of them below), model alone:")
    for name in dict.fromkeys(outcome.change for outcome in found):
        mine = [outcome for outcome in found if outcome.change == name]
        wrong = sorted(outcome.wrong for outcome in mine)
        alone = statistics.median(abs(o.model_alone / o.happened - 1.0) for o in mine)
        high = wrong[math.ceil(0.9 * len(wrong)) - 1]
        print(f"{name:30s} {statistics.median(wrong):4.0%} ({high:4.0%})  {alone:4.0%}  of {len(mine)}")
    median = statistics.median(outcome.wrong for outcome in found)
    print(f"all: {median:.0%}; wanted: {WRONG_MAX:.0%} or less")
    return 0 if median <= WRONG_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
