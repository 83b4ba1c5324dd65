"""An emulated OpenBCI Ganglion: the same packets, texts and one-character commands as the board.

Promises four channels at 200 Hz, compressed as its firmware does it; refuses to send before notifications are
enabled and it was told to start. What it does on a command it does not know is nothing, as the firmware.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bumble.att import Attribute, AttributeValue
from bumble.device import Connection
from bumble.gatt import Characteristic, Service

from drivers.emg import ganglion
from drivers.emulated.radio import Peripheral, unreadable, watched
from drivers.emulated.sampling import EmgSource, sample

_TEXT_BYTES = 19  # of a message in one packet
_IMPEDANCE_OHM = (5200, 4800, 5100, 4900, 3000)  # of the four channels and the reference
_IMPEDANCE_PERIOD_NS = 250_000_000
_PADDING = b"ABCDEFG"  # what firmware 2 fills an uncompressed packet up with
_PACKETS = 101  # of a cycle of firmware 2: one uncompressed, 100 compressed

Counts = tuple[int, int, int, int]


def _converted(volts: Sequence[float]) -> Counts:
    """Counts of the 24-bit converter, which saturates."""
    limit = ganglion.COUNT_MAX
    counts = [min(max(round(volt / ganglion.VOLTS_PER_COUNT), -limit), limit - 1) for volt in volts[:4]]
    return counts[0], counts[1], counts[2], counts[3]


def _compressed(values: Sequence[int], bits: int) -> bytes:
    """Lowest ``bits`` of each value, the lowest of them replaced by its sign, one behind the other."""
    packed = 0
    for value in values:
        field = value & ((1 << bits) - 2) | (value < 0)
        packed = packed << bits | field
    unused = -bits * len(values) % 8
    return (packed << unused).to_bytes((bits * len(values) + unused) // 8, "big")


class EmulatedGanglion(Peripheral):
    """A Ganglion that measures what ``emg`` says at each sample instant; its clock may drift."""

    def __init__(
        self,
        emg: EmgSource,
        *,
        name: str = "Ganglion-54ca",
        address: str = "E9:53:00:CE:66:D9",
        drift_ppm: float = 0.0,
        software_revision: str = "2.0.1",
        acc_counts: tuple[int, int, int] = (0, 0, 31),  # of 32 mg: it lies flat
    ) -> None:
        super().__init__(name, address)
        self._emg = emg
        self._pace = 1 / (1 + drift_ppm * 1e-6)
        self._revision = software_revision
        self._absolute = software_revision.startswith("3")
        self._acc = bytes(count & 0xFF for count in acc_counts)
        self._acc_byte = 0
        self._accelerometer = False
        self._last: Counts = (0, 0, 0, 0)
        self._streaming = False  # also while an impedance test holds the stream up
        self._receive: Characteristic[bytes] = Characteristic(
            ganglion.RECEIVE,
            Characteristic.Properties.NOTIFY | Characteristic.Properties.READ,
            Attribute.Permissions.READABLE,
        )

    def services(self) -> Sequence[Service]:
        write = Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE

        def written(uuid: str, take: Callable[[Connection, bytes], object]) -> Characteristic[bytes]:
            value = AttributeValue(read=unreadable, write=take)
            return Characteristic(uuid, write, Attribute.Permissions.WRITEABLE, value)

        revision: Characteristic[bytes] = Characteristic(
            ganglion.SOFTWARE_REVISION,
            Characteristic.Properties.READ,
            Attribute.Permissions.READABLE,
            self._revision.encode(),
        )
        return (
            Service(
                ganglion.SERVICE,
                [
                    self._receive,
                    written(ganglion.SEND, self._write_command),
                    written(ganglion.DISCONNECT, self._write_disconnect),
                ],
            ),
            Service(ganglion.SERVICE_INFORMATION, [revision]),
        )

    async def idle(self) -> None:
        self._accelerometer = self._streaming = False
        await super().idle()

    async def _write_disconnect(self, connection: Connection, _value: bytes) -> None:
        await connection.disconnect()

    async def _write_command(self, _connection: Connection, value: bytes) -> None:
        command = value[:1]  # the firmware takes the first character of a write
        if command == b"b" and not self._streaming:
            await self._run()
        elif command == b"s":
            self._streaming = False
            await super().idle()
            self._tell("stop running\n")
        elif command in (b"n", b"N"):
            self._accelerometer = command == b"n"
            if not self._streaming:
                self._tell(f"accelerometer {'enabled' if self._accelerometer else 'disabled'}\n")
        elif command == b"z":
            await super().idle()
            self._task = watched(
                sample(self._send_impedance, lambda count: count * _IMPEDANCE_PERIOD_NS),
                f"{self.name}: impedance",
            )
        elif command == b"Z":
            await super().idle()
            if self._streaming:
                await self._run()
        elif command == b"v":
            self._streaming = False
            await super().idle()
            self._tell(f"OpenBCI Ganglion v{self._revision}\nsend 'b' to start data stream\n")

    async def _run(self) -> None:
        await super().idle()
        self._streaming = True
        send = self._send_absolute if self._absolute else self._send_compressed
        self._task = watched(sample(send, self._due_ns), f"{self.name}: stream")

    def _last_sample(self, packet: int) -> int:
        """Number of the packet's last sample since the start."""
        if self._absolute:
            return 2 * packet + 1
        cycle, number = divmod(packet, _PACKETS)
        return cycle * (2 * _PACKETS - 1) + 2 * number

    def _due_ns(self, packet: int) -> int:
        return round(self._last_sample(packet) * ganglion.SAMPLE_NS * self._pace)

    def _measure(self, due_ns: int, count: int) -> list[Counts]:
        """``count`` samples, the last at ``due_ns``; none where the source is silent in one."""
        step_ns = round(ganglion.SAMPLE_NS * self._pace)
        taken = [self._emg(due_ns - age * step_ns) for age in range(count - 1, -1, -1)]
        measured = [_converted(volts) for volts in taken if volts is not None]
        return measured if len(measured) == count else []

    def _send_compressed(self, packet: int, due_ns: int) -> None:
        """Firmware 2: one sample as it is, then 100 packets of two differences from old to new."""
        number = packet % _PACKETS
        measured = self._measure(due_ns, 2 if number else 1)
        if not measured:
            return
        if number == 0:
            body = b"".join(count.to_bytes(3, "big", signed=True) for count in measured[0])
            self._last = measured[0]
            self.notify(self._receive, bytes(1) + body + _PADDING)
            return
        falls = []
        for counts in measured:
            falls += [old - new for old, new in zip(self._last, counts, strict=True)]
            self._last = counts
        if self._accelerometer:
            data = bytes((number,)) + _compressed(falls, 18) + self._axis(number, first=1)
        else:
            data = bytes((number + 100,)) + _compressed(falls, 19)
        self.notify(self._receive, data)

    def _send_absolute(self, packet: int, due_ns: int) -> None:
        """Firmware 3: the upper 18 or 19 bits of every sample."""
        measured = self._measure(due_ns, 2)
        if not measured:
            return
        number = packet % 100
        bits = 18 if self._accelerometer else 19
        body = _compressed([count >> 24 - bits for counts in measured for count in counts], bits)
        if self._accelerometer:
            self.notify(self._receive, bytes((number,)) + body + self._axis(number, first=0))
        else:
            self.notify(self._receive, bytes((number + 100,)) + body)

    def _axis(self, number: int, *, first: int) -> bytes:
        """Acceleration of one axis with three of ten packets; the others repeat the last."""
        if 0 <= number % 10 - first < 3:
            self._acc_byte = self._acc[number % 10 - first]
        return bytes((self._acc_byte,))

    def _send_impedance(self, count: int, _due_ns: int) -> None:
        channel = count % len(_IMPEDANCE_OHM)
        self.notify(self._receive, bytes((201 + channel,)) + f"{_IMPEDANCE_OHM[channel]}Z\n".encode())

    def _tell(self, text: str) -> None:
        data = text.encode()
        parts = [data[at : at + _TEXT_BYTES] for at in range(0, len(data), _TEXT_BYTES)]
        for left, part in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
            self.notify(self._receive, bytes((206 if left else 207,)) + part)
