"""What every Bluetooth LE sensor driver promises; a driver's tests inherit this and name their device."""

from __future__ import annotations

import asyncio
import itertools
import math
from abc import ABC, abstractmethod
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.emulated.radio import Peripheral, VirtualRadio
from drivers.interface import DeviceError, EmgFrame, ImuSample
from drivers.links.ble import BleBackend, BleSensor
from drivers.links.bumble_backend import bumble_backend

Sensor = BleSensor[ImuSample] | BleSensor[EmgFrame] | BleSensor[ImuSample | EmgFrame]


# The same property runs for every driver that inherits it.
inherited = settings(suppress_health_check=[HealthCheck.differing_executors])


def finite(sample: ImuSample | EmgFrame) -> bool:
    if isinstance(sample, EmgFrame):
        return all(math.isfinite(volt) for row in sample.volts for volt in row)
    return all(map(math.isfinite, (*sample.acc_mps2, *sample.gyr_rps, *(sample.quat_wxyz or ()))))


class SensorContract(ABC):
    """``frame(k)`` is the device's k-th notification, ``accept`` gives it to the driver as one."""

    period_ns: ClassVar[int]
    battery_percent: ClassVar[int | None] = 80  # what the emulated device says

    @abstractmethod
    def sensor(self, address: str, backend: BleBackend | None) -> Sensor: ...

    @abstractmethod
    def peripheral(self, *, silent: asyncio.Event) -> Peripheral:
        """The emulated device, named ``sensor under test``; sends nothing while ``silent`` is set."""

    @abstractmethod
    def frame(self, count: int) -> bytes: ...

    @abstractmethod
    def accept(self, sensor: Sensor, count: int, data: bytes, arrival_ns: int) -> ImuSample | EmgFrame: ...

    def stream(self, frames: list[tuple[int, bytes]]) -> list[ImuSample | EmgFrame]:
        sensor = self.sensor("none", None)
        return [
            self.accept(sensor, count, data, 10**9 + count * self.period_ns + 3_000_000)
            for count, data in frames
        ]

    def test_a_plain_stream_is_valid_and_in_order(self) -> None:
        samples = self.stream([(count, self.frame(count)) for count in range(50)])
        assert all(sample.valid for sample in samples)
        steps = {b.seq - a.seq for a, b in itertools.pairwise(samples)}
        assert len(steps) == 1
        assert all(a.t_ns < b.t_ns for a, b in itertools.pairwise(samples))
        assert all(sample.t_ns <= sample.arrival_ns for sample in samples)

    def test_a_lost_notification_shows_as_a_jump(self) -> None:
        samples = self.stream([(count, self.frame(count)) for count in range(20) if count not in (7, 8)])
        steps = [b.seq - a.seq for a, b in itertools.pairwise(samples)]
        assert steps[6] == 3 * steps[0]
        assert steps[:6] + steps[7:] == [steps[0]] * (len(steps) - 1)

    def test_every_truncation_is_an_invalid_sample_with_a_reason(self) -> None:
        frame = self.frame(0)
        for size in range(len(frame)):
            (sample,) = self.stream([(0, frame[:size])])
            assert not sample.valid
            assert sample.reason
            assert finite(sample)

    def test_every_bit_flip_gives_finite_numbers_and_never_raises(self) -> None:
        frame = self.frame(3)
        for bit in range(8 * len(frame)):
            broken = bytearray(frame)
            broken[bit // 8] ^= 1 << bit % 8
            (sample,) = self.stream([(3, bytes(broken))])
            assert finite(sample)
            assert sample.valid or sample.reason

    @inherited
    @given(st.binary(max_size=80))
    def test_any_bytes_never_raise(self, data: bytes) -> None:
        samples = self.stream([(0, self.frame(0)), (1, data), (2, self.frame(2))])
        assert all(finite(sample) for sample in samples)
        assert all(a.t_ns <= b.t_ns for a, b in itertools.pairwise(samples) if b.valid and a.valid)

    @inherited
    @given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 200)), min_size=2, max_size=30))
    def test_late_twice_and_out_of_order_never_raise_or_go_back(self, plan: list[tuple[int, int]]) -> None:
        sensor = self.sensor("none", None)
        arrival_ns = 10**9
        last_t_ns, last_seq = 0, -1
        for count, wait_ms in plan:
            arrival_ns += wait_ms * 1_000_000
            sample = self.accept(sensor, count, self.frame(count), arrival_ns)
            if sample.valid:
                assert sample.seq > last_seq
                assert sample.t_ns >= last_t_ns
                assert sample.t_ns <= arrival_ns
                last_t_ns, last_seq = sample.t_ns, sample.seq

    async def test_absent_device_is_a_transient_error(self) -> None:
        async with VirtualRadio() as radio:
            backend = bumble_backend(radio.hci_address)
            sensor = self.sensor("nobody", backend)
            sensor.connect_timeout_s = 0.3
            with pytest.raises(DeviceError, match="not found") as caught:
                await sensor.__aenter__()
            assert caught.value.transient
            await backend.aclose()

    async def test_leaving_at_any_moment_leaves_no_task(self) -> None:
        async with VirtualRadio() as radio:
            await radio.add(self.peripheral(silent=asyncio.Event()))
            backend = bumble_backend(radio.hci_address)
            for patience_s in (0.0, 0.01, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12, 0.15, 0.2):
                before = asyncio.all_tasks()
                task = asyncio.create_task(self._use_for_ever(backend))
                await asyncio.sleep(patience_s)
                task.cancel()
                await asyncio.wait({task})
                assert task.cancelled()
                for _ in range(100):  # the peripheral's own goodbye
                    if asyncio.all_tasks() <= before:
                        break
                    await asyncio.sleep(0.02)
                assert asyncio.all_tasks() <= before
            async with self.sensor("sensor under test", backend) as sensor:
                assert await sensor.battery_percent() == self.battery_percent
            await backend.aclose()

    async def _use_for_ever(self, backend: BleBackend) -> None:
        async with self.sensor("sensor under test", backend) as sensor:
            async for _ in sensor:
                pass

    async def test_silence_is_an_invalid_sample_and_the_stream_comes_back(self) -> None:
        silent = asyncio.Event()
        async with VirtualRadio() as radio:
            await radio.add(self.peripheral(silent=silent))
            backend = bumble_backend(radio.hci_address)
            async with asyncio.timeout(60), self.sensor("sensor under test", backend) as sensor:
                samples = aiter(sensor)
                first = await anext(samples)
                silent.set()
                while (sample := await anext(samples)).valid:
                    assert sample.arrival_ns >= first.arrival_ns
                assert "no valid data" in sample.reason
                silent.clear()
                last_seq = sample.seq
                while not (sample := await anext(samples)).valid:
                    pass
                if type(sample) is type(first):
                    assert sample.seq >= last_seq  # the invalid one has the next number
            await backend.aclose()

    async def test_radio_gone_is_an_invalid_sample(self) -> None:
        async with VirtualRadio() as radio:
            await radio.add(self.peripheral(silent=asyncio.Event()))
            backend = bumble_backend(radio.hci_address)
            sensor = self.sensor("sensor under test", backend)
            await sensor.__aenter__()
            assert (await anext(aiter(sensor))).valid
        async with asyncio.timeout(60):
            async for sample in sensor:
                if not sample.valid:
                    assert sample.reason
                    break
            await sensor.__aexit__(None, None, None)
            await backend.aclose()
