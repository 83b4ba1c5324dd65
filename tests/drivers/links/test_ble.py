"""The Bluetooth LE link on the virtual radio: bytes both ways, named errors, a radio that behaves as told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from bleak.backends.scanner import BaseBleakScanner
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakError,
)
from bumble.att import Attribute, AttributeValue
from bumble.gatt import Characteristic, Service

from drivers.emulated.dot import EmulatedDot
from drivers.emulated.radio import Peripheral, RadioConditions, VirtualRadio, unreadable
from drivers.imu.movella_dot import MovellaDot
from drivers.interface import DeviceError
from drivers.links.ble import BleBackend, BleLink, BleSensor
from drivers.links.bumble_backend import bumble_backend

pytestmark = pytest.mark.real_time

SERVICE = "0e570000-0000-4000-8000-000000000000"
ECHO = "0e570001-0000-4000-8000-000000000000"
COUNTER = "0e570002-0000-4000-8000-000000000000"


class Echo(Peripheral):
    """Keeps what is written; a write of ``n`` to the counter notifies 0 to n-1 at once, ``pad`` bytes."""

    def __init__(self, name: str = "echo", address: str = "C0:00:00:00:00:01", *, pad: int = 2) -> None:
        super().__init__(name, address)
        self._kept = b""
        self._pad = pad
        read, write = Attribute.Permissions.READABLE, Attribute.Permissions.WRITEABLE
        properties = Characteristic.Properties
        self._echo: Characteristic[bytes] = Characteristic(
            ECHO,
            properties.READ | properties.WRITE,
            read | write,
            AttributeValue(read=lambda _connection: self._kept, write=self._keep),
        )
        self._counter: Characteristic[bytes] = Characteristic(
            COUNTER,
            properties.NOTIFY | properties.WRITE,
            write,
            AttributeValue(read=unreadable, write=self._count),
        )

    def services(self) -> Sequence[Service]:
        return (Service(SERVICE, [self._echo, self._counter]),)

    async def idle(self) -> None:
        self._kept = b""

    def _keep(self, _connection: object, value: bytes) -> None:
        self._kept = value

    def _count(self, _connection: object, value: bytes) -> None:
        for number in range(value[0]):
            self.notify(self._counter, number.to_bytes(2, "little").ljust(self._pad, b"\xa5"))


async def count(backend: BleBackend, wanted: int, *, settle_s: float = 0.15) -> list[tuple[bytes, int]]:
    """Asks for ``wanted`` notifications and gives those that came, with their arrival."""
    came: list[tuple[bytes, int]] = []
    async with BleLink("echo", backend) as link:
        await link.notify(COUNTER, lambda data, arrival_ns: came.append((data, arrival_ns)))
        await link.write(COUNTER, bytes([wanted]))
        await asyncio.sleep(settle_s)
    return came


async def counted(conditions: RadioConditions, wanted: int, *, pad: int = 2) -> list[tuple[bytes, int]]:
    async with VirtualRadio(conditions) as radio:
        await radio.add(Echo(pad=pad))
        backend = bumble_backend(radio.hci_address)
        came = await count(backend, wanted)
        await backend.aclose()
    return came


async def test_bytes_go_both_ways_and_a_large_notification_arrives_whole() -> None:
    async with VirtualRadio() as radio:
        await radio.add(Echo(pad=244))
        backend = bumble_backend(radio.hci_address)
        async with BleLink("C0:00:00:00:00:01", backend) as link:
            for data in (b"", b"\x00", bytes(range(200))):
                await link.write(ECHO, data)
                assert await link.read(ECHO) == data
        before_ns = time.monotonic_ns()
        came = await count(backend, 3)
        assert [len(data) for data, _ in came] == [244, 244, 244]
        assert all(before_ns <= arrival_ns <= time.monotonic_ns() for _, arrival_ns in came)
        await backend.aclose()


async def test_nothing_comes_before_notifications_are_enabled() -> None:
    async with VirtualRadio() as radio:
        await radio.add(Echo())
        backend = bumble_backend(radio.hci_address)
        came: list[bytes] = []
        async with BleLink("echo", backend) as link:
            await link.write(COUNTER, bytes([3]))
            await link.notify(COUNTER, lambda data, _arrival_ns: came.append(data))
            await link.write(COUNTER, bytes([1]))
            await asyncio.sleep(0.1)
        assert came == [b"\x00\x00"]
        await backend.aclose()


async def test_errors_say_what_and_whether_to_try_again() -> None:
    unused = BleLink("echo", bumble_backend("tcp-client:127.0.0.1:1"), timeout_s=1.0)
    with pytest.raises(DeviceError, match="no radio at") as caught:
        await unused.__aenter__()
    assert caught.value.transient
    with pytest.raises(DeviceError, match="not connected"):
        await unused.read(ECHO)
    async with VirtualRadio() as radio:
        await radio.add(Echo())
        backend = bumble_backend(radio.hci_address)
        async with BleLink("echo", backend) as link:
            with pytest.raises(DeviceError, match="was not found") as caught:
                await link.read("0e57ffff-0000-4000-8000-000000000000")
            assert not caught.value.transient
            with pytest.raises(DeviceError, match="reading") as caught:
                await link.read(COUNTER)
            assert caught.value.transient
        await backend.aclose()


@pytest.mark.parametrize(
    ("error", "words", "transient"),
    [
        (FileNotFoundError(2, "No such file or directory"), "no Bluetooth service", False),
        (
            BleakBluetoothNotAvailableError("off", BleakBluetoothNotAvailableReason.POWERED_OFF),
            "off",
            False,
        ),
        (BleakError("in progress"), "in progress", True),
        (TimeoutError(), "not found", True),
    ],
)
async def test_an_adapter_that_fails_is_named(error: Exception, words: str, transient: bool) -> None:
    class FailingScanner(BaseBleakScanner):
        def __init__(self, callback: object, service_uuids: object, mode: str, **_options: object) -> None:
            super().__init__(None, None)

        async def start(self) -> None:
            raise error

        async def stop(self) -> None:
            raise NotImplementedError

    unused = bumble_backend("tcp-client:127.0.0.1:1")
    backend = BleBackend(FailingScanner, unused.client, unused.aclose)
    with pytest.raises(DeviceError, match=words) as caught:
        await MovellaDot("foot", "DOT", backend).__aenter__()
    assert caught.value.transient is transient


def test_loss_follows_the_seed() -> None:
    def survivors(seed: int) -> list[bytes]:
        conditions = RadioConditions(loss=0.4, seed=seed)
        return [data for data, _ in asyncio.run(counted(conditions, 60))]

    first = survivors(1)
    assert 15 < len(first) < 55
    assert survivors(1) == first
    assert survivors(2) != first
    assert first == sorted(first)


async def test_notifications_wait_for_the_connection_event_and_leave_together() -> None:
    async with VirtualRadio(RadioConditions(connection_interval_ms=60.0)) as radio:
        await radio.add(Echo())
        backend = bumble_backend(radio.hci_address)
        arrivals: list[int] = []
        async with BleLink("echo", backend) as link:
            await link.notify(COUNTER, lambda _data, arrival_ns: arrivals.append(arrival_ns))
            for _ in range(20):
                await link.write(COUNTER, bytes([1]))
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.15)
        await backend.aclose()
    assert len(arrivals) == 20
    events = 1 + sum(b - a > 20_000_000 for a, b in pairwise(arrivals))
    assert events <= (arrivals[-1] - arrivals[0]) / 60e6 + 2
    assert events < 20


async def test_a_full_queue_loses_the_newest() -> None:
    came = await counted(RadioConditions(connection_interval_ms=50.0), 200)
    assert [int.from_bytes(data, "little") for data, _ in came] == list(range(64))


async def test_a_host_that_vanishes_frees_its_device() -> None:
    async with VirtualRadio() as radio:
        await radio.add(Echo())
        first = bumble_backend(radio.hci_address)
        link = BleLink("echo", first)
        await link.__aenter__()
        await first.aclose()  # the TCP connection ends with no goodbye on the air
        async with asyncio.timeout(10):
            await link.lost.wait()
        second = bumble_backend(radio.hci_address)
        assert len(await count(second, 5)) == 5
        await link.__aexit__(None, None, None)
        await second.aclose()


async def test_two_hosts_use_one_radio_at_the_same_time() -> None:
    async with VirtualRadio() as radio:
        await radio.add(Echo("left", "C0:00:00:00:00:0A"))
        await radio.add(Echo("right", "C0:00:00:00:00:0B"))
        backends = [bumble_backend(radio.hci_address) for _ in range(2)]
        async with BleLink("left", backends[0]) as left, BleLink("right", backends[1]) as right:
            await left.write(ECHO, b"left")
            await right.write(ECHO, b"right")
            assert (await left.read(ECHO), await right.read(ECHO)) == (b"left", b"right")
            # A device that is taken does not advertise.
            with pytest.raises(DeviceError, match="not found"):
                await BleLink("left", backends[1], timeout_s=0.3).__aenter__()
        for backend in backends:
            await backend.aclose()


async def test_a_device_that_turned_into_another_ends_the_stream_with_its_error() -> None:
    still = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))

    async with VirtualRadio() as radio:
        await radio.add(EmulatedDot(lambda _t_ns: still, name="foot"))
        port = int(radio.hci_address.rsplit(":", 1)[1])
        backend = bumble_backend(radio.hci_address)
        sensor = MovellaDot("foot", "foot", backend)
        await sensor.__aenter__()
    async with asyncio.timeout(60), VirtualRadio(port=port) as radio:
        await radio.add(Echo("foot"))
        with pytest.raises(DeviceError, match="was not found") as caught:
            async for _ in sensor:
                pass
        assert not caught.value.transient
        await sensor.__aexit__(None, None, None)
    await backend.aclose()


async def test_a_source_that_fails_is_heard_of_at_once() -> None:
    def broken(_t_ns: int) -> None:
        raise ArithmeticError("the model diverged")

    heard = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: heard.done() or heard.set_result(context["exception"])
    )
    async with VirtualRadio() as radio:
        await radio.add(EmulatedDot(broken))
        backend = bumble_backend(radio.hci_address)
        async with asyncio.timeout(30), MovellaDot("foot", "Movella DOT", backend):
            assert isinstance(await heard, ArithmeticError)
        await backend.aclose()


async def test_sensor_comes_back_with_a_radio_that_was_restarted() -> None:
    still = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.81), (0.0, 0.0, 0.0))

    async with VirtualRadio() as radio:
        await radio.add(EmulatedDot(lambda _t_ns: still))
        port = int(radio.hci_address.rsplit(":", 1)[1])
        backend = bumble_backend(radio.hci_address)
        sensor: BleSensor = MovellaDot("foot", "Movella DOT", backend)
        await sensor.__aenter__()
        samples = aiter(sensor)
        before = await anext(samples)
    async with asyncio.timeout(60):
        while (await anext(samples)).valid:
            pass
        async with VirtualRadio(port=port) as radio:
            await radio.add(EmulatedDot(lambda _t_ns: still))
            while not (after := await anext(samples)).valid:
                pass
            assert after.seq > before.seq
            assert after.t_ns > before.t_ns
            await sensor.__aexit__(None, None, None)
    await backend.aclose()
