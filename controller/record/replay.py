"""Re-runs the control core on a recording, tick by tick, and compares every decision bit for bit.

Promises ``identical`` only where each command, reason, event and belief is the same. Refuses a recording
that has no tick or no parameters to start from.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from controller.core.core import Core
from controller.core.exercise.exercise_core import ExerciseCore
from controller.core.exercise.programme import ExerciseParams
from controller.core.params import CoreParams
from controller.core.signals import Decision, TickInputs
from controller.errors import InputError
from controller.record.provenance import changed
from controller.record.reader import header, messages
from controller.record.records import CoreRetuned, CoreStart, Tick, Unreadable


class Stepper(Protocol):
    """A core that is stepped, and now and then told of new settings."""

    def __call__(self, now_ns: int, inputs: TickInputs, /) -> Decision: ...

    def retune(self, params_json: bytes, /) -> None: ...


CoreFactory = Callable[[bytes], Stepper]

FINGERPRINT = "view.fingerprint"  # of the state to the bit: it differs with any of them
LAST_BITS = 1e-9  # of a number; rounding that adds up over a session stays far below what any sensor resolves
PARAMS_KEY = "core_params"


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """How far a replay came; ``first_difference`` is None exactly where it is identical.

    Where only the last bits of what the core believes differ, as between processors, the replay goes on:
    ``decided`` counts the ticks whose command, events and reason are the recorded ones to the bit, and
    ``first_other_decision`` is None where all are.
    """

    identical: bool
    ticks: int  # up to the first difference, of whichever kind
    first_difference: str | None
    decided: int = 0
    first_other_decision: str | None = None


class _Kind(msgspec.Struct):
    """What tells an exercise's parameters from those of gait assist."""

    control: str = ""


def core_of(params_json: bytes) -> Core | ExerciseCore:
    """The core of whichever therapy the parameters are for. Raises msgspec.DecodeError for others."""
    if msgspec.json.decode(params_json, type=_Kind).control:
        return ExerciseCore(msgspec.json.decode(params_json, type=ExerciseParams))
    return Core(msgspec.json.decode(params_json, type=CoreParams))


class RecordedCore:
    """The control core by recorded parameters. Raises msgspec.DecodeError for those of another version."""

    def __init__(self, params_json: bytes) -> None:
        self.core = core_of(params_json)

    def __call__(self, now_ns: int, inputs: TickInputs, /) -> Decision:
        return self.core.step(now_ns, inputs)

    def retune(self, params_json: bytes, /) -> None:
        if isinstance(self.core, Core):  # a programme has no settings beside its requests
            self.core.reconfigure(msgspec.json.decode(params_json, type=CoreParams))


def replay(path: Path, factory: CoreFactory = RecordedCore) -> ReplayResult:
    """Replay a recording, whole or cut, up to its end or the first difference.

    Each ``core/start`` message begins a new core with its own parameters; a recording without one begins
    with those of its header. Raises InputError where there is nothing to replay.
    """
    ticks, decided, first_ns = 0, 0, 0
    first: str | None = None
    for tick, replayed in rerun(path, factory):
        if decided == 0 and first is None:
            first_ns = tick.now_ns
        ticks += first is None
        if msgspec.json.encode(replayed) != msgspec.json.encode(tick.decision):
            where = f"tick {tick.seq} at {(tick.now_ns - first_ns) / 1e9:.3f} s"
            first = first or f"{where}: {_first_difference(tick.decision, replayed)}"
            if (other := _other_decision(tick.decision, replayed)) is not None:
                return ReplayResult(False, ticks, first, decided, f"{where}: {other}")
        decided += 1
    if decided == 0:
        raise InputError(str(path), "ticks", "none", "a recording with at least one tick")
    return ReplayResult(first is None, ticks, first, decided)


def rerun(path: Path, factory: CoreFactory) -> Iterator[tuple[Tick, Decision]]:
    """Every recorded tick with what the core decides on it now.

    Raises InputError where a tick has no parameters to start from, or parameters of another version.
    """
    advance: Stepper | None = None
    for message in messages(path, ("core/start", "core/retuned", "tick")):
        record = message.record
        if isinstance(record, Unreadable):
            where = f"message {record.topic!r} at {record.t_ns} ns"
            raise InputError(
                str(path), where, record.why, "every message of the core, or nothing can be compared"
            )
        if isinstance(record, CoreStart):
            advance = _begin(path, bytes(record.params), factory)
            continue
        if advance is None:
            advance = _begin(path, _header_params(path), factory)
        if isinstance(record, CoreRetuned):
            _retune(path, bytes(record.params), advance)
        elif isinstance(record, Tick):
            yield record, advance(record.now_ns, record.inputs)


def _begin(path: Path, params_json: bytes, factory: CoreFactory) -> Stepper:
    with _naming(path):
        return factory(params_json)


def _retune(path: Path, params_json: bytes, advance: Stepper) -> None:
    with _naming(path):
        advance.retune(params_json)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        made_by = "; ".join(changed(header(path))) or "this program"
        raise InputError(
            str(path), PARAMS_KEY, f"{error} (made by {made_by})", "the parameters of this version's core"
        ) from error


def _header_params(path: Path) -> bytes:
    params = header(path).get(PARAMS_KEY)
    if params is None:
        raise InputError(str(path), PARAMS_KEY, "none", "parameters in the header or a core/start message")
    return params.encode()


def _other_decision(recorded: Decision, replayed: Decision) -> str | None:
    """What differs by more than last bits do; None where it is those of numbers that the core believes."""
    leaves = zip(_leaves("", recorded), _leaves("", replayed), strict=False)
    for (field, before), (other_field, after) in leaves:
        if field == other_field and before == after:
            continue
        believed = field == other_field and field.startswith("view.")
        if not believed or not (field == FINGERPRINT or _near(before, after)):
            return f"{field}: recorded {before}, replayed {after}"
    return None


def _near(before: str, after: str) -> bool:
    """Whether two values in JSON are one number but for its last bits."""
    one, other = msgspec.json.decode(before), msgspec.json.decode(after)
    if not (isinstance(one, float) and isinstance(other, float)):
        return False
    return math.isclose(one, other, rel_tol=LAST_BITS, abs_tol=LAST_BITS)


def _first_difference(recorded: Decision, replayed: Decision) -> str:
    leaves = zip(_leaves("", recorded), _leaves("", replayed), strict=False)
    for (field, before), (other_field, after) in leaves:
        if field != other_field:
            return f"{field}: recorded {before}, replayed has {other_field} {after} there"
        if before != after:
            return f"{field}: recorded {before}, replayed {after}"
    return "one has more fields than the other"


def _leaves(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Every value below ``value`` with its dotted name, as JSON: floats to the last bit."""
    plain = msgspec.to_builtins(value)
    if isinstance(plain, dict):
        for key, part in plain.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), part)
    elif isinstance(plain, list | tuple):
        for index, part in enumerate(plain):
            yield from _leaves(f"{name}[{index}]", part)
    else:
        yield name, msgspec.json.encode(plain).decode()
