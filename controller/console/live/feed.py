"""The rig as the pages see it: the live feed and the guard's words, as increments for the browsers.

Promises an increment for every status that arrives and none when nothing arrives, so that silence shows. It
never waits for the rig and never arms by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import convert

from controller.config.console_settings import SCREEN_MAX, ConsoleSettings
from controller.console.live.alarms import Alarms
from controller.console.live.browser_messages import (
    Json,
    limits_told,
    on_time_told,
    point_message,
    refusals_told,
    stride_message,
)
from controller.console.live.stride_curves import Trace
from controller.ipc import bus
from controller.record.live import LinkGlance, LiveStatus, TracePoint
from controller.record.records import decoded
from controller.record.strides import Stride
from controller.safety.judgement.staged_unlock import UnlockStage
from controller.untrusted import read_object

RECONNECT_S = 0.1
SPEAK_S = 0.3  # a browser that hears nothing for a second takes the state for unknown
ASK_S = 0.5  # how often the guard is asked for its state and what keeps it from arming
KEPT_POINTS = 500  # 10 s at 50 Hz, for a browser that comes later
KEPT_STRIDES = 10
KEPT_ASSISTED = 1000
FRESH_NS = 500_000_000  # an older point is not now
PACE_STRIDES = 3  # fewer say nothing about how a person walks
ODD_STRIDE = 0.25  # a stride that differs more from the usual one is no measure of how much strides vary
ABLE = ("armed", "active", "ramp")
Scope = Literal["walk", "tests"]


@dataclass(frozen=True, slots=True)
class Pace:
    """The last strides: usual length, how much it varies, and the usual error."""

    stride_s: float
    stride_cv: float
    error_deg: float | None
    strides: int


class Feed:
    """Keeps both connections across restarts; hands each increment to ``show``."""

    def __init__(self, rig: Path, settings: ConsoleSettings, show: Callable[[Json], None]) -> None:
        self._rig = rig
        self._settings = settings
        self._to_browsers = show
        self._shown_s = 0.0
        self._live: socket.socket | None = None
        self._guard: socket.socket | None = None
        self._sender: bus.Sender | None = None
        self._decoder = msgspec.json.Decoder(LiveStatus)
        self._state, self._detail = "unknown", ""
        self._fault: str | None = None
        self._refusals: list[tuple[str, str]] = []
        self._dose_max_uc: float | None = None
        self._on_time: Json = {}
        self.limits: dict[str, tuple[float, str]] = {}  # the guard's, and who set each
        self.left_over: Callable[[], bool] = lambda: False  # settings reset by a new start
        self.beside: Callable[[], Json] = dict  # what the page shows of the controller
        self.peak_ma: float | None = None  # of the last whole stride
        self._checklist: Json | None = None  # as answered today
        self.stride_count = 0
        self._assisted_ns: deque[int] = deque(maxlen=KEPT_ASSISTED)  # beginnings of strides with current
        self.comfort: tuple[float, str] | None = None  # the most a person accepts, mA, and who kept it
        self.scope = ""  # what the guard is armed for
        self._ages_ms: dict[str, float] = {}
        self._ages_s = 0.0  # when they were told
        self._links: tuple[LinkGlance, ...] = ()
        self._newest: TracePoint | None = None
        self._unlock: UnlockStage | None = None  # None where none is under way
        self._asked_s = 0.0
        self._alarms = Alarms()
        self._cut = ""  # what keeps the broker away, as told last
        self._trace = Trace()
        self._arm, self._blinded = "", False
        self._points: deque[list[float | None]] = deque(maxlen=KEPT_POINTS)
        self._events: deque[list[object]] = deque(maxlen=4 * KEPT_STRIDES)
        self._figures: deque[Json] = deque(maxlen=KEPT_STRIDES)
        self._whole = 0  # strides of this arm since this console listens
        self._last: Json = {}

    async def run(self) -> None:
        while True:
            self._reach()
            now_s = time.monotonic()
            if self._sender is not None and now_s - self._asked_s >= ASK_S:
                self._asked_s = now_s
                self._ask({"op": "state"})
            if now_s - self._shown_s >= SPEAK_S:
                self._show(self._words())
            await asyncio.sleep(RECONNECT_S)

    def request(self, op: str) -> None:
        """``disarm``, ``unlock`` or ``acknowledge``, as a person at the console wishes."""
        self._ask({"op": op, "by": "console"})
        self._ask({"op": "state"})

    def tighten(self, current_max_ma: float, by: str) -> None:
        """A lower largest current, from now to the session's end; the guard refuses a higher one."""
        self._ask({"op": "tighten", "current_max_ma": current_max_ma, "by": by})
        self._ask({"op": "state"})

    def answer(self, answers: Mapping[str, str], by: str) -> None:
        """Today's checklist, for the guard to judge; told again to every guard that comes after."""
        self._checklist = {"op": "checklist", "answers": dict(answers), "by": by}
        self._ask(self._checklist)
        self._ask({"op": "state"})

    def _show(self, news: Json) -> None:
        self._shown_s = time.monotonic()
        self._to_browsers(news)

    def arm(self, scope: Scope = "walk", *, screen: str) -> None:
        """A person holds the button: arm if the guard said that it would; and ask it how it is now.

        For walking, the comfort maximum that was kept is the largest current. From then on the guard wants
        to hear the browser called ``screen`` (F26).
        """
        if self._state == "off" and not self._refusals:
            if scope == "walk" and self.comfort is not None:
                self.tighten(*self.comfort)
            self._ask({"op": "arm", "scope": scope, "by": "console", "screen": screen[:SCREEN_MAX]})
        self._ask({"op": "state"})

    def watch(self, screen: str) -> None:
        """A person at the browser called ``screen`` takes over from the one that armed."""
        self._ask({"op": "watch", "by": "console", "screen": screen[:SCREEN_MAX]})

    def snapshot(self) -> Json:
        """All a browser needs that comes now."""
        whole: Json = {"points": list(self._points), "events": list(self._events)}
        return {**self._last, **self._words(), **whole, "strides": list(self._figures), "whole": True}

    @property
    def alarms(self) -> list[Json]:
        """As every page shows them, the most urgent first."""
        return [asdict(alarm) for alarm in self._alarms.now(time.time())]

    @property
    def refusals(self) -> list[tuple[str, str]]:
        """Why the guard does not allow arming: key of the words, and a name."""
        return self._refusals

    def sensor_age_ms(self, name: str) -> float | None:
        """Age of the sensor's newest sample now."""
        told_ms = self._ages_ms.get(name)
        return None if told_ms is None else told_ms + (time.monotonic() - self._ages_s) * 1e3

    def link(self, name: str) -> Json | None:
        return next((asdict(link) for link in self._links if link.sensor == name), None)

    def assisted(self, since_ns: int) -> int:
        """Whole strides with current that began at ``since_ns`` of monotonic time or later."""
        return sum(began_ns >= since_ns for began_ns in self._assisted_ns)

    def newest(self, name: str) -> float | None:
        """A value of the newest point of the trace, while it is fresh."""
        if self._newest is None or time.monotonic_ns() - self._newest.t_ns > FRESH_NS:
            return None
        value: float | None = getattr(self._newest, name)
        return value

    @property
    def answered(self) -> int | None:
        """Strides that have answered in the staged unlock, or contractions; ``None`` where none is under way.

        In a blinded arm only what a person has to act on: an arm without stimulation gets no answers.
        """
        stage = self._unlock
        if stage is None or stage.full or (self._blinded and stage.answered < stage.needed):
            return None
        return stage.answered

    @property
    def needed(self) -> int | None:
        """Strides or contractions that it needs; ``None`` where no staged unlock is under way."""
        return None if self._unlock is None else self._unlock.needed

    @property
    def state(self) -> str:
        """The guard's, in its own words."""
        return self._state

    @property
    def may_pulse(self) -> bool:
        """Whether the guard lets pulses out, its own of the contact test too."""
        return self._state in (*ABLE, "contact_test")

    def pace(self) -> Pace | None:
        """How the person walks now; ``None`` before the first whole strides."""
        durations_s = [float(str(stride["duration_s"])) for stride in self._figures]
        if len(durations_s) < PACE_STRIDES:
            return None
        middle_s = statistics.median(durations_s)
        usual_s = [d for d in durations_s if abs(d / middle_s - 1.0) < ODD_STRIDE]
        errors = [float(str(s["error_deg"])) for s in self._figures if s["error_deg"] is not None]
        return Pace(
            middle_s,
            statistics.pstdev(usual_s) / middle_s,
            statistics.median(errors) if errors else None,
            len(durations_s),
        )

    def _ask(self, message: Json) -> None:
        if self._sender is not None:
            self._sender.send(json.dumps(message).encode())

    def _reach(self) -> None:
        loop = asyncio.get_running_loop()
        if self._live is None:
            with contextlib.suppress(TimeoutError, OSError):
                self._live = bus.connect(self._rig, "live", timeout_s=0.0)
                loop.add_reader(self._live.fileno(), self._hear_live)
        if self._guard is None:
            with contextlib.suppress(TimeoutError, OSError):
                self._guard = bus.connect(self._rig, "guard", timeout_s=0.0)
                self._sender = bus.Sender(self._guard)
                self._ask({"role": "operator", "name": "console"})
                if self._checklist is not None:
                    self._ask(self._checklist)  # a new guard knows the patient file alone
                loop.add_reader(self._guard.fileno(), self._hear_guard)

    def _hear_live(self) -> None:
        assert self._live is not None
        while message := bus.receive(self._live):
            with contextlib.suppress(msgspec.DecodeError):
                self._take(decoded(self._decoder, message))
        if message is None:
            asyncio.get_running_loop().remove_reader(self._live.fileno())
            self._live.close()
            self._live = None

    def _hear_guard(self) -> None:
        assert self._guard is not None
        while message := bus.receive(self._guard):
            with contextlib.suppress(ValueError, msgspec.ValidationError):
                self._take_word(read_object(message))
        if message is None:
            asyncio.get_running_loop().remove_reader(self._guard.fileno())
            self._guard.close()
            self._guard = self._sender = self._unlock = None
            self._state, self._fault, self._detail, self._refusals = "unknown", None, "", []
            self._alarms.tripped(None, "", time.time())
            self._show(self._words())

    def _take_word(self, word: Json) -> None:
        """A state pushed, or an answer; the bare detail and the refusals are in the answer to ``state``."""
        before = self._words()
        self._state = str(word.get("state", self._state)).replace(" ", "_")
        self.scope = str(word.get("scope", self.scope))
        if "unlock" in word:
            self._unlock = convert(word["unlock"], UnlockStage | None)
        fault = word.get("fault")
        self._fault = str(fault) if fault and self._state == "tripped" else None
        if word.get("reply") == "state":
            self._detail = str(word.get("text", ""))
            self._refusals = refusals_told(word.get("refusals"))
            self.limits = limits_told(word.get("limits"))
            self._dose_max_uc = self.limits.get("dose_max_uc", (None, ""))[0]
            self._on_time = on_time_told(word.get("on_s"), self.limits)
        elif "reply" not in word:
            self._detail = ""
            self._ask({"op": "state"})
        self._alarms.tripped(self._fault, self._detail, time.time())
        if self._words() != before:
            self._show(self._words())

    def _words(self) -> Json:
        """What does not come from the live feed: state, alarms, what keeps the guard from arming."""
        return {
            "state": self._state,
            "scope": self.scope,
            "refusals": self._refusals,
            "alarms": self.alarms,
            "answered": self.answered,
            "needed": self.needed,
            "left_over": self.left_over(),
            **self._on_time,
            **self.beside(),
        }

    def _figures_of(self, stride: Stride) -> Json:
        self._whole += 1
        return stride_message(self._whole, stride, self._trace.curves(stride))

    def _take(self, status: LiveStatus) -> None:
        now_s = time.time()
        self._blinded = status.blinded
        if status.arm != self._arm:
            self._arm = status.arm
            self._trace = Trace()
            self._points.clear()
            self._events.clear()
            self._figures.clear()
            self._whole = 0
        for note in status.notes:
            if note.kind == "fault" and note.fault is not None:
                self._alarms.noticed(note.fault, "", now_s)
        if status.recorder != "ok":
            self._alarms.lasts("F12", status.recorder, now_s)
        if status.unlifted_advice:
            self._alarms.lasts("F27", status.unlifted_advice, now_s)
        cut = status.telemetry.kind if status.telemetry else ""
        if cut and cut != self._cut:
            self._alarms.noticed("F13", "", now_s)
        self._cut = cut
        points = [point_message(point) for point in status.trace]
        events: list[list[object]] = [[event.t_ns / 1e9, event.kind] for event in status.gait_events]
        self._trace.take(status.trace)
        strides = [self._figures_of(stride) for stride in status.whole_strides]
        self._points.extend(points)
        self._events.extend(events)
        self._figures.extend(strides)
        self._ages_ms, self._ages_s = status.sensor_age_ms, time.monotonic()
        self._links, self.stride_count = status.links, status.strides
        self._newest = status.trace[-1] if status.trace else self._newest
        if status.whole_strides:
            self.peak_ma = status.whole_strides[-1].current_max_ma
        self._assisted_ns.extend(
            stride.initial_contact_ns for stride in status.whole_strides if stride.charge_uc > 0.0
        )
        feed_age_ms = (time.monotonic_ns() - status.t_ns) / 1e6
        tick_age_ms = status.tick_age_ms
        links = [asdict(link) for link in status.links]
        dose_left = None
        if self._dose_max_uc is not None:
            dose_left = max(0.0, self._dose_max_uc - self._trace.minute_uc)
        self._last = {
            "arm": status.arm,
            "mode": status.mode or "unknown",
            "reason": status.reason,
            "data_age_ms": None if tick_age_ms is None else tick_age_ms + feed_age_ms,
            "sensor_age_ms": max(status.sensor_age_ms.values(), default=None),
            "swing": status.swing,
            "stride_count": status.strides,
            "set_ma": status.commanded_ma,
            "applied_ma": status.applied_ma,
            "latency_ms": status.sensor_to_pulse_p99_ms,
            "missed_ticks": status.missed_ticks,
            "dose_left_uc": dose_left,
            "believed_gain": status.believed_gain,
            "believed_late_ms": status.believed_late_ms,
            "believed_reflex_nms": status.believed_reflex_nms,
            "response_share": status.response_share,
            "unlifted_swings": status.unlifted_swings,
            "load_ohm": status.load_ohm,
            "delivered_share": status.delivered_share,
            "reference_speed_mps": status.reference_speed_mps,
            "links": links,
            "streams": status.streams,
            "exercise": None if status.exercise is None else asdict(status.exercise),
            "telemetry": None if status.telemetry is None else asdict(status.telemetry),
        }
        self._show({**self._last, **self._words(), "points": points, "events": events, "strides": strides})
