"""What is remembered of each swing and what is made of it: the next swing's command, the muscle's gain.

Promises a finite, bounded command whatever a stride brought. Refuses to learn from strides that were not
ordinary steps: short or long, with gaps, blocked by the guard, or far from anything seen before.
"""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from controller.core.control.advice import Shortfall
from controller.core.control.fatigue_estimate import Fatigue
from controller.core.control.feedforward import GRAVITY_MPS2, TorqueTable, passive_moments_nm, sample
from controller.core.control.ilc import Law, Weights, bound, closed, feedback_matrix, law, limited
from controller.core.control.muscle_estimate import Gain, Lateness, shift_s
from controller.core.control.reference_band import half_width_rad
from controller.core.control.reflex_estimate import Reflex, answer_rps, feedback
from controller.core.control.swing_model import Lifted, lift, muscle_matrix
from controller.core.gait.phase_alignment import SwingPhase
from controller.core.params import CoreParams, MuscleModel, Reference
from models.recruitment import RecruitmentParams, fraction

Timed = TypeVar("Timed", "Moment", "Reading")
Timetable = Callable[[int], float | None]  # phase in percent at a time in ns
Curve = NDArray[np.float64]
Matrix = NDArray[np.float64]

FIRST_PERCENT, LAST_PERCENT = 36, 104  # cells of one percent: from before heel-off to the loading foot
PERCENT = np.arange(FIRST_PERCENT, LAST_PERCENT + 1.0)
CELLS = len(PERCENT)
START_WEIGHT = 0.2  # of the error just after toe-off, where the foot still follows the push-off
START_PERCENT = 6.0  # until the full weight
LANDING_WEIGHT = 3.0  # how the foot meets the ground counts more than where it was on the way
LANDING_PERCENT = 93.0
LAST_TARGET_PERCENT = 99.5  # the curve begins again at 100; a foot that lands late is held here
HOLD_PERCENT = 97  # from here the command is held, for a late contact and the loading foot
NO_AUTHORITY = 10.0  # (rad/Nm)^2: cells before the pulses can act are left alone
BEFORE_NS = (
    200_000_000  # the detector's toe-off may be late: look that far back for the foot leaving the ground
)
PRE_SWING_MAX_NS = 700_000_000  # no command of this swing is older than this at toe-off
BACKWARDS_PERCENT = 20.0  # a phase that falls back by more belongs to another stride
GAP_S = 0.08  # a swing with a longer hole in its samples teaches nothing
ORDINARY = (0.75, 1.35)  # swing against the usual one
TURN_RAD = math.radians(15.0)  # in one stride: half a turn in six strides is no walking ahead any more
OUTLIER_RAD = math.radians(35.0)  # error r.m.s. beyond this is no walking
NEEDED_MAX_NM = 60.0  # no ankle swings with more: an angle of it is wrong
SAMPLES_NEEDED = 8  # of a swing, to say anything about it
GOOD_DEG = 5.0  # a swing nearer to the reference than this is one to fall back on
SEEN_LATE_S = 0.03  # radio and half a sample until feedback knows of an error
COMPLETE = 0.7  # of the learned command must have been given, or the stride teaches nothing
PLAN_ROUNDS = 40
HISTORY_S = 4.0
# A shank that leans early in swing leans by so much of it when the muscle has answered: regression from a
# fifth to three fifths of swing, median of 28 legs (Trojaniello et al. 2014, Ensink et al. 2024).
LEAN_LASTS = 0.73
LEAN_MAX_RAD = math.radians(6.0)


@dataclass(frozen=True, slots=True)
class Moment:
    """One tick of the past: what was commanded and what the model's muscle should have made of it."""

    t_ns: int
    command_nm: float
    torque_nm: float
    beside_nm: float = 0.0  # how much of the command came from feedback
    percent: float | None = None  # the phase it was commanded for, where one was known
    charge_uc: float = 0.0  # sent in this tick, in the mean


@dataclass(frozen=True, slots=True)
class Reading:
    """One sample of the foot and the shank at its time; radians."""

    t_ns: int
    foot_rad: float
    foot_rate_rps: float
    shank_rad: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What one swing teaches, over the cells: error (rad), its weight, the command given (Nm) and how much of
    it was feedback, the ankle (rad) and its stiffness (Nm/rad)."""

    error: Curve
    weight: Curve
    applied: Curve
    beside: Curve
    ankle: Curve
    stiffness: Curve


@dataclass(slots=True)
class Learner:
    """The learning law of one limb. ``command_nm`` is the torque to ask of the muscle in every cell."""

    params: CoreParams
    table: TorqueTable
    percent_per_s: float
    belief: Gain = field(init=False)
    lateness: Lateness = field(default_factory=Lateness)
    reflex: Reflex = field(default_factory=Reflex)
    fatigue: Fatigue = field(default_factory=Fatigue)
    shortfall: Shortfall = field(default_factory=Shortfall)
    command_nm: Curve = field(default_factory=lambda: np.zeros(CELLS))
    learned: int = 0  # strides learned from
    frozen: str = ""  # why the last stride taught nothing; empty where it did
    odd: bool = False  # the last stride was no ordinary step
    error_rms_deg: float | None = None
    bound: float | None = None
    good_nm: float | None = None  # mean command over the swing of the last good strides
    open_percent: float = 52.0  # where the pulses usually begin to act
    _resistance: Curve = field(init=False)  # Nm/rad of the ankle along the reference, over the cells
    _base: Curve = field(init=False)  # what the model alone would command, at the first pace
    _paced: tuple[Reference, TorqueTable, float] | None = None  # with the cells' rate: the pace reckoned with
    _carry: Curve = field(default_factory=lambda: np.zeros(CELLS))  # Nm by which a new pace moves the command
    _lesson: Lesson | None = None
    _law: Law | None = None
    _plant: Matrix | None = None
    _moments: list[Moment] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    _torque: Matrix | None = None  # the muscle alone at this pace
    _torque_cell_s: float = 0.0
    _law_gain: float = 1.0  # the gain believed when the command was moved last

    def __post_init__(self) -> None:
        self.belief = Gain(1.0, self.params.learning.gain_sd**2)
        self._resistance = self._stiffness(self._reference_ankle(), self._reference_ankle())
        self._base = self.command_nm = self.plan()

    @property
    def muscle(self) -> MuscleModel:
        """The identified muscle with the delay that is believed now."""
        muscle = self.params.muscle
        return dataclasses.replace(muscle, delay_s=max(0.0, muscle.delay_s + self.lateness.late_s))

    @property
    def most_nm(self) -> float:
        """What the largest current allowed can ask of the identified muscle."""
        return self._asked_nm(self.params.pulse.current_max_ma)

    @property
    def advice(self) -> str:
        """What the person beside the walker should know; a muscle that tires explains the rest."""
        return self.fatigue.advice or self.shortfall.advice(self.reflex.strength)

    # --- during the stride

    def remember(self, moment: Moment) -> None:
        self._moments.append(moment)
        if moment.t_ns - self._moments[0].t_ns > 2 * HISTORY_S * 1e9:
            self._moments = [m for m in self._moments if moment.t_ns - m.t_ns < HISTORY_S * 1e9]

    def observe(self, reading: Reading) -> None:
        self.readings.append(reading)
        if reading.t_ns - self.readings[0].t_ns > 2 * HISTORY_S * 1e9:
            self.readings = [r for r in self.readings if reading.t_ns - r.t_ns < HISTORY_S * 1e9]

    def at(self, percent: float) -> float:
        """Torque to ask of the muscle at a phase; held at both ends."""
        return _at(self.command_nm, percent)

    def for_lean_nm(self, percent: float, lean_rad: float) -> float:
        """Torque that holds the foot where a leaning shank would take it along, at the phase at which the
        muscle will have followed; forward +."""
        lasting_rad = LEAN_LASTS * min(LEAN_MAX_RAD, max(-LEAN_MAX_RAD, lean_rad))
        return -lasting_rad * _at(self._resistance, percent)

    # --- between strides

    def plan(self) -> Curve:
        """The command by the identified model alone: inverse dynamics through the muscle's lag."""
        ankle = self._reference_ankle()
        lifted = self._lifted(ankle, self._stiffness(ankle, ankle))
        stride_s = self._stride_s()
        demand_nm = np.array([self.table.at(min(float(p), 99.99), stride_s) for p in PERCENT])
        target = lifted.from_torque @ demand_nm
        pitch = lifted.pitch
        second = np.diff(np.eye(CELLS), 2, axis=0)
        change = np.where(self.open_percent > PERCENT, NO_AUTHORITY, self.params.learning.change)
        weight = self._error_weight()
        normal = (pitch.T * weight) @ pitch + self.params.learning.bend * second.T @ second + np.diag(change)
        wanted = (pitch.T * weight) @ target
        free: Curve = np.asarray(np.linalg.solve(normal, wanted), dtype=np.float64)
        return held(within_limits(normal, wanted, free, self.most_nm))

    def refer(self, reference: Reference, table: TorqueTable) -> None:
        """Another pace: the reference that belongs to it, and the torque that carries the foot along it."""
        self.params = dataclasses.replace(self.params, reference=reference)
        self.table = table
        self._resistance = self._stiffness(self._reference_ankle(), self._reference_ankle())

    def replan(self) -> None:
        """What the model alone commands at the pace walked now, beyond the pace reckoned with before: by so
        much the next :meth:`move` takes the command along, and what was learned beyond the model stays."""
        here = (self.params.reference, self.table, self.percent_per_s)
        if self._paced is not None:
            now = self.plan()
            self._stand_at(*self._paced)
            beyond = now - self.plan()
            self._stand_at(*here)
            self._carry, self._base = self._carry + beyond, self._base + beyond
        self._paced = here

    def carry(self) -> None:
        """Take along what a new pace asks for, where no lesson does."""
        self.command_nm = held(np.clip(self.command_nm + self._carried(), 0.0, self.most_nm))

    def _carried(self) -> Curve:
        carry, self._carry = self._carry, np.zeros(CELLS)
        return carry / self.belief.gain

    def _stand_at(self, reference: Reference, table: TorqueTable, percent_per_s: float) -> None:
        self.refer(reference, table)
        self.percent_per_s = percent_per_s

    def close(
        self,
        swing: SwingPhase,
        usual_s: float,
        *,
        trusted: bool,
        turned_rad: float = 0.0,
        timetable: Timetable | None = None,
    ) -> None:
        """A swing has ended: prepare what it teaches for :meth:`move`, or say why it teaches nothing.

        ``timetable`` is given where this swing has moved the phases by much, as the first one does: its
        command is then taken over at the phases at which it would be given now.
        """
        self._lesson = None
        self.odd = not _ordinary(swing, usual_s)
        self.frozen = self._why_not(swing, trusted=trusted, turned_rad=turned_rad)
        if self.frozen:
            return
        first_ns = swing.toe_off_ns - BEFORE_NS
        inside = _between(self.readings, first_ns, swing.contact_ns)
        place = np.array([swing.percent(r.t_ns) for r in inside])
        foot = np.interp(PERCENT, place, [r.foot_rad for r in inside])
        shank = self._shank(place, inside)
        reference = self._reference("foot_pitch_deg")
        free = (self._free_percent <= PERCENT) & (swing.contact_percent >= PERCENT)
        error = np.where(free, reference - foot, 0.0)
        applied, beside = self.applied(swing)
        if applied.sum() < COMPLETE * self.command_nm.sum():
            self.frozen = "the pulses came late or not at all"
            return
        if timetable is not None:
            applied, beside = self.applied(swing, timetable)
        weight = np.where(free, self._error_weight(), 0.0)
        rms = math.sqrt(float(np.mean(error[free] ** 2)))
        if not (rms <= OUTLIER_RAD and bool(np.isfinite(shank).all())):
            self.frozen, self.odd = "the swing was unlike a step", True
            return
        ankle, wanted = foot - shank, reference - shank
        self._lesson = Lesson(
            self._beyond_band(error), weight, applied, beside, ankle, self._stiffness(ankle, wanted)
        )
        self.error_rms_deg = math.degrees(rms)
        self.learned += 1
        self.shortfall.note(self.error_rms_deg, self._limit_share(swing))
        if self.error_rms_deg < GOOD_DEG:
            mean_nm = float(applied[free].mean())
            self.good_nm = mean_nm if self.good_nm is None else 0.7 * self.good_nm + 0.3 * mean_nm

    def weigh(self, swing: SwingPhase) -> None:
        """What the swing that was closed says about the muscle, its gain, its delay, whether it tires, and
        about the calf's reflex."""
        if self._lesson is not None:
            first_ns = swing.toe_off_ns - BEFORE_NS
            inside = _between(self.readings, first_ns, swing.contact_ns)
            self._weigh_torque(swing, inside, self._lesson.ankle)

    def model(self) -> None:
        """The law for the swing that was closed, from the stiffness its ankle had."""
        lesson, learning = self._lesson, self.params.learning
        self._law = None
        if lesson is None or learning.step <= 0.0:
            return
        pitch = self.belief.gain * self._lifted(lesson.ankle, lesson.stiffness).pitch
        if lesson.beside.any():
            pitch = closed(pitch, self._feedback())
        held = np.where(self.open_percent > PERCENT, NO_AUTHORITY, 0.0)
        weights = Weights(learning.change, learning.bend, learning.step)
        self._plant, self._law = pitch, law(pitch, lesson.weight, held, weights)

    def move(self) -> None:
        """Take the prepared lesson: the command of the next swing.

        What the muscle's gain is newly believed to be scales the command first; learning takes what is left.
        """
        lesson, learning, most = self._lesson, self.params.learning, self.params.muscle.torque_max_nm
        if lesson is None or self._law is None or self._plant is None:
            self.carry()
            return
        given = lesson.applied - lesson.beside
        scaled = np.clip(given * (self._law_gain / self.belief.gain) + self._carried(), 0.0, self.most_nm)
        self._law_gain = self.belief.gain
        left = lesson.error - self._plant @ (scaled - given)
        wish = self._law.learn @ left - self._law.smooth @ scaled
        best = scaled + wish / learning.step
        if float(best.min()) < 0.0 or float(best.max()) > self.most_nm:
            normal = self._law.norm
            best = within_limits(normal, normal @ best, best, self.most_nm)
            wish = learning.step * (best - scaled)
        model = self._base / self.belief.gain
        moved = scaled + limited(wish, learning.change_max * most)
        self.command_nm = held(np.clip(model + learning.forget * (moved - model), 0.0, self.most_nm))

    def prove(self) -> None:
        """The bound of the law that moved the command last."""
        if self._lesson is not None and self._law is not None and self._plant is not None:
            self.bound = bound(self._plant, self._law)

    def applied(self, swing: SwingPhase, timetable: Timetable | None = None) -> tuple[Curve, Curve]:
        """The command of the last swing as it was really given, and feedback's part in it, over the cells.

        Each stands in the cell it was commanded for, or by ``timetable`` would be now, even where the swing
        turned out shorter or longer: put in the cell it fell into, the command would creep along the phase
        by that much at every stride.
        """
        begin_ns = swing.toe_off_ns - PRE_SWING_MAX_NS
        recent = _between(self._moments, begin_ns, self._moments[-1].t_ns)
        placed = [(m.percent if timetable is None else timetable(m.t_ns), m) for m in recent]
        past = [m for percent, m in placed if percent is not None]
        place = np.array([percent for percent, _ in placed if percent is not None])
        last_stride = np.flatnonzero(np.diff(place) < -BACKWARDS_PERCENT)
        first = int(last_stride[-1]) + 1 if len(last_stride) else 0
        place = np.maximum.accumulate(place[first:])
        given = np.interp(PERCENT, place, [m.command_nm for m in past[first:]], left=0.0)
        beside = np.interp(PERCENT, place, [m.beside_nm for m in past[first:]], left=0.0)
        return np.asarray(given, dtype=np.float64), np.asarray(beside, dtype=np.float64)

    def _why_not(self, swing: SwingPhase, *, trusted: bool, turned_rad: float) -> str:
        if not trusted:
            return "the guard cut in"
        if self.odd:
            return "the swing was shorter or longer than usual"
        if abs(turned_rad) > TURN_RAD:
            return "the person turned"
        inside = [r.t_ns for r in _between(self.readings, swing.toe_off_ns, swing.contact_ns)]
        times = [swing.toe_off_ns, *inside, swing.contact_ns]
        if max(b - a for a, b in pairwise(times)) / 1e9 > GAP_S:
            return "samples were missing"
        if not self._moments or self._moments[0].t_ns > swing.toe_off_ns:
            return "the swing was not seen whole"
        return ""

    def _weigh_torque(self, swing: SwingPhase, inside: list[Reading], ankle: Curve) -> None:
        """Torque balance of the swing: what moved the foot, against what the model's muscle gave."""
        foot = self.params.foot
        moments = _between(self._moments, swing.toe_off_ns - BEFORE_NS, swing.contact_ns)
        muscle_t = np.array([m.t_ns for m in moments], dtype=np.float64)
        t = np.array([r.t_ns for r in inside], dtype=np.float64)
        place = np.array([swing.percent(r.t_ns) for r in inside])
        use = (place > self._free_percent + START_PERCENT) & (place < swing.contact_percent - 3.0)
        if int(use.sum()) < SAMPLES_NEEDED or not self._ankle_known(inside):
            return
        pitch = np.array([r.foot_rad for r in inside])
        rate = np.array([r.foot_rate_rps for r in inside])
        seconds = (t - t[0]) / 1e9
        if not np.all(np.diff(seconds) > 0):
            return
        shank = np.interp(place, PERCENT, self._shank(place, inside))
        drag = foot.damping_nms_per_rad * (rate - np.gradient(shank, seconds))
        carried = self._carried_nm(place) / self._stride_s() ** 2
        weight = foot.mass_kg * GRAVITY_MPS2 * foot.com_forward_m * np.cos(pitch)
        passive = foot.passive_factor * passive_moments_nm(
            np.degrees(pitch - shank) - foot.neutral_deg,
            _curve(self.params.reference.knee_flexion_deg, place),
        )
        needed = foot.inertia_kgm2 * np.gradient(rate, seconds) + drag + weight + carried - passive
        if not float(np.abs(needed[use]).max()) <= NEEDED_MAX_NM:  # nor with a torque that is no number
            return
        torque_nm = np.array([m.torque_nm for m in moments])
        lift_nms = float(np.maximum(needed[use], 0.0) @ np.gradient(seconds[use]))
        self.fatigue.note(lift_nms, sum(m.charge_uc for m in moments))
        if self.params.learning.gain_sd <= 0.0:
            return
        made = np.interp(t - 1e9 * self.lateness.late_s, muscle_t, torque_nm)
        answer = np.interp(place, PERCENT, answer_rps(ankle, self._cell_s))
        self.reflex.learn(needed[use], made[use], answer[use])
        asked = needed + self.reflex.strength * answer
        self.belief.learn(asked[use], made[use], self.params.learning)
        seen_s = shift_s(t[use] / 1e9, needed[use], muscle_t / 1e9, torque_nm)
        if seen_s is not None and self.lateness.learn(seen_s):
            self._torque = None

    def _limit_share(self, swing: SwingPhase) -> float:
        """How much of a swing had the highest current, to one step of the device."""
        pulse = self.params.pulse
        least_nm = self._asked_nm(pulse.current_max_ma - pulse.current_step_ma)
        inside = _between(self._moments, swing.toe_off_ns, swing.contact_ns)
        return sum(m.command_nm >= least_nm for m in inside) / max(1, len(inside))  # it may have slept

    def _asked_nm(self, current_ma: float) -> float:
        muscle, width_us = self.params.muscle, self.params.pulse.width_us
        curve = RecruitmentParams(i50_ma=muscle.i50_ma, sigma=muscle.sigma, chronaxie_us=muscle.chronaxie_us)
        return fraction(current_ma, width_us, curve) * muscle.torque_max_nm

    # --- the model along the reference

    @property
    def _free_percent(self) -> float:
        """Where the toe leaves the ground in the reference."""
        return self.params.reference.toe_off_percent

    @property
    def _free_cell(self) -> int:
        return int(np.argmax(self._free_percent <= PERCENT))

    @property
    def _cell_s(self) -> float:
        return 1.0 / self.percent_per_s

    def _stride_s(self) -> float:
        return 100.0 / self.percent_per_s

    def _reference(self, name: str) -> Curve:
        curve = getattr(self.params.reference, name)
        held = np.minimum(PERCENT, LAST_TARGET_PERCENT)
        return np.radians([sample(curve, float(p)) for p in held])

    def _reference_ankle(self) -> Curve:
        return self._reference("foot_pitch_deg") - self._reference("shank_pitch_deg")

    def _shank(self, place: Curve, inside: list[Reading]) -> Curve:
        known = [(p, r.shank_rad) for p, r in zip(place, inside, strict=True) if r.shank_rad is not None]
        if len(known) < SAMPLES_NEEDED:
            return self._reference("shank_pitch_deg")
        return np.asarray(np.interp(PERCENT, [p for p, _ in known], [s for _, s in known]), dtype=np.float64)

    def _ankle_known(self, inside: list[Reading]) -> bool:
        """Whether a shank that is worn was seen; without one the reference's stands in, stride for stride."""
        worn = any(placement.segment == "shank" for placement in self.params.placements)
        return not worn or sum(r.shank_rad is not None for r in inside) >= SAMPLES_NEEDED

    def _stiffness(self, one_rad: Curve, other_rad: Curve) -> Curve:
        """Secant stiffness of ankle and gravity in Nm/rad between two ankle angles, cell by cell."""
        foot, one_deg, other_deg = self.params.foot, np.degrees(one_rad), np.degrees(other_rad)
        knee = np.degrees(self._reference("knee_flexion_deg"))
        middle, half = (one_deg + other_deg) / 2.0, np.maximum(0.5, np.abs(other_deg - one_deg) / 2.0)
        up, down = (passive_moments_nm(middle + s * half - foot.neutral_deg, knee) for s in (1.0, -1.0))
        slope = -(up - down) / np.radians(2.0 * half) * foot.passive_factor
        return np.asarray(np.clip(slope, 2.0, 120.0), dtype=np.float64)

    def _lifted(self, ankle: Curve, stiffness: Curve) -> Lifted:
        """Muscle and foot about the motion ``ankle`` (rad), with the reflex that is believed."""
        cell_s, hold_s = self._cell_s, 0.5 / self.params.pulse.rate_hz
        if self._torque is None or self._torque_cell_s != cell_s:
            self._torque = muscle_matrix(self.muscle, CELLS, cell_s, hold_s)
            self._torque_cell_s = cell_s
        strength = self.reflex.strength
        return lift(
            self.muscle,
            self.params.foot,
            stiffness,
            free=self._free_cell,
            cell_s=cell_s,
            hold_s=hold_s,
            torque=self._torque,
            reflex=strength * feedback(ankle, cell_s) if strength > 0.0 else None,
        )

    def _feedback(self) -> Matrix:
        """The feedback that ran beside the command: Nm of the identified muscle from rad of error."""
        learning = self.params.learning
        return feedback_matrix(
            CELLS,
            self._cell_s,
            free=self._free_cell,
            kp_nm_per_rad=learning.kp_nm_per_rad / self.belief.gain,
            td_s=learning.td_s,
            late_s=SEEN_LATE_S,
        )

    def _carried_nm(self, place: Curve) -> Curve:
        """What the moving ankle takes: the fast part of the table without the foot's own inertia."""
        return _curve(self.table.carried_nm_s2, place)

    def _beyond_band(self, error: Curve) -> Curve:
        held = np.minimum(PERCENT, LAST_TARGET_PERCENT)
        half = np.array([half_width_rad(self.params.reference, float(p)) for p in held])
        return np.asarray(np.sign(error) * np.maximum(0.0, np.abs(error) - half), dtype=np.float64)

    def _error_weight(self) -> Curve:
        since = (PERCENT - self._free_percent) / START_PERCENT
        weight = START_WEIGHT + (1.0 - START_WEIGHT) * np.clip(since, 0.0, 1.0)
        weight = np.where(PERCENT >= LANDING_PERCENT, LANDING_WEIGHT, weight)
        return np.where((self._free_percent <= PERCENT) & (PERCENT <= 100.0), weight, 0.0)


def _at(curve: Curve, percent: float) -> float:
    place = min(max(percent - FIRST_PERCENT, 0.0), CELLS - 1.001)
    low = int(place)
    share = place - low
    return float(curve[low] * (1.0 - share) + curve[low + 1] * share)


def _between(past: list[Timed], first_ns: float, last_ns: float) -> list[Timed]:
    """What lies between two times, both included, of a list in order of time."""
    begin = bisect_left(past, first_ns, key=lambda one: one.t_ns)
    return past[begin : bisect_right(past, last_ns, lo=begin, key=lambda one: one.t_ns)]


def _ordinary(swing: SwingPhase, usual_s: float) -> bool:
    duration_s = (swing.contact_ns - swing.toe_off_ns) / 1e9
    return ORDINARY[0] <= duration_s / usual_s <= ORDINARY[1]


def _curve(values: tuple[float, ...], percent: Curve) -> Curve:
    return np.asarray(np.interp(percent, np.linspace(0.0, 100.0, len(values)), values), dtype=np.float64)


def held(command_nm: Curve) -> Curve:
    """A command (n,) whose last cells are as the one at ``HOLD_PERCENT``."""
    last = HOLD_PERCENT - FIRST_PERCENT
    return np.concatenate((command_nm[:last], np.full(CELLS - last, command_nm[last])))


def within_limits(normal: Matrix, wanted: Curve, start: Curve, most: float) -> Curve:
    """Minimum of u'Nu/2 - w'u between 0 and ``most`` by accelerated projected gradient."""
    rate = 1.0 / float(np.abs(normal).sum(axis=1).max())  # a symmetric matrix's 2-norm is no larger
    x: Curve = np.clip(start, 0.0, most)
    ahead: Curve = x
    momentum = 1.0
    for _ in range(PLAN_ROUNDS):
        new: Curve = np.clip(ahead - rate * (normal @ ahead - wanted), 0.0, most)
        faster = (1.0 + math.sqrt(1.0 + 4.0 * momentum * momentum)) / 2.0
        ahead = new + (momentum - 1.0) / faster * (new - x)
        x, momentum = new, faster
    return x
