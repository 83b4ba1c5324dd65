"""What a session tells the world, from its records: every event and stride, numbered in their order.

Promises the same numbers from the records as they pass and from the recording later, so that what a broker
missed can be brought after. Refuses nothing: a record it cannot read is passed over.
"""

from __future__ import annotations

import bisect
import contextlib
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

import msgspec

from controller.core.joint_range import possible_ankle_deg, possible_pitch_deg
from controller.core.signals import GaitEvent, Mode
from controller.record.outward import guard_word, process_word
from controller.record.reader import header, raw_messages
from controller.record.records import Arm, Clock, GuardEvent, Process, Pulse, TrialKey, decode, decoded
from controller.record.stride_state import SECRET, Heard, StrideJudge, StrideState, law, mode_of
from drivers.interface import Command

STRIDE_MAX_S = 3.0  # as controller.record.arms: a longer pause between initial contacts is a stop
# A tick's verdict comes within milliseconds; its pulses are complete when ticks have gone on for so long.
SETTLED_NS = 200_000_000
REMEMBERED_NS = int((STRIDE_MAX_S + 1.0) * 1e9)  # the longest stride, and the delay of its last event
EVENT_TOPICS = {"guard/event": GuardEvent, "process": Process, "arm": Arm}
TOPICS = ("tick", "guard/verdict", "clock", "trial/key", *EVENT_TOPICS)


@dataclass(frozen=True, slots=True)
class StrideTold:
    """One stride, initial contact to initial contact, as the core saw it; None where it is not known.

    Angles in degrees (toe-up and dorsiflexion +), ``rmse`` of foot pitch against the reference in swing;
    ``charge_uc`` is the phase charge of all pulses of the stride. Cadence counts both feet.
    """

    t_ns: int
    stride: int
    arm: str
    mode: str  # the label of a blinded arm
    stride_s: float
    cadence_spm: float
    swing_s: float | None
    ankle_at_initial_contact_deg: float | None
    foot_pitch_at_initial_contact_deg: float | None
    peak_swing_dorsiflexion_deg: float | None
    swing_pitch_rmse_deg: float | None
    charge_uc: float
    pulses: int
    current_max_ma: float
    state: StrideState = "counted"  # whether it counts in the arm's figures


@dataclass(frozen=True, slots=True)
class Told:
    """One event as it is published: ``event/<kind>``."""

    kind: str
    seq: int
    payload_json: bytes


@dataclass(frozen=True, slots=True)
class _View:
    mode: Mode
    rung: str
    swing: bool
    foot_pitch_deg: float | None
    ankle_deg: float | None
    reference_pitch_deg: float | None

    @property
    def pitch(self) -> float | None:
        """The foot's pitch, degrees, if a body can have it."""
        return possible_pitch_deg(self.foot_pitch_deg)

    @property
    def ankle(self) -> float | None:
        """The ankle, degrees, if a body can have it."""
        return possible_ankle_deg(self.ankle_deg)


@dataclass(frozen=True, slots=True)
class _Decision:
    command: Command
    events: tuple[GaitEvent, ...]
    view: _View


@dataclass(frozen=True, slots=True)
class _Tick:
    now_ns: int
    decision: _Decision


@dataclass(frozen=True, slots=True)
class _Verdict:
    t_ns: int
    state: str
    verdict: str
    pulses: tuple[Pulse, ...] = ()
    unlocked: bool | None = None

    @property
    def heard(self) -> Heard:
        return Heard(self.t_ns, self.state, self.verdict != "ok", self.unlocked)


@dataclass(frozen=True, slots=True)
class _Dated:
    t_ns: int
    kind: str = ""
    state: str = ""


class Teller:
    """Turns the records of one session, in their order, into numbered events."""

    def __init__(self, session: str, mode: str = "", *, unblind: bool = False) -> None:
        self._session = msgspec.json.encode(session)
        self._tick_decoder = msgspec.json.Decoder(_Tick)
        self._verdict_decoder = msgspec.json.Decoder(_Verdict)
        self._arm_decoder = msgspec.json.Decoder(Arm)
        self._clock_decoder = msgspec.json.Decoder(Clock)
        self._dated_decoder = msgspec.json.Decoder(_Dated)
        self._seq = 0
        self._utc_minus_monotonic_ns: int | None = None
        self._strides = _Strides("", StrideJudge(mode))
        self._unblind = unblind
        self._key: dict[str, str] = {}
        self._key_decoder = msgspec.json.Decoder(TrialKey)

    def take(self, topic: str, payload: bytes) -> tuple[Told, ...]:
        """The events that become known with this record."""
        with contextlib.suppress(msgspec.DecodeError):
            if topic == "tick":
                tick = decoded(self._tick_decoder, payload)
                found = [self._tell(event.kind, event.t_ns, encode(event)) for event in tick.decision.events]
                strides = [self._stride(stride) for stride in self._strides.take_tick(tick)]
                return (*found, *strides)
            if topic == "guard/verdict":
                verdict = decoded(self._verdict_decoder, payload)
                self._strides.take_pulses(verdict.pulses)
                self._strides.hear(verdict.heard)
            elif topic == "trial/key":
                self._key = decoded(self._key_decoder, payload).modes
            elif topic == "clock":
                clock = decoded(self._clock_decoder, payload)
                self._utc_minus_monotonic_ns = clock.utc_ns - clock.monotonic_ns
            elif topic in EVENT_TOPICS:
                dated = decoded(self._dated_decoder, payload)
                if topic == "guard/event":
                    self._strides.hear(Heard(dated.t_ns, dated.state, kind=dated.kind))
                before = self._take_arm(payload) if topic == "arm" else ()
                return (*before, self._tell(topic.replace("/", "_"), dated.t_ns, _outward(topic, payload)))
        return ()

    def end(self) -> tuple[Told, ...]:
        """What was still waiting when the records ended."""
        return tuple(self._stride(stride) for stride in self._strides.end())

    def _take_arm(self, payload: bytes) -> tuple[Told, ...]:
        arm = decoded(self._arm_decoder, payload)
        rest = self.end()
        mode = mode_of(arm.label, arm.mode, self._key)
        judge = StrideJudge(mode, arm.wash_out_strides) if arm.kind == "begin" else None
        self._strides = _Strides(
            arm.label or arm.mode,
            judge,
            self._strides.last,
            blinded=arm.blinded,
            secret=arm.blinded and not self._unblind,
        )
        return rest

    def _stride(self, stride: StrideTold) -> Told:
        return self._tell("stride", stride.t_ns, encode(stride))

    def _tell(self, kind: str, t_ns: int, payload: bytes) -> Told:
        self._seq += 1
        offset_ns = self._utc_minus_monotonic_ns
        utc_ms = b"null" if offset_ns is None else b"%.3f" % ((t_ns + offset_ns) / 1e6)
        head = b'{"session":%b,"seq":%d,"ts_ms":%b,' % (self._session, self._seq, utc_ms)
        return Told(kind, self._seq, head + payload[1:])


def told(recording: Path) -> Iterator[Told]:
    """The events of a recording, whole or cut. Raises InputError as the reader does."""
    session = header(recording)
    teller = Teller(session.get("session", recording.stem), session.get("mode", ""))
    for message in raw_messages(recording):
        yield from teller.take(message.topic, message.payload)
    yield from teller.end()


def _outward(topic: str, payload: bytes) -> bytes:
    """The record as it leaves the rig. Fields we do not know stay here: they may say anything of a person."""
    record = decode(topic, payload)
    match record:
        case GuardEvent():
            return encode(guard_word(record))
        case Process():
            return encode(process_word(record))
        case Arm():
            return encode(record)
        case _:
            raise msgspec.DecodeError(f"{topic} is not told outside")


encode: Callable[[GaitEvent | StrideTold | GuardEvent | Process | Arm], bytes] = msgspec.json.Encoder().encode


class _Strides:
    """Strides of one arm: closed by the next initial contact, told when their pulses are complete."""

    def __init__(
        self,
        arm: str,
        judge: StrideJudge | None,
        last: Heard | None = None,
        *,
        blinded: bool = False,
        secret: bool = False,
    ) -> None:
        self._arm, self._blinded, self._secret = arm, blinded, secret
        self._judge = judge
        self.last = last  # of the guard's words
        self._heard: deque[Heard] = deque() if last is None else deque([replace(last, kind="")])
        self._ticks: deque[tuple[int, _View, bool]] = deque()  # with whether current was asked for
        self._pulses: deque[Pulse] = deque()
        self._toe_offs_ns: deque[int] = deque(maxlen=16)
        self._contact_ns: int | None = None
        self._closed: deque[tuple[int, int]] = deque()  # initial contacts of strides that wait for pulses
        self._count = 0

    def take_pulses(self, pulses: tuple[Pulse, ...]) -> None:
        self._pulses.extend(pulses)

    def hear(self, heard: Heard) -> None:
        """The guard's word, as far as it is news: most are like the one before."""
        last = self.last
        if heard.kind or heard.changed or last is None or replace(heard, t_ns=last.t_ns) != last:
            self._heard.append(heard)
        self.last = heard

    def take_tick(self, tick: _Tick) -> Iterator[StrideTold]:
        asked = any(channel is not None for channel in tick.decision.command.channels)
        self._ticks.append((tick.now_ns, tick.decision.view, asked))
        for event in tick.decision.events:
            if event.kind == "toe_off":
                self._toe_offs_ns.append(event.t_ns)
            elif event.kind == "initial_contact":
                if self._contact_ns is not None and 0 < event.t_ns - self._contact_ns <= STRIDE_MAX_S * 1e9:
                    self._closed.append((self._contact_ns, event.t_ns))
                self._contact_ns = event.t_ns
        while self._closed and tick.now_ns >= self._closed[0][1] + SETTLED_NS:
            yield self._tell(*self._closed.popleft())
        if not self._closed:
            self._forget(tick.now_ns - REMEMBERED_NS)

    def end(self) -> Iterator[StrideTold]:
        while self._closed:
            yield self._tell(*self._closed.popleft())

    def _forget(self, before_ns: int) -> None:
        while self._ticks and self._ticks[0][0] < before_ns:
            self._ticks.popleft()
        while self._pulses and self._pulses[0].t_ns < before_ns:
            self._pulses.popleft()

    def _tell(self, begin_ns: int, end_ns: int) -> StrideTold:
        ticks = list(self._ticks)
        at = max(0, bisect.bisect_right(ticks, begin_ns, key=itemgetter(0)) - 1)
        contact = ticks[at][1]
        swing = [view for now_ns, view, _ in ticks[at:] if begin_ns <= now_ns < end_ns and view.swing]
        ankles_deg = [view.ankle for view in swing if view.ankle is not None]
        errors_deg = [
            view.pitch - view.reference_pitch_deg
            for view in swing
            if view.pitch is not None and view.reference_pitch_deg is not None
        ]
        pulses = [pulse for pulse in self._pulses if begin_ns <= pulse.t_ns < end_ns]
        toe_off_ns = next((t_ns for t_ns in self._toe_offs_ns if begin_ns < t_ns < end_ns), None)
        swing_ns = begin_ns if toe_off_ns is None else toe_off_ns
        laws = {
            law(view.mode, view.rung, asked=asked)
            for now_ns, view, asked in ticks[at:]
            if swing_ns <= now_ns < end_ns and view.swing
        }
        heard = sorted((each for each in self._heard if each.t_ns < end_ns), key=lambda each: each.t_ns)
        self._heard = deque(each for each in self._heard if each.t_ns >= end_ns)
        state: StrideState = "left_out"  # after an arm's end
        if self._judge is not None:
            state = self._judge.judge(begin_ns, heard, laws)
        stride_s = (end_ns - begin_ns) / 1e9
        self._count += 1
        return StrideTold(
            t_ns=begin_ns,
            stride=self._count,
            arm=self._arm,
            mode=self._arm if self._blinded else contact.mode,
            stride_s=stride_s,
            cadence_spm=120.0 / stride_s,
            swing_s=None if toe_off_ns is None else (end_ns - toe_off_ns) / 1e9,
            ankle_at_initial_contact_deg=contact.ankle,
            foot_pitch_at_initial_contact_deg=contact.pitch,
            peak_swing_dorsiflexion_deg=max(ankles_deg, default=None),
            swing_pitch_rmse_deg=_rms(errors_deg),
            charge_uc=math.fsum(pulse.phase_charge_uc for pulse in pulses),
            pulses=len(pulses),
            current_max_ma=max((pulse.current_ma for pulse in pulses), default=0.0),
            state="left_out" if self._secret and state in SECRET else state,
        )


def _rms(values: list[float]) -> float | None:
    return math.sqrt(math.fsum(value * value for value in values) / len(values)) if values else None
