"""What outlives a guard: its person's on-times, and what was in force when it ended amid pulses (F16)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from controller.errors import InputError
from controller.safety.judgement import in_force, on_time
from controller.safety.judgement.states import Stage, State
from controller.safety.judgement.wire import Channels
from controller.safety.kept_file import ONE_RIG, REST_UNREADABLE, InUseError, KeptFile
from controller.safety.settings import GuardConfig

IN_FLIGHT = "guard.inflight"  # what is in force, where the session names no file that outlives its rig
DISK_TAKES_S = 5.0  # at the end, with the stimulator closed, for what is kept of this person
SEEN_NS = 1_000_000_000  # a trip this old has been told; a rig that dies loses its operator first
KEEP_REST_NS = 1_000_000_000  # a crash loses no more of the on-time
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # another one after each start of the computer


def utc_now() -> str:
    """For people to read; nothing is decided by it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class KeptState:
    """``clocks`` are the on-times as they were kept."""

    def __init__(self, config: GuardConfig, rig: Path, now_ns: int, boot_ns: int) -> None:
        """Raises InputError where a file cannot be kept or read, or another rig has it."""
        self._boot = BOOT_ID.read_text(encoding="ascii").strip()
        self._rest_ns = 0
        self._armed_utc = ""
        self._in_force: Channels = ()
        self._written: dict[str, object] = {}
        self._tripped_ns = -SEEN_NS
        self._left = False  # for the next guard, as it is
        self._disk_said: dict[Path, str] = {}
        self.clocks = on_time.FRESH
        self.rest: KeptFile | None = None
        self.in_flight = _kept_file(Path(config.in_flight_file or rig / IN_FLIGHT))
        if config.rest_file is not None:
            self._remember(Path(config.rest_file), now_ns, boot_ns)

    def _remember(self, path: Path, now_ns: int, boot_ns: int) -> None:
        try:
            self.rest = _kept_file(path)
            if self.rest.damaged:
                raise InputError(str(path), "on-times", "nothing that can be read", REST_UNREADABLE)
            if self.rest.found is not None:
                self.clocks = on_time.restored(self.rest.found, now_ns, boot_ns, self._boot)
        except ValueError as error:
            for file in self.files:
                file.close(0.0)
            if isinstance(error, InputError):
                raise
            raise InputError(str(path), "on-times", str(error), REST_UNREADABLE) from error

    @property
    def files(self) -> tuple[KeptFile, ...]:
        return (self.in_flight,) if self.rest is None else (self.in_flight, self.rest)

    def crash(self, names: Sequence[str]) -> str:
        """What the guard before left in force, in words with the channels' names; empty: nothing."""
        if not self.in_flight.damaged and self.in_flight.found is None:
            return ""
        return in_force.words(self.in_flight.found, names)

    def keep_rest(self, now_ns: int, boot_ns: int, clocks: on_time.Clocks) -> None:
        if self.rest is not None:
            self._rest_ns = now_ns
            self.rest.write(on_time.kept(now_ns, boot_ns, self._boot, clocks), sync=True)

    def rest_due(self, now_ns: int) -> bool:
        return now_ns - self._rest_ns > KEEP_REST_NS

    def moved(self, before: State, state: State, now_ns: int) -> None:
        """The guard's state, unlock, scope or limits are others now."""
        if not before.may_pulse:
            self._armed_utc, self._in_force = utc_now(), ()
        elif state.stage is Stage.TRIPPED:
            self._tripped_ns = now_ns
        self.keep_in_flight(state, sync=True)

    def given(self, state: State, channels: Channels) -> None:
        """What a verdict let through is in force."""
        if state.may_pulse:
            self._in_force = channels
            self.keep_in_flight(state, sync=False)

    def keep_in_flight(self, state: State, *, sync: bool, ended: bool = False) -> None:
        """An end in order empties it, and off; after a crash (F16) nothing but an acknowledgement does."""
        if self._left or state.fault == "F16":
            return
        if state.may_pulse and not ended:
            self._written = in_force.kept(self._armed_utc, state.stage.value, self._in_force)
            self.in_flight.write(self._written, sync=sync)
        else:
            self.in_flight.write(None, sync=sync)

    def leave_unseen(self, state: State, now_ns: int) -> None:
        """Where nobody sees that this guard tripped, or now trips, amid pulses: the next one tells it."""
        just = state.stage is Stage.TRIPPED and now_ns - self._tripped_ns < SEEN_NS
        self._left = state.may_pulse or just
        if self._left:
            self.in_flight.write(self._written, sync=True)

    def troubles(self) -> Iterator[str]:
        """What the disk refuses, in words for a person, each once."""
        for file in self.files:
            trouble = file.trouble
            if trouble and trouble != self._disk_said.get(file.path):
                yield (
                    f"{file.path} is not kept: {trouble}. Nothing was stopped for it. Free space on the disk."
                )
            self._disk_said[file.path] = trouble

    def close(self) -> None:
        for file in self.files:
            file.close(DISK_TAKES_S)


def _kept_file(path: Path) -> KeptFile:
    """Raises InputError where it cannot be kept, or another rig has it."""
    try:
        return KeptFile(path)
    except InUseError as error:
        raise InputError(str(path), "file of this person", error.strerror, ONE_RIG) from error
    except OSError as error:
        raise InputError(
            str(path), "file of this person", error.strerror, "a file that can be written"
        ) from error
