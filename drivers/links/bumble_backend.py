"""A bleak backend on bumble: the same drivers talk to a virtual radio over HCI on TCP.

All scanners and clients of one backend share one host device, as they would share one adapter. Promises that
several connections live side by side; refuses pairing, which no sensor here asks for.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError, BleakGATTProtocolError
from bumble.att import ATT_Error
from bumble.core import AdvertisingData, BaseBumbleError
from bumble.device import Advertisement, Connection, Device, DeviceConfiguration, Peer
from bumble.gatt import UUID
from bumble.hci import Address, HCI_LE_Create_Connection_Cancel_Command
from bumble.transport import open_transport
from bumble.transport.common import Transport

from drivers.links.ble import BleBackend

MTU = 247  # fits one LE data packet of 251 bytes; a DOT needs 47
ATT_TIMEOUT_S = 5.0  # a virtual peripheral answers in milliseconds
CLOSE_TIMEOUT_S = 2.0
GRACE_S = 0.5  # a reply that is on its way comes within some connection intervals

T = TypeVar("T")


class _Host:
    """One bumble device for the whole process, opened at the first use, reopened when the radio came back."""

    def __init__(self, hci_address: str) -> None:
        self._hci_address = hci_address
        self._transport: Transport | None = None
        self._device: Device | None = None
        self._scanning: set[_Scanner] = set()
        self._opening = asyncio.Lock()
        self.connecting = asyncio.Lock()  # a controller makes one connection at a time

    async def device(self) -> Device:
        async with self._opening:
            if self._transport is not None and self._transport.source.terminated.done():
                await self.aclose()
            if self._device is None:
                try:
                    transport = await open_transport(self._hci_address)
                except OSError as error:
                    raise BleakError(f"no radio at {self._hci_address}: {error}") from error
                device = Device.from_config_with_hci(
                    DeviceConfiguration(name="dorsi"), transport.source, transport.sink
                )
                self._transport = transport
                await _bounded(device.power_on())
                self._device = device
            return self._device

    async def start_scan(self, scanner: _Scanner) -> None:
        """Scanning is on while anybody scans."""
        device = await self.device()
        self._scanning.add(scanner)
        device.on(Device.EVENT_ADVERTISEMENT, scanner.seen)
        if len(self._scanning) == 1:
            await _bounded(device.start_scanning(filter_duplicates=False))

    async def stop_scan(self, scanner: _Scanner) -> None:
        if self._device is None or scanner not in self._scanning:
            return
        self._scanning.remove(scanner)
        self._device.remove_listener(Device.EVENT_ADVERTISEMENT, scanner.seen)
        if not self._scanning:
            await _bounded(self._device.stop_scanning())

    async def disown(self, address: Address) -> None:
        """Ends a connection attempt, and the connection where it came about too late."""
        device = self._device
        if device is None:
            return
        late = [one for one in device.connections.values() if one.peer_address == address]
        with contextlib.suppress(BleakError):
            if late:
                await _bounded(late[0].disconnect(), CLOSE_TIMEOUT_S)
            else:
                await _bounded(device.send_sync_command(HCI_LE_Create_Connection_Cancel_Command()))

    async def aclose(self) -> None:
        transport, self._transport, self._device = self._transport, None, None
        self._scanning.clear()
        if transport is not None:
            await transport.close()


async def _bounded(operation: Coroutine[Any, Any, T], timeout_s: float = ATT_TIMEOUT_S) -> T:
    """Runs a bumble operation to its end; a lost link or a refusal becomes a bleak error.

    bumble cancels what waits on a lost link: that must not look as if the caller had been cancelled.
    """
    task = asyncio.ensure_future(operation)
    try:
        await asyncio.wait({task}, timeout=timeout_s)
    finally:
        if not task.done():
            # bumble trips over the reply to a cancelled request: give it the time to come.
            await asyncio.wait({task}, timeout=GRACE_S)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if task.cancelled():
        raise BleakError("no answer: link lost or timed out")
    error = task.exception()
    if isinstance(error, ATT_Error):
        raise BleakGATTProtocolError(error.error_code) from error
    if isinstance(error, (BaseBumbleError, TimeoutError)):
        raise BleakError(str(error) or type(error).__name__) from error
    return task.result()


def _uuid_text(value: UUID) -> str:
    return str(uuid.UUID(bytes=bytes(reversed(value.to_bytes(force_128=True)))))


class _Scanner(BaseBleakScanner):
    host: _Host

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        **_kwargs: Any,  # bleak passes the options of other backends
    ) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        self.seen_devices = {}
        try:
            await self.host.start_scan(self)
        except BaseException:
            await self.host.stop_scan(self)
            raise

    async def stop(self) -> None:
        await self.host.stop_scan(self)

    def seen(self, advertisement: Advertisement) -> None:
        data = advertisement.data
        kinds = AdvertisingData.Type
        name = data.get(kinds.COMPLETE_LOCAL_NAME) or data.get(kinds.SHORTENED_LOCAL_NAME)
        services = data.get(kinds.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS) or []
        makers = data.get_all(kinds.MANUFACTURER_SPECIFIC_DATA)
        parsed = AdvertisementData(
            local_name=name,
            manufacturer_data=dict(makers),
            service_data={},
            service_uuids=[_uuid_text(service) for service in services],
            tx_power=None,
            rssi=advertisement.rssi,
            platform_data=(advertisement,),
        )
        if not self.is_allowed_uuid(parsed.service_uuids):
            return
        address = advertisement.address.to_string(with_type_qualifier=False)
        device = self.create_or_update_device(address, address, name, advertisement.address, parsed)
        self.call_detection_callbacks(device, parsed)


class _Client(BaseBleakClient):
    host: _Host

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **kwargs: Any,  # bleak passes the options of other backends
    ) -> None:
        super().__init__(
            address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout, **kwargs
        )
        details = address_or_ble_device.details if isinstance(address_or_ble_device, BLEDevice) else None
        self._peer_address: Address = details or Address(self.address, Address.RANDOM_DEVICE_ADDRESS)
        self._connection: Connection | None = None
        self._peer: Peer | None = None

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return 23 if self._connection is None else int(self._connection.att_mtu)

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **_kwargs: Any) -> None:
        if pair:
            raise BleakError("pairing is not supported on the virtual radio")
        device = await self.host.device()
        async with self.host.connecting:
            try:
                connection = await _bounded(device.connect(self._peer_address, timeout=None), self._timeout)
            except BaseException:
                await self.host.disown(self._peer_address)
                raise
        self._connection = connection
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        self._peer = Peer(connection)
        await _bounded(self._peer.request_mtu(MTU))
        self.services = await _bounded(self._discover(self._peer), self._timeout)

    async def _discover(self, peer: Peer) -> BleakGATTServiceCollection:
        await peer.discover_all()
        collection = BleakGATTServiceCollection()
        for found in peer.services:
            service = BleakGATTService(found, found.handle, _uuid_text(found.uuid))
            collection.add_service(service)
            for item in found.characteristics:
                collection.add_characteristic(
                    BleakGATTCharacteristic(
                        item,
                        item.handle,
                        _uuid_text(item.uuid),
                        list(gatt_char_props_to_strs(int(item.properties))),
                        lambda: self.mtu_size - 3,
                        service,
                    )
                )
                for descriptor in item.descriptors:
                    collection.add_descriptor(
                        BleakGATTDescriptor(
                            descriptor,
                            descriptor.handle,
                            _uuid_text(descriptor.type),
                            collection.characteristics[item.handle],
                        )
                    )
        return collection

    def _on_disconnection(self, *_reason: object) -> None:
        self._connection = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        connection = self._connection
        if connection is not None:
            try:
                await _bounded(connection.disconnect(), CLOSE_TIMEOUT_S)
            finally:
                self._connection = self._peer = None

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:
        raise BleakError("pairing is not supported on the virtual radio")

    async def unpair(self) -> None:
        raise BleakError("pairing is not supported on the virtual radio")

    def _require(self) -> Peer:
        if self._connection is None or self._peer is None:
            raise BleakError("Not connected")
        return self._peer

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_kwargs: Any
    ) -> bytearray:
        return bytearray(await _bounded(self._require().read_value(characteristic.obj.handle)))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_kwargs: Any
    ) -> bytearray:
        return bytearray(await _bounded(self._require().read_value(descriptor.handle)))

    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool
    ) -> None:
        await _bounded(
            self._require().write_value(characteristic.obj.handle, bytes(data), with_response=response)
        )

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        await _bounded(self._require().write_value(descriptor.handle, bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_kwargs: Any
    ) -> None:
        def changed(value: bytes) -> None:
            callback(bytearray(value))

        await _bounded(self._require().subscribe(characteristic.obj, changed))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        await _bounded(self._require().unsubscribe(characteristic.obj))


def bumble_backend(hci_address: str) -> BleBackend:
    """Backend for the radio at ``hci_address`` (such as ``tcp-client:127.0.0.1:9000``).

    Make one per process and event loop: everything made with it shares one host device. ``aclose()`` ends it.
    """
    shared = _Host(hci_address)

    class BumbleScanner(_Scanner):
        host = shared

    class BumbleClient(_Client):
        host = shared

    return BleBackend(BumbleScanner, BumbleClient, shared.aclose)
