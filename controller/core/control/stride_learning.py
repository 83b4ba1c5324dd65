"""From stride to stride: the pace and its reference, the torque that carries the foot, what a swing teaches.

The work between strides is done in pieces, one a tick, so that no tick becomes long.
"""

from __future__ import annotations

import numpy as np

from controller.core.control.as_needed import AsNeeded
from controller.core.control.assistance import assisted
from controller.core.control.feedforward import TorqueTable, torque_table
from controller.core.control.learning import Learner
from controller.core.control.pace import Pace
from controller.core.gait.estimator import GaitEstimate, Swing
from controller.core.gait.phase_alignment import GRID, Curve
from controller.core.gait.toe_clearance import toe_clearance_mm
from controller.core.params import CoreParams, FootModel, Reference

FOOT_OVER_COM = 1 / 0.44  # the foot's length over how far its centre of mass lies before the ankle (Winter)


class StrideLearning:
    """``reference`` is the one at the pace walked now, lifted as assistance asks and, where ``withdraws``, as
    far as it is needed; ``torque`` is the feed-forward on the shank as the last strides moved it;
    ``trusted`` falls where a verdict of the guard changed a pulse of this stride, ``doubted`` says why its
    angle or phase was not relied on: such a stride teaches nothing.
    """

    def __init__(self, params: CoreParams, percent_per_s: float) -> None:
        self._params = params
        self.pace = Pace(params.reference)
        self.needed = AsNeeded()
        self.withdraws = False
        self.reference = assisted(self.pace.now, params.assistance)
        self.torque = _torque(params.foot, self.reference)
        self.learner = Learner.begin(params, self.reference, self.torque, percent_per_s)
        self.trusted = True
        self.doubted = ""
        self._landed: Swing | None = None  # a swing that is being learned from
        self._part = 0
        self._unsure = False  # the contact that ended it was
        self._shank_rad: Curve | None = None  # that the torque is to be found anew on
        self._own_shank_rad: Curve | None = None  # as seen last
        self._replan = False  # what the model alone commands is to be found anew, at another pace
        self._lift = False  # and at another assistance, for the next step already
        self._heel_off_ns: int | None = None  # of the swing that is being learned from
        self._doubt = ""  # why it is in doubt, beside what it shows itself

    @property
    def learning(self) -> bool:
        """Whether a swing is being learned from."""
        return self._landed is not None

    def reconfigure(self, params: CoreParams) -> None:
        before, self._params = self._params.assistance, params
        self.learner.reconfigure(params)
        if params.assistance != before:
            self._ask_for_another_lift()

    def _ask_for_another_lift(self) -> None:
        """As at another pace, but for the next step already."""
        learner = self.learner
        learner.stand_here()
        self._refer()
        self.torque = learner.ankle.table
        self._shank_rad, self._replan, self._lift = self._own_shank_rad, True, True

    def withdraw(self, *, withdraws: bool) -> None:
        """Another mode: the lift as far as it is needed, or the whole one."""
        if withdraws != self.withdraws:
            whole, self.withdraws, self.needed = self.needed.whole, withdraws, AsNeeded()
            if not whole:
                self._ask_for_another_lift()

    def _refer(self) -> None:
        self.reference = self.needed.lowered(assisted(self.pace.now, self._params.assistance))
        self.learner.refer(self.reference, _torque(self._params.foot, self.reference))

    def begin_anew(self, percent_per_s: float) -> None:
        """Forget what was learned; the pace and its reference stay."""
        params = self._params
        self._landed, self.trusted, self.needed = None, True, AsNeeded()
        self.reference = reference = assisted(self.pace.now, params.assistance)
        self.learner = Learner.begin(params, reference, _torque(params.foot, reference), percent_per_s)

    def follow_pace(self, stride_s: float | None, excursion_rad: float | None) -> Reference | None:
        """A stride straight ahead on the level has ended, or another one (``stride_s`` is None); the
        reference of another pace, where it tells of one.
        """
        moved = False
        if stride_s is None:
            self.pace.interrupt()
        else:
            moved = self.pace.note(stride_s, excursion_rad)
            self._replan = self.pace.refining or self._replan
        if not moved:
            return None
        self._refer()
        return self.pace.now

    def land(
        self,
        swing: Swing,
        *,
        unsure: bool,
        teaches: bool,
        heel_off_ns: int | None = None,
        unlifted: bool = False,
    ) -> None:
        """A swing has ended; ``unlifted``: its pulses did not run as they were meant to."""
        if swing.level:
            self._shank_rad = self._own_shank_rad = swing.shank_rad
        self._landed, self._part, self._unsure = (swing if teaches else None), 0, unsure
        self._heel_off_ns = heel_off_ns
        self._doubt = "the swing was not lifted" if unlifted else "the landing is in doubt" if unsure else ""
        if teaches and self.doubted:
            self._landed, self.learner.frozen = None, f"lifted open loop: {self.doubted}"
            self._need(None, None, self.learner.frozen)
        self.doubted = ""

    def work(self, gait: GaitEstimate) -> bool | None:
        """One piece of the work between strides, if there is any; ``gait`` is that of the last tick.

        Where it has judged the swing that ended: whether that was doubtful.
        """
        if self._shank_rad is not None:
            self._carry(self._shank_rad)
        elif self._replan:
            self._replan = False
            self.learner.replan(gait.phase.percent_per_s)
            if self._lift and self._landed is None:  # else the lesson that is under way takes it along
                self.learner.carry()
            self._lift = False
        elif self._landed is not None:
            return self._learn(self._landed, gait)
        return None

    def _carry(self, shank_rad: Curve) -> None:
        self._shank_rad, reference = None, self.reference
        place = np.linspace(0.0, 100.0, len(reference.shank_pitch_deg))
        self.torque = _torque(self._params.foot, reference, np.interp(place, GRID, shank_rad))

    def _learn(self, swing: Swing, gait: GaitEstimate) -> bool | None:
        learner, phase = self.learner, swing.phase
        self._part += 1
        if self._part == 1:
            learner.ankle.percent_per_s = gait.phase.percent_per_s
            learner.whole = self.needed.whole
            if self.withdraws:
                self._judge_need(swing)
            learner.close(
                phase,
                swing.usual_s,
                trusted=self.trusted,
                turned_rad=swing.turned_rad,
                timetable=gait.phase.timetable_percent_at if swing.first else None,
            )
            self.trusted = True
            if learner.frozen:
                self._need(None, None, learner.frozen)
            return self._unsure or learner.odd
        if self._part == 2:
            learner.weigh(phase)
        elif self._part == 3:
            learner.model()
        elif self._part == 4:
            learner.move()
        else:
            learner.prove()
            self._landed, self._part = None, 0
        return None

    def _judge_need(self, swing: Swing) -> None:
        """How the swing that ended passed over the ground and landed: how much lift the next one needs."""
        phase, learner = swing.phase, self.learner
        doubt = self._doubt or learner.why_not(
            phase, swing.usual_s, trusted=self.trusted, turned_rad=swing.turned_rad
        )
        readings, clearance_mm = learner.memory.readings, None
        if self._heel_off_ns is not None and swing.level:
            foot_m = FOOT_OVER_COM * self._params.foot.com_forward_m
            clearance_mm = toe_clearance_mm(readings, self._heel_off_ns, phase, foot_m)
        self._need(clearance_mm, learner.memory.pitch_deg_at(phase.contact_ns), doubt)

    def _need(self, clearance_mm: float | None, landing_deg: float | None, doubt: str) -> None:
        if not self.withdraws:
            return
        before = self.needed.mid_swing.share, self.needed.landing.share
        self.needed.note(clearance_mm, landing_deg, doubt)
        if before != (self.needed.mid_swing.share, self.needed.landing.share):
            self._ask_for_another_lift()


def _torque(foot: FootModel, reference: Reference, shank_rad: Curve | None = None) -> TorqueTable:
    return torque_table(reference, foot, thigh_m=foot.thigh_m, shank_m=foot.shank_m, shank_rad=shank_rad)
