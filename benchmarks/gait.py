"""Scores the online gait detector on real recordings: recall, extra, latency and spread per leg, cost per
sample.

Contacts of the instrumented walkway, motion capture and photoelectric bars are the reference; a causal
zero-crossing detector and, for feet, gaitmap's offline ones run on the same files for comparison. gaitkit's
(1.5.0) apply to no mounting: each takes positions of markers or joint angles, none acceleration or angular
rate. Refuses to run without the recordings.
"""

from __future__ import annotations

import argparse
import csv
import html
import json
import math
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Literal, get_args
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from controller.core.gait import contact_transient
from controller.core.gait.detector import GaitDetector
from controller.core.gait.events import shank
from controller.core.gait.events.shank import ShankEvents
from controller.core.gait.sensor_check import Finding
from controller.core.signals import EventKind, GaitEvent
from drivers.interface import Segment, Side
from models.gait import Activity, ActivityKind
from models.patient import VirtualPatient
from models.patient_params import PatientParams

DATA = Path(os.environ.get("DORSI_DATA", Path(__file__).resolve().parents[1].parent / "shared" / "data"))
SIDES: tuple[Side, Side] = ("left", "right")
GAITMAP = Path(__file__).resolve().parents[1] / ".build" / "gaitmap"  # it needs an older numpy than Dorsi
GAITMAP_PINS = ("numpy<2.1", "gaitmap==2.6.0", "gaitmap_mad==2.6.0")
TOLERANCE_S = 0.25  # about half the shortest step; each leg's constant offset is taken out first
EMD_MS = 75.0  # electromechanical delay at its longest (unverified)
REST_MPS = 0.15  # of the heel's marker: the foot stands
STEP_M = 0.3
SWING_MAX_S = 0.8  # from toe-off to the contact it belongs to
STEADY_MIN = 3  # rows in a row: single ones among glitches of the light barriers are not walking

Array = NDArray[np.float64]
Damage = Literal[
    "loss of 20 %", "gaps of 250 ms", "clock 100 ppm fast", "time jitter of half a sample",
    "stamped on arrival, 1 to 150 ms late", "5 % held", "slipped by 30 deg", "loose strap",
    "gyroscope 5 deg/s off about each axis",
]  # fmt: skip
DAMAGES: tuple[Damage, ...] = get_args(Damage)
NON_GAIT: tuple[ActivityKind, ...] = ("stand", "turn", "sit", "stand_up", "weight_shift", "step_in_place")
WALKED_S = 18.0
NON_GAIT_MIN = 20.0  # of each of three virtual patients
NON_GAIT_SEEDS = (11, 12, 13)  # none that the rules were worked out on
SWING_WITHIN_S = 1.2  # after heel-off the slowest leg on record has swung


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of one recording: samples (N,), (N, 3) in SI units, and what the reference saw.

    ``windows`` are the spans in which the reference saw every contact; ``contacts`` those it timed reliably,
    ``doubtful`` other contacts that were seen. ``swing_axis`` is the known axis of positive swing.
    """

    name: str
    segment: Segment
    side: Side
    time_s: Array
    acc_mps2: Array
    gyr_rps: Array
    contacts: Array
    toe_offs: Array
    windows: tuple[tuple[float, float], ...]
    swing_axis: Array
    doubtful: Array


@dataclass(frozen=True, slots=True)
class Setting:
    """One constant of the detector and a value to try instead."""

    owner: object
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Held:
    """A subject left out: the constant changed for it by the others, and how it fared."""

    subject: str
    chosen: str
    wrong: int
    p95_ms: float
    mad_ms: float


@dataclass(frozen=True, slots=True)
class Run:
    """What our detector made of a leg: events as emitted, when stimulation would begin, findings at the
    end.
    """

    events: list[GaitEvent]
    starts_s: list[float]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """How one leg's events compare with the reference; errors and latencies in ms, one per matched event."""

    expected: int
    missed: int
    extra: int
    latency_ms: Array
    error_ms: Array

    @property
    def bias_ms(self) -> float:
        return float(np.median(self.error_ms)) if self.error_ms.size else float("nan")

    @property
    def deviation_ms(self) -> Array:
        """Distance of each error from the leg's own median."""
        return np.abs(self.error_ms - self.bias_ms)

    @property
    def mad_ms(self) -> float:
        return float(np.median(self.deviation_ms)) if self.error_ms.size else float("nan")


SETTINGS = (
    Setting(ShankEvents, "top_weight", 0.2), Setting(ShankEvents, "top_weight", 0.4),
    Setting(shank, "LAG_SPREAD_S", 0.009), Setting(shank, "LAG_SPREAD_S", 0.018),
    Setting(shank, "WAIT_S", 0.08), Setting(shank, "WAIT_S", 0.12),
    Setting(shank, "TERMINAL_SHARE", 0.65), Setting(shank, "TERMINAL_SHARE", 0.85),
    Setting(contact_transient, "LAG_LEARN", 0.1), Setting(contact_transient, "LAG_LEARN", 0.3),
    Setting(contact_transient, "RATE_MARGIN", 0.15), Setting(contact_transient, "RATE_MARGIN", 0.35),
)  # fmt: skip


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def hemiparetic() -> Iterator[Leg]:
    """Elderly and post-stroke shanks over an instrumented walkway (folder hemiparetic_shank_gaitrite)."""
    for path in sorted((DATA / "hemiparetic_shank_gaitrite").glob("*.npz")):
        data = np.load(path)
        contacts = rows(path.with_name(path.stem + "_ic.csv"))
        passes: dict[str, list[float]] = {}
        for row in contacts:
            passes.setdefault(row["pass"], []).append(float(row["ic_time_s"]))
        for side in SIDES:
            own = [float(row["ic_time_s"]) for row in contacts if row["side_derived"] == side[0].upper()]
            yield Leg(
                f"{path.stem} {side}", "shank", side, data["t"],
                data[f"{side}_shank_acc_g"] * 9.80665,
                np.radians(data[f"{side}_shank_gyr_dps"].astype(float)),
                np.array(own), np.array([]), tuple((times[0], times[-1]) for times in passes.values()),
                np.array([0.0, 1.0, 0.0]), np.array([]),
            )  # fmt: skip


def motion_capture() -> Iterator[Leg]:
    """Healthy feet with events from heel and toe markers (folder gaitmap_foot_mocap)."""
    folder = DATA / "gaitmap_foot_mocap"
    data = np.load(folder / "healthy_2x20m.npz")
    events = rows(folder / "healthy_2x20m_events.csv")
    for side in SIDES:
        acc = data[f"{side}_foot_acc_mps2"].astype(float)
        times = {
            kind: np.array(
                [float(row["time_s"]) for row in events if row["foot"] == side and row["event"] == kind]
            )
            for kind in ("IC", "TC")
        }
        yield Leg(
            f"mocap {side}", "foot", side, np.arange(len(acc)) / float(data["fs"]), acc,
            np.radians(data[f"{side}_foot_gyr_dps"].astype(float)), times["IC"], times["TC"],
            ((float(times["IC"][0]), float(times["IC"][-1])),), np.array([0.0, -1.0, 0.0]),
            left_out(times["IC"], marker_rests(side)),
        )  # fmt: skip


def marker_rests(side: Side) -> Array:
    """When the heel's marker came to rest (s) after a step: contacts, with no sensor asked."""
    data = np.load(DATA / "gaitmap_foot_mocap" / "healthy_2x20m_mocap_mm.npz")
    names, rate_hz = list(data["columns"]), float(data["fs"])
    heel_m = data["xyz"][:, [names.index(f"{side[0].upper()}_FCC_{axis}") for axis in "xy"]] * 1e-3
    resting = np.hypot(*np.diff(heel_m, axis=0).T) * rate_hz < REST_MPS
    starts = np.flatnonzero(resting[1:] & ~resting[:-1]) + 1
    way_m = np.hypot(*np.diff(heel_m[starts], axis=0).T)
    rests: Array = starts[1:][way_m > STEP_M] / rate_hz
    return rests


def left_out(contacts: Array, rests: Array) -> Array:
    """Those ``rests`` that follow no contact of the reference: steps of a turn it does not list."""
    return np.array([t for t in rests if np.min(np.abs(contacts - t)) > 2.0 * TOLERANCE_S])


def unreferenced(name: str) -> Iterator[Leg]:
    """Feet without reference events: ``ms_patient_unsynced``, ``healthy_stair_down``,
    ``healthy_stair_up``.
    """
    data = np.load(DATA / "gaitmap_foot_mocap" / f"{name}.npz")
    for side in SIDES:
        acc = data[f"{side}_foot_acc_mps2"].astype(float)
        gyr = np.radians(data[f"{side}_foot_gyr_dps"].astype(float))
        none = np.array([])
        times = np.arange(len(acc)) / float(data["fs"])
        axis = np.array([0.0, -1.0, 0.0])
        yield Leg(f"{name} {side}", "foot", side, times, acc, gyr, none, none, (), axis, none)


def treadmill(segment: Literal["shank", "forefoot", "heel"]) -> Iterator[Leg]:
    """Treadmill walking with photoelectric contacts (folder tripod_shank_foot_optogait)."""
    folder = DATA / "tripod_shank_foot_optogait"
    offsets = {
        (row["trial"], row["sensor"]): float(row["opto_to_imu_offset_s"])
        for row in rows(folder / "estimated_offsets.csv")
    }
    for path in sorted(folder.glob("*.npz")):
        data = np.load(path)
        table = rows(path.with_name(path.stem + "_optogait.csv"))
        for side in SIDES:
            # the heel has no offset of its own: it sits on the same shoe as the forefoot
            offset = offsets[path.stem, f"{side}_{'shank' if segment == 'shank' else 'forefoot'}"]
            own = [row for row in table if row["side"] == side[0].upper()]
            runs = steady_runs(own)
            contacts, toe_offs = (
                [[float(row[key]) + offset for row in run if row[key]] for run in runs]
                for key in ("ic_time_s", "fo_time_s")
            )
            axis = {"shank": (0.0, 0.0, -1.0), "forefoot": (-1.0, 0.0, 0.0), "heel": (1.0, 0.0, 0.0)}[segment]
            mirror = -1.0 if segment == "shank" and side == "right" else 1.0
            yield Leg(
                f"{path.stem} {segment} {side}", "shank" if segment == "shank" else "foot", side, data["t"],
                data[f"{side}_{segment}_acc_g"] * 9.80665,
                np.radians(data[f"{side}_{segment}_gyr_dps"].astype(float)),
                np.concatenate(contacts), np.concatenate(toe_offs),
                tuple((run[0], run[-1]) for run in contacts), mirror * np.array(axis), np.array([]),
            )  # fmt: skip


def steady_runs(steps: list[dict[str, str]]) -> list[list[dict[str, str]]]:
    """The runs of rows that the light barriers' file marks as steady."""
    runs: list[list[dict[str, str]]] = [[]]
    for row in steps:
        if row["steady"] == "1":
            runs[-1].append(row)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if len(run) >= STEADY_MIN]


def detect(leg: Leg) -> list[GaitEvent]:
    """Our events on ``leg``, in the order of emission."""
    return observe(leg).events


def stimulations(leg: Leg) -> list[float]:
    """When stimulation would begin: at a heel-off or toe-off while walking, once until contact or a stop."""
    return observe(leg).starts_s


def observe(leg: Leg) -> Run:
    """One pass of our detector over ``leg``."""
    detector = GaitDetector(leg.segment, leg.side)
    times = np.rint(leg.time_s * 1e9).astype(np.int64).tolist()
    run, on = Run([], [], ()), False
    for t_ns, acc, gyr in zip(times, leg.acc_mps2.tolist(), leg.gyr_rps.tolist(), strict=True):
        events = detector.update(t_ns, tuple(acc), tuple(gyr))
        if not events and not on:
            continue
        walking = detector.walking(t_ns) or detector.setting_off
        kinds = {event.kind for event in events}
        run.events.extend(events)
        if walking and not on and kinds & {"heel_off", "toe_off"}:
            run.starts_s.append(t_ns * 1e-9)
            on = True
        on = on and walking and "initial_contact" not in kinds
    return replace(run, findings=detector.findings())


def zero_crossing(leg: Leg) -> list[GaitEvent]:
    """The rival: first downward zero crossing of the sagittal rate after a swing, axis given, nothing
    else.
    """
    rate = leg.gyr_rps @ leg.swing_axis
    usual, peak, last = 0.0, 0.0, -1.0
    events = []
    for t_s, w in zip(leg.time_s.tolist(), rate.tolist(), strict=True):
        peak = max(peak, w)
        if w <= 0.0:
            if peak > max(0.6, 0.4 * usual) and t_s - last > 0.4:
                usual = 0.7 * usual + 0.3 * peak if usual > 0.0 else peak
                last = t_s
                events.append(GaitEvent("initial_contact", round(t_s * 1e9), round(t_s * 1e9)))
            peak = 0.0
    return events


def damaged(leg: Leg, how: Damage, seed: int = 0) -> Leg:
    """A copy of ``leg`` as a bad radio, clock, sensor or strap would have delivered it."""
    rng = np.random.default_rng([seed, *leg.name.encode()])
    time_s, acc, gyr = leg.time_s, leg.acc_mps2.copy(), leg.gyr_rps.copy()
    keep = np.ones(len(time_s), dtype=bool)
    step_s = float(time_s[1] - time_s[0])
    if how == "loss of 20 %":
        keep = rng.random(len(time_s)) >= 0.2
    elif how == "gaps of 250 ms":
        start_s = time_s[0] + rng.uniform(1.0, 4.0)
        while start_s < time_s[-1]:
            keep &= (time_s < start_s) | (time_s >= start_s + 0.25)
            start_s += 0.25 + rng.exponential(3.0)
    elif how == "clock 100 ppm fast":
        time_s = time_s * (1.0 + 1e-4)
    elif how == "time jitter of half a sample":
        time_s = time_s + rng.uniform(0.0, 0.5 * step_s, len(time_s))
    elif how == "stamped on arrival, 1 to 150 ms late":
        time_s = np.maximum.accumulate(time_s + rng.uniform(0.001, 0.150, len(time_s)))
    elif how == "5 % held":
        for i in np.flatnonzero(rng.random(len(time_s) - 1) < 0.05) + 1:
            acc[i], gyr[i] = acc[i - 1], gyr[i - 1]
    elif how == "slipped by 30 deg":
        half = len(time_s) // 2
        turn = rotation(rng.normal(size=3), math.radians(30.0))
        acc[half:], gyr[half:] = acc[half:] @ turn, gyr[half:] @ turn
    elif how == "gyroscope 5 deg/s off about each axis":
        gyr += math.radians(5.0) * rng.choice((-1.0, 1.0), 3)
    else:
        ringing(acc, gyr, step_s)
    return replace(leg, time_s=time_s[keep], acc_mps2=acc[keep], gyr_rps=gyr[keep])


def rotation(axis: Array, angle_rad: float) -> Array:
    """Rodrigues' formula."""
    x, y, z = axis / np.linalg.norm(axis)
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turn: Array = np.eye(3) + math.sin(angle_rad) * k + (1.0 - math.cos(angle_rad)) * k @ k
    return turn


def ringing(acc: Array, gyr: Array, step_s: float) -> None:
    """A loose strap: the sensor rings at 12 Hz, lightly damped, driven by the limb's own acceleration."""
    w, damping, mean = 2.0 * math.pi * 12.0, 0.12, acc.mean(axis=0)
    place, speed = np.zeros(3), np.zeros(3)
    lever = np.array([0.3, 0.8, 0.5])
    for i in range(len(acc)):
        for _ in range(4):
            speed = speed + (-w * w * place - 2.0 * damping * w * speed - (acc[i] - mean)) * step_s / 4.0
            place = place + speed * step_s / 4.0
        acc[i] += 0.5 * (-w * w * place - 2.0 * damping * w * speed)
        gyr[i] += 2.0 * np.cross(lever, speed)


def without_swing(leg: Leg, starts: list[float]) -> list[float]:
    """Those ``starts`` between the passes which no swing of the leg follows, by its known axis."""
    rate = leg.gyr_rps @ leg.swing_axis

    def peak(start_s: float, end_s: float) -> float:
        return float(np.max(rate[(leg.time_s >= start_s) & (leg.time_s < end_s)], initial=-math.inf))

    usual = median(peak(contact - 0.7, contact) for contact in leg.contacts)
    last_s = float(leg.time_s[-1]) - SWING_WITHIN_S  # later ones the recording's end leaves open
    between = [t for t in starts if not any(start - SWING_WITHIN_S < t < end for start, end in leg.windows)]
    return [t for t in between if t < last_s and peak(t, t + SWING_WITHIN_S) < 0.4 * usual]


def non_gait(segment: Segment, seed: int, minutes: float, *, walks: bool = True) -> Leg:
    """A virtual patient who walks 15 s, or not at all, and then stands, shifts weight, sits, rises, turns
    and steps in place.
    """
    rng, rate_hz = np.random.default_rng(seed), 100.0
    plan = [Activity("stand", 3.0), Activity("walk", WALKED_S - 3.0)] if walks else [Activity("stand", 3.0)]
    total_s = WALKED_S if walks else 3.0
    while total_s < 60.0 * minutes:
        kind, length_s = NON_GAIT[int(rng.integers(len(NON_GAIT)))], float(rng.uniform(3.0, 8.0))
        if plan[-1].kind == "sit":
            kind, length_s = "stand_up", 2.5
        plan.append(Activity(kind, length_s, turn_deg=180.0 if kind == "turn" else 0.0))
        total_s += length_s
    patient = VirtualPatient(PatientParams(), seed=seed, schedule=tuple(plan))
    blocks = [patient.imu_block(segment, second, int(rate_hz), rate_hz) for second in range(int(total_s))]
    rows = np.concatenate(blocks)
    none = np.array([])
    return Leg(
        f"non-gait {segment} {seed}", segment, "left",
        np.arange(len(rows)) / rate_hz, rows[:, 4:7], rows[:, 7:10],
        none, none, (), none, none,
    )  # fmt: skip


def score(leg: Leg, events: list[GaitEvent], kind: EventKind = "initial_contact") -> Score:
    """Match ``kind`` one to one with the reference, the leg's median offset taken out for matching."""
    expected = leg.contacts if kind == "initial_contact" else leg.toe_offs
    found = np.array([event.t_ns * 1e-9 for event in events if event.kind == kind])
    emitted = np.array([event.emitted_ns * 1e-9 for event in events if event.kind == kind])
    if not found.size or not expected.size:
        return Score(len(expected), len(expected), 0, np.array([]), np.array([]))
    offset = median(float(found[np.argmin(np.abs(found - t))] - t) for t in expected)
    used: set[int] = set()
    latency, error = [], []
    for t in expected:
        best = int(np.argmin(np.abs(found - t - offset)))
        if abs(found[best] - t - offset) <= TOLERANCE_S and best not in used:
            used.add(best)
            latency.append((emitted[best] - t) * 1e3)
            error.append((found[best] - t) * 1e3)
    seen, before_s, after_s = leg.doubtful, TOLERANCE_S, TOLERANCE_S
    if kind == "toe_off":  # of a step whose contact alone was seen
        listed = [t for t in leg.contacts if np.any((leg.toe_offs < t) & (leg.toe_offs > t - SWING_MAX_S))]
        seen, before_s, after_s = np.union1d(seen, np.setdiff1d(leg.contacts, listed)), SWING_MAX_S, 0.0
    extra = sum(
        1
        for i, t in enumerate(found - offset)
        if i not in used
        and any(start <= t <= end for start, end in leg.windows)
        and not np.any((seen - t <= before_s) & (t - seen <= after_s))
    )
    return Score(len(expected), len(expected) - len(used), extra, np.array(latency), np.array(error))


def print_scores(
    title: str, legs: list[Leg], kind: EventKind = "initial_contact", *, rival: bool = False
) -> None:
    """One row per leg and a pooled row."""
    print(f"\n{title}: {kind}{', zero-crossing rival with known axes' if rival else ''}")
    print(
        f"{'leg':<26}{'n':>5}{'missed':>7}{'extra':>6}{'latency p50/p95':>17}{'bias':>6}{'MAD':>6}{'p95':>6}"
        " ms"
    )
    scores = []
    for leg in legs:
        one = score(leg, zero_crossing(leg) if rival else detect(leg), kind)
        scores.append(one)
        print(line(leg.name, one, one.deviation_ms))
    pooled = Score(
        sum(one.expected for one in scores), sum(one.missed for one in scores), sum(one.extra for one in
        scores),
        np.concatenate([one.latency_ms for one in scores]), np.concatenate([one.error_ms for one in scores]),
    )  # fmt: skip
    print(line("pooled", pooled, np.concatenate([one.deviation_ms for one in scores])))
    print(f"worst leg's MAD {max(one.mad_ms for one in scores):.1f} ms")


def line(name: str, one: Score, deviation_ms: Array) -> str:
    p50, p95 = np.percentile(one.latency_ms, (50, 95)) if one.latency_ms.size else (float("nan"),) * 2
    spread = np.percentile(deviation_ms, (50, 95)) if deviation_ms.size else (float("nan"),) * 2
    return (
        f"{name:<26}{one.expected:>5}{one.missed:>7}{one.extra:>6}{p50:>9.0f} /{p95:>5.0f}"
        f"{one.bias_ms:>8.0f}{spread[0]:>6.1f}{spread[1]:>6.1f}"
    )


def gaitmap_python() -> Path:
    """The interpreter beside gaitmap, installed at first use; raises OSError or SubprocessError where it
    cannot be.
    """
    python, done = GAITMAP / "bin" / "python", GAITMAP / ".installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", GAITMAP], check=True, capture_output=True, timeout=120)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *GAITMAP_PINS]
        subprocess.run(pip, check=True, capture_output=True, timeout=600)
        done.touch()
    return python


def print_offline_rivals(feet: list[Leg]) -> None:
    """gaitmap's detectors on the same feet; they see the whole recording and know the axes."""
    print("\nhealthy feet, motion capture: offline detectors, which see the whole recording (no latency)")
    script = Path(__file__).with_name("rivals") / "gaitmap_events.py"
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "feet.npz", Path(folder) / "events.json"
        samples = {f"{leg.side}_acc": leg.acc_mps2 for leg in feet}
        samples |= {f"{leg.side}_gyr": np.degrees(leg.gyr_rps) for leg in feet}
        samples["fs"] = np.array(1.0 / float(np.median(np.diff(feet[0].time_s))))
        np.savez(source, **samples)
        try:
            python = gaitmap_python()
            subprocess.run([python, script, source, target], check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"skipped: gaitmap could not be installed or run ({type(error).__name__})")
            return
        found = json.loads(target.read_text())
    print(
        f"{'detector':<52}{'n':>4}{'recall':>9}{'precision':>10}{'bias':>6}{'MAD':>6}{'p95':>6} ms{'cost':>9}"
    )
    for one in found:
        leg = next(leg for leg in feet if leg.side == one["side"])
        print_rival(leg, one["detector"], times_to_events(one["ic"], one["tc"]), one["cost_us"])
    for leg in feet:
        print_rival(leg, "dorsi, online", detect(leg), cost_us(leg))
    print(
        "gaitkit 1.5.0: not applicable, its detectors take marker positions or joint angles, no inertial data"
    )


def times_to_events(contacts: list[float], toe_offs: list[float]) -> list[GaitEvent]:
    """Events known at their own time."""
    times: list[tuple[EventKind, float]] = [("initial_contact", t) for t in contacts]
    times += [("toe_off", t) for t in toe_offs]
    return [GaitEvent(kind, round(t * 1e9), round(t * 1e9)) for kind, t in times]


def print_rival(leg: Leg, name: str, events: list[GaitEvent], cost: float) -> None:
    kinds: tuple[EventKind, EventKind] = ("initial_contact", "toe_off")
    for kind in kinds:
        one = score(leg, events, kind)
        hits = one.expected - one.missed
        p95 = float(np.percentile(one.deviation_ms, 95))
        print(
            f"{f'{name}, {leg.side}, {kind}':<52.52}{one.expected:>4}{100 * hits / one.expected:>8.1f}%"
            f"{100 * hits / (hits + one.extra):>8.1f}%"
            f"{one.bias_ms:>6.0f}{one.mad_ms:>6.1f}{p95:>6.1f}{cost:>9.1f} us"
        )


def print_false_stimulations(walkway: list[Leg]) -> None:
    """Stimulations that would begin outside walking, of each set on its own."""
    print("\nstimulations that would begin (heel-off or toe-off while walking)")
    for name in ("healthy_stair_down", "healthy_stair_up"):
        for leg in unreferenced(name):
            steps = sum(event.kind == "initial_contact" for event in detect(leg))
            print(f"{leg.name:<30}{len(stimulations(leg)):>4} of {steps} steps")
    found, idle, time_s = 0, 0, 0.0
    for leg in walkway:
        starts = stimulations(leg)
        found += len(starts)
        idle += len(without_swing(leg, starts))
        time_s += float(leg.time_s[-1] - leg.time_s[0])
    print(
        f"turns and halts between passes: {idle} of {found} have no swing after them, {time_s / 60:.0f} min"
    )
    for segment, walks in ((segment, walks) for segment in ("foot", "shank") for walks in (True, False)):
        false = sum(
            start > WALKED_S or not walks
            for seed in NON_GAIT_SEEDS
            for start in stimulations(non_gait(segment, seed, NON_GAIT_MIN, walks=walks))
        )
        hours = len(NON_GAIT_SEEDS) * NON_GAIT_MIN / 60
        when = "after a walk" if walks else "before any walk"
        print(f"virtual non-gait {when}, {segment}: {false} in {hours:g} h: {false / hours:.1f} an hour")


def print_damages(legs: list[Leg]) -> None:
    """Damaged copies of every recording: missed and extra of all contacts, by the sensor's place."""
    print("\ndamaged copies of all recordings: missed and extra of all contacts")
    print(f"{'damage':<40}{'n':>6}{'shank':>18}{'foot':>18}")
    for how in DAMAGES:
        cells, total = "", 0
        for segment in ("shank", "foot"):
            scores = [score(leg, detect(damaged(leg, how))) for leg in legs if leg.segment == segment]
            expected = sum(one.expected for one in scores)
            missed, extra = sum(one.missed for one in scores), sum(one.extra for one in scores)
            cells += f"{100 * missed / expected:>8.2f} %{100 * extra / expected:>6.2f} %"
            total += expected
        print(f"{how:<40}{total:>6}{cells}", flush=True)


def scored_with(setting: Setting | None, legs: list[Leg]) -> dict[str, Score]:
    """Each leg's score with one constant of the shank's landing changed; ``None`` changes nothing."""
    if setting is None:
        return {leg.name: score(leg, detect(leg)) for leg in legs}
    with patch.object(setting.owner, setting.name, setting.value):
        return {leg.name: score(leg, detect(leg)) for leg in legs}


def leave_one_out(legs: list[Leg]) -> list[Held]:
    """Each subject scored with the constants that suit all the others best.

    Best is the fewest missed and extra contacts, then the smallest 95th percentile of the deviation.
    """
    tables: dict[str, dict[str, Score]] = {"as built": scored_with(None, legs)}
    for setting in SETTINGS:
        tables[f"{setting.name} {setting.value:g}"] = scored_with(setting, legs)
    subjects = sorted({leg.name.rpartition(" ")[0] for leg in legs})
    held = []
    for subject in subjects:

        def cost(name: str, subject: str = subject) -> tuple[int, float]:
            others = [one for leg, one in tables[name].items() if not leg.startswith(subject)]
            return wrong_and_spread(others)

        best = min(tables, key=cost)
        own = [one for leg, one in tables[best].items() if leg.startswith(subject)]
        held.append(Held(subject, best, *wrong_and_spread(own), max(one.mad_ms for one in own)))
    return held


def wrong_and_spread(scores: list[Score]) -> tuple[int, float]:
    """Missed and extra contacts, and the 95th percentile of the deviation (ms)."""
    wrong = sum(one.missed + one.extra for one in scores)
    return wrong, float(np.percentile(np.concatenate([one.deviation_ms for one in scores]), 95))


def print_leave_one_out(legs: list[Leg]) -> None:
    """The landing's constants chosen without the subject they are scored on."""
    print(
        "\nleave one subject out: the shank's landing constants chosen on the others, scored on the subject"
    )
    print(f"{'subject':<10}{'chosen':<22}{'wrong':>6}{'p95':>7}{'MAD':>6} ms")
    for one in leave_one_out(legs):
        print(f"{one.subject:<10}{one.chosen:<22}{one.wrong:>6}{one.p95_ms:>7.1f}{one.mad_ms:>6.1f}")


def print_coverage(legs: list[Leg]) -> None:
    """How long before the limb swings forward stimulation begins, and how far the predictions are off."""
    print(
        "\nstimulation before the limb swings forward (from the rate's last rise through zero), in the passes"
    )
    print(f"{'leg':<26}{'n':>5}{'none':>6}{'under 75 ms':>13}{'lead p10/p50':>15} ms")
    leads = []
    for leg in legs:
        lead_ms = stimulation_leads_ms(leg, stimulations(leg))
        leads.append(lead_ms)
        print(coverage_line(leg.name, lead_ms))
    print(coverage_line("pooled", np.concatenate(leads)))


def coverage_line(name: str, lead_ms: Array) -> str:
    known = lead_ms[np.isfinite(lead_ms)]
    p10, p50 = np.percentile(known, (10, 50))
    late = int(np.sum(known < EMD_MS))
    return f"{name:<26}{len(lead_ms):>5}{len(lead_ms) - len(known):>6}{late:>13}{p10:>9.0f} /{p50:>4.0f}"


def stimulation_leads_ms(leg: Leg, starts_s: list[float]) -> Array:
    """For each contact of the reference: from the start of stimulation to the swing's; NaN without one."""
    rate = leg.gyr_rps @ leg.swing_axis
    leads = []
    for contact_s in leg.contacts:
        part = np.flatnonzero((leg.time_s > contact_s - 0.9) & (leg.time_s < contact_s - 0.1))
        i = int(part[np.argmax(rate[part])])
        while i > 0 and rate[i] > 0.0:
            i -= 1
        swing_s = float(leg.time_s[i])
        before = [t for t in starts_s if swing_s - 0.9 < t < contact_s - 0.05]
        leads.append((swing_s - max(before)) * 1e3 if before else math.nan)
    return np.array(leads)


def print_split_runs(legs: list[Leg]) -> None:
    """Each recording in two pieces with the state carried over, and its first half alone."""
    same = sum(split_run_is_equal(leg) for leg in legs)
    print(f"\nin two pieces as in one, and the first half a prefix: {same} of {len(legs)} recordings")


def split_run_is_equal(leg: Leg) -> bool:
    whole, pieces = detect(leg), GaitDetector(leg.segment, leg.side)
    times = np.rint(leg.time_s * 1e9).astype(np.int64).tolist()
    events: list[GaitEvent] = []
    half = len(times) // 2
    for i, (t_ns, acc, gyr) in enumerate(
        zip(times, leg.acc_mps2.tolist(), leg.gyr_rps.tolist(), strict=True)
    ):
        if i == half:
            pieces = pickle.loads(pickle.dumps(pieces))
            if events != [event for event in whole if event.emitted_ns <= times[half - 1]]:
                return False
        events += pieces.update(t_ns, tuple(acc), tuple(gyr))
    return events == whole


def cost_us(leg: Leg) -> float:
    """Mean processor time of one ``update`` and one ``walking``, the lesser of two runs."""
    costs = []
    for _ in range(2):
        start = time.process_time()
        detector = GaitDetector(leg.segment, leg.side)
        times = np.rint(leg.time_s * 1e9).astype(np.int64).tolist()
        for t_ns, acc, gyr in zip(times, leg.acc_mps2.tolist(), leg.gyr_rps.tolist(), strict=True):
            detector.update(t_ns, tuple(acc), tuple(gyr))
            detector.walking(t_ns)
        costs.append((time.process_time() - start) / len(leg.time_s) * 1e6)
    return min(costs)


def write_page(folder: Path, walkway: list[Leg], others: list[Leg]) -> None:
    """gait.html and gait.json in ``folder``: one row a subject, both legs pooled."""
    subjects: dict[str, list[Leg]] = {}
    for leg in (*walkway, *others):
        subjects.setdefault(leg.name.rpartition(" ")[0], []).append(leg)
    table: list[dict[str, str | int | float]] = []
    held = {one.subject: one for one in leave_one_out(walkway)}
    for name, both in subjects.items():
        scores = [score(leg, detect(leg)) for leg in both]
        latency_ms = np.concatenate([one.latency_ms for one in scores])
        deviation_ms = np.concatenate([one.deviation_ms for one in scores])
        p50, p95 = np.percentile(latency_ms, (50, 95))
        table.append({
            "subject": name,
            "sensor": both[0].segment,
            "contacts": sum(one.expected for one in scores),
            "missed": sum(one.missed for one in scores),
            "extra": sum(one.extra for one in scores),
            "emitted after contact, median (ms)": round(float(p50), 1),
            "95th percentile (ms)": round(float(p95), 1),
            "worse leg's MAD (ms)": round(max(one.mad_ms for one in scores), 1),
            "deviation, 95th percentile (ms)": round(float(np.percentile(deviation_ms, 95)), 1),
            "the same, constants chosen on the others (ms)": (
                round(held[name].p95_ms, 1) if name in held else ""
            ),
        })  # fmt: skip
    head = "".join(f"<th>{html.escape(column)}" for column in table[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(value))}" for value in row.values()) for row in table
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gait.json").write_text(json.dumps(table, indent=1) + "\n")
    (folder / "gait.html").write_text(
        "<!doctype html><meta charset=utf-8><title>Dorsi: initial contacts per subject</title>"
        "<style>body{font:15px sans-serif;margin:2em}td,th{padding:.2em .8em;text-align:right}</style>"
        f"<h1>Initial contacts per subject</h1><table><tr>{head}{body}</table>"
        "<p>Online, axes found by itself, against the instrumented walkway (Trojaniello et al., JNER 2014 "
        "11:152), motion capture (gaitmap) and light barriers (TRIPOD, doi 10.3390/data6090095). Deviation "
        "and MAD are about each leg's own median; the clock of the light barriers is not the sensor's.</p>\n"
    )


def main() -> int:
    """The whole benchmark, or with ``--out`` only the page of ``make validate``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, help="write only the page with a row per subject, into this folder"
    )
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print(f"no recordings at {DATA} (set DORSI_DATA)", file=sys.stderr)
        return 0
    walkway = list(hemiparetic())
    if arguments.out is not None:
        write_page(arguments.out, walkway, [*motion_capture(), *treadmill("shank"), *treadmill("forefoot")])
        print(f"gait per subject: {arguments.out / 'gait.html'}")
        return 0
    print_scores("elderly and post-stroke shanks, walkway", walkway)
    print_scores("elderly and post-stroke shanks, walkway", walkway, rival=True)
    feet = list(motion_capture())
    print_scores("healthy feet, motion capture", feet)
    print_scores("healthy feet, motion capture", feet, "toe_off")
    print_offline_rivals(feet)
    for segment in ("shank", "forefoot"):
        legs = list(treadmill(segment))
        print_scores(f"treadmill {segment}, photoelectric bars", legs)
        print_scores(f"treadmill {segment}, photoelectric bars", legs, "toe_off")
    treads = [*treadmill("shank"), *treadmill("forefoot")]
    print_leave_one_out(walkway)
    print_coverage([*walkway, *feet])
    print_split_runs([*walkway, *feet, *treads])
    print_damages([*walkway, *feet, *treads])
    print_false_stimulations(walkway)
    print(f"\ncost per sample: shank {cost_us(walkway[0]):.1f} us, foot {cost_us(feet[0]):.1f} us")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
