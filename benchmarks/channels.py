"""Two channels on a cohort: how soon the foot is turned, and what turning it costs of lifting it.

    python benchmarks/channels.py [patients] [strides]

Walks each patient of the cohort with the identified body of `benchmarks/control.py`, once with one channel
and once with both by a map identified from holds on a plate; events, angles and roll from the sensors alone.
Prints median and 90th percentile of patients with what they must keep. Where the first channel alone everts
a foot by more than 3 deg the second one, which can only evert, is no help: the controller advises to move the
electrode, and such patients are counted apart.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from control import HALF, NEVER, Outcome, begin, identified, spread, strides_to_good, walked

from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.core.control.two_channels import identify_second
from controller.core.params import CoreParams
from controller.simulation.closed_loop import with_mode
from models.cohort import CohortPatient, cohort
from models.foot_plate import WIDTH_US, perform_holds
from models.recruitment import RecruitmentParams

SESSION = Path(__file__).resolve().parents[1] / "configs" / "sessions" / "two_channels.toml"
TURNED_DEG = 3.0
SETTLED = 10  # strides after which the foot stays turned


@dataclass(frozen=True)
class Walked:
    """One patient with one channel and with both; inversion (deg) at the contact that ends each stride."""

    number: int
    alone: Outcome
    both: Outcome
    inversion_alone_deg: list[float]
    inversion_deg: list[float]
    demand_nm: float


def second_channel(member: CohortPatient, core: CoreParams) -> CoreParams:
    """The session's second channel with what `dorsi identify` finds in this patient's holds."""
    session = core_params(load_session(SESSION)).second
    assert session is not None
    muscle, holds = core.muscle, perform_holds(member.params, member.seed)
    curve, response = identify_second(
        RecruitmentParams(muscle.i50_ma, muscle.sigma, muscle.chronaxie_us),
        [hold.current_ma for hold in holds],
        [hold.torque_nm for hold in holds],
        WIDTH_US,
    )
    second = dataclasses.replace(
        session,
        i50_ma=curve.i50_ma,
        sigma=curve.sigma,
        chronaxie_us=curve.chronaxie_us,
        current_max_ma=core.pulse.current_max_ma,
        response=response,
    )
    return dataclasses.replace(core, pulse=dataclasses.replace(core.pulse, channels=2), second=second)


def compared(member: CohortPatient, strides: int) -> Walked:
    """One patient's two walks."""
    core = with_mode(identified(member), "learning")
    found = []
    for params in (core, second_channel(member, core)):
        trial = begin(member, params, "")
        outcome = walked(trial, strides)
        # a stride begins with the contact of the one before
        inversions = [s.inversion_at_initial_contact_deg for s in trial.patient.strides()][1:]
        found.append((outcome, inversions, trial.walk.core.laws.steering))
    (alone, before, _), (both, after, steering) = found
    return Walked(member.number, alone, both, before, after, steering.demand_nm if steering else 0.0)


def _rms(inversion_deg: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(inversion_deg[SETTLED:]))))


def main() -> None:
    """Print the figures, and how many of them miss what they must keep."""
    patients, strides = (int(sys.argv[n]) if len(sys.argv) > n else (6, 30)[n - 1] for n in (1, 2))
    members = cohort(patients, int(os.environ.get("SEED", "1")))
    with ProcessPoolExecutor() as pool:
        walks = list(pool.map(compared, members, [strides] * patients))
    print(f"{patients} patients x {strides} strides: median / 90th percentile of patients, degrees")
    half = min(HALF, strides // 2)
    turned = {w.number: strides_to_good([abs(value) for value in w.inversion_deg]) for w in walks}
    able = [w for w in walks if float(np.mean(w.inversion_alone_deg[SETTLED:])) > -TURNED_DEG]
    must = (TURNED_DEG, TURNED_DEG)
    rows: list[tuple[str, list[float], tuple[float, float] | None]] = [
        ("inversion at contact r.m.s., one channel", [_rms(w.inversion_alone_deg) for w in walks], None),
        ("two channels, all", [_rms(w.inversion_deg) for w in walks], None),
        ("two channels, not everted by the first alone", [_rms(w.inversion_deg) for w in able], must),
        ("strides until it is within 3 deg, all", list(turned.values()), (5, 5)),
        ("the same, not everted by the first alone", [turned[w.number] for w in able], (5, 5)),
    ]
    for name, outcomes in (
        ("one channel", [w.alone for w in walks]),
        ("two channels", [w.both for w in walks]),
    ):
        judged = name == "two channels"
        landed = [float(np.mean([s.ankle_error_deg for s in o.strides[half:]])) for o in outcomes]
        rows += [
            (
                f"swing pitch error, {name}",
                [o.mean_error(half) for o in outcomes],
                (2.5, 3.2) if judged else None,
            ),
            (f"ankle error at contact, {name}", landed, (1.3, 2.5) if judged else None),
            (
                f"strides to < 3 of pitch, {name}",
                [strides_to_good(o.errors) for o in outcomes],
                (3, 6) if judged else None,
            ),
        ]
    missed = 0
    for figure, values, limits in rows:
        kept = limits is None or (np.median(values) <= limits[0] and np.percentile(values, 90) <= limits[1])
        missed += not kept
        asked = "" if limits is None else f"must {limits[0]:g} / {limits[1]:g}  {'ok' if kept else 'MISSED'}"
        print(f"{figure:44} {spread(values):14} {asked}")
    for w in walks:
        after = turned[w.number]
        strides_deg = " ".join(f"{value:.0f}" for value in w.inversion_deg[:12])
        alone_deg = float(np.mean(w.inversion_alone_deg[SETTLED:]))
        when = "never" if after > NEVER / 2 else f"{after:.0f}"
        print(f"patient {w.number:2}: {when:>5} strides; one channel {alone_deg:5.1f}, both {strides_deg}")
    print(f"{missed} figures missed" if missed else "every figure kept")


if __name__ == "__main__":
    main()
