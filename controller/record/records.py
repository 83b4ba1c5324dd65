"""The messages of a recording: one type for each topic, as JSON with an embedded schema.

Promises that every decision, verdict, pulse and truth has one place and one shape. Refuses, when decoding,
a value of another type; unknown fields are passed over, so that a newer writer can be read.
What cannot be read is told in its place, and takes nothing of the rest with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from controller.core.signals import Decision, TickInputs
from controller.record.stream_records import Marker, StreamValues
from controller.safety.judgement.staged_unlock import UnlockStage
from controller.untrusted import has_long_integer, mended, read_json
from drivers.interface import ChannelCommand, StimulatorCapability


@dataclass(frozen=True, slots=True)
class CoreStart:
    """A control core begins in its initial state with these parameters; replay begins there too."""

    t_ns: int
    pid: int
    params: msgspec.Raw  # controller.core.params.CoreParams as JSON


@dataclass(frozen=True, slots=True)
class CoreRetuned:
    """The running core was given these parameters; they hold from the next tick on, in replay too."""

    t_ns: int
    version: int  # of the settings, counted from the core's start
    params: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Tick:
    """One step of the core and the frame it made. ``seq`` is the frame's number.

    A step happens at every deadline and, between two, when an inertial sample arrives. ``deadline`` is the
    number of the last deadline, so a missed one shows as a jump. ``lateness_us`` is start after the deadline
    or the arrival, ``duration_us`` from start to the frame handed to the guard.
    """

    now_ns: int
    seq: int
    deadline: int
    lateness_us: float
    duration_us: float
    inputs: TickInputs
    decision: Decision


@dataclass(frozen=True, slots=True)
class Pulse:
    """One biphasic pulse, or one burst of ``cycles`` of them, whose bytes were written to the stimulator at
    ``t_ns``.
    """

    t_ns: int
    channel: int
    current_ma: float
    width_us: float
    packet: int
    cycles: int = 1

    @property
    def phase_charge_uc(self) -> float:
        """Charge of one phase (microcoulomb): mA times us is nC."""
        return self.current_ma * self.width_us * 1e-3

    @property
    def charge_uc(self) -> float:
        """Charge of the phases of one sign, of all cycles together: what counts for a dose."""
        return self.phase_charge_uc * self.cycles


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """What the guard did with frame ``frame_seq``, made at ``t_ns`` (the tick's ``now_ns``).

    ``unlocked`` is true where a session needs no staged unlock. The last three are empty or ``None`` in
    recordings made before they were told.
    """

    frame_seq: int
    t_ns: int
    received_ns: int
    state: str
    verdict: Literal["ok", "reduced", "blocked"]
    reason: str
    channels: tuple[ChannelCommand | None, ...]
    pulses: tuple[Pulse, ...] = ()
    limit: str | None = None
    purpose: str = ""  # of the frame: off, test_train, open_loop or feedback
    unlocked: bool | None = None  # whether the whole current and feedback were allowed
    scope: str = ""  # what the guard was armed for: walk, or tests alone
    left_out: tuple[int, ...] = ()  # channels whose due pulse was not sent: too close, or the line slow


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the stimulator measured of one pulse, told at ``t_ns``, beside the pulse as it was sent.

    ``asked_uc`` and ``charge_uc`` are the charge of the phases of one sign; ``load_ohm`` is voltage over
    current. A device measures one of the two, and only where the session asks for it.
    """

    t_ns: int
    channel: int
    current_ma: float
    width_us: float
    cycles: int
    asked_uc: float
    charge_uc: float | None = None
    load_ohm: float | None = None


@dataclass(frozen=True, slots=True)
class GuardEvent:
    """The guard changed state or noticed something; ``fault`` names a row of the fault table.

    ``by`` may be a person's name; the recording alone has the checklist's ``answers`` too. What leaves the
    rig is in controller.record.privacy.
    """

    t_ns: int
    kind: str
    state: str
    text: str
    fault: str | None = None
    by: str = ""
    current_max_ma: float | None = None  # in force from here on, where a person lowered it
    unlock: UnlockStage | None = None  # how far the staged unlock is from here on, where this is news of it


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit in force, and which layer set it: the tightest one."""

    value: float
    set_by: str


@dataclass(frozen=True, slots=True)
class GuardSetup:
    """What the verdicts after it are judged by; a limit's name carries its unit."""

    t_ns: int
    limits: dict[str, Limit]
    checklist: dict[str, str]
    stimulator: StimulatorCapability
    safe_action: str = ""
    caps: str = "gait"  # what the session was for: which compiled limits held


@dataclass(frozen=True, slots=True)
class Truth:
    """The virtual body at one instant. Degrees (toe-up and dorsiflexion +), N m, activation 0 to 1."""

    t_ns: int
    foot_pitch_deg: float
    shank_pitch_deg: float
    ankle_deg: float
    torque_nm: float
    activation: float
    phase_percent: float
    in_swing: bool


@dataclass(frozen=True, slots=True)
class TrueStride:
    """One completed stride of the virtual body, from initial contact to the next."""

    initial_contact_ns: int
    toe_off_ns: int
    next_initial_contact_ns: int
    ankle_at_initial_contact_deg: float
    foot_pitch_at_initial_contact_deg: float
    peak_swing_dorsiflexion_deg: float
    swing_pitch_rmse_deg: float
    forefoot_contact: bool


@dataclass(frozen=True, slots=True)
class TrueExercise:
    """The exercising virtual body at one instant: degrees (extension +), N m; a shoulder's shift in mm.

    ``own_share`` is the part of the pull that is the person's own, ``fitness`` 1 where rested.
    """

    t_ns: int
    angle_deg: float | None
    finger_angle_deg: float | None
    torque_nm: float | None
    shift_mm: float | None
    activation: float
    own_share: float
    fitness: float
    trying: bool
    sensation: str


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm of a trial begins or ends, at the tick that changed the mode.

    A blinded arm has its label in place of the mode. The first ``wash_out_strides`` count in no figure.
    """

    t_ns: int
    kind: Literal["begin", "end"]
    mode: str
    seed: int | None = None
    label: str = ""
    wash_out_strides: int = 0
    blinded: bool = False


@dataclass(frozen=True, slots=True)
class TrialKey:
    """Which mode each label of a blinded trial stands for; ``dorsi report --unblind`` alone looks."""

    t_ns: int
    modes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Clock:
    """The same instant on three clocks, once a second and when the wall clock was set; monotonic time alone
    decides.
    """

    monotonic_ns: int
    utc_ns: int
    boottime_ns: int


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the rig started, ended, connected to the recorder or left it."""

    t_ns: int
    process: str
    pid: int
    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """The state of one sensor's radio link, counted since it came up."""

    t_ns: int
    sensor: str
    received: int
    lost: int
    battery_percent: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One setting, as named in the session file, from ``old`` to ``new``."""

    key: str
    old: float
    new: float


@dataclass(frozen=True, slots=True)
class Audit:
    """What a person at the console did to the therapy: settings, and the steps of the set-up.

    Written when it took effect; ``utc_ns`` is when the person confirmed it.
    """

    t_ns: int
    utc_ns: int
    kind: Literal["change", "undo", "refused", "setup"]
    by: str
    reason: str
    version: int = 0  # of the settings, counted from the controller's start
    changes: tuple[Change, ...] = ()
    preview: dict[str, float] = field(default_factory=dict)  # figures the person saw
    text: str = ""  # why refused, or what was done in the set-up


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that is there and that nobody can read: ``why``, in words."""

    t_ns: int
    topic: str
    why: str


Record = (
    CoreStart
    | CoreRetuned
    | Tick
    | GuardVerdict
    | Delivered
    | GuardEvent
    | GuardSetup
    | Truth
    | TrueStride
    | TrueExercise
    | Arm
    | TrialKey
    | Clock
    | Process
    | Link
    | Marker
    | StreamValues
    | Audit
    | Unreadable
)

TOPICS: Mapping[str, type[Record]] = MappingProxyType(
    {
        "core/start": CoreStart,
        "core/retuned": CoreRetuned,
        "tick": Tick,
        "guard/verdict": GuardVerdict,
        "guard/delivered": Delivered,
        "guard/event": GuardEvent,
        "guard/setup": GuardSetup,
        "world/truth": Truth,
        "world/stride": TrueStride,
        "world/exercise": TrueExercise,
        "arm": Arm,
        "trial/key": TrialKey,
        "clock": Clock,
        "process": Process,
        "link": Link,
        "marker": Marker,
        "lsl/values": StreamValues,
        "audit": Audit,
    }
)

_DECODERS: Mapping[str, msgspec.json.Decoder[Record]] = MappingProxyType(
    {topic: msgspec.json.Decoder(kind) for topic, kind in TOPICS.items()}
)
_ENCODER = msgspec.json.Encoder()


def encode(record: Record) -> bytes:
    """The record as JSON. Doubles survive bit for bit; NaN and infinity would become null."""
    return _ENCODER.encode(record)


def decode(topic: str, payload: bytes) -> Record:
    """Reverse of :func:`encode`; a text that is no UTF-8 or holds half a surrogate pair is mended.

    Raises KeyError for a topic that has no type, msgspec.DecodeError for a payload of another shape.
    """
    record: Record = decoded(_DECODERS[topic], payload)
    return record


def decoded(decoder: msgspec.json.Decoder[Any], payload: bytes) -> Any:  # Any: as the decoder says
    """What the decoder makes of a payload that may come from anywhere. Raises msgspec.DecodeError alone."""
    try:
        value = decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            return decoder.decode(mended(payload))
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise msgspec.DecodeError(str(error)) from None
    if has_long_integer(payload):
        try:
            read_json(payload)
        except ValueError as error:
            raise msgspec.DecodeError(str(error)) from None
    return value


def schema(topic: str) -> bytes:
    """The JSON schema of a topic, its root an object as viewers expect; empty for an unknown topic."""
    kind = TOPICS.get(topic)
    return b"" if kind is None else object_schema(kind)


def object_schema(kind: type) -> bytes:
    """The JSON schema of a type, its root an object as viewers expect."""
    document: dict[str, Any] = msgspec.json.schema(kind)  # Any: a JSON schema is an open document
    definitions: dict[str, Any] = document["$defs"]
    root = definitions.pop(kind.__name__)
    return _ENCODER.encode({**root, "$defs": definitions})
