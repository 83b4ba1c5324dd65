"""Which swings would have been lifted, on real recordings, and which pulses no swing explains.

Detector, decision and window run as in the core, one sensor at a time; a swing is lifted where the window is
open for at least 80 % of the 250 ms before its contact. ``--fit`` chooses each constant of the decision
without the subject it is scored on, ``--curve`` shows the trade.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields
from itertools import repeat
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.gait import DATA
from benchmarks.movements import MOVEMENTS
from benchmarks.walks import MID_STANCE_S, SETS, Array, Swing, Walk, mid_stances
from controller.core.gait import pedalling, sagittal_frame
from controller.core.gait.detector import GaitDetector
from controller.core.gait.events import shank
from controller.core.output import lifting_decision
from controller.core.output.lifting_decision import judge
from controller.core.output.stimulation_window import Window
from controller.core.params import Envelope, Readiness
from controller.core.signals import GaitEvent

LINK_NS = 10_000_000  # of the radio
TICK_NS = 5_000_000
TICK_S = TICK_NS * 1e-9
ENVELOPE = Envelope(current_ma=30.0, rise_s=0.2, extension_s=0.15, fall_s=0.2)
FELT = 1.0 / 6.0  # of the intensity: 5 of 30 mA; less moves nothing
BEFORE_S, COVERED = 0.25, 0.8
FOLLOWS_S = 1.2  # a swing comes within it of its first pulse


@dataclass(slots=True)
class Tally:
    """What became of one set's swings; ``kinds`` lifted and all, by kind."""

    kinds: dict[str, list[int]] = field(default_factory=dict)
    legs: dict[str, list[int]] = field(default_factory=dict)
    hours: float = 0.0
    starts: int = 0
    without_swing: int = 0
    small_steps: int = 0
    strides: int = 0
    mid_stance: int = 0
    silent_s: float = 0.0
    silent_on_s: float = 0.0
    silent_starts: int = 0

    def add(self, other: Tally) -> None:
        """Another recording of the same set."""
        for mine, theirs in ((self.kinds, other.kinds), (self.legs, other.legs)):
            for name, (lifted, all_of) in theirs.items():
                numbers = mine.setdefault(name, [0, 0])
                numbers[0] += lifted
                numbers[1] += all_of
        for one in fields(self):
            if one.name not in ("kinds", "legs"):
                setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(frozen=True, slots=True)
class Pulses:
    """At each tick: time (s), whether pulses are felt, and what the window and the decision said."""

    time_s: Array
    on: NDArray[np.bool_]
    why: list[str]


def pulses(walk: Walk, readiness: Readiness = "balanced") -> Pulses:
    """Detector, decision and window over one leg, ticks and radio as in a session."""
    detector, window = GaitDetector(walk.segment, walk.side), Window(ENVELOPE)
    begin_ns = 10_000_000_000
    times = (begin_ns + np.rint(walk.time_s * 1e9)).astype(np.int64).tolist()
    acc, gyr = walk.acc_mps2.tolist(), walk.gyr_rps.tolist()
    on: list[bool] = []
    why: list[str] = []
    k = 0
    ticks = np.arange(times[0], times[-1], TICK_NS)
    for now_ns in ticks.tolist():
        while times[k] + LINK_NS <= now_ns:
            events: list[GaitEvent] = detector.update(times[k], tuple(acc[k]), tuple(gyr[k]))
            k += 1
            against = judge(now_ns, detector, readiness, level=False).against if events else ""
            for event in events:
                window.note(event, now_ns, against=against)
        if window.state == "closed" and not window.withheld:
            on.append(False)
            why.append(window.why)
            continue
        verdict = judge(now_ns, detector, readiness, level=False)
        window.tick(now_ns, against=verdict.against, swinging=detector.in_full_swing)
        on.append(window.share(now_ns) > FELT and (window.state != "falling" or on[-1]))
        why.append(f"{window.why}; {verdict.doubt}" if verdict.doubt else window.why)
    return Pulses((ticks - begin_ns) * 1e-9, np.array(on), why)


def covered(swing: Swing, given: Pulses) -> bool:
    """Whether pulses were on for long enough before the contact."""
    first_s = max(swing.contact_s - BEFORE_S, swing.start_s)
    part = given.on[np.searchsorted(given.time_s, first_s) : np.searchsorted(given.time_s, swing.contact_s)]
    return len(part) > 0 and float(np.mean(part)) >= COVERED


def count(walk: Walk, given: Pulses, tally: Tally) -> list[Swing]:
    """Add one leg to its set's tally; the swings it did not lift."""
    missed, time_s, on = [], given.time_s, given.on
    leg = tally.legs.setdefault(f"{walk.name} {walk.side}", [0, 0])
    for swing in walk.swings:
        lifted = covered(swing, given)
        for numbers in (tally.kinds.setdefault(swing.kind, [0, 0]), leg):
            numbers[0] += lifted
            numbers[1] += 1
        if not lifted:
            missed.append(swing)
    for loaded_s, off_s in mid_stances(walk):
        tally.strides += 1
        if off_s - loaded_s > MID_STANCE_S:
            part = on[np.searchsorted(time_s, loaded_s) : np.searchsorted(time_s, off_s)]
            tally.mid_stance += float(np.mean(part)) > 0.5
    rising = time_s[1:][on[1:] & ~on[:-1]]
    rising = rising[rising < time_s[-1] - FOLLOWS_S]  # later ones the recording's end leaves open
    alone = rising[~followed(rising, walk.mid_swings_s)]
    tally.hours += float(time_s[-1] - time_s[0]) / 3600.0
    tally.starts += len(rising)
    tally.without_swing += len(alone)
    tally.small_steps += int(np.sum(followed(alone, walk.small_steps_s)))
    for first_s, last_s in walk.silent_s:
        inside = (time_s >= first_s) & (time_s <= last_s)
        tally.silent_s += float(np.sum(inside)) * TICK_S
        tally.silent_on_s += float(np.sum(inside & on)) * TICK_S
        tally.silent_starts += int(np.sum((rising >= first_s) & (rising <= last_s)))
    return missed


def followed(starts_s: Array, mids_s: Array) -> NDArray[np.bool_]:
    """Which of the starts a swing follows."""
    return np.array([bool(np.any((mids_s > t - 0.1) & (mids_s < t + FOLLOWS_S))) for t in starts_s], bool)


def tell(name: str, tally: Tally) -> None:
    """One set: lifted by kind and of the worst legs, and the pulses that no swing explains."""
    print(f"\n{name}, {60.0 * tally.hours:.0f} min")
    for kind, (lifted, all_of) in sorted(tally.kinds.items()):
        print(f"  {kind:<24}{lifted:>6} of {all_of:<6}{100.0 * lifted / all_of:>6.1f} %")
    if tally.kinds:
        worst = sorted(
            (lifted / all_of, leg, lifted, all_of) for leg, (lifted, all_of) in tally.legs.items()
        )[:3]
        print("  worst legs: " + ", ".join(f"{leg} {lifted} of {all_of}" for _, leg, lifted, all_of in worst))
        print(f"  pulses in mid-stance {tally.mid_stance} of {tally.strides} strides")
    if tally.kinds or not tally.silent_s:
        print(
            f"  starts without a swing {tally.without_swing} of {tally.starts} "
            f"({tally.without_swing / tally.hours:.0f} an hour), {tally.small_steps} of them small steps"
        )
    if tally.silent_s:
        share = 100.0 * tally.silent_on_s / tally.silent_s
        starts = f"{tally.silent_s / 60.0:.1f} min: {tally.silent_starts} starts"
        print(f"  nothing to lift for {starts}, {share:.2f} % stimulated")


def scored(walk: Walk, readiness: Readiness) -> tuple[Tally, list[Swing]]:
    """One leg's tally, and its swings that were not lifted."""
    tally = Tally()
    return tally, count(walk, pulses(walk, readiness), tally)


def score(
    readiness: Readiness, sets: list[list[Walk]]
) -> tuple[list[tuple[str, Tally]], list[tuple[Walk, Swing]]]:
    """Every set's tally, and all swings that were not lifted."""
    tallies, missed = [], []
    with ProcessPoolExecutor() as pool:
        for walks in sets:
            tally = Tally()
            for walk, (one, lost) in zip(walks, pool.map(scored, walks, repeat(readiness)), strict=True):
                tally.add(one)
                missed += [(walk, swing) for swing in lost]
            tallies.append((walks[0].folder, tally))
    return tallies, missed


def draw(missed: list[tuple[Walk, Swing]], path: Path) -> None:
    """The five swings with the longest time to their contact without pulses: rate, pulses, contact."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    def share(one: tuple[Walk, Swing]) -> float:
        given, swing = pulses(one[0]), one[1]
        part = (given.time_s > swing.contact_s - BEFORE_S) & (given.time_s <= swing.contact_s)
        return float(np.mean(given.on[part])) if np.any(part) else 0.0

    straight = [one for one in missed if one[1].kind in ("straight", "first of a pass", "steady")]
    worst = sorted(straight[:40], key=share)[:5]
    figure, axes = plt.subplots(5, 1, figsize=(9, 12), constrained_layout=True)
    for axis, (walk, swing) in zip(axes, worst, strict=False):
        given = pulses(walk)
        near = np.abs(walk.time_s - swing.contact_s) < 2.0
        axis.plot(walk.time_s[near], np.degrees(walk.gyr_rps[near]), linewidth=0.8)
        near = np.abs(given.time_s - swing.contact_s) < 2.0
        axis.fill_between(given.time_s[near], -300.0, np.where(given.on[near], 300.0, -300.0), alpha=0.15)
        axis.axvline(swing.contact_s, color="k", linestyle="--")
        before = int(np.searchsorted(given.time_s, swing.contact_s - BEFORE_S))
        why = given.why[min(before, len(given.why) - 1)]
        axis.set_title(f"{walk.folder}, {walk.name} {walk.side}, {swing.kind}: {why}", fontsize=9)
        axis.set_ylabel("deg/s")
    axes[-1].set_xlabel("s; grey: pulses, dashed: contact of the reference")
    figure.savefig(path, dpi=110)
    plt.close(figure)


FITTED: tuple[tuple[object, str, tuple[float, ...]], ...] = (
    (shank, "SWING_FLOOR_RPS", (0.15, 0.4)), (shank, "BOUNCE_SHARE", (0.15, 0.35)),
    (shank, "BOUNCE_S", (0.35, 0.6)), (lifting_decision, "STILL_S", (0.1, 0.4)),
    (sagittal_frame, "BACKWARD_SHARE", (0.2, 0.4)), (pedalling, "EVEN_SHARE", (0.8, 0.88)),
)  # fmt: skip
FALSE_WEIGHT = 0.2  # of a start without a swing against a swing not lifted: a nuisance against a fall


def fit(sets: list[list[Walk]]) -> None:
    """Leave one subject out: each constant chosen on all others, scored on the subject."""
    tables: dict[str, dict[str, tuple[int, int, int]]] = {"as built": by_subject(sets)}
    for owner, name, values in FITTED:
        for value in values:
            with patch.object(owner, name, value):
                tables[f"{name} {value:g}"] = by_subject(sets)
    subjects = sorted(tables["as built"])
    print("\nleave one subject out: chosen on the others; swings not lifted, of, starts without a swing")
    total = np.zeros(3, dtype=int)
    for subject in subjects:

        def cost(name: str, subject: str = subject) -> float:
            return sum(
                missed + FALSE_WEIGHT * false
                for other, (missed, _, false) in tables[name].items()
                if other != subject
            )

        best = min(tables, key=cost)
        total += np.array(tables[best][subject])
        print(f"  {subject:<32}{best:<20}" + "".join(f"{number:>6}" for number in tables[best][subject]))
    print(f"  {'all':<52}" + "".join(f"{number:>6}" for number in total))
    print(
        f"  {'as built':<52}" + "".join(f"{n:>6}" for n in np.sum(list(tables["as built"].values()), axis=0))
    )


def by_subject(sets: list[list[Walk]]) -> dict[str, tuple[int, int, int]]:
    """Of each subject: swings not lifted, all swings, starts without a swing."""
    tallies: dict[str, Tally] = {}
    every = [walk for walks in sets for walk in walks]
    with ProcessPoolExecutor() as pool:  # forked here, with the constant that is tried
        for walk, (one, _) in zip(every, pool.map(scored, every, repeat("balanced")), strict=True):
            tallies.setdefault(f"{walk.folder} {walk.subject}", Tally()).add(one)
    found = {}
    for name, tally in tallies.items():
        lifted, all_of = np.sum(list(tally.kinds.values()), axis=0)
        found[name] = (int(all_of - lifted), int(all_of), tally.without_swing - tally.small_steps)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, help="folder for lifted.json and a picture of the worst five swings"
    )
    parser.add_argument("--fit", action="store_true", help="leave one subject out (half an hour)")
    parser.add_argument("--curve", action="store_true", help="the trade: all three readinesses")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print(f"no recordings at {DATA} (set DORSI_DATA)", file=sys.stderr)
        return 0
    walked, moved = [list(make()) for make in SETS], [list(make()) for make in MOVEMENTS]
    kinds: tuple[Readiness, ...] = ("cautious", "balanced", "eager") if arguments.curve else ("balanced",)
    for readiness in kinds:
        print(f"\n==> swings lifted, readiness {readiness}")
        tallies, missed = score(readiness, walked)
        for name, tally in (*tallies, *score(readiness, moved)[0]):
            tell(name, tally)
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        table = {name: {"lifted": tally.kinds, "legs": tally.legs} for name, tally in tallies}
        (arguments.out / "lifted.json").write_text(json.dumps(table, indent=1) + "\n")
        draw(missed, arguments.out / "lifted_worst.png")
        print(f"\nthe worst five: {arguments.out / 'lifted_worst.png'}")
    if arguments.fit:
        fit(walked)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
