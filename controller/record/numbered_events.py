"""What a session tells the world, from its records: every event and stride, numbered in their order.

Promises the same numbers from the records as they pass and from the recording later, so that what a broker
missed can be brought after. Refuses nothing: a record it cannot read is passed over.
"""

from __future__ import annotations

import bisect
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

import msgspec

from controller.core.signals import ExerciseView, GaitEvent, Mode
from controller.record.contractions import Contractions, ContractionTold, PhaseTold
from controller.record.privacy import guard_word, process_word
from controller.record.reader import header, raw_messages
from controller.record.records import Arm, Clock, GuardEvent, Process, Pulse, TrialKey, decode, decoded
from controller.record.stride_state import Heard, StrideJudge, StrideState, law, mode_of, shown
from controller.record.strides import REMEMBERED_NS, SETTLED_NS, Stride, StrideMeter, tick_angles
from drivers.interface import Command

EVENT_TOPICS = {"guard/event": GuardEvent, "process": Process, "arm": Arm}
TOPICS = ("tick", "guard/verdict", "clock", "trial/key", *EVENT_TOPICS)


@dataclass(frozen=True, slots=True)
class StrideTold:
    """One stride, initial contact to initial contact, as the core saw it; None where it is not known.

    Angles in degrees (toe-up and dorsiflexion +), ``rmse`` of foot pitch against the reference in swing;
    ``charge_uc`` is the phase charge of all pulses of the stride; what current would tell of a blinded arm is
    None. Cadence counts both feet.
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
    charge_uc: float | None
    pulses: int | None
    current_max_ma: float | None
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
    exercise: ExerciseView | None = None


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
        self._contractions = Contractions()
        self._unblind = unblind
        self._key: dict[str, str] = {}
        self._key_decoder = msgspec.json.Decoder(TrialKey)

    def take(self, topic: str, payload: bytes) -> tuple[Told, ...]:
        """The events that become known with this record."""
        with contextlib.suppress(msgspec.DecodeError):
            if topic == "tick":
                tick = decoded(self._tick_decoder, payload)
                if (exercise := tick.decision.view.exercise) is not None:
                    return tuple(map(self._exercise, self._contractions.take_tick(tick.now_ns, exercise)))
                found = [self._tell(event.kind, event.t_ns, encode(event)) for event in tick.decision.events]
                strides = [self._stride(stride) for stride in self._strides.take_tick(tick)]
                return (*found, *strides)
            if topic == "guard/verdict":
                verdict = decoded(self._verdict_decoder, payload)
                self._strides.take_pulses(verdict.pulses)
                self._contractions.take_pulses(verdict.pulses)
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
        contractions = tuple(map(self._exercise, self._contractions.end()))
        return (*contractions, *(self._stride(stride) for stride in self._strides.end()))

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

    def _exercise(self, one: PhaseTold | ContractionTold) -> Told:
        return self._tell("exercise" if isinstance(one, PhaseTold) else "contraction", one.t_ns, encode(one))

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


Outward = GaitEvent | StrideTold | PhaseTold | ContractionTold | GuardEvent | Process | Arm
encode: Callable[[Outward], bytes] = msgspec.json.Encoder().encode


class _Strides:
    """Strides of one arm, told when their pulses are complete."""

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
        self._meter = StrideMeter()
        self._steered: deque[tuple[int, _View, bool]] = deque()  # with whether current was asked for
        self._count = 0

    def take_pulses(self, pulses: tuple[Pulse, ...]) -> None:
        self._meter.take_pulses(pulses)

    def hear(self, heard: Heard) -> None:
        """The guard's word, as far as it is news: most are like the one before."""
        last = self.last
        if heard.kind or heard.changed or last is None or replace(heard, t_ns=last.t_ns) != last:
            self._heard.append(heard)
        self.last = heard

    def take_tick(self, tick: _Tick) -> Iterator[StrideTold]:
        view = tick.decision.view
        asked = any(channel is not None for channel in tick.decision.command.channels)
        self._steered.append((tick.now_ns, view, asked))
        for stride in self._meter.take_tick(tick_angles(tick.now_ns, view), tick.decision.events):
            yield self._tell(stride)
        while self._steered[0][0] < tick.now_ns - REMEMBERED_NS - SETTLED_NS:
            self._steered.popleft()

    def end(self) -> Iterator[StrideTold]:
        for stride in self._meter.end():
            yield self._tell(stride)

    def _tell(self, stride: Stride) -> StrideTold:
        begin_ns, end_ns = stride.initial_contact_ns, stride.next_initial_contact_ns
        steered = list(self._steered)
        at = max(0, bisect.bisect_right(steered, begin_ns, key=itemgetter(0)) - 1)
        swing_ns = begin_ns if stride.toe_off_ns is None else stride.toe_off_ns
        laws = {
            law(view.mode, view.rung, asked=asked)
            for now_ns, view, asked in steered[at:]
            if swing_ns <= now_ns < end_ns and view.swing
        }
        heard = sorted((each for each in self._heard if each.t_ns < end_ns), key=lambda each: each.t_ns)
        self._heard = deque(each for each in self._heard if each.t_ns >= end_ns)
        state: StrideState = "left_out"  # after an arm's end
        if self._judge is not None:
            state = self._judge.judge(begin_ns, heard, laws)
        self._count += 1
        return StrideTold(
            t_ns=begin_ns,
            stride=self._count,
            arm=self._arm,
            mode=self._arm if self._blinded else steered[at][1].mode,
            stride_s=stride.duration_s,
            cadence_spm=stride.cadence_spm,
            swing_s=stride.swing_s,
            ankle_at_initial_contact_deg=stride.ankle_at_initial_contact_deg,
            foot_pitch_at_initial_contact_deg=stride.foot_pitch_at_initial_contact_deg,
            peak_swing_dorsiflexion_deg=stride.peak_swing_dorsiflexion_deg,
            swing_pitch_rmse_deg=stride.swing_pitch_rmse_deg,
            charge_uc=None if self._secret else stride.charge_uc,
            pulses=None if self._secret else stride.pulses,
            current_max_ma=None if self._secret else stride.current_max_ma,
            state=shown(state, secret=self._secret),
        )
