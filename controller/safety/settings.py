"""What the guard is told at its start: one JSON file, checked whole.

Refuses an unknown or missing key, a wrong type, NaN and infinity, and limits that loosen.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from controller.errors import InputError
from controller.safety.judgement.contraindications import ANSWERS, QUESTION
from controller.safety.judgement.limits import CAPS, WHO, Caps, Layer, Who, check_layer
from controller.safety.judgement.wire import CHANNELS_MAX
from drivers.interface import Quantity, Segment

SafeAction = Literal["stop", "ramp"]
RecorderLoss = Literal["stop", "alarm"]
UnlockBy = Literal["person", "strides"]


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """``output`` is the device's channel number, ``electrode_area_cm2`` that of the smaller electrode."""

    name: str
    output: int
    electrode_area_cm2: float


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """A sensor without whose fresh samples nothing may leave; in gait one of the leg, in exercise of EMG."""

    name: str
    age_max_ms: float | None = None  # None: the limit sensor_age_max_ms alone
    segment: Segment | None = None  # where it sits, for the plausibility of its motion


@dataclass(frozen=True, slots=True)
class GuardConfig:
    """Everything the guard is told; it takes nothing from the controller but frames."""

    session: int
    channels: tuple[ChannelSettings, ...]
    layers: tuple[Layer, ...]
    sensors: tuple[SensorSettings, ...]
    stimulator_device: str
    stimulator_port: str
    checklist: Mapping[str, str]
    caps: Caps = "gait"  # what the session is for: which compiled limits hold, and what it needs
    safe_action: SafeAction = "stop"  # or a ramp to zero
    recorder_loss: RecorderLoss = "stop"  # trial; "alarm" for therapy
    supervised: bool = False  # operators send heartbeats, F10
    overseen: bool = False  # the supervisor, which hears STOP keys and signals, sends beats, F23
    stop_button: str | None = None  # event device of a button that types a key
    unlock: UnlockBy | None = None  # who lets feedback begin; None: this session is open loop
    rest_file: str | None = None  # where on-times outlive the guard; None: it forgets them
    stimulator_measure: Quantity | None = None  # of each pulse; None: nothing
    in_flight_file: str | None = None  # where what is in force outlives it; None: in the rig's folder

    @property
    def muscles(self) -> tuple[str, ...]:
        """Of the channels, by whose names they are called."""
        return tuple(channel.name for channel in self.channels)


class _Part:
    """One JSON object of the file, read key by key so that an unread key is an error."""

    def __init__(self, source: str, where: str, value: object) -> None:
        if not isinstance(value, dict):
            raise InputError(source, where, value, "an object")
        self.source = source
        self.where = where
        self._left: dict[str, object] = dict(value)

    def _at(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def take(self, key: str) -> object:
        if key not in self._left:
            raise InputError(self.source, self._at(key), None, "a value; the key is missing")
        return self._left.pop(key)

    def has(self, key: str) -> bool:
        return key in self._left

    def text(self, key: str) -> str:
        value = self.take(key)
        if not isinstance(value, str) or not value:
            raise InputError(self.source, self._at(key), value, "a text that is not empty")
        return value

    def whole(self, key: str, low: int, high: int) -> int:
        value = self.take(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InputError(self.source, self._at(key), value, f"a whole number, {low} to {high}")
        return value

    def number(self, key: str, high: float) -> float:
        value = self.take(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= high:
            raise InputError(self.source, self._at(key), value, f"a number above 0, at most {high:g}")
        return float(value)

    def flag(self, key: str) -> bool:
        """False where it is not there."""
        value = self._left.pop(key, False)
        if not isinstance(value, bool):
            raise InputError(self.source, self._at(key), value, "true or false")
        return value

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.take(key)
        if not isinstance(value, str) or value not in choices:
            raise InputError(self.source, self._at(key), value, f"one of {', '.join(choices)}")
        return value

    def parts(self, key: str, low: int, high: int) -> tuple[_Part, ...]:
        value = self.take(key)
        if not isinstance(value, list) or not low <= len(value) <= high:
            raise InputError(self.source, self._at(key), value, f"a list of {low} to {high} objects")
        return tuple(
            _Part(self.source, f"{self._at(key)}[{index}]", item) for index, item in enumerate(value)
        )

    def done(self) -> None:
        for key, value in self._left.items():
            raise InputError(self.source, self._at(key), value, "no such key")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a key is given twice among {', '.join(keys)}")
    return dict(pairs)


def load(path: Path) -> GuardConfig:
    """Read and check the guard's file. Raises InputError naming the key, what was found, what is allowed."""
    try:
        raw: object = json.loads(
            path.read_bytes().decode(),
            parse_float=_finite,
            parse_constant=_finite,
            object_pairs_hook=_unique,
        )
    except OSError as error:
        raise InputError(str(path), "file", error.strerror, "a readable file") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            str(path), "file", str(error), "JSON with finite numbers and each key once"
        ) from error
    return parse(raw, str(path))


def parse(raw: object, source: str) -> GuardConfig:
    """The same from a decoded JSON value."""
    top = _Part(source, "", raw)
    caps = cast(Caps, top.choice("caps", CAPS)) if top.has("caps") else "gait"
    session = top.whole("session", 1, 2**63 - 1)
    channels = []
    for index, part in enumerate(top.parts("channels", 1, CHANNELS_MAX)):
        output = part.whole("output", 0, CHANNELS_MAX - 1) if part.has("output") else index
        channels.append(ChannelSettings(part.text("name"), output, part.number("electrode_area_cm2", 400.0)))
        part.done()
    outputs = [channel.output for channel in channels]
    if len(set(outputs)) != len(outputs):
        raise InputError(source, "channels", outputs, "each output once")
    layers = []
    for part in top.parts("limits", 0, 16):
        who = cast(Who, part.choice("who", WHO))
        limits = part.take("limits")
        part.done()
        if not isinstance(limits, dict):
            raise InputError(source, f"{part.where}.limits", limits, "an object")
        layer = Layer(who, limits)
        check_layer(layer, source)
        layers.append(layer)
    sensors = []
    for part in top.parts("sensors", 1 if caps == "gait" else 0, 16):  # open loop an exercise needs none
        age_max_ms = part.number("age_max_ms", 1000.0) if part.has("age_max_ms") else None
        segment = part.choice("segment", get_args(Segment)) if part.has("segment") else None
        sensors.append(SensorSettings(part.text("name"), age_max_ms, cast(Segment | None, segment)))
        part.done()
    names = [sensor.name for sensor in sensors]
    if len(set(names)) != len(names):
        raise InputError(source, "sensors", names, "each name once")
    seats = [sensor.segment for sensor in sensors if sensor.segment is not None]
    if len(set(seats)) != len(seats):
        raise InputError(source, "sensors", seats, "each segment once")
    if seats and caps != "gait":  # a leg that sits moves as no walk does
        raise InputError(source, "sensors", seats, f"no segment in {caps}: motion is judged in gait alone")
    stimulator = _Part(source, "stimulator", top.take("stimulator"))
    device, port = stimulator.text("device"), stimulator.text("port")
    measure = stimulator.choice("measure", get_args(Quantity)) if stimulator.has("measure") else None
    stimulator.done()
    checklist = _Part(source, "checklist", top.take("checklist"))
    answers = {key: checklist.choice(key, ANSWERS) for key in QUESTION if checklist.has(key)}
    checklist.done()
    safe_action = top.choice("safe_action", get_args(SafeAction)) if top.has("safe_action") else "stop"
    loss = top.choice("recorder_loss", get_args(RecorderLoss)) if top.has("recorder_loss") else "stop"
    supervised, overseen = top.flag("supervised"), top.flag("overseen")
    stop_button = top.text("stop_button") if top.has("stop_button") else None
    rest_file = top.text("rest_file") if top.has("rest_file") else None
    in_flight_file = top.text("in_flight_file") if top.has("in_flight_file") else None
    unlock = top.choice("unlock", get_args(UnlockBy)) if top.has("unlock") else None
    if unlock == "strides" and caps != "gait":  # nobody but a person sees a contraction answered
        raise InputError(source, "unlock", unlock, f"'person' in {caps}")
    top.done()
    return GuardConfig(
        session=session,
        channels=tuple(channels),
        layers=tuple(layers),
        sensors=tuple(sensors),
        stimulator_device=device,
        stimulator_port=port,
        stimulator_measure=cast(Quantity | None, measure),
        checklist=answers,
        caps=caps,
        safe_action=cast(SafeAction, safe_action),
        recorder_loss=cast(RecorderLoss, loss),
        supervised=supervised,
        overseen=overseen,
        stop_button=stop_button,
        unlock=cast(UnlockBy | None, unlock),
        rest_file=rest_file,
        in_flight_file=in_flight_file,
    )
