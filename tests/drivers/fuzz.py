"""Broken bytes for every decoder: `make fuzz`, and a few hundred each in `make test`.

A decoder is what makes values of bytes: the codecs behind `dorsi decode`, for every characteristic and
payload mode; the drivers' own way in (a sensor's ``accept``, a stimulator's ``poll``), whose state earlier
bytes change; the files of devices of one's own. Each may refuse by a ValueError or an invalid sample, and do
nothing else. Inputs come in runs; a run's bytes depend on seed, decoder and number of the run alone, so that
a failure is repeated by the line that it prints.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import signal
import sys
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType

from drivers import own_device
from drivers.catalogue import DECODERS, MODE_DECODERS, STIMULATORS
from drivers.decode import decode
from drivers.emg import ganglion, gforce, myo, npg_lite, shimmer, umyo
from drivers.imu import capture2go, metamotion, movella_dot, movesense, open_frame, thingy52, witmotion
from drivers.interface import EmgFrame, ImuSample
from drivers.links.serial_link import SerialLink
from drivers.own_sensor import OwnSensor
from drivers.stimulators import motimove8, openemsstim, sciencemode2, sciencemode4
from drivers.stimulators.p24 import P24
from drivers.stimulators.pulse_line import PulseLine
from drivers.stimulators.rehastim2 import RehaStim2
from tests.drivers.contract_sensor import SensorContract, finite
from tests.drivers.emg import test_ganglion, test_gforce, test_myo, test_npg_lite, test_shimmer, test_umyo
from tests.drivers.imu import (
    test_capture2go,
    test_metamotion,
    test_movella_dot,
    test_movesense,
    test_open_frame,
    test_thingy52,
    test_witmotion,
)

RUN = 100  # inputs of a run: a driver's state lasts that long
HANG_S = 20.0  # a run takes some milliseconds
FOLDER = Path(__file__).resolve().parents[2] / "configs" / "devices"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

CODECS: dict[str, ModuleType] = {
    "movella-dot": movella_dot, "capture2go": capture2go, "witmotion-wt901ble": witmotion,
    "mbientlab-metamotion": metamotion, "thingy52": thingy52, "movesense": movesense,
    "open-frame": open_frame, "myo": myo, "openbci-ganglion": ganglion, "oymotion-gforcepro": gforce,
    "npg-lite": npg_lite, "shimmer3": shimmer, "umyo": umyo, "hasomed-sm4": sciencemode4,
    "hasomed-rehastim2-sm2": sciencemode2, "hasomed-rehamove3-sm3": sciencemode4,
    "openemsstim": openemsstim, "motimove8": motimove8,
}  # fmt: skip
CONTRACTS: dict[str, type[SensorContract]] = {
    "movella-dot": test_movella_dot.TestContract,
    "capture2go": test_capture2go.TestContract,
    "witmotion-wt901ble": test_witmotion.TestLongFrames,
    "mbientlab-metamotion": test_metamotion.TestContract,
    "thingy52": test_thingy52.TestContract,
    "movesense": test_movesense.TestContract,
    "open-frame": test_open_frame.TestContract,
    "myo": test_myo.TestContract,
    "openbci-ganglion": test_ganglion.TestContract,
    "oymotion-gforcepro": test_gforce.TestContract,
    "npg-lite": test_npg_lite.TestContract,
    "shimmer3": test_shimmer.TestContract,
}
QUIET = (0,) * 7
WHOLE: dict[str, tuple[bytes, ...]] = {
    "umyo": (test_umyo.BODY, test_umyo.ADVERTISEMENT),
    "hasomed-sm4": tuple(
        sciencemode4.encode(number, command, data)
        for number, (command, data) in enumerate((
            (0, sciencemode4.ll_init()), (1, b"\0"), (3, b"\0\x02\x01"), (3, b"\x0a\x02\x01"), (5, b"\0"),
            (2, sciencemode4.ll_channel_config(1, sciencemode4.biphasic_points(20.0, 300.0, 2))),
            (37, b"\0\4\x11\0\0\0\0"), (37, b"\0\2\x14"), (53, b"\x001234567890"), (55, b"\0W\x0fH"),
            (63, b"\0\3\6"), (66, b"\1"), (67, b""), (3, b"\0\x02\x02\0\x0a" + b"\x0b\xb8" * 128),
        ))
    ),
    "hasomed-rehastim2-sm2": tuple(
        sciencemode2.encode(number, command, data)
        for number, (command, data) in enumerate((
            (1, b"\1"), (2, b"\0"), (4, b""), (11, b"\0\1"), (31, b"\0"), (36, b"\0\1,\x19"), (37, b"\0"),
            (38, b"\xfe"),
        ))
    ),
    "openemsstim": (openemsstim.encode(0, 100, 1000), openemsstim.over_usb(b"C0I100T1000G")),
    "motimove8": (
        motimove8.encode(motimove8.Pulses(40, 100, (20, *QUIET), (300,) + (100,) * 7)),
        motimove8.encode_train(start=True),
    ),
}  # fmt: skip
WHOLE["hasomed-rehamove3-sm3"] = WHOLE["hasomed-sm4"]


class FuzzError(AssertionError):
    """A decoder did what none may; says with which bytes and how to see it again."""


class Target(ABC):
    """One decoder; ``run`` gives it one run's inputs and raises where it does what it may not."""

    name: str

    @abstractmethod
    def run(self, rng: random.Random, inputs: int, told: list[str]) -> None:
        """``told`` gets every input as words before it is given."""


def mutated(whole: bytes, other: bytes, rng: random.Random) -> bytes:
    """A frame that is not quite: cut, flipped, merged, repeated, filled up, or nothing of the kind."""
    data = bytearray(whole)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 4))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(9)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            del data[:at]
        elif kind == 2 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 3 and data:
            data[at % len(data)] = rng.choice((0, 1, 0x0F, 0x55, 0x7F, 0x80, 0x81, 0xF0, 0xFE, 0xFF))
        elif kind == 4:
            data[at:at] = other
        elif kind == 5:
            data += data[:300]
        elif kind == 6:
            data += bytes(rng.randrange(40))
        elif kind == 7:
            data[at : at + 4] = rng.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff" * 4, b"\0" * 4))
        else:
            data = bytearray(rng.randbytes(rng.choice((0, 1, 2, rng.randrange(70), rng.randrange(300)))))
    return bytes(data[:700])


def _whole_numbers_and_finite(value: object) -> None:
    json.dumps(value, allow_nan=False)


class Codec(Target):
    """The codec behind `dorsi decode DEVICE`, by name or by file."""

    def __init__(self, device: str, channels: tuple[str | None, ...], frames: tuple[bytes, ...]) -> None:
        self.name = f"codec {Path(device).name}"
        self._device = device
        self._channels = channels
        self._frames = frames
        self._has_modes = device in MODE_DECODERS
        self._own = own_device.load(Path(device)) if device.endswith(".toml") else None

    def run(self, rng: random.Random, inputs: int, told: list[str]) -> None:
        for _ in range(inputs):
            data = mutated(rng.choice(self._frames), rng.choice(self._frames), rng)
            channel = rng.choice(self._channels)
            mode = rng.randrange(32) if self._has_modes and rng.random() < 0.4 else None
            options = f"{'' if channel is None else f' --channel {channel}'}"
            options += f"{'' if mode is None else f' --mode {mode}'}"
            told.append(f"dorsi decode {self._device} '{data.hex()}'{options}")
            try:
                meaning = self._meaning(data, channel, mode)
            except ValueError as error:
                if not str(error):
                    raise FuzzError("it refuses without saying why") from error
                continue
            _whole_numbers_and_finite(meaning)

    def _meaning(self, data: bytes, channel: str | None, mode: int | None) -> dict[str, object]:
        if self._own is not None:  # the file is read once
            return self._own.decode(data, channel)
        return decode(self._device, data.hex(), channel, mode)


class Driver(Target):
    """A sensor's driver, as notifications come: late, twice, out of order, broken."""

    def __init__(self, device: str, contract: SensorContract) -> None:
        self.name = f"driver {device}"
        self._contract = contract
        self._frames = [contract.frame(count) for count in range(90)]

    def run(self, rng: random.Random, inputs: int, told: list[str]) -> None:
        sensor = self._contract.sensor("none", None)
        arrival_ns, count = 10**9, 0
        for _ in range(inputs):
            arrival_ns += round(self._contract.period_ns * rng.choice((0.0, 0.3, 1.0, 1.0, 1.0, 2.0, 50.0)))
            count = min(max(count + rng.choice((1, 1, 1, 1, 0, -1, 2, 5)), 0), len(self._frames) - 1)
            data = self._frames[count]
            if rng.random() < 0.5:
                data = mutated(data, self._frames[0], rng)
            told.append(f"notification at {arrival_ns} ns, the {count}th: {data.hex()}")
            judge(self._contract.accept(sensor, count, data, arrival_ns), arrival_ns)


class OwnDriver(Target):
    """The driver of a device described in TOML."""

    def __init__(self, path: Path, frames: tuple[bytes, ...]) -> None:
        self.name = f"driver {path.name}"
        self._device = own_device.load(path)
        self._frames = frames

    def run(self, rng: random.Random, inputs: int, told: list[str]) -> None:
        sensor = OwnSensor(self._device, "sensor", "none", None)
        arrival_ns = 10**9
        for count in range(inputs):
            arrival_ns += rng.choice((0, 1_000_000, 20_000_000, 20_000_000, 3_000_000_000))
            data = self._frames[count % len(self._frames)]
            if rng.random() < 0.5:
                data = mutated(data, self._frames[0], rng)
            told.append(f"notification at {arrival_ns} ns: {data.hex()}")
            for sample in sensor.accept(count % len(self._device.data), data, arrival_ns):
                judge(sample, arrival_ns)


def judge(sample: ImuSample | EmgFrame, arrival_ns: int) -> None:
    """What every sample is, whatever the bytes: finite, not of a time to come, with a reason if invalid."""
    if not finite(sample) or sample.t_ns > arrival_ns or sample.seq < 0:
        raise FuzzError(f"no sample may be {sample}")
    if not (sample.valid or sample.reason):
        raise FuzzError(f"invalid without a reason: {sample}")
    if not sample.valid and isinstance(sample, EmgFrame) and sample.volts:
        raise FuzzError(f"invalid, and has values: {sample}")


class _Line(SerialLink):
    """A serial line whose other end is this test: what it says comes in, what it hears is forgotten."""

    def __init__(self) -> None:
        super().__init__("none", baud=9600)
        self.says = b""

    @property
    def is_open(self) -> bool:
        return True

    def read_available(self) -> bytes:
        said, self.says = self.says, b""
        return said

    def write(self, data: bytes) -> None: ...

    def waiting_bytes(self) -> int:
        return 0

    def discard_output(self) -> None: ...

    def close(self) -> None: ...


class Answers(Target):
    """A stimulator's driver amid pulses, as its line brings broken answers cut anywhere."""

    def __init__(self, device: str, made: Callable[[Callable[[], int]], PulseLine]) -> None:
        self.name = f"driver {device}"
        self._made = made
        self._frames = WHOLE[STIMULATORS[device].protocol]

    def run(self, rng: random.Random, inputs: int, told: list[str]) -> None:
        now_ns = 10**9
        line = self._made(lambda: now_ns)
        link = _Line()
        line._link = link
        line._ready = True
        for _ in range(inputs):
            now_ns += rng.choice((1_000_000, 10_000_000, 300_000_000))
            link.says = mutated(rng.choice(self._frames), rng.choice(self._frames), rng)
            told.append(f"after {now_ns} ns the line says {link.says.hex()}")
            if rng.random() < 0.5:
                line.pulse(rng.randrange(8), 20.0, 300.0)
            for notice in line.poll():
                if not notice.text:
                    raise FuzzError("a notice without words")
                if notice.channel is not None and not 0 <= notice.channel < line.capability.channels:
                    raise FuzzError(f"a notice of no channel: {notice}")
            if rng.random() < 0.02:
                line.stop()
                line._ready = True


def channels_of(codec: ModuleType) -> tuple[str | None, ...]:
    """Every UUID that a codec's module names, and none."""

    def texts(value: object) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple | list | set | frozenset | dict):
            for one in value:
                yield from texts(one)

    uuids = {one for value in list(vars(codec).values()) for one in texts(value) if _UUID.fullmatch(one)}
    paths = ("/Meas/IMU6/104", "/System/Energy/Level") if codec is movesense else ()
    return (None, *sorted(uuids), *paths)


def _frame_of(device: own_device.OwnDevice) -> bytes:
    return device.begins + bytes(device.frame_bytes - len(device.begins))


def targets() -> list[Target]:
    """Every decoder there is; the test beside this holds that none is missing."""
    made: list[Target] = []
    for protocol in DECODERS:
        contract = CONTRACTS.get(protocol)
        frames = WHOLE.get(protocol, ())
        if contract is not None:
            one = contract()
            frames = (*frames, *(one.frame(count) for count in range(5)))
            made.append(Driver(protocol, one))
        made.append(Codec(protocol, channels_of(CODECS[protocol]), frames))
    for path in sorted(FOLDER.glob("*.toml")):
        device = own_device.load(path)
        battery = () if device.battery is None else (device.battery,)
        whole = (_frame_of(device),)
        made += [Codec(str(path), (None, *device.data, *battery), whole), OwnDriver(path, whole)]
    stimulators: dict[str, Callable[[Callable[[], int]], PulseLine]] = {
        "hasomed-p24": lambda clock: P24("none", clock=clock, measure="voltage"),
        "hasomed-rehastim2": lambda clock: RehaStim2("none", clock=clock),
    }
    made += [Answers(device, stimulators[device]) for device in STIMULATORS]
    return made


def fuzz(target: Target, inputs: int, seed: int, first: int = 0) -> None:
    """``inputs`` in runs from number ``first`` on. :class:`FuzzError`: what came in, how to repeat it."""
    for number in range(first, first + math.ceil(inputs / RUN)):
        told: list[str] = []
        rng = random.Random(zlib.crc32(f"{seed} {target.name} {number}".encode()))
        try:
            target.run(rng, min(RUN, inputs - (number - first) * RUN), told)
        except (Exception, TimeoutError) as error:  # whatever it is, it is a finding
            repeat = (
                f"python -m tests.drivers.fuzz {RUN} --seed {seed} --only '{target.name}' --first {number}"
            )
            last = "\n  ".join(told[-3:])
            raise FuzzError(
                f"{target.name}, seed {seed}, run {number}, input {len(told)}: {error!r}\n  {last}\n"
                f"again: {repeat}--first {number}"
            ) from error


def _hung(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"a run of {RUN} inputs takes more than {HANG_S:g} s")


def main() -> int:
    parser = argparse.ArgumentParser(description="Broken bytes for every decoder.")
    parser.add_argument("inputs", type=int, nargs="?", default=100_000, help="for each decoder")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--only", default="", help="one decoder, as printed")
    parser.add_argument("--first", type=int, default=0, help="number of the first run")
    asked = parser.parse_args()
    chosen = [one for one in targets() if asked.only in ("", one.name)]
    if not chosen:
        print(f"--only: no decoder {asked.only!r}; {', '.join(one.name for one in targets())}")
        return 2
    print(f"seed {asked.seed}: {asked.inputs} inputs for each of {len(chosen)} decoders")
    signal.signal(signal.SIGALRM, _hung)
    failed = 0
    for target in chosen:
        began_s = time.monotonic()
        try:
            for number in range(asked.first, asked.first + math.ceil(asked.inputs / RUN)):
                signal.setitimer(signal.ITIMER_REAL, HANG_S)
                left = asked.inputs - (number - asked.first) * RUN
                fuzz(target, min(RUN, left), asked.seed, number)
        except FuzzError as error:
            failed += 1
            print(f"FAILED {error}", flush=True)
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        print(f"  {target.name}: {time.monotonic() - began_s:.1f} s", flush=True)
    print(f"{failed} of {len(chosen)} decoders failed" if failed else "no exception, no hang")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
