"""Laws to compare with, as arms of a study alone: events, angles, phase and limits are the core's own, so
that the law alone makes the difference. None of them believes anything of the muscle.

``plain``: proportional in the last swing's error with phase lead and a low-pass without phase (after Seel et
al. 2016). ``norm-optimal``: the textbook's update on the identified model (Amann, Owens and Rogers 1996).
``model-predictive``: the model's own plan, corrected within the swing at every reading by the command that
brings the predicted pitch back best (dynamic matrix control, Cutler and Ramaker 1980); nothing is learned.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.signal import butter, sosfiltfilt

from controller.core.control.cells import CELLS, FIRST_PERCENT, PERCENT, Curve, Matrix, at, held
from controller.core.control.ilc import closed
from controller.core.control.learning import NO_AUTHORITY, Learner
from controller.core.core import Core
from controller.core.gait.phase_alignment import SwingPhase
from controller.core.params import CoreParams

ComparedLaw = Literal["plain", "norm-optimal", "model-predictive"]
PLAIN_NM_PER_RAD = 15.0  # its gain: of 5, 10, 15 and 20 a good one on the first population
PLAIN_CUT_OFF_HZ = 5.0
NORM_OPTIMAL_CHANGE = 1e-3  # (rad/Nm)^2; of 1e-4, 1e-3 and 1e-2 the one that no strong muscle unsettles
AHEAD_CELLS = 24  # a quarter of the stride: longer than delay and lag
MOVED_CELLS = 14  # of them, in which the command may differ from the plan
BACKWARDS_PERCENT = 20.0  # a phase that falls back by more belongs to another swing


@dataclass(slots=True)
class PlainLearner(Learner):
    """No model beyond the lag and the first plan."""

    def weigh(self, swing: SwingPhase) -> None:
        """What a swing says about the muscle is left alone."""

    def model(self) -> None:
        """There is none."""

    def prove(self) -> None:
        """Nor a bound."""

    def move(self) -> None:
        """Last swing's command and what its error says, the muscle's lag earlier."""
        lesson, muscle = self._lesson, self.params.muscle
        if lesson is None:
            return
        lag_s = muscle.delay_s + 2.0 / muscle.bandwidth_rps + 0.5 / self.params.pulse.rate_hz
        seen = lesson.weight > 0.0
        percent_per_s = self.ankle.percent_per_s
        ahead = np.interp(PERCENT + lag_s * percent_per_s, PERCENT[seen], lesson.error[seen], left=0.0)
        wish = lesson.applied - lesson.beside + PLAIN_NM_PER_RAD * ahead
        smoothed = sosfiltfilt(butter(2, PLAIN_CUT_OFF_HZ, fs=percent_per_s, output="sos"), wish)
        self.command_nm = held(np.clip(smoothed, 0.0, self.most_nm))


@dataclass(slots=True)
class NormOptimalLearner(PlainLearner):
    """The whole optimal change at every stride, nothing forgotten, limits by clipping."""

    def move(self) -> None:
        """Last swing's command and the change that minimises |W (e - P du)|^2 + change |du|^2."""
        lesson = self._lesson
        if lesson is None:
            return
        pitch = closed(_pitch(self), self._feedback()) if lesson.beside.any() else _pitch(self)
        change = np.where(self.open_percent > PERCENT, NO_AUTHORITY, NORM_OPTIMAL_CHANGE)
        weighted = pitch.T * lesson.weight
        moved = np.linalg.solve(weighted @ pitch + np.diag(change), weighted @ lesson.error)
        given = lesson.applied - lesson.beside
        self.command_nm = held(np.clip(given + moved, 0.0, self.most_nm))


@dataclass(slots=True)
class PredictiveLearner(PlainLearner):
    """What lies between the pitch seen and the one that the model expects of what was commanded is taken to
    last; the command of the next cells is the one that makes the least of it."""

    _plan: Curve = field(default_factory=lambda: np.zeros(CELLS))  # with the correction of the last reading
    _given: Curve = field(default_factory=lambda: np.zeros(CELLS))  # what was commanded beyond the plan
    _matrix: Matrix | None = None
    _percent: float = 0.0
    _read_ns: int = 0

    def at(self, percent: float) -> float:
        """Torque to ask of the muscle at a phase, after the newest reading."""
        memory = self.memory
        if self._matrix is None or percent < self._percent - BACKWARDS_PERCENT:
            self._matrix, self._plan = _pitch(self), self.command_nm.copy()
            self._given = np.zeros(CELLS)
        self._percent = percent
        if memory.moments and memory.moments[-1].percent is not None:
            last = memory.moments[-1]
            self._given[_cell(last.percent or 0.0)] = last.command_nm - at(
                self.command_nm, last.percent or 0.0
            )
        if memory.readings and memory.moments and memory.readings[-1].t_ns != self._read_ns:
            reading = memory.readings[-1]
            self._read_ns = reading.t_ns
            age_s = (memory.moments[-1].t_ns - reading.t_ns) / 1e9 + self.params.tick_s
            self._correct(percent, percent - age_s * self.ankle.percent_per_s, reading.foot_rad)
        return at(self._plan, percent)

    def _correct(self, percent: float, seen_percent: float, foot_rad: float) -> None:
        if self._matrix is None or seen_percent < self.ankle.free_percent or percent >= PERCENT[-1]:
            return
        matrix, now, seen = self._matrix, _cell(percent), _cell(seen_percent)
        last = min(now + AHEAD_CELLS, _cell(100.0))
        if last <= now + 1:
            return
        past = self._given[:now]
        unexplained = self.ankle.foot_rad[seen] - foot_rad + float(matrix[seen, :now] @ past)
        ahead = slice(now, last)
        error = unexplained - matrix[ahead, :now] @ past
        moved = slice(now, min(now + MOVED_CELLS, last))
        response = matrix[ahead, moved]
        weighted = response.T * self.ankle.error_weight()[ahead]
        cells = response.shape[1]
        second = np.diff(np.eye(cells), 2, axis=0)
        learning = self.params.learning
        normal = weighted @ response + learning.change * np.eye(cells) + learning.bend * second.T @ second
        more = np.linalg.solve(normal, weighted @ error)
        self._plan = self.command_nm.copy()
        self._plan[moved] = np.clip(self.command_nm[moved] + more, 0.0, self.most_nm)
        self._plan[moved.stop :] = np.clip(self.command_nm[moved.stop :] + more[-1], 0.0, self.most_nm)

    def move(self) -> None:
        """The model's own plan, at the pace walked."""
        self._matrix = None
        self.command_nm = self.plan()


LEARNERS: dict[ComparedLaw, type[PlainLearner]] = {
    "plain": PlainLearner,
    "norm-optimal": NormOptimalLearner,
    "model-predictive": PredictiveLearner,
}


def told(params: CoreParams, law: ComparedLaw) -> CoreParams:
    """What the core is told for a law: a predictive one has no feedback beside it."""
    if law != "model-predictive":
        return params
    return dataclasses.replace(
        params, learning=dataclasses.replace(params.learning, kp_nm_per_rad=0.0, td_s=0.0)
    )


def put(core: Core, law: ComparedLaw) -> None:
    """The law in the place of the learning one, in a core that has not walked yet."""
    strides = core.laws.strides
    strides.learner = LEARNERS[law](core.params, strides.learner.ankle)


def _pitch(learner: Learner) -> Matrix:
    """Foot pitch from the command along the reference, on the identified model."""
    ankle = learner.ankle
    along = ankle.ankle_rad
    return ankle.lifted(learner.muscle, 0.0, along, ankle.stiffness(along, along)).pitch


def _cell(percent: float) -> int:
    return int(min(CELLS - 1, max(0, percent - FIRST_PERCENT)))
