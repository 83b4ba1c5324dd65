"""Bluetooth LE: finds a device, moves bytes both ways, and keeps a sensor's stream alive.

Knows no meaning of bytes. Refuses to trust "connected": a sensor that sends nothing is dropped and sought.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakCharacteristicNotFoundError, BleakError

from drivers.interface import DeviceError, EmgFrame, ImuSample, SensorWord

Notified = Callable[[bytes, int], None]  # data and arrival (ns, CLOCK_MONOTONIC)

CONNECT_TIMEOUT_S = 10.0  # a DOT advertises every 0.1 to 1 s; connecting takes one or two more
CLOSE_TIMEOUT_S = 2.0  # leaving never waits longer for a device that does not answer
SILENCE_S = 1.0  # no data for this long: the link is dead whatever it says
RETRY_S = (0.25, 0.5, 1.0, 2.0, 4.0)  # back-off between attempts, the last one repeats
WORDS_MAX = 20
QUEUE_MAX = 2048  # samples nobody took: some seconds of every sensor; beyond, the oldest go
FAILURES = (BleakError, OSError, TimeoutError, EOFError)


@dataclass(frozen=True, slots=True)
class BleBackend:
    """What replaces the machine's own adapter: bleak scanner and client classes, and how to close them."""

    scanner: type[BaseBleakScanner]
    client: type[BaseBleakClient]
    aclose: Callable[[], Awaitable[None]]


class BleLink:
    """One connection to the device with this Bluetooth address or advertised name.

    ``backend=None`` is the machine's adapter. All calls raise :class:`DeviceError`: transient where another
    attempt may help, permanent where there is no Bluetooth or the device lacks the characteristic.
    """

    def __init__(
        self,
        address_or_name: str,
        backend: BleBackend | None = None,
        *,
        timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self.address_or_name = address_or_name
        self.lost = asyncio.Event()
        self._backend = backend
        self._timeout_s = timeout_s
        self._client: BleakClient | None = None

    async def __aenter__(self) -> Self:
        wanted = self.address_or_name.lower()

        def matches(device: BLEDevice, advertisement: AdvertisementData) -> bool:
            names = (device.address, advertisement.local_name, device.name)
            return any(name is not None and name.lower() == wanted for name in names)

        try:
            device = await self._find(matches)
            client = BleakClient(
                device,
                lambda _client: self.lost.set(),
                timeout=self._timeout_s,
                backend=None if self._backend is None else self._backend.client,
            )
            try:
                await client.connect()
            except BaseException:
                await _quietly(client.disconnect())
                raise
        except FAILURES as error:
            raise self._translate("connecting", error) from error
        self._client = client
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        client, self._client = self._client, None
        if client is not None:
            await _quietly(client.disconnect())

    async def _find(self, matches: Callable[[BLEDevice, AdvertisementData], bool]) -> BLEDevice:
        scanner = BleakScanner(backend=None if self._backend is None else self._backend.scanner)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_s), scanner:
                async for device, advertisement in scanner.advertisement_data():
                    if matches(device, advertisement):
                        return device
        raise self._error(f"not found within {self._timeout_s:g} s of scanning", transient=True)

    async def notify(self, uuid: str, callback: Notified) -> None:
        """Call ``callback(data, arrival_ns)`` in the event loop for every notification."""

        def arrived(_characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
            callback(bytes(data), time.monotonic_ns())

        client = self._require()
        try:
            await client.start_notify(uuid, arrived)
        except FAILURES as error:
            raise self._translate(f"enabling notifications of {uuid}", error) from error

    async def read(self, uuid: str) -> bytes:
        client = self._require()
        try:
            return bytes(await client.read_gatt_char(uuid))
        except FAILURES as error:
            raise self._translate(f"reading {uuid}", error) from error

    async def write(self, uuid: str, data: bytes, *, response: bool = True) -> None:
        """Write; without ``response`` nothing tells whether the device took it."""
        client = self._require()
        try:
            await client.write_gatt_char(uuid, data, response=response)
        except FAILURES as error:
            raise self._translate(f"writing {uuid}", error) from error

    def _require(self) -> BleakClient:
        if self._client is None:
            raise self._error("not connected", transient=True)
        return self._client

    def _error(self, what: str, *, transient: bool) -> DeviceError:
        return DeviceError(self.address_or_name, what, transient=transient)

    def _translate(self, doing: str, error: BaseException) -> DeviceError:
        return translate(self.address_or_name, doing, error)


def translate(device: str, doing: str, error: BaseException) -> DeviceError:
    """One of :data:`FAILURES` as what the callers know; permanent where no other attempt can help."""
    if isinstance(error, FileNotFoundError):  # BlueZ is reached over the D-Bus system bus socket
        what = f"{doing}: this machine has no Bluetooth service (no D-Bus)"
        return DeviceError(device, what, transient=False)
    permanent = isinstance(error, (BleakBluetoothNotAvailableError, BleakCharacteristicNotFoundError))
    text = str(error) or type(error).__name__
    return DeviceError(device, f"{doing}: {text}", transient=not permanent)


async def _quietly(leaving: Awaitable[None]) -> None:
    """Waits for a goodbye, but not for a device that is gone."""
    with contextlib.suppress(*FAILURES):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await leaving


S = TypeVar("S", bound=ImuSample | EmgFrame)


class BleSensor(ABC, Generic[S]):
    """A sensor's connection for life: connect, start, stream, notice silence, reconnect, stop.

    ``async with`` raises :class:`DeviceError` where the first connection fails. Later failures are invalid
    samples with a reason while it is sought again with a capped back-off; a permanent one ends the stream
    with its error.
    """

    def __init__(self, name: str, address: str, backend: BleBackend | None) -> None:
        self.name = name
        self.connect_timeout_s = CONNECT_TIMEOUT_S
        self._address = address
        self._backend = backend
        self._link: BleLink | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._queue: asyncio.Queue[S | DeviceError | None] = asyncio.Queue()
        self._last_data_ns = 0
        self._words: deque[SensorWord] = deque(maxlen=WORDS_MAX)

    @abstractmethod
    async def _start(self, link: BleLink) -> None:
        """Configure the device, enable notifications and start the measurement."""

    @abstractmethod
    async def _stop(self, link: BleLink) -> None:
        """End the measurement."""

    @abstractmethod
    def _invalid(self, reason: str, arrival_ns: int) -> S:
        """An invalid sample that says why."""

    async def __aenter__(self) -> Self:
        self._queue = asyncio.Queue()
        await self._open()
        self._keeper = asyncio.create_task(self._keep(), name=f"{self.name}: keep connected")
        self._keeper.add_done_callback(self._keeper_ended)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait({keeper})
        await self._close()
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[S]:
        while True:
            sample = await self._queue.get()
            if sample is None:
                return
            if isinstance(sample, DeviceError):
                raise sample
            yield sample

    def words(self) -> list[SensorWord]:
        """What the device has said beside its samples since the last call; most say nothing."""
        said = list(self._words)
        self._words.clear()
        return said

    def _keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        error = None if keeper.cancelled() else keeper.exception()
        if error is not None:
            self._queue.put_nowait(DeviceError(self.name, f"stream ended by {error!r}", transient=False))

    def _put(self, sample: S) -> None:
        if sample.valid:
            self._last_data_ns = sample.arrival_ns
        if self._queue.qsize() >= QUEUE_MAX:
            self._queue.get_nowait()
        self._queue.put_nowait(sample)

    async def _read_percent(self, uuid: str) -> int | None:
        link = self._link
        if link is None:
            return None
        data = await link.read(uuid)
        return data[0] if data and data[0] <= 100 else None

    async def _open(self) -> None:
        link = BleLink(self._address, self._backend, timeout_s=self.connect_timeout_s)
        async with contextlib.AsyncExitStack() as undo:
            await undo.enter_async_context(link)
            await self._start(link)
            undo.pop_all()
        self._link = link
        self._last_data_ns = time.monotonic_ns()

    async def _close(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        if not link.lost.is_set():
            with contextlib.suppress(DeviceError, TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self._stop(link)
        await link.__aexit__(None, None, None)

    async def _keep(self) -> None:
        attempts = 0
        while True:
            if self._link is not None:
                opened_ns = self._last_data_ns
                reason = await self._until_dead(self._link)
                if self._last_data_ns != opened_ns:
                    attempts = (
                        0  # it was alive; one that connects but stays silent is sought ever more slowly
                    )
                self._put(self._invalid(reason, time.monotonic_ns()))
                await self._close()
            await asyncio.sleep(RETRY_S[min(attempts, len(RETRY_S) - 1)])
            attempts += 1
            try:
                await self._open()
            except DeviceError as error:
                self._put(self._invalid(error.what, time.monotonic_ns()))
                if not error.transient:
                    self._queue.put_nowait(error)
                    return

    async def _until_dead(self, link: BleLink) -> str:
        """Waits while valid data comes; returns why it no longer does."""
        while True:
            left_s = SILENCE_S - (time.monotonic_ns() - self._last_data_ns) / 1e9
            if left_s <= 0:
                return f"no valid data for {SILENCE_S:g} s, reconnecting"
            try:
                async with asyncio.timeout(left_s):
                    await link.lost.wait()
            except TimeoutError:
                continue
            return "connection lost, reconnecting"
