"""Recordings in which every swing is known: legs, their swings by kind, and when the person stands.

Contacts are those of the walkway (Trojaniello et al., JNER 2014 11:152) and of the labelled feet (Voisard et
al., IPOL 2023, doi 10.5201/ipol.2023.497). The others have none: an offline, zero-phase swing finder stands
in, its contacts 45 ms late, as on the walkway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, sosfiltfilt

from benchmarks.gait import DATA, SIDES, rows
from drivers.interface import Segment, Side

Array = NDArray[np.float64]

STRIDE_S = (0.6, 2.6)  # contacts of one leg further apart are no stride
BRISK_STRIDE_S = (0.7, 1.8)  # of able-bodied persons
LATE_S = 0.045  # the offline finder's contacts, by the walkway
STILL_RPS = 0.35
STANDS_S = 1.0  # beyond the first and the last step
TURN_S = (0.3, 1.5)  # before and after the labelled turn, its strides
LOADED_S, STANCE_SHARE = 0.45, 0.4  # after contact, of the stride: mid-stance of a shank
MID_STANCE_S = 0.05  # what is shorter is none
HEEL_RAD = np.radians(3.0)  # toe-down from flat: the heel is off
BLOW_S = 0.35  # a foot lands so long after the shank's derived contact
STEP_RPS, STEP_RAD = np.radians(35.0), np.radians(8.0)  # forward, of a small step


@dataclass(frozen=True, slots=True)
class Swing:
    """One swing of the reference: kind, begin (0 where not known), its contact and the one before."""

    kind: str
    start_s: float
    contact_s: float
    before_s: float


@dataclass(frozen=True, slots=True)
class Walk:
    """One leg of one recording; samples (N,), (N, 3) in SI units. ``mid_swings_s`` are all swings, also those
    that are not scored, ``small_steps_s`` turns forward too small or too slow for one; ``silent_s`` are spans
    in which nothing is to be lifted."""

    folder: str
    name: str
    subject: str
    segment: Segment
    side: Side
    time_s: Array
    acc_mps2: Array
    gyr_rps: Array
    swings: tuple[Swing, ...]
    mid_swings_s: Array
    silent_s: tuple[tuple[float, float], ...] = ()
    small_steps_s: Array = field(default_factory=lambda: np.array([]))


def smoothed(x: Array, cut_hz: float, rate_hz: float) -> Array:
    """Zero phase."""
    return np.asarray(
        sosfiltfilt(butter(2, min(cut_hz, 0.45 * rate_hz), fs=rate_hz, output="sos"), x, axis=0)
    )


def forward_rate(acc_mps2: Array, gyr_rps: Array, rate_hz: float) -> Array:
    """Rate (rad/s) about the axis across which a shank swings, the whole recording in view."""
    gyr = smoothed(gyr_rps, 10.0, rate_hz)
    up = acc_mps2.mean(0) / np.linalg.norm(acc_mps2.mean(0))
    level = gyr - np.outer(gyr @ up, up)
    rate: Array = gyr @ np.linalg.eigh(level.T @ level)[1][:, -1]
    return rate if np.mean(rate**3) >= 0.0 else -rate  # the larger, shorter lobe is the swing


def offline(time_s: Array, acc_mps2: Array, gyr_rps: Array, rate_hz: float) -> tuple[Array, Array]:
    """Mid-swings and contacts (s) of a shank, found with the whole recording in view."""
    rate = forward_rate(acc_mps2, gyr_rps, rate_hz)
    slow, quick = smoothed(rate, 5.0, rate_hz), smoothed(rate, 12.0, rate_hz)
    floor = np.radians(35.0)
    peaks, _ = find_peaks(
        slow, height=floor, prominence=floor, distance=round(0.45 * stride_s(slow, rate_hz) * rate_hz)
    )
    peaks = peaks[slow[peaks] > 0.35 * np.percentile(slow[peaks], 75)] if len(peaks) else peaks
    mids, contacts = [], []
    for peak in peaks:
        below = np.flatnonzero(quick[peak : peak + round(rate_hz)] <= 0.0)
        if len(below):
            mids.append(time_s[peak])
            contacts.append(time_s[peak + below[0]])
    return np.array(mids), np.array(contacts)


def small_steps(time_s: Array, acc_mps2: Array, gyr_rps: Array, rate_hz: float) -> Array:
    """Where (s) a shank turns forward by as much as in a small step."""
    rate = smoothed(forward_rate(acc_mps2, gyr_rps, rate_hz), 8.0, rate_hz)
    edges = np.flatnonzero(np.diff(np.r_[0, (rate > 0.0).astype(int), 0])).reshape(-1, 2)
    return np.array([
        time_s[a + int(np.argmax(rate[a:b]))]
        for a, b in edges
        if rate[a:b].max() > STEP_RPS and rate[a:b].sum() / rate_hz > STEP_RAD
    ])  # fmt: skip


def stride_s(rate: Array, rate_hz: float) -> float:
    """The lag at which the rate is most like itself, the shortest of nearly equal ones."""
    x = rate - rate.mean()
    power = np.fft.rfft(x, 2 * len(x))
    like = np.fft.irfft(power * np.conj(power))[: len(x)]
    first, last = round(STRIDE_S[0] * rate_hz), min(round(STRIDE_S[1] * rate_hz), len(x) - 2)
    lags = find_peaks(like[first:last])[0] + first
    if not len(lags):
        return 1.2
    return float(lags[like[lags] > 0.8 * like[lags].max()][0] / rate_hz)


def strides(contacts_s: Array, first: str, then: str) -> list[Swing]:
    """The swing before each contact that another one precedes by a stride; the first of each bout apart."""
    found, bout = [], 0
    for before_s, contact_s in pairwise(contacts_s):
        bout = bout + 1 if STRIDE_S[0] <= contact_s - before_s <= STRIDE_S[1] else 0
        if bout:
            found.append(Swing(first if bout == 1 else then, 0.0, float(contact_s), float(before_s)))
    return found


def mid_stances(walk: Walk) -> list[tuple[float, float]]:
    """Of each stride: from when the leg is loaded until its heel comes off for the swing (s), the whole
    recording in view. A shank does not show its heel: until 40 % of the stride."""
    whole = [s for s in walk.swings if STRIDE_S[0] < s.contact_s - s.before_s < STRIDE_S[1]]
    if walk.segment == "shank":
        return [
            (s.before_s + LOADED_S, s.before_s + STANCE_SHARE * (s.contact_s - s.before_s)) for s in whole
        ]
    rate_hz = float(1.0 / np.median(np.diff(walk.time_s)))
    time_s = np.arange(walk.time_s[0], walk.time_s[-1], 1.0 / rate_hz)
    acc, gyr = (
        np.column_stack([np.interp(time_s, walk.time_s, axis) for axis in x.T])
        for x in (walk.acc_mps2, walk.gyr_rps)
    )
    rate, size = forward_rate(acc, gyr, rate_hz), np.linalg.norm(smoothed(gyr, 8.0, rate_hz), axis=1)
    jolt = np.abs(np.diff(np.linalg.norm(acc, axis=1), prepend=9.81))

    def at(first_s: float, last_s: float) -> slice:
        return slice(*np.searchsorted(time_s, (first_s, last_s)).tolist())

    ahead = sum(float(rate[at(s.contact_s - 0.35, s.contact_s - 0.1)].sum()) for s in whole)
    tilt = np.cumsum(rate if ahead > 0.0 else -rate) / rate_hz  # toes up +: they rise before contact
    found = []
    for swing in whole:
        landed_s, off_s = swing.before_s, swing.start_s
        if not off_s:  # contacts of the offline finder: the foot's own blow, and where its toes are lowest
            near = at(landed_s - 0.05, landed_s + BLOW_S)
            landed_s = float(time_s[near.start + int(np.argmax(jolt[near]))])
            near = at(swing.before_s + 0.3 * (swing.contact_s - swing.before_s), swing.contact_s)
            off_s = float(time_s[near.start + int(np.argmin(tilt[near]))])
        stance = at(landed_s + 0.15, off_s)
        heel_s = landed_s
        if stance.stop > stance.start:
            flat = tilt[stance][int(np.argmin(size[stance]))]
            down = np.flatnonzero(tilt[stance] > flat - HEEL_RAD)
            heel_s = float(time_s[stance.start + int(down[-1])])
        found.append((landed_s + LOADED_S, heel_s))
    return found


def walkway() -> Iterator[Walk]:
    """Elderly and hemiparetic shanks over an instrumented walkway."""
    for folder in ("hemiparetic_shank_gaitrite", "hemiparetic_shank_gaitrite_more"):
        for path in sorted((DATA / folder).glob("*.npz")):
            data, table = np.load(path), rows(path.with_name(path.stem + "_ic.csv"))
            for side in SIDES:
                acc = data[f"{side}_shank_acc_g"] * 9.80665
                gyr = np.radians(data[f"{side}_shank_gyr_dps"].astype(float))
                swings: list[Swing] = []
                for number in dict.fromkeys(row["pass"] for row in table):
                    own = sorted(
                        float(row["ic_time_s"])
                        for row in table
                        if row["pass"] == number and row["side_derived"] == side[0].upper()
                    )
                    swings += strides(np.array(own), "first of a pass", "straight")
                time_s = np.asarray(data["t"], float)
                rate_hz = float(data["fs"])
                yield Walk(
                    "walkway", path.stem, path.stem, "shank", side, time_s, acc, gyr, tuple(swings),
                    offline(time_s, acc, gyr, rate_hz)[0], (), small_steps(time_s, acc, gyr, rate_hz),
                )  # fmt: skip


def treadmill(segment: Segment) -> Iterator[Walk]:
    """Persons after stroke on a treadmill."""
    for path in sorted((DATA / "stroke_treadmill_xsens").glob("*.npz")):
        data, table = np.load(path), rows(path.with_name(path.stem + "_contacts_derived.csv"))
        for side in SIDES:
            if f"{side}_{segment}_acc_mps2" not in data.files:
                continue
            rate_hz = float(data["fs"])
            acc, gyr = (data[f"{side}_{segment}_{what}"].astype(float) for what in ("acc_mps2", "gyr_rps"))
            time_s = np.arange(len(acc)) / rate_hz
            contacts = sorted(float(row["contact_s"]) for row in table if row["side"] == side)
            swings = strides(np.array(contacts) - LATE_S, "first of a bout", "straight")
            shank = (
                data[f"{side}_shank_acc_mps2"].astype(float),
                data[f"{side}_shank_gyr_rps"].astype(float),
            )
            mids = offline(time_s, *shank, rate_hz)[0]
            yield Walk(
                f"treadmill, {segment}", path.stem, path.stem[:4], segment, side,
                time_s, acc, gyr, tuple(swings), mids, (), small_steps(time_s, *shank, rate_hz),
            )  # fmt: skip


def outdoor() -> Iterator[Walk]:
    """Able-bodied persons on a campus: halts, doors, turns, stairs, grass; 40 Hz."""
    for path in sorted((DATA / "outdoor_shin_40hz").glob("*.npz")):
        data = np.load(path)
        acc, gyr = data["shank_acc_mps2"].astype(float), data["shank_gyr_rps"].astype(float)
        time_s = np.arange(len(acc)) / float(data["fs"])
        mids, contacts = offline(time_s, acc, gyr, float(data["fs"]))
        labels = data["label"] if "label" in data.files else np.zeros(len(acc))
        swings = []
        for before_s, contact_s in pairwise(contacts):
            if BRISK_STRIDE_S[0] <= contact_s - before_s <= BRISK_STRIDE_S[1]:
                label = int(labels[np.searchsorted(time_s, contact_s)])
                kind = {1: "down stairs", 2: "up stairs"}.get(label, "level, turns and grass")
                swings.append(Swing(kind, 0.0, contact_s - LATE_S, before_s - LATE_S))
        moving = np.convolve(np.linalg.norm(gyr, axis=1) > STILL_RPS, np.ones(81), "same") > 0.0
        edges = np.flatnonzero(np.diff(np.r_[False, ~moving, False].astype(int)))
        still = tuple((float(time_s[a]), float(time_s[b - 1])) for a, b in edges.reshape(-1, 2))
        yield Walk(
            "outdoors, shin", path.stem, path.stem[:11], "shank", "left",
            time_s, acc, gyr, tuple(swings), mids, still,
            small_steps(time_s, acc, gyr, float(data["fs"])),
        )  # fmt: skip


def feet() -> Iterator[Walk]:
    """Healthy feet: stand, walk 10 m, turn, back, stop; radio loss. The labels count packets, not rows."""
    for path in sorted((DATA / "healthy_foot_turn_AGPL").glob("*.npz")):
        data = np.load(path)
        for side, other in (SIDES, SIDES[::-1]):
            packet = data[f"{side}_packet"].astype(float)
            keep = np.r_[True, np.diff(packet) > 0.0]
            time_s = packet[keep] / 100.0
            (off, on), (far_off, far_on), turn = (
                np.asarray(data[key]).T / 100.0 + time_s[0]
                for key in (f"{side}_to_hs", f"{other}_to_hs", "uturn")
            )
            swings = []
            for k, (start_s, contact_s) in enumerate(zip(off, on, strict=True)):
                kind = {0: "first", 1: "second", len(on) - 1: "last"}.get(k, "steady")
                if kind not in ("first", "last") and turn[0] - TURN_S[0] <= contact_s <= turn[1] + TURN_S[1]:
                    kind = "turn"
                swings.append(Swing(kind, float(start_s), float(contact_s), float(on[k - 1]) if k else -1e9))
            first_s, last_s = min(off[0], far_off[0]) - STANDS_S, max(on[-1], far_on[-1]) + STANDS_S
            stands = ((float(time_s[0]), float(first_s)), (float(last_s), float(time_s[-1])))
            yield Walk(
                "healthy feet", path.stem, path.stem.split("-")[0], "foot", side, time_s,
                data[f"{side}_foot_acc_mps2"].astype(float)[keep],
                data[f"{side}_foot_gyr_rps"].astype(float)[keep],
                tuple(swings), (off + on) / 2.0, stands,
            )  # fmt: skip


def barriers(segment: Segment) -> Iterator[Walk]:
    """Parkinson's disease, round barriers: nearly every stride turns."""
    for path in sorted((DATA / "pd_freezing_turn_course").glob("*.npz")):
        data = np.load(path)
        time_s = np.asarray(data["t"], float) - float(data["t"][0])
        for side in SIDES:
            shank = (
                data[f"{side}_shank_acc_mps2"].astype(float),
                data[f"{side}_shank_gyr_rps"].astype(float),
            )
            mids, contacts = offline(time_s, *shank, 128.0)
            yield Walk(
                f"barrier course, {segment}", path.stem, path.stem[:3], segment, side, time_s,
                data[f"{side}_{segment}_acc_mps2"].astype(float),
                data[f"{side}_{segment}_gyr_rps"].astype(float),
                tuple(strides(contacts - LATE_S, "turn", "turn")), mids,
            )  # fmt: skip


SETS: tuple[Callable[[], Iterator[Walk]], ...] = (
    walkway, lambda: treadmill("shank"), lambda: treadmill("foot"), outdoor, feet,
    lambda: barriers("shank"), lambda: barriers("foot"),
)  # fmt: skip
