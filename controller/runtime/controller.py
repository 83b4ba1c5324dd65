"""The controller process: sensors in, one core step a tick, a frame to the guard, everything to the recorder.

Steps at absolute 5 ms deadlines, and when an inertial sample arrives, at least 1 ms apart. It owns no
stimulator: all it can do is ask the guard.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import math
import os
import signal
import time
import zlib
from collections import Counter
from pathlib import Path

import msgspec

from controller.core.signals import Applied, PulseGiven, TickInputs
from controller.ipc import bus, process
from controller.record import records
from controller.record.stream_records import Marker
from controller.runtime.exercise import Exercise
from controller.runtime.gait_assist import GaitAssist
from controller.runtime.plan import ControllerPlan, read_plan
from controller.runtime.therapy import Therapy
from controller.runtime.ticker import Ticker, wait_ns
from controller.safety.judgement.wire import (
    FRAME_GAP_MIN_NS,
    KIND_PULSE,
    KIND_VERDICT,
    BadFrame,
    Frame,
    SensorStamp,
    decode_pulse,
    decode_verdict,
    encode_frame,
    encode_stamp,
)
from controller.untrusted import read_object
from drivers.catalogue import sensor_device
from drivers.interface import DeviceError, EmgFrame, ImuSample, Sample, Sensor
from drivers.links.ble import BleBackend

LINK_REPORT_S = 1.0
BATTERY_FIRST_S, BATTERY_S = 5.0, 60.0  # not while the links come up
RECORDER_TAKES_S = 1.0  # at the end, what a slow recorder has not taken yet
log = logging.getLogger("dorsi.controller")


class Controller:
    """Joins sensors, core, guard and recorder; all decisions are the core's and the guard's."""

    def __init__(self, rig: Path, plan: ControllerPlan) -> None:
        self._plan = plan
        self._therapy = begin(rig, plan)
        self._imu: list[ImuSample] = []
        self._emg: list[EmgFrame] = []
        self._applied: list[Applied] = []
        self._pulses: list[PulseGiven] = []
        self._frame_seq = 0
        self._stepping = False
        self._stepped_ns = -FRAME_GAP_MIN_NS
        self._guard_socket = bus.connect(rig, "guard")
        self._guard = bus.Sender(self._guard_socket)
        self._guard.send(json.dumps({"role": "controller", "pid": os.getpid()}).encode())
        self._recorder = bus.Sender(bus.connect(rig, "recorder"), keep_bytes=bus.KEEP_RECORDS_BYTES)
        self._received: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._expected_seq: dict[str, int] = {}
        self._frames: Counter[str] = Counter()  # of EMG, the lost ones counted
        self._battery_percent: dict[str, int | None] = {}
        self._over_told = False
        self._ticker = Ticker(round(self._therapy.tick_s * 1e9), self._on_deadline)
        self.done = asyncio.Event()

    async def run(self, backend: BleBackend | None, scheduling: str) -> None:
        """Until told to end, or the guard is gone. A sensor task that dies ends everything at once."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._guard_socket, self._on_guard)
        self._therapy.open()
        self._record("process", records.Process(_now(), "controller", os.getpid(), "started", scheduling))
        self._record(
            "core/start",
            records.CoreStart(_now(), os.getpid(), msgspec.Raw(msgspec.json.encode(self._therapy.params))),
        )
        sensors = [  # here, as this may import a driver, which would hold up ticks
            sensor_device(plan.device).open(plan.name, plan.address, backend) for plan in self._plan.sensors
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._read(sensor), name=sensor.name) for sensor in sensors]
            self._ticker.start()
            await self.done.wait()
            self._ticker.stop()
            for task in tasks:
                task.cancel()
        for said in self._therapy.ended(_now()):
            self._record(*said)
        dropped = f"dropped: {self._guard.dropped} to the guard, {self._recorder.dropped} to the recorder"
        self._record("process", records.Process(_now(), "controller", os.getpid(), "ended", dropped))
        self._recorder.close(wait_s=RECORDER_TAKES_S)
        loop.remove_reader(self._guard_socket)
        self._therapy.close()

    async def _read(self, sensor: Sensor) -> None:
        async with sensor:
            battery = asyncio.create_task(self._watch_battery(sensor.name, sensor))
            try:
                await self._read_samples(sensor.name, sensor)
            finally:
                battery.cancel()

    async def _read_samples(self, name: str, sensor: Sensor) -> None:
        report_at_s = 0.0
        async for sample in sensor:
            self._take(sample)
            for word in sensor.words():
                self._record("marker", Marker(word.t_ns, word.t_ns, name, word.text))
            if time.monotonic() >= report_at_s:
                report_at_s = time.monotonic() + LINK_REPORT_S
                self._record("link", self._link(name))

    async def _watch_battery(self, name: str, sensor: Sensor) -> None:
        """Ask now and then; a device that does not say keeps nobody waiting."""
        await asyncio.sleep(BATTERY_FIRST_S)
        while True:
            with contextlib.suppress(DeviceError):
                self._battery_percent[name] = await sensor.battery_percent()
            await asyncio.sleep(BATTERY_S)

    def _take(self, sample: Sample) -> None:
        """A sample has arrived: stamp to the guard first, then the core; an IMU's makes a step at once."""
        motion = (sample.acc_mps2, sample.gyr_rps) if isinstance(sample, ImuSample) else None
        digest = zlib.crc32(repr(motion).encode()) if motion else 0
        number = self._count(sample)
        stamp = SensorStamp(
            self._plan.session, sample.sensor, sample.t_ns, number, sample.valid, digest, motion
        )
        self._guard.send(encode_stamp(stamp))
        if isinstance(sample, EmgFrame):
            self._emg.append(sample)
            return
        self._imu.append(sample)
        if not self._stepping:
            self._stepping = True
            asyncio.get_running_loop().call_soon(self._on_arrival, sample.arrival_ns)

    def _count(self, sample: Sample) -> int:
        """Count what arrived and what is missing; the number by which the guard sees gaps.

        ``seq`` numbers single samples. A frame of EMG carries several, and the guard counts frames.
        """
        name = sample.sensor
        self._received[name] += 1
        carried = max(1, len(sample.volts)) if isinstance(sample, EmgFrame) else 1
        expected = self._expected_seq.get(name, sample.seq)
        missing = max(0, sample.seq - expected)
        self._lost[name] += missing
        self._expected_seq[name] = sample.seq + carried
        if not isinstance(sample, EmgFrame):
            return sample.seq
        again = sample.seq < expected  # an old one, or one twice
        self._frames[name] += (0 if again else 1) + math.ceil(missing / carried)
        return self._frames[name]

    def _on_arrival(self, arrival_ns: int) -> None:
        left_ns = wait_ns(_now(), self._stepped_ns, self._ticker.next_ns)
        if left_ns:
            asyncio.get_running_loop().call_later(left_ns / 1e9, self._on_arrival, arrival_ns)
            return
        self._stepping = False
        if self._imu and left_ns is not None:
            self._step(self._ticker.number, arrival_ns)

    def _on_deadline(self, number: int, deadline_ns: int) -> None:
        if left_ns := wait_ns(_now(), self._stepped_ns):
            asyncio.get_running_loop().call_later(left_ns / 1e9, self._on_deadline, number, deadline_ns)
        else:
            self._step(number, deadline_ns)

    def _step(self, number: int, due_ns: int) -> None:
        if self.done.is_set():  # what still waited when the session ended
            return
        now_ns = self._stepped_ns = _now()
        for said in self._therapy.before(now_ns):
            self._record(*said)
        received = TickInputs(
            imu=tuple(self._imu),
            emg=tuple(self._emg),
            applied=tuple(self._applied),
            pulses=tuple(self._pulses),
        )
        self._imu, self._emg, self._applied, self._pulses = [], [], [], []
        inputs = self._therapy.wishes(received)
        decision = self._therapy.step(now_ns, inputs)
        self._frame_seq += 1
        frame = Frame(
            self._plan.session,
            self._frame_seq,
            now_ns,
            decision.command.lifetime_ms,
            decision.command.channels,
            decision.purpose,
        )
        self._guard.send(encode_frame(frame))
        handed_over_ns = _now()
        self._record(
            "tick",
            records.Tick(
                now_ns,
                self._frame_seq,
                number,
                (now_ns - due_ns) / 1e3,
                (handed_over_ns - now_ns) / 1e3,
                inputs,
                decision,
            ),
        )
        for said in self._therapy.after(now_ns, decision):
            self._record(*said)
        if self._therapy.over and not self._over_told:
            self._over_told = True
            print(json.dumps({"schedule": "ended"}), flush=True)

    def _on_guard(self) -> None:
        while message := bus.receive(self._guard_socket):
            if message[0] == KIND_VERDICT:
                self._take_verdict(message)
            elif message[0] == KIND_PULSE:
                self._take_pulse(message)
            else:
                self._hear_state(message)
        if message is None:
            log.error("guard is gone; ending")
            self.done.set()

    def _take_verdict(self, message: bytes) -> None:
        verdict = decode_verdict(message)
        if isinstance(verdict, BadFrame):
            log.error("unreadable verdict: %s", verdict.reason)
            return
        self._therapy.hear_verdict(verdict.state)
        self._applied.append(Applied(verdict.frame_seq, verdict.channels, verdict.verdict, verdict.reason))

    def _take_pulse(self, message: bytes) -> None:
        told = decode_pulse(message)
        if isinstance(told, BadFrame):
            log.error("unreadable pulse: %s", told.reason)
            return
        self._pulses.append(PulseGiven(told.channel, told.t_ns, told.current_ma, told.width_us, told.cycles))

    def _hear_state(self, message: bytes) -> None:
        try:
            word = read_object(message)
        except ValueError as error:
            log.error("unreadable word of the guard: %s", error)
            return
        self._therapy.hear_guard(word)

    def _link(self, name: str) -> records.Link:
        battery = self._battery_percent.get(name)
        return records.Link(_now(), name, self._received[name], self._lost[name], battery)

    def _record(self, topic: str, record: records.Record) -> None:
        self._recorder.send(bus.pack_record(topic, _now(), records.encode(record)))


def begin(rig: Path, plan: ControllerPlan) -> Therapy:
    """The therapy that the plan asks for. Raises ValueError where it asks for none."""
    if plan.exercise is not None:
        return Exercise(rig, plan, plan.exercise)
    if plan.params is not None:
        return GaitAssist(rig, plan, plan.params)
    raise ValueError("the controller's plan has neither params nor exercise")


def _now() -> int:
    return time.monotonic_ns()


async def _main(rig: Path, plan: ControllerPlan, scheduling: str) -> None:
    controller = Controller(rig, plan)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, controller.done.set)
    if plan.radio is None:
        await controller.run(None, scheduling)
    else:
        from drivers.links.bumble_backend import bumble_backend

        backend = bumble_backend(plan.radio)
        try:
            await controller.run(backend, scheduling)
        finally:
            await backend.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(prog="dorsi-controller")
    parser.add_argument("--rig", type=Path, required=True)
    rig: Path = parser.parse_args().rig
    process.begin("dorsi-controller")
    logging.basicConfig(level=logging.WARNING, format="%(name)s %(levelname)s %(message)s")
    plan = read_plan(rig / "controller.json", ControllerPlan)
    scheduling = process.go_real_time(process.CONTROLLER_PRIORITY)
    process.quiet_garbage_collector()
    asyncio.run(_main(rig, plan, scheduling))


if __name__ == "__main__":
    main()
