"""What the guard hears, what it knows and what it answers: plain frozen data, and how a session begins.

Refuses limits that loosen and a channel that the stimulator does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

from controller.errors import InputError
from controller.safety.judgement import on_time
from controller.safety.judgement.arming_screen import Screen
from controller.safety.judgement.electrode_load import LoadTrack
from controller.safety.judgement.electrode_test import Contact
from controller.safety.judgement.frame_check import Memory, Rules, fresh_memory
from controller.safety.judgement.limits import ON_WINDOW_S, device_layer, merge
from controller.safety.judgement.plausibility import Plausibility
from controller.safety.judgement.pulse_schedule import Metronome, PulseOrder
from controller.safety.judgement.staged_unlock import LOCKED, Contraction, Unlock, UnlockStage
from controller.safety.judgement.states import State
from controller.safety.judgement.wire import BadFrame, Frame, SensorStamp, Verdict
from controller.safety.settings import GuardConfig
from drivers.interface import StimulatorCapability, StimulatorNotice

# What the guard is armed for: stimulation of whatever kind, or single test trains and nothing else.
Scope = Literal["walk", "tests"]

# What can happen, beside a frame, a stamp and a notice of the stimulator


@dataclass(frozen=True, slots=True)
class Timer:
    """Time has passed and everything that had arrived has been dealt with."""


@dataclass(frozen=True, slots=True)
class Request:
    """A person's wish, or a sign that one can be heard; ``by`` is who, for the record.

    ``screen`` names the browser it comes from, where it comes from one; ``scope`` is what an arming is for.
    """

    op: Literal["arm", "unlock", "disarm", "stop", "acknowledge", "heartbeat", "beat", "screen", "watch"]
    by: str = "operator"
    screen: str = ""
    scope: Scope = "walk"


@dataclass(frozen=True, slots=True)
class Peer:
    """A process came or went, or the STOP button on USB."""

    role: Literal["controller", "operator", "recorder", "button"]
    present: bool


@dataclass(frozen=True, slots=True)
class RecorderTook:
    """Whether the recorder took the last message."""

    took: bool


@dataclass(frozen=True, slots=True)
class Link:
    """The stimulator became ready for pulses, or its link failed."""

    up: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault seen outside this function: restart while armed, suspend, a guard that stood still."""

    fault: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PulseLeft:
    """A pulse was written to the stimulator, now."""

    channel: int
    current_ma: float


@dataclass(frozen=True, slots=True)
class Checklist:
    """The checklist answered for this session: whatever was sent, by whom, and the wall clock's time."""

    answers: object
    by: str
    utc: str


@dataclass(frozen=True, slots=True)
class Tighten:
    """A lower largest current for the rest of the session: whatever was sent, and by whom."""

    current_max_ma: object
    by: str


Happening = (
    Frame
    | BadFrame
    | SensorStamp
    | StimulatorNotice
    | Timer
    | Request
    | Peer
    | RecorderTook
    | Link
    | Trouble
    | PulseLeft
    | Checklist
    | Tighten
)


# What the guard does about it


@dataclass(frozen=True, slots=True)
class Note:
    """Something to be recorded and shown; ``text`` is words for a person, the checklist's answers apart."""

    kind: Literal[
        "checklist",
        "contact",
        "arm",
        "tighten",
        "measured",
        "answer",
        "unlock",
        "watch",
        "disarm",
        "refused",
        "stop",
        "trip",
        "acknowledge",
        "fault",
        "warning",
    ]
    text: str
    fault: str | None = None
    by: str = ""
    current_max_ma: float | None = None  # in force from now on
    answers: Mapping[str, str] = field(default_factory=dict)
    unlock: UnlockStage | None = None  # how far it is from now on, where this is news of it


class Reaction(NamedTuple):
    """``stop`` silences the stimulator now; it then has to be opened anew before the guard arms."""

    stop: bool = False
    pulses: tuple[PulseOrder, ...] = ()
    verdict: Verdict | None = None
    limit: str = ""
    notes: tuple[Note, ...] = ()

    def then(self, later: Reaction) -> Reaction:
        """Both, where the later one gives no pulses."""
        return self._replace(stop=self.stop or later.stop, notes=(*self.notes, *later.notes))


NOTHING = Reaction()


@dataclass(frozen=True, slots=True)
class Setup:
    """What holds for the whole session."""

    config: GuardConfig
    capability: StimulatorCapability
    rules: Rules


class SensorTrack(NamedTuple):
    """What is known of one required sensor, from its own stamps."""

    valid_ns: int | None = None  # time of the newest valid sample, never later than its arrival
    t_ns: int = -(2**63)
    seq: int = -1
    digest: int = 0
    same: int = 0
    gaps_ns: tuple[int, ...] = ()
    ill: str = ""  # F2 in words while it lasts
    doubted: int | None = None  # a number far ahead of the last one, until a later one confirms it
    misfit: str = ""  # why the newest stamp was no sample of this sensor


class Known(NamedTuple):
    """All the guard knows."""

    state: State
    memory: Memory
    metronomes: tuple[Metronome, ...]
    plausibility: Plausibility
    loads: tuple[LoadTrack, ...] = ()  # by channel, since it was armed
    sensors: Mapping[str, SensorTrack] = MappingProxyType({})
    controller: bool = False
    operators: int = 0
    recorder: bool = False
    button: bool = False  # only missed where the session asks for one
    link: bool = False
    frame_ns: int | None = None  # tick time of the newest fresh frame
    frame_zero: bool = False  # it asked for no current
    frame_off: bool = False  # its purpose was off
    frame_open_loop: bool = False  # its purpose was open loop
    late_ns: tuple[int, ...] = ()
    heartbeat_ns: int | None = None  # of the console
    beat_ns: int | None = None  # of the supervisor
    screen: Screen | None = None  # from which a person armed; None: from the terminal
    refused_ns: int | None = None  # since when the recorder takes nothing
    slow_ns: int | None = None  # when a person was last told that the stimulator's line is slow
    tightened: Setup | None = None  # what holds since a person lowered a limit; None: as at the start
    checklist: Mapping[str, str] | None = None  # answered today; None: as in the patient file
    contact: Contact | None = None  # the electrodes are being tested
    untested_by: str | None = None  # who armed while frames said off: the electrodes' test is still to come
    scope: Scope = "walk"  # of this arming
    unlock: Unlock = LOCKED
    contraction: Contraction | None = None  # of an exercise, under way open loop
    clocks: on_time.Clocks = on_time.FRESH  # on-time of bout and session
    ramp_ns: int = 0
    ramp_from_ma: tuple[float, ...] = ()


def prepare(config: GuardConfig, capability: StimulatorCapability, source: str = "limits") -> Setup:
    """Merge the limits and fix the rules. Raises InputError where a layer loosens, a channel is missing or
    the stimulator cannot do what the session is for.
    """
    for index, channel in enumerate(config.channels):
        if channel.output >= capability.channels:
            where = f"channels[{index}].output"
            raise InputError(source, where, channel.output, f"0 to {capability.channels - 1}")
    effective = merge((device_layer(capability), *config.layers), source, config.caps)
    areas = tuple(channel.electrode_area_cm2 for channel in config.channels)
    return Setup(config, capability, Rules(config.session, areas, effective, ON_WINDOW_S[config.caps]))


def begin(setup: Setup) -> Known:
    """What is known at the start: nothing, and off."""
    count = len(setup.config.channels)
    return Known(
        state=State(),
        memory=fresh_memory(count),
        metronomes=(Metronome(),) * count,
        plausibility=Plausibility(
            {sensor.name: sensor.segment for sensor in setup.config.sensors if sensor.segment is not None},
            setup.rules.effective.limits.current_max_ma,
        ),
        loads=(LoadTrack(),) * count,
        sensors={sensor.name: SensorTrack() for sensor in setup.config.sensors},
    )
