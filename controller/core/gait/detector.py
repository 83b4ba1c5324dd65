"""Gait events and phase of one limb from one inertial sensor in any mounting, sample by sample.

Promises causal, repeatable output that depends on the samples alone; refuses samples that are not later
than the one before.
"""

from __future__ import annotations

from controller.core.gait.displacement import Travel
from controller.core.gait.events.foot import FootEvents
from controller.core.gait.events.shank import ShankEvents
from controller.core.gait.gyro_bias import GyroZero
from controller.core.gait.pedalling import Pedalling
from controller.core.gait.sagittal_frame import SagittalFrame
from controller.core.gait.sensor_check import Finding, SensorCheck
from controller.core.gait.walking import SILENCE_S, Walking
from controller.core.signals import GaitEvent
from drivers.interface import Segment, Side, Vec3


class GaitDetector:
    """Online gait events of one foot or shank.

    ``update`` takes samples in the sensor's own axes (m/s^2, rad/s) at their own times; ``tick`` tells the
    phase at
    any later time. ``swing_axis`` names the sensor axis about which the limb swings forward; without it the
    axis is found from standing and walking. The whole state pickles and copies.
    """

    def __init__(self, segment: Segment, side: Side, swing_axis: Vec3 | None = None) -> None:
        self.segment = segment
        self.side = side
        self._frame = SagittalFrame(swing_axis)
        self._zero = GyroZero(segment)
        self._machine: FootEvents | ShankEvents = self._new_machine()
        self._walking = Walking()
        self._travel = Travel(segment)
        self._check = SensorCheck(segment, side)
        self._pedalling = Pedalling()
        self._settled = True
        self._hesitates = False  # the limb was late to tip, nothing else says that it stands
        self._last_ns: int | None = None
        self._sign = 0.0

    def _new_machine(self) -> FootEvents | ShankEvents:
        return FootEvents() if self.segment == "foot" else ShankEvents()

    def update(self, t_ns: int, acc_mps2: Vec3, gyr_rps: Vec3) -> list[GaitEvent]:
        """Take one sample; returns the events it made certain, oldest first."""
        frame = self._frame
        if self._last_ns is not None and t_ns <= self._last_ns:
            return []
        dt_s = (t_ns - self._last_ns) * 1e-9 if self._last_ns is not None else 0.0
        self._last_ns = t_ns
        rate_rps = self._zero.update(dt_s, gyr_rps, frame.up)
        frame.update(t_ns, acc_mps2, rate_rps)
        if frame.sign != self._sign:
            self._sign = frame.sign
            self._machine = self._new_machine()
        machine, walking, travel = self._machine, self._walking, self._travel
        swing = machine.in_swing  # the sample of contact still ends the swing
        machine.gains_speed = swing and travel.gains_speed
        events = machine.update(t_ns, acc_mps2, frame)
        since_s = machine.since_contact_s
        travel.rest_seen = self._zero.seen
        travel.update(dt_s, rate_rps, frame, swing=swing or machine.in_swing, since_s=since_s)
        self._pedalling.update(dt_s, frame.rate_rps, machine.shake_mps2)
        self._check.sample(dt_s, acc_mps2, gyr_rps, machine.shake_mps2, since_s)
        walking.sample_ns = t_ns
        if not frame.known:
            return []
        for event in events:
            if event.kind in ("heel_off", "toe_off") and not self._settled:
                self._settled = True
                walking.settle(level=travel.settle())
            walking.event(event, ahead=travel.step_ahead)
            if event.kind == "initial_contact":
                travel.contact()
                self._settled = self._hesitates = False
                self._check.contact(frame, machine.landing_shake_mps2, travel.usual_coning_rad)
        self._stop_or_resume(t_ns, events)
        return events

    def _stop_or_resume(self, t_ns: int, events: list[GaitEvent]) -> None:
        machine, walking, travel, backward = self._machine, self._walking, self._travel, self._frame.backward
        swings = machine.in_full_swing
        if walking.walks or walking.stepping:
            elsewhere = backward or travel.turning
            overdue = not swings and walking.overdue(t_ns)
            if machine.stopped or elsewhere or overdue:
                walking.stop(overdue=overdue)
                self._hesitates = machine.late and not elsewhere
                return
        if swings and not backward and travel.ahead:
            walking.resume(t_ns)
        elif self._hesitates and any(event.kind == "heel_off" for event in events):
            self._hesitates = False
            if machine.slowed and not backward and not travel.turning:
                walking.resume(t_ns)

    def walking(self, now_ns: int) -> bool:
        """Whether the limb walks: on the level, a stride measured, no stop and no silence since."""
        return self._walking.at(now_ns)

    @property
    def stepping(self) -> bool:
        """The limb steps forward, on the level or on stairs; a stop or a turn ends it."""
        return self._walking.stepping

    @property
    def setting_off(self) -> bool:
        """The limb has stepped forward on the level for the first time: nothing else is known of it yet."""
        return self._walking.setting_off

    def silent(self, now_ns: int) -> bool:
        """No sample for so long that nothing can be said of now."""
        return self._last_ns is None or (now_ns - self._last_ns) * 1e-9 > SILENCE_S

    @property
    def in_full_swing(self) -> bool:
        """The limb is well in a swing."""
        return self._machine.in_full_swing

    @property
    def still_s(self) -> float:
        """How long the limb has been at rest."""
        return self._machine.still_s

    @property
    def faltered(self) -> bool:
        """The last toe-off was followed by no swing."""
        return self._machine.faltered

    @property
    def upside_down(self) -> bool:
        """The limb swings the other way about the axis that was given."""
        return self._frame.backward

    @property
    def moves_backward(self) -> bool:
        """The limb swings backward: the pulses would meet a leg that stands."""
        return self._frame.moves_backward

    @property
    def cycles(self) -> bool:
        """The limb turns pedals: no swing is a step."""
        return self._pedalling.cycles

    @property
    def goes_elsewhere(self) -> bool:
        """What the limb does is no walking forward, and is not to be lifted."""
        return self.cycles or self.moves_backward

    def doubt(self, now_ns: int) -> str:
        """Why phase and angles of the stride at hand are not relied on; empty where they are."""
        walking = self._walking
        if walking.walks and not self.silent(now_ns):
            return ""
        if self._travel.turning:
            return "in a turn"
        if walking.strides == 0:
            return "first step"
        if not walking.stepping:
            return "after a halt"
        return "step of unusual height or way"

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the sensor, in words for the therapist; empty while all is well."""
        return self._check.findings()
