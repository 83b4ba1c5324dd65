"""What the safety tests share: a whole session's settings, and a fast-forward guard in virtual time."""

from __future__ import annotations

from typing import Any

from controller.safety.judgement.contraindications import QUESTIONS
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_step import react
from controller.safety.judgement.guard_types import (
    Happening,
    Known,
    Link,
    Note,
    Peer,
    Reaction,
    Request,
    Setup,
    Timer,
    begin,
    prepare,
)
from controller.safety.judgement.requests import on_response
from controller.safety.judgement.wire import Frame, Purpose, SensorStamp
from controller.safety.settings import parse
from drivers.interface import ChannelCommand, StimulatorCapability

SESSION = 7
CAPABILITY = StimulatorCapability("test", 8, 130.0, 0.5, 10.0, 4095.0, 100.0, "none", "spec", cycles_max=25)
START_NS = 1_000_000_000_000
TICK_NS = 5 * MS
HAPPENINGS_MAX = 100_000  # in one test; five times what the longest needs: a guard that never trips ends it

SESSION_LIMITS: dict[str, float] = {
    "current_max_ma": 40.0,
    "width_max_us": 400.0,
    "rate_max_hz": 50.0,
    "charge_max_uc": 14.0,
    "train_max_s": 2.0,
}


def raw_settings(**changes: Any) -> dict[str, Any]:  # Any: JSON
    settings: dict[str, Any] = {
        "session": SESSION,
        "channels": [{"name": "tibialis anterior", "electrode_area_cm2": 25.0}],
        "limits": [{"who": "session", "limits": dict(SESSION_LIMITS)}],
        "sensors": [{"name": "foot"}],
        "stimulator": {"device": "hasomed-p24", "port": "/dev/null"},
        "checklist": {question.key: "no" for question in QUESTIONS},
    }
    return settings | changes


def make_setup(**changes: Any) -> Setup:  # Any: JSON
    return prepare(parse(raw_settings(**changes), "test"), CAPABILITY)


def pulse_train(current_ma: float, width_us: float = 300.0, rate_hz: float = 40.0) -> ChannelCommand:
    return ChannelCommand(current_ma, width_us, rate_hz)


class Bench:
    """The pure guard in virtual time, with a healthy controller and sensor unless told otherwise."""

    def __init__(self, **changes: Any) -> None:  # Any: JSON
        self.setup = make_setup(**changes)
        self.known: Known = begin(self.setup)
        self.now_ns = START_NS
        self.seq = 0
        self.stamp_seq = 0
        self.notes: list[Note] = []
        self.reactions: list[tuple[int, Reaction]] = []

    @property
    def stage(self) -> str:
        return self.known.state.stage.value

    @property
    def fault(self) -> str | None:
        return self.known.state.fault

    def feed(self, happening: Happening) -> Reaction:
        assert len(self.reactions) < HAPPENINGS_MAX, "what the test waits for does not come"
        reaction, self.known = react(self.now_ns, happening, self.setup, self.known)
        self.notes.extend(reaction.notes)
        self.reactions.append((self.now_ns, reaction))
        return reaction

    def wait(self, ms: float) -> Reaction:
        self.now_ns += round(ms * MS)
        return self.feed(Timer())

    def answer(self) -> Reaction:
        """A stride lifts the toes; how that is seen in the samples is tested with legs that walk."""
        reaction, self.known = on_response("The stride lifted the toes by 8 deg.", self.setup, self.known)
        self.notes.extend(reaction.notes)
        return reaction

    def stamp(self, *, valid: bool = True, age_ms: float = 0.0, digest: int = 0) -> None:
        self.stamp_seq += 1
        t_ns = self.now_ns - round(age_ms * MS)
        self.feed(SensorStamp(SESSION, "foot", t_ns, self.stamp_seq, valid, digest))

    def frame(self, *channels: ChannelCommand | None, purpose: Purpose = "open_loop") -> Reaction:
        self.seq += 1
        channels = channels or (None,) * len(self.setup.config.channels)
        return self.feed(Frame(SESSION, self.seq, self.now_ns, 60.0, channels, purpose))

    def tick(
        self, *channels: ChannelCommand | None, ms: float = 5.0, purpose: Purpose = "open_loop"
    ) -> Reaction:
        """Time passes, a sample and a frame arrive."""
        self.now_ns += round(ms * MS)
        self.stamp()
        reaction = self.frame(*channels, purpose=purpose)
        self.feed(Timer())
        return reaction

    def ready(self) -> Bench:
        """Everything there that arming needs."""
        self.feed(Peer("recorder", True))
        self.feed(Peer("operator", True))
        self.feed(Peer("controller", True))
        self.feed(Link(up=True))
        self.tick()
        return self

    def armed(self) -> Bench:
        self.ready()
        self.feed(Request("arm"))
        assert self.stage == "armed", self.notes
        return self

    def active(self, current_ma: float = 20.0) -> Bench:
        """Armed and ramped up to ``current_ma``."""
        self.armed()
        for _ in range(round(current_ma) + 60):
            self.tick(pulse_train(current_ma))
        assert self.stage == "active", self.notes
        return self
