"""The virtual world, a process of its own: a virtual radio with emulated sensors, an emulated stimulator, and
the body between them (the virtual patient, or recordings that the sensors stream).

For the demo and for rehearsals from a recording; a real session has none of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from controller.analysis.imu_file import SensorRecording, load_sensor_file
from controller.ipc import bus, process
from controller.record import records
from controller.runtime.plan import SensorPlan, WorldPlan, read_plan
from controller.runtime.virtual_bodies import body_of
from drivers.catalogue import STIMULATORS, sensor_device
from drivers.devices import Body, Streaming
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio
from drivers.interface import Quat, Vec3
from drivers.links.input_watch import InputWatch

TRUTH_PERIOD_S = 0.01
RECORDER_TAKES_S = 1.0  # at the end, what a slow recorder has not taken yet
LAST_OF_RECORDING_S = 0.3  # the end is told this much ahead, so that nobody meets a sudden silence

Source = Callable[[int], tuple[Quat, Vec3, Vec3] | None]


@dataclass(slots=True)
class Origin:
    """When the body's time began: at the first measurement of any sensor."""

    t_ns: int | None = None

    def seconds(self, t_ns: int) -> float:
        if self.t_ns is None:
            self.t_ns = t_ns
        return (t_ns - self.t_ns) / 1e9


def replay_source(recording: SensorRecording, origin: Origin, rate_hz: float) -> Source:
    """A sensor that measures what was recorded, averaged over its output period; silent after the end."""
    time_s = np.asarray(recording.time_s)
    time_s = time_s - time_s[0]
    values = np.hstack([np.asarray(recording.acc_mps2), np.asarray(recording.gyr_rps)])
    integral = np.zeros_like(values)
    integral[1:] = np.cumsum((values[1:] + values[:-1]) / 2 * np.diff(time_s)[:, None], axis=0)

    def at(t_s: float) -> npt.NDArray[np.float64]:
        return np.array([np.interp(t_s, time_s, column) for column in integral.T])

    def source(t_ns: int) -> tuple[Quat, Vec3, Vec3] | None:
        t_s = origin.seconds(t_ns)
        if t_s > time_s[-1]:
            return None
        start_s, end_s = max(0.0, t_s - 0.5 / rate_hz), min(time_s[-1], t_s + 0.5 / rate_hz)
        mean = (at(end_s) - at(start_s)) / (end_s - start_s)
        ax, ay, az, gx, gy, gz = (float(value) for value in mean)
        return (1.0, 0.0, 0.0, 0.0), (ax, ay, az), (gx, gy, gz)  # no orientation in a recording

    return source


class World:
    """Joins radio, stimulator and body."""

    def __init__(self, plan: WorldPlan, recorder: bus.Sender, rig: Path) -> None:
        self._rig = rig
        self._plan = plan
        self._recorder = recorder
        self._origin = Origin()
        self._recordings = {name: load_sensor_file(Path(file)) for name, file in plan.recordings.items()}
        self._body = None if self._recordings else body_of(plan)
        self._stimulator = STIMULATORS[plan.stimulator].emulate(Path(plan.pulse_log), self._on_pulse)

    async def run(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        watch = InputWatch(self._stimulator.fileno())
        loop.add_reader(watch.fileno(), self._serve, watch)
        server = bus.listen(self._rig, "world")
        loop.add_reader(server, self._accept, server)
        conditions = RadioConditions(loss=self._plan.loss, seed=self._plan.seed)
        async with VirtualRadio(conditions) as radio:
            streaming = []
            for number, sensor in enumerate(self._plan.sensors, 1):
                emulated = self._emulated(sensor, number)
                if isinstance(emulated, Peripheral):
                    await radio.add(emulated)
                else:
                    streaming.append(asyncio.create_task(emulated.run(), name=sensor.name))
            print(json.dumps({"radio": radio.hci_address, "port": self._stimulator.port}), flush=True)
            telling = asyncio.create_task(self._tell())
            await stop.wait()
            for task in (telling, *streaming):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        loop.remove_reader(watch.fileno())
        watch.close()
        self._stimulator.close()
        loop.remove_reader(server)
        server.close()

    def _serve(self, watch: InputWatch) -> None:
        self._stimulator.service()
        watch.taken()

    def _accept(self, server: socket.socket) -> None:
        """Somebody who tells the virtual person what to do, as a therapist would."""
        with contextlib.suppress(OSError):
            sock, _ = server.accept()
            sock.setblocking(False)
            asyncio.get_running_loop().add_reader(sock, self._hear, sock)

    def _hear(self, sock: socket.socket) -> None:
        message = bus.receive(sock)
        if message is None:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        elif self._body is not None:
            self._body.hear(message)

    def _emulated(self, sensor: SensorPlan, number: int) -> Peripheral | Streaming:
        device = sensor_device(sensor.device)
        body = Body(self._motion(sensor, device.rate_hz), lambda t_ns: self._emg(t_ns, device.rate_hz))
        return device.emulate(sensor.address, number, body)

    def _motion(self, sensor: SensorPlan, rate_hz: float) -> Source:
        body, segment = self._body, sensor.segment
        if body is None:
            recording = self._recordings.get(sensor.name)
            return replay_source(recording, self._origin, rate_hz) if recording else lambda _t_ns: None

        def source(t_ns: int) -> tuple[Quat, Vec3, Vec3] | None:
            return None if segment is None else body.imu(segment, self._origin.seconds(t_ns))

        return source

    def _emg(self, t_ns: int, rate_hz: float) -> list[float] | None:
        """One EMG sample of every channel, in volts."""
        if self._body is None:
            return None
        if self._plan.exercise is not None:  # nothing else measures there: its time begins here
            self._origin.seconds(t_ns)
        if self._origin.t_ns is None or t_ns < self._origin.t_ns:
            return None
        return self._body.emg(self._origin.seconds(t_ns), rate_hz)

    def _on_pulse(self, t_ns: int, channel: int, points: list[tuple[int, float]]) -> None:
        if self._body is None or self._origin.t_ns is None or not points:
            return
        self._body.pulse(self._origin.seconds(t_ns), channel, points)

    async def _tell(self) -> None:
        """The body's truth to the recorder, 100 times a second, or the end of the recording."""
        ends_s = min((float(r.time_s[-1] - r.time_s[0]) for r in self._recordings.values()), default=0.0)
        told_end = False
        while True:
            await asyncio.sleep(TRUTH_PERIOD_S)
            self._stimulator.tend()  # also where nothing was sent: its host may have been killed
            if self._plan.exercise is not None:
                self._origin.seconds(time.monotonic_ns())  # a body without sensors lives all the same
            if self._origin.t_ns is None:
                continue
            now_ns = time.monotonic_ns()
            if self._body is not None:
                t_s = self._origin.seconds(now_ns)
                for topic, record in self._body.truth(t_s, now_ns, self._origin.t_ns):
                    self._record(topic, record)
            elif not told_end and self._origin.seconds(now_ns) > ends_s - LAST_OF_RECORDING_S:
                told_end = True
                print(json.dumps({"recording": "ended"}), flush=True)

    def _record(self, topic: str, record: records.Record) -> None:
        self._recorder.send(bus.pack_record(topic, time.monotonic_ns(), records.encode(record)))


async def _main(rig: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    recorder = bus.Sender(bus.connect(rig, "recorder"), keep_bytes=bus.KEEP_RECORDS_BYTES)
    world = World(read_plan(rig / "world.json", WorldPlan), recorder, rig)
    process.go_real_time(process.WORLD_PRIORITY)
    process.quiet_garbage_collector()
    await world.run(stop)
    recorder.close(wait_s=RECORDER_TAKES_S)


def main() -> None:
    parser = argparse.ArgumentParser(prog="dorsi-world")
    parser.add_argument("--rig", type=Path, required=True)
    rig: Path = parser.parse_args().rig
    process.begin("dorsi-world")
    asyncio.run(_main(rig))


if __name__ == "__main__":
    main()
