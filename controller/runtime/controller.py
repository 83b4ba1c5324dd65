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
import os
import signal
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Literal

import msgspec

from controller.core.core import Core
from controller.core.signals import Applied, TickInputs
from controller.ipc import bus, process
from controller.record import records
from controller.runtime.console_server import Consoles
from controller.runtime.plan import ControllerPlan, read_plan
from controller.runtime.test_trains import Probing
from controller.runtime.ticker import Ticker, wait_ns
from controller.runtime.tuning import Tuning
from controller.safety.judgement.wire import (
    FRAME_GAP_MIN_NS,
    KIND_VERDICT,
    BadFrame,
    Frame,
    SensorStamp,
    decode_verdict,
    encode_frame,
    encode_stamp,
)
from controller.trial.course import Course
from controller.trial.schedule import ArmPlan
from controller.untrusted import read_object
from drivers.catalogue import SENSORS
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
        self._tuning = Tuning(plan.params, plan.allowed)
        self._core = Core(plan.params)
        self._course = Course(plan.schedule, plan.params.mode)
        self._imu: list[ImuSample] = []
        self._emg: list[EmgFrame] = []
        self._applied: list[Applied] = []
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
        self._battery_percent: dict[str, int | None] = {}
        self._probing = Probing()
        self._consoles = Consoles(rig, self._tuning, self._probing, self._core)
        self._ticker = Ticker(round(plan.params.tick_s * 1e9), self._on_deadline)
        self.done = asyncio.Event()

    async def run(self, backend: BleBackend | None, scheduling: str) -> None:
        """Until told to end, or the guard is gone. A sensor task that dies ends everything at once."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._guard_socket, self._on_guard)
        self._consoles.open()
        self._record("process", records.Process(_now(), "controller", os.getpid(), "started", scheduling))
        self._record(
            "core/start",
            records.CoreStart(_now(), os.getpid(), msgspec.Raw(msgspec.json.encode(self._tuning.params))),
        )
        sensors = [  # here, as this may import a driver, which would hold up ticks
            SENSORS[plan.device].open(plan.name, plan.address, backend) for plan in self._plan.sensors
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._read(sensor), name=sensor.name) for sensor in sensors]
            self._ticker.start()
            await self.done.wait()
            self._ticker.stop()
            for task in tasks:
                task.cancel()
        if self._course.schedule.arm is not None:
            self._record("arm", arm_record(_now(), "end", self._course.schedule.arm, self._plan.seed))
        dropped = f"dropped: {self._guard.dropped} to the guard, {self._recorder.dropped} to the recorder"
        self._record("process", records.Process(_now(), "controller", os.getpid(), "ended", dropped))
        self._recorder.close(wait_s=RECORDER_TAKES_S)
        loop.remove_reader(self._guard_socket)
        self._consoles.close()

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
        stamp = SensorStamp(
            self._plan.session, sample.sensor, sample.t_ns, sample.seq, sample.valid, digest, motion
        )
        self._guard.send(encode_stamp(stamp))
        self._count(sample)
        if isinstance(sample, EmgFrame):
            self._emg.append(sample)
            return
        self._imu.append(sample)
        if not self._stepping:
            self._stepping = True
            asyncio.get_running_loop().call_soon(self._on_arrival, sample.arrival_ns)

    def _count(self, sample: Sample) -> None:
        """``seq`` numbers single samples; a frame of EMG carries several."""
        self._received[sample.sensor] += 1
        expected = self._expected_seq.get(sample.sensor)
        if expected is not None and sample.seq > expected:
            self._lost[sample.sensor] += sample.seq - expected
        carried = len(sample.volts) if isinstance(sample, EmgFrame) else 1
        self._expected_seq[sample.sensor] = sample.seq + carried

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
        retuned = self._retune(now_ns)
        mode, fresh = self._course.ask()
        inputs = TickInputs(
            imu=tuple(self._imu),
            emg=tuple(self._emg),
            applied=tuple(self._applied),
            mode=mode,
            fresh=fresh,
            probe=self._probing.take(),
            scope=self._course.scope(),
        )
        self._imu, self._emg, self._applied = [], [], []
        decision = self._core.step(now_ns, inputs)
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
        self._follow_schedule(now_ns, decision.view.strides)
        self._probing.note(self._core.output.test_train, guard_gave=self._course.able)
        for entry in self._consoles.refused():
            self._record("audit", entry)
        self._consoles.after_tick(now_ns, retuned=retuned)

    def _follow_schedule(self, now_ns: int, strides: int) -> None:
        """The arms of a trial: each begins at the tick whose step changed the mode."""
        turn = self._course.follow(now_ns, strides, switching=self._core.switching)
        if turn.ended is not None:
            self._record("arm", arm_record(now_ns, "end", turn.ended, self._plan.seed))
        if turn.begun is not None:
            self._record("arm", arm_record(now_ns, "begin", turn.begun, self._plan.seed))
        if turn.over:
            print(json.dumps({"schedule": "ended"}), flush=True)

    def _on_guard(self) -> None:
        while message := bus.receive(self._guard_socket):
            if message[0] == KIND_VERDICT:
                self._take_verdict(message)
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
        self._course.guard_state = verdict.state
        self._applied.append(Applied(verdict.frame_seq, verdict.channels, verdict.verdict, verdict.reason))

    def _hear_state(self, message: bytes) -> None:
        try:
            word = read_object(message)
        except ValueError as error:
            log.error("unreadable word of the guard: %s", error)
            return
        self._take_state(word)

    def _take_state(self, word: dict[str, object]) -> None:
        """What the guard is armed for, whether it allows feedback, and the most it lets out."""
        if "state" in word:
            scope, unlocked = str(word.get("scope", "walk")), bool(word.get("unlocked"))
            measured = bool(word.get("measured"))
            self._course.hear(str(word["state"]), scope, unlocked=unlocked, measured=measured)
        most_ma = word.get("current_max_ma")
        if isinstance(most_ma, float):
            self._tuning.tighten(most_ma, str(word.get("by", "")), time.time_ns())

    # --- settings that a person at the console changes ---

    def _retune(self, now_ns: int) -> bool:
        """Between two windows, what waits takes effect; recorded ahead of the tick it begins with (F18)."""
        taken = self._tuning.take(now_ns) if self._core.at_boundary else None
        if taken is None:
            return False
        params, entry = taken
        self._core.reconfigure(params)
        document = msgspec.Raw(msgspec.json.encode(params))
        self._record("core/retuned", records.CoreRetuned(now_ns, entry.version, document))
        self._record("audit", entry)
        return True

    def _link(self, name: str) -> records.Link:
        battery = self._battery_percent.get(name)
        return records.Link(_now(), name, self._received[name], self._lost[name], battery)

    def _record(self, topic: str, record: records.Record) -> None:
        self._recorder.send(bus.pack_record(topic, _now(), records.encode(record)))


def arm_record(now_ns: int, kind: Literal["begin", "end"], arm: ArmPlan, seed: int | None) -> records.Arm:
    """The marker of an arm; a blinded one does not say its mode."""
    mode = arm.title if arm.blinded else arm.mode
    return records.Arm(now_ns, kind, mode, seed, arm.title, arm.wash_out_strides, arm.blinded)


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
