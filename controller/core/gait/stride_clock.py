"""The stride clock: where in the stride the limb is, from the events so far and the shank that is followed.

It is the one phase: what steers is recorded, shown and published. Of the events it knows the times alone;
expectations are medians of the last strides, so one odd stride does not move them.
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from controller.core.gait.swing_phase import SwingRun
from controller.core.signals import GaitEvent

MEMORY = 5  # strides: follows a change of speed within three
STRIDE_S = (0.6, 3.0)  # a stride outside this is a stop or a missed event, not a step
SWING_S = (0.2, 1.2)
PRE_SWING_S = (0.02, 0.6)  # heel-off to toe-off
FIRST_STRIDE_S, FIRST_SWING_S, FIRST_PRE_SWING_S = 1.3, 0.5, 0.18  # until learned: slow walking
PACE_SHARE = 0.7  # of how much longer this stance was than usual, swing is expected to be longer too
PACE_LIMIT = 0.2  # a stance that differs more than this was no ordinary one
CHANGE = 0.08  # two strides that differ from the memory by more, to the same side: the speed has changed
STANCE_MIN_S = 0.3


class StridePhase(NamedTuple):  # made at every tick, in a quarter of a frozen dataclass's time
    """The phase as believed at one instant, and how it runs from there; percent of the reference stride."""

    swinging: bool
    toe_off_ns: int | None  # known, or expected after heel-off
    toe_off_percent: float
    percent_per_s: float  # in swing
    stance_s: float
    pre_swing_s: float
    landed_ns: int | None = None  # the contact, while the heel has not come off since
    run: SwingRun | None = None  # how the shank shows this swing to run
    ahead_percent: float = 0.0  # where no shank shows it, by how much the foot did

    @property
    def stride_s(self) -> float:
        """Of a stride that runs throughout as its swing does."""
        return 100.0 / self.percent_per_s

    def percent_at(self, t_ns: int) -> float | None:
        """Phase at ``t_ns``, which may lie a little ahead: 0 at initial contact, 100 at the next.

        Stance waits where the heel comes off until it has, swing at 100 for its contact. ``None`` before the
        first swing.
        """
        if self.landed_ns is None or self.swinging:
            return self.command_percent_at(t_ns)
        before_heel_off_s = max(0.0, self.stance_s - self.pre_swing_s)
        since_s = min((t_ns - self.landed_ns) / 1e9, before_heel_off_s)
        return max(0.0, self.toe_off_percent * since_s / self.stance_s)

    def command_percent_at(self, t_ns: int) -> float | None:
        """The phase to command for: through loading the swing that has ended runs on to 100."""
        if not self.swinging:
            return self.timetable_percent_at(t_ns)
        if self.run is not None and t_ns >= self.run.begin_ns:
            return min(100.0, self.run.percent_at(t_ns))
        percent = self.timetable_percent_at(t_ns)
        return None if percent is None else min(100.0, percent + self.ahead_percent)

    def timetable_percent_at(self, t_ns: int) -> float | None:
        """By the events alone: swing is stretched between toe-off and the expected contact, and held there
        until the heel comes off.
        """
        if self.toe_off_ns is None:
            return None
        since_s = (t_ns - self.toe_off_ns) / 1e9
        if since_s >= 0:
            return min(100.0, self.toe_off_percent + since_s * self.percent_per_s)
        return max(0.0, self.toe_off_percent * (1.0 + since_s / self.stance_s))


@dataclass(slots=True)
class StrideClock:
    """The limb's stride as learned from its events; times in ns on the sample clock.

    ``toe_off_percent`` and ``contact_percent`` say where on the reference stride the two events lie as this
    detector finds them on this leg.
    """

    toe_off_percent: float
    contact_percent: float = 100.0
    heel_off_ns: int | None = None
    toe_off_ns: int | None = None
    initial_contact_ns: int | None = None
    swinging: bool = False
    strides: int = 0
    last_stride_s: float | None = None
    _stride_s: deque[float] = field(default_factory=lambda: deque(maxlen=MEMORY))
    _swing_s: deque[float] = field(default_factory=lambda: deque(maxlen=MEMORY))
    _stance_s: deque[float] = field(default_factory=lambda: deque(maxlen=MEMORY))
    _pre_swing_s: deque[float] = field(default_factory=lambda: deque(maxlen=MEMORY))
    _pace: float = 1.0
    stride_s: float = FIRST_STRIDE_S  # medians of the above, asked for several times a tick
    pre_swing_s: float = FIRST_PRE_SWING_S
    _usual_swing_s: float = FIRST_SWING_S
    _usual_stance_s: float = 0.0

    def note(self, event: GaitEvent) -> None:
        if event.kind == "heel_off":
            self.heel_off_ns = event.t_ns
        elif event.kind == "toe_off":
            _learn(self._pre_swing_s, self.heel_off_ns, event.t_ns, PRE_SWING_S)
            self._set_pace(event.t_ns)
            _learn(self._stance_s, self.initial_contact_ns, event.t_ns, STRIDE_S)
            self.toe_off_ns, self.swinging = event.t_ns, True
            self.pre_swing_s = _usual(self._pre_swing_s, FIRST_PRE_SWING_S)
            self._usual_stance_s = _usual(self._stance_s, 0.0)
        elif event.kind == "initial_contact":
            _learn(self._swing_s, self.toe_off_ns, event.t_ns, SWING_S)
            _learn(self._stride_s, self.initial_contact_ns, event.t_ns, STRIDE_S)
            since = self.initial_contact_ns
            self.last_stride_s = None if since is None else (event.t_ns - since) / 1e9
            self.initial_contact_ns, self.swinging = event.t_ns, False
            self._usual_swing_s = _usual(self._swing_s, FIRST_SWING_S)
            self.stride_s = _usual(self._stride_s, FIRST_STRIDE_S)
            self.strides += 1

    def _set_pace(self, toe_off_ns: int) -> None:
        """A stance longer than usual announces a longer swing."""
        self._pace = 1.0
        if self.initial_contact_ns is None or len(self._stance_s) < 2:
            return
        ratio = (toe_off_ns - self.initial_contact_ns) / 1e9 / self._usual_stance_s
        if abs(ratio - 1.0) <= PACE_LIMIT:
            self._pace = 1.0 + PACE_SHARE * (ratio - 1.0)

    @property
    def swing_s(self) -> float:
        return self._usual_swing_s * self._pace if self.swinging else self._usual_swing_s

    @property
    def percent_per_s(self) -> float:
        """How fast the phase runs in swing."""
        return (self.contact_percent - self.toe_off_percent) / self.swing_s

    @property
    def swung_ns(self) -> tuple[int, int] | None:
        """Toe-off and contact of the swing that a contact has just ended; ``None`` where none was seen."""
        toe_off_ns, contact_ns = self.toe_off_ns, self.initial_contact_ns
        if toe_off_ns is None or contact_ns is None or contact_ns <= toe_off_ns:
            return None
        return toe_off_ns, contact_ns

    def phase(self, run: SwingRun | None = None, ahead_percent: float = 0.0) -> StridePhase:
        """``run`` and ``ahead_percent`` are what shank and foot say of the swing that goes on."""
        swing_s, contact_ns = self.swing_s, self.initial_contact_ns
        stands = not self.swinging and contact_ns is not None and (self.heel_off_ns or 0) <= contact_ns
        return StridePhase(
            self.swinging,
            self._expected_toe_off_ns(),
            self.toe_off_percent,
            (self.contact_percent - self.toe_off_percent) / swing_s,
            max(STANCE_MIN_S, self.stride_s - swing_s),
            self.pre_swing_s,
            contact_ns if stands else None,
            run if run is not None and run.begin_ns == self.toe_off_ns else None,
            ahead_percent,
        )

    @property
    def heel_off_due_ns(self) -> int | None:
        """When the heel should come off in this stance, by the last strides; None while not known."""
        if self.swinging or self.initial_contact_ns is None or not (self._pre_swing_s and self._stance_s):
            return None
        if self.heel_off_ns is not None and self.heel_off_ns > self.initial_contact_ns:
            return None
        return self.initial_contact_ns + int(1e9 * max(0.0, self._usual_stance_s - self.pre_swing_s))

    def _expected_toe_off_ns(self) -> int | None:
        if self.heel_off_ns is not None and (self.toe_off_ns is None or self.heel_off_ns > self.toe_off_ns):
            return self.heel_off_ns + int(self.pre_swing_s * 1e9)
        return self.toe_off_ns


def _usual(memory: deque[float], first_s: float) -> float:
    return statistics.median(memory) if memory else first_s


def _learn(memory: deque[float], since_ns: int | None, t_ns: int, allowed_s: tuple[float, float]) -> None:
    """Remember a duration; after two in a row that tell of another speed, forget what was before."""
    if since_ns is None:
        return
    duration_s = (t_ns - since_ns) / 1e9
    if not allowed_s[0] <= duration_s <= allowed_s[1]:
        return
    if len(memory) > 2:
        usual_s = statistics.median(memory)
        changes = (memory[-1] / usual_s - 1.0, duration_s / usual_s - 1.0)
        if min(changes) > CHANGE or max(changes) < -CHANGE:
            while len(memory) > 1:
                memory.popleft()
    memory.append(duration_s)
