"""The learning law: what is made of each swing, the next swing's command and what is believed of the muscle.

A command is finite and bounded whatever a stride brought. Strides that were no ordinary steps teach nothing:
short or long, with gaps, blocked by the guard, or far from anything seen before.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np

from controller.core.control.advice import Shortfall
from controller.core.control.ankle_model import AnkleModel
from controller.core.control.cells import CELLS, PERCENT, Curve, Matrix, at, held
from controller.core.control.fatigue_estimate import Fatigue
from controller.core.control.feedforward import TorqueTable
from controller.core.control.ilc import Law, Weights, bound, closed, feedback_matrix, law, limited
from controller.core.control.lesson import BEFORE_NS, Lesson, Memory, Timetable
from controller.core.control.muscle_estimate import Gain, Lateness, shift_s
from controller.core.control.recruitment import REST_FRACTION, THRESHOLD_FRACTION, Recruitment
from controller.core.control.reflex_estimate import Reflex, answer_rps
from controller.core.control.torque_balance import SAMPLES_NEEDED, Balance, shank_rad, torque_balance
from controller.core.gait.phase_alignment import SwingPhase
from controller.core.params import CoreParams, MuscleModel, Reference

NO_AUTHORITY = 10.0  # (rad/Nm)^2: cells before the pulses can act are left alone
ORDINARY = (0.75, 1.35)  # swing against the usual one
TURN_RAD = math.radians(15.0)  # in one stride: half a turn in six strides is no walking ahead any more
OUTLIER_RAD = math.radians(35.0)  # error r.m.s. beyond this is no walking
GOOD_DEG = 5.0  # a swing nearer to the reference than this is one to fall back on
SEEN_LATE_S = 0.03  # radio and half a sample until feedback knows of an error
COMPLETE = 0.7  # of the learned command must have been given, or the stride teaches nothing
PLAN_ROUNDS = 40
# A shank that leans early in swing leans by so much of it when the muscle has answered: regression from a
# fifth to three fifths of swing, median of 28 legs (Trojaniello et al. 2014, Ensink et al. 2024).
LEAN_LASTS = 0.73
LEAN_MAX_RAD = math.radians(6.0)


@dataclass(slots=True)
class Learner:
    """The learning law of one limb. ``command_nm`` is the torque to ask of the muscle in every cell."""

    params: CoreParams
    ankle: AnkleModel
    belief: Gain = field(init=False)
    memory: Memory = field(default_factory=Memory)
    lateness: Lateness = field(default_factory=Lateness)
    reflex: Reflex = field(default_factory=Reflex)
    fatigue: Fatigue = field(default_factory=Fatigue)
    shortfall: Shortfall = field(default_factory=Shortfall)
    command_nm: Curve = field(default_factory=lambda: np.zeros(CELLS))
    learned: int = 0  # strides learned from
    frozen: str = ""  # why the last stride taught nothing; empty where it did
    odd: bool = False  # the last stride was no ordinary step
    whole: bool = True  # the last stride was lifted whole, not as far as was needed
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
    _law_gain: float = 1.0  # the gain believed when the command was moved last

    @staticmethod
    def begin(params: CoreParams, reference: Reference, table: TorqueTable, percent_per_s: float) -> Learner:
        """Nothing learned yet of a person who walks at the pace of ``reference``."""
        hold_s = 0.5 / params.pulse.rate_hz
        return Learner(params, AnkleModel(params.foot, reference, table, percent_per_s, hold_s))

    def __post_init__(self) -> None:
        self.belief = Gain(1.0, self.params.learning.gain_sd**2)
        self._resistance = self.ankle.stiffness(self.ankle.ankle_rad, self.ankle.ankle_rad)
        self._base = self.command_nm = self.plan()

    def reconfigure(self, params: CoreParams) -> None:
        self.params = params
        self.ankle.hold_s = 0.5 / params.pulse.rate_hz

    @property
    def muscle(self) -> MuscleModel:
        """The identified muscle with the delay that is believed now."""
        return dataclasses.replace(self.params.muscle, delay_s=self.delay_s)

    @property
    def delay_s(self) -> float:
        return max(0.0, self.params.muscle.delay_s + self.lateness.late_s)

    @property
    def most_nm(self) -> float:
        """What the largest current allowed can ask of the identified muscle."""
        return self._asked_nm(self.params.pulse.current_max_ma)

    @property
    def advice(self) -> str:
        """What the person beside the walker should know; a muscle that tires explains the rest."""
        return self.fatigue.advice or self.shortfall.advice(self.reflex.strength)

    # --- during the stride

    def at(self, percent: float) -> float:
        """Torque to ask of the muscle at a phase; held at both ends."""
        return at(self.command_nm, percent)

    def most_between(self, first_percent: float, last_percent: float) -> float:
        """The largest torque that will be asked for between two phases."""
        first, last = np.searchsorted(PERCENT, (first_percent, last_percent)).tolist()
        inside = float(self.command_nm[first:last].max(initial=0.0))
        return max(inside, self.at(first_percent), self.at(last_percent))

    def for_lean_nm(self, percent: float, lean_rad: float) -> float:
        """Torque that holds the foot where a leaning shank would take it along, at the phase at which the
        muscle will have followed; forward +."""
        lasting_rad = LEAN_LASTS * min(LEAN_MAX_RAD, max(-LEAN_MAX_RAD, lean_rad))
        return -lasting_rad * at(self._resistance, percent)

    # --- between strides

    def plan(self) -> Curve:
        """The command by the identified model alone: inverse dynamics through the muscle's lag."""
        ankle_rad = self.ankle.ankle_rad
        lifted = self.ankle.lifted(
            self.muscle, self.reflex.strength, ankle_rad, self.ankle.stiffness(ankle_rad, ankle_rad)
        )
        target = lifted.from_torque @ self.ankle.demand_nm()
        pitch = lifted.pitch
        second = np.diff(np.eye(CELLS), 2, axis=0)
        change = np.where(self.open_percent > PERCENT, NO_AUTHORITY, self.params.learning.change)
        weight = self.ankle.error_weight()
        normal = (pitch.T * weight) @ pitch + self.params.learning.bend * second.T @ second + np.diag(change)
        wanted = (pitch.T * weight) @ target
        free: Curve = np.asarray(np.linalg.solve(normal, wanted), dtype=np.float64)
        return held(within_limits(normal, wanted, free, self.most_nm))

    def refer(self, reference: Reference, table: TorqueTable) -> None:
        """Another pace: the reference that belongs to it, and the torque that carries the foot along it."""
        self.ankle.reference, self.ankle.table = reference, table
        self._resistance = self.ankle.stiffness(self.ankle.ankle_rad, self.ankle.ankle_rad)

    def replan(self, percent_per_s: float) -> None:
        """What the model alone commands at the pace walked now, beyond the pace reckoned with before: by so
        much the next :meth:`move` takes the command along, and what was learned beyond the model stays."""
        here = (self.ankle.reference, self.ankle.table, percent_per_s)
        self.ankle.percent_per_s = percent_per_s
        if self._paced is not None:
            now = self.plan()
            self._stand_at(*self._paced)
            beyond = now - self.plan()
            self._stand_at(*here)
            self._carry, self._base = self._carry + beyond, self._base + beyond
        self._paced = here

    def stand_here(self) -> None:
        """The pace and the reference of now are what the next :meth:`replan` reckons from."""
        if self._paced is None:
            self._paced = (self.ankle.reference, self.ankle.table, self.ankle.percent_per_s)

    def carry(self) -> None:
        """Take along what a new pace asks for, where no lesson does."""
        self.command_nm = held(np.clip(self.command_nm + self._carried(), 0.0, self.most_nm))

    def _carried(self) -> Curve:
        carry, self._carry = self._carry, np.zeros(CELLS)
        return carry / self.belief.gain

    def _stand_at(self, reference: Reference, table: TorqueTable, percent_per_s: float) -> None:
        self.refer(reference, table)
        self.ankle.percent_per_s = percent_per_s

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
        self.frozen = self.why_not(swing, usual_s, trusted=trusted, turned_rad=turned_rad)
        if self.frozen:
            return
        memory, model = self.memory, self.ankle
        inside = memory.readings_of(swing)
        place = np.array([swing.percent(r.t_ns) for r in inside])
        foot = np.interp(PERCENT, place, [r.foot_rad for r in inside])
        shank = shank_rad(model, place, inside)
        reference = model.foot_rad
        free = (model.free_percent <= PERCENT) & (swing.contact_percent >= PERCENT)
        error = np.where(free, reference - foot, 0.0)
        applied, beside = memory.applied(swing)
        given = (
            applied if self.whole else applied - np.minimum(beside, 0.0)
        )  # it may take much of little away
        if given.sum() < COMPLETE * self._asked().sum():
            self.frozen = "the pulses came late or not at all"
            return
        if timetable is not None:
            applied, beside = memory.applied(swing, timetable)
        weight = np.where(free, model.error_weight(), 0.0)
        rms = math.sqrt(float(np.mean(error[free] ** 2)))
        if not (rms <= OUTLIER_RAD and bool(np.isfinite(shank).all())):
            self.frozen, self.odd = "the swing was unlike a step", True
            return
        ankle, wanted = foot - shank, reference - shank
        stiffness = model.stiffness(ankle, wanted)
        self._lesson = Lesson(model.beyond_band(error), weight, applied, beside, ankle, stiffness)
        if not self.whole:  # a foot above what is asked for is not off
            rms = math.sqrt(float(np.mean(np.maximum(error[free], 0.0) ** 2)))
        self.error_rms_deg = math.degrees(rms)
        self.learned += 1
        self.shortfall.note(self.error_rms_deg, self._limit_share(swing))
        if self.error_rms_deg < GOOD_DEG and self.whole:
            mean_nm = float(applied[free].mean())
            self.good_nm = mean_nm if self.good_nm is None else 0.7 * self.good_nm + 0.3 * mean_nm

    def weigh(self, swing: SwingPhase) -> None:
        """What the swing that was closed says about the muscle, its gain, its delay, whether it tires, and
        about the calf's reflex."""
        if self._lesson is None or not self.whole:
            return  # where the person's own effort has a large part, the balance says little about the muscle
        readings = self.memory.readings_of(swing)
        worn = any(placement.segment == "shank" for placement in self.params.placements)
        if worn and sum(r.shank_rad is not None for r in readings) < SAMPLES_NEEDED:
            return  # without a shank that is worn the reference's stands in, but not now and then
        moments = self.memory.moments_of(swing, BEFORE_NS)
        balance = torque_balance(self.ankle, swing, readings, moments)
        if balance is None:
            return
        self.fatigue.note(balance.lift_nms, sum(m.charge_uc for m in moments))
        if self.params.learning.gain_sd > 0.0:
            self._believe(balance, self._lesson.ankle)

    def _believe(self, balance: Balance, ankle_rad: Curve) -> None:
        use, needed, t = balance.use, balance.needed_nm, balance.t_ns
        made = np.interp(t - 1e9 * self.lateness.late_s, balance.muscle_ns, balance.muscle_nm)
        answer = np.interp(balance.percent, PERCENT, answer_rps(ankle_rad, self.ankle.cell_s))
        self.reflex.learn(needed[use], made[use], answer[use])
        asked = needed + self.reflex.strength * answer
        self.belief.learn(asked[use], made[use], self.params.learning)
        seen_s = shift_s(t[use] / 1e9, needed[use], balance.muscle_ns / 1e9, balance.muscle_nm)
        if seen_s is not None:
            self.lateness.learn(seen_s)

    def model(self) -> None:
        """The law for the swing that was closed, from the stiffness its ankle had."""
        lesson, learning = self._lesson, self.params.learning
        self._law = None
        if lesson is None or learning.step <= 0.0:
            return
        lifted = self.ankle.lifted(self.muscle, self.reflex.strength, lesson.ankle, lesson.stiffness)
        pitch = self.belief.gain * lifted.pitch
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

    def why_not(self, swing: SwingPhase, usual_s: float, *, trusted: bool, turned_rad: float) -> str:
        """Why a swing teaches nothing, whatever its pulses were; empty where it may."""
        self.odd = not ordinary(swing, usual_s)
        if not trusted:
            return "the guard cut in"
        if self.odd:
            return "the swing was shorter or longer than usual"
        if abs(turned_rad) > TURN_RAD:
            return "the person turned"
        return self.memory.lacks(swing)

    def _asked(self) -> Curve:
        """The command without what is too weak to move anything."""
        least_nm = (THRESHOLD_FRACTION if self.whole else REST_FRACTION) * self.params.muscle.torque_max_nm
        return np.where(self.command_nm < least_nm, 0.0, self.command_nm)

    def _limit_share(self, swing: SwingPhase) -> float:
        """How much of a swing had the highest current, to one step of the device."""
        pulse = self.params.pulse
        least_nm = self._asked_nm(pulse.current_max_ma - pulse.current_step_ma)
        inside = self.memory.moments_of(swing)
        return sum(m.command_nm >= least_nm for m in inside) / max(1, len(inside))  # it may have slept

    def _asked_nm(self, current_ma: float) -> float:
        return Recruitment.first(self.params).activation_of(current_ma) * self.params.muscle.torque_max_nm

    def _feedback(self) -> Matrix:
        """The feedback that ran beside the command: Nm of the identified muscle from rad of error."""
        learning = self.params.learning
        return feedback_matrix(
            CELLS,
            self.ankle.cell_s,
            free=self.ankle.free_cell,
            kp_nm_per_rad=learning.kp_nm_per_rad / self.belief.gain,
            td_s=learning.td_s,
            late_s=SEEN_LATE_S,
        )


def ordinary(swing: SwingPhase, usual_s: float) -> bool:
    """Whether a swing was about as long as the last ones."""
    duration_s = (swing.contact_ns - swing.toe_off_ns) / 1e9
    return ORDINARY[0] <= duration_s / usual_s <= ORDINARY[1]


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
