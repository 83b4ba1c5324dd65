"""The virtual radio: peripherals on one air, reached by hosts over HCI on TCP, with a real link's manners.

Promises that notifications leave only at connection events, late, bunched or lost as the conditions say, and
that a host that vanishes frees its peripherals. Refuses nothing else: it knows no meaning of bytes.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bumble.att import ATT_Error, ErrorCode
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData, DataType
from bumble.data_types import CompleteListOf128BitServiceUUIDs, CompleteLocalName, ManufacturerSpecificData
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, Service
from bumble.hci import (
    HCI_CONNECTION_TIMEOUT_ERROR,
    Address,
    HCI_ErrorCode,
    HCI_LE_Connection_Complete_Event,
    HCI_LE_Create_Connection_Cancel_Command,
    HCI_LE_Create_Connection_Command,
    HCI_StatusReturnParameters,
    LeFeatureMask,
    Role,
)
from bumble.host import Host
from bumble.link import LocalLink
from bumble.ll import TerminateInd
from bumble.transport.common import AsyncPipeSink, StreamPacketSink, StreamPacketSource

ADVERTISING_MS = 50.0  # quick to find, little to compute
ADVERTISEMENT_BYTES = 31  # of a legacy one; no scan response is asked for here
QUEUE_MAX = 64  # notifications a small device can hold; more are lost, as on the device
ACL_BYTES = 251  # data length extension: one notification is one packet
_NOTIFICATION = 0x1B  # ATT_HANDLE_VALUE_NTF


@dataclass(frozen=True, slots=True)
class RadioConditions:
    """How the air behaves.

    ``jitter_ms`` delays each connection event by up to that; with probability ``burst`` an event starts a
    silence of up to ``burst_ms`` after which all that queued up leaves at once; ``loss`` is the probability
    that a notification never arrives. Same ``seed``, same decisions in the same order.
    """

    connection_interval_ms: float = 15.0
    jitter_ms: float = 0.0
    burst: float = 0.0
    burst_ms: float = 120.0
    loss: float = 0.0
    seed: int = 0


def watched(work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
    """A peripheral's task; if it fails, the loop's exception handler hears of it at once."""
    loop = asyncio.get_running_loop()

    def report(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            loop.call_exception_handler({"message": f"{name} failed", "exception": error, "task": task})

    task = loop.create_task(work, name=name)
    task.add_done_callback(report)
    return task


def unreadable(_connection: Connection) -> bytes:
    """Read function of a characteristic that is written only; bumble would leave the reader waiting."""
    raise ATT_Error(ErrorCode.READ_NOT_PERMITTED)


class Peripheral(ABC):
    """A device on the virtual radio: what it advertises, serves, and does when its host leaves."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self._port: Port | None = None
        self._task: asyncio.Task[None] | None = None  # what a host has started

    @abstractmethod
    def services(self) -> Sequence[Service]:
        """The GATT services, made once when the peripheral joins the radio."""

    def manufacturer_data(self) -> tuple[int, bytes] | None:
        """Company identifier and data to advertise."""
        return None

    def advertised_services(self) -> Sequence[str]:
        """UUIDs of 128 bits to advertise; left out where they find no place beside the name."""
        return ()

    def joined(self, port: Port) -> None:
        self._port = port

    def notify(self, characteristic: Characteristic[bytes], value: bytes) -> None:
        """Queue a notification for the next connection event; nothing happens where it is not enabled."""
        if self._port is not None:
            self._port.notify(characteristic, value)

    async def idle(self) -> None:
        """The host has left or the radio closes: end what was started."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})


class Port:
    """One peripheral's sending path: a queue that empties at connection events."""

    def __init__(self, device: Device, conditions: RadioConditions, rng: random.Random) -> None:
        self._device = device
        self._conditions = conditions
        self._rng = rng
        self._queue: deque[bytes] = deque()
        self._connection: Connection | None = None
        self._opened_s = 0.0
        self._silent_until_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.sent = self.lost = 0  # notifications since it joined the radio

    def opened(self, connection: Connection) -> None:
        self._connection = connection
        self._opened_s = asyncio.get_running_loop().time()

    def closed(self) -> None:
        self._connection = None
        self.lost += len(self._queue)
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def notify(self, characteristic: Characteristic[bytes], value: bytes) -> None:
        connection = self._connection
        if connection is None:
            return
        enabled = self._device.gatt_server.subscribers.get(connection, {}).get(characteristic.handle)
        if not enabled or not enabled[0] & 1:
            return
        full = len(self._queue) >= QUEUE_MAX
        if full or (self._conditions.loss and self._rng.random() < self._conditions.loss):
            self.lost += 1
            return
        header = bytes((_NOTIFICATION,)) + characteristic.handle.to_bytes(2, "little")
        self._queue.append(header + value[: connection.att_mtu - 3])
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._next_event_s(loop.time()), self._event)

    def _next_event_s(self, now_s: float) -> float:
        interval_s = self._conditions.connection_interval_ms / 1e3
        since_s = max(now_s, self._silent_until_s) - self._opened_s
        event_s = self._opened_s + (since_s // interval_s + 1) * interval_s
        if self._conditions.jitter_ms:
            event_s += self._rng.uniform(0.0, self._conditions.jitter_ms / 1e3)
        if self._conditions.burst and self._rng.random() < self._conditions.burst:
            event_s += self._rng.uniform(0.0, self._conditions.burst_ms / 1e3)
            self._silent_until_s = event_s
        return event_s

    def _event(self) -> None:
        self._timer = None
        connection = self._connection
        if connection is None:
            return
        self.sent += len(self._queue)
        while self._queue:
            self._device.gatt_server.send_gatt_pdu(connection, self._queue.popleft())


class _RadioController(Controller):  # type: ignore[misc]  # bumble counts as untyped
    """bumble's controller, legacy advertising only, that also cancels a pending connection when asked."""

    le_features = Controller.le_features & ~(LeFeatureMask.LL_PRIVACY | LeFeatureMask.LE_EXTENDED_ADVERTISING)
    le_acl_data_packet_length = ACL_BYTES
    pending_le_connection: HCI_LE_Create_Connection_Command | None

    def on_hci_le_create_connection_cancel_command(
        self, _command: HCI_LE_Create_Connection_Cancel_Command
    ) -> HCI_StatusReturnParameters:
        pending = self.pending_le_connection
        self.pending_le_connection = None
        if pending is None:
            return HCI_StatusReturnParameters(HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.send_hci_packet(
            HCI_LE_Connection_Complete_Event(
                status=HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=Role.CENTRAL,
                peer_address_type=pending.peer_address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )
        return HCI_StatusReturnParameters(HCI_ErrorCode.SUCCESS)


class _HostPort(asyncio.Protocol):
    """A host on TCP: it gets a controller of its own, which leaves the air with it."""

    def __init__(self, link: LocalLink, hosts: set[asyncio.WriteTransport]) -> None:
        self._source = StreamPacketSource()
        self._link = link
        self._hosts = hosts
        self._controller: Controller | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.WriteTransport):
            raise TypeError("a host needs a stream it can be answered on")
        self._transport = transport
        self._hosts.add(transport)
        sink = StreamPacketSink(transport)
        self._controller = _RadioController("host", host_source=self._source, host_sink=sink, link=self._link)

    def data_received(self, data: bytes) -> None:
        self._source.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._hosts.discard(self._transport)
        controller = self._controller
        if controller is None:
            return
        controller.host = None
        for connection in list(controller.le_connections.values()):
            if self._link.find_le_controller(connection.peer_address) is not None:
                connection.send_ll_control_pdu(TerminateInd(HCI_CONNECTION_TIMEOUT_ERROR))
        self._link.remove_controller(controller)


class VirtualRadio:
    """All peripherals on one air: ``async with`` opens it, ``add`` lets a device join, hosts come by TCP.

    ``hci_address`` is what a host opens (``tcp-client:127.0.0.1:PORT``); a free port is taken when none is
    given. One event loop does it all; leaving ends every task and connection.
    """

    def __init__(self, conditions: RadioConditions | None = None, *, port: int = 0) -> None:
        self._conditions = conditions or RadioConditions()
        self._port = port
        self._link = LocalLink()
        self._hosts: set[asyncio.WriteTransport] = set()
        self._members: list[tuple[Peripheral, Device, Controller, Port]] = []
        self._returning: set[asyncio.Task[None]] = set()
        self._away: set[str] = set()  # names of those out of reach
        self._server: asyncio.Server | None = None
        self.hci_address = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _HostPort(self._link, self._hosts), "127.0.0.1", self._port
        )
        self.hci_address = f"tcp-client:127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._returning:
            await asyncio.wait(self._returning)
        for peripheral, device, controller, port in self._members:
            port.closed()
            await peripheral.idle()
            await device.stop_advertising()
            self._link.remove_controller(controller)
        self._members.clear()
        for host in list(self._hosts):
            host.abort()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def account(self) -> dict[str, tuple[int, int]]:
        """Notifications sent and lost, by the peripheral's name."""
        return {one.name: (port.sent, port.lost) for one, _, _, port in self._members}

    async def leave(self, name: str) -> None:
        """A peripheral goes out of reach: its connection breaks, and it is not heard until it is back."""
        self._away.add(name)
        device = self._device(name)
        await device.stop_advertising()
        for connection in list(device.connections.values()):
            await connection.disconnect(HCI_CONNECTION_TIMEOUT_ERROR)

    async def back(self, name: str) -> None:
        """It advertises again."""
        self._away.discard(name)
        await self._device(name).start_advertising()

    def _device(self, name: str) -> Device:
        return next(device for one, device, _, _ in self._members if one.name == name)

    async def add(self, peripheral: Peripheral) -> None:
        """Power a peripheral on; it advertises until a host connects, and again after it left."""
        controller = _RadioController(peripheral.name, link=self._link)
        advertised: list[DataType] = [CompleteLocalName(peripheral.name)]
        maker = peripheral.manufacturer_data()
        if maker is not None:
            advertised.append(ManufacturerSpecificData(*maker))
        services = [UUID(uuid) for uuid in peripheral.advertised_services()]
        if (
            services
            and len(bytes(AdvertisingData(advertised))) + 2 + 16 * len(services) <= ADVERTISEMENT_BYTES
        ):
            advertised.append(CompleteListOf128BitServiceUUIDs(services))
        device = Device(
            config=DeviceConfiguration(
                name=peripheral.name,
                address=Address(peripheral.address, Address.RANDOM_DEVICE_ADDRESS),
                advertising_data=bytes(AdvertisingData(advertised)),
                advertising_interval_min=ADVERTISING_MS,
                advertising_interval_max=ADVERTISING_MS,
            ),
            host=Host(controller, AsyncPipeSink(controller)),
        )
        device.add_services(list(peripheral.services()))
        # A string keeps the generator the same from run to run; a tuple's hash does not.
        rng = random.Random(f"{self._conditions.seed} {peripheral.address}")
        port = Port(device, self._conditions, rng)
        peripheral.joined(port)
        self._members.append((peripheral, device, controller, port))

        def connected(connection: Connection) -> None:
            port.opened(connection)
            connection.on(Connection.EVENT_DISCONNECTION, disconnected)

        def disconnected(_reason: int) -> None:
            port.closed()
            task = watched(returning(), f"{peripheral.name}: advertise again")
            self._returning.add(task)
            task.add_done_callback(self._returning.discard)

        async def returning() -> None:
            await peripheral.idle()
            if peripheral.name not in self._away:
                await device.start_advertising()

        device.on(Device.EVENT_CONNECTION, connected)
        await device.power_on()
        await device.start_advertising()
