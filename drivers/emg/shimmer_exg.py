"""Shimmer3R with EXG unit over BLE: the driver that streams two muscles at 512 Hz.

Bytes: :mod:`drivers.emg.shimmer`. The registers for EMG are the vendor's; volts per count from the
converter's datasheet (ADS1292R, reference of 2.42 V; from memory, unverified). Not verified on hardware.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from drivers.clock import DeviceClock
from drivers.emg import shimmer
from drivers.emg.shimmer import Code
from drivers.interface import DeviceError, EmgFrame
from drivers.links.ble import BleBackend, BleLink, BleSensor

VERIFIED = "vendor-code"

DIVISOR = 64
RATE_HZ = shimmer.rate_hz(DIVISOR)
PERIOD_NS = round(1e9 / RATE_HZ)
STATUS, CHANNEL_1, CHANNEL_2 = 0x1D, 0x1E, 0x1F
CHANNELS = (STATUS, CHANNEL_1, CHANNEL_2)
SENSOR_EXG1_24BIT = 0x10
GAIN = 12
VOLTS_PER_COUNT = 2.42 / GAIN / (2**23 - 1)
ANSWER_TIMEOUT_S = 2.0
_TICK_NUMERATOR, _TICK_DENOMINATOR = 1_953_125, 64  # ns of a tick of 1/32768 s
_CLOCK_WRAP_NS = 512_000_000_000
OFF_ITS_TIME = "time stamp does not fit its arrival"
GONE_BACK = "time stamp repeated or gone back"
NOTHING_WHOLE = "no whole packet in it"


class ShimmerExg(BleSensor[EmgFrame]):
    """A Shimmer3R streaming both channels of its first EXG chip in 24 bits.

    ``address`` is the Bluetooth address or the advertised name (Shimmer3R-XXXX-BLE). ``seq`` counts samples
    by the device's clock, so a lost one shows as a jump. Its battery is not asked: the answer would come
    among data that has no frames.
    """

    def __init__(self, name: str, address: str, backend: BleBackend | None = None) -> None:
        super().__init__(name, address, backend)
        self._clock = DeviceClock(wrap=_CLOCK_WRAP_NS, tick_ns=1)
        self._splitter = shimmer.PacketSplitter(CHANNELS, DIVISOR)
        self._device_ns: int | None = None
        self._next_seq = 0
        self._t_ns = 0  # of the last sample
        self._streaming = False
        self._answer = bytearray()
        self._arrived = asyncio.Event()

    async def _start(self, link: BleLink) -> None:
        self._streaming = False
        self._splitter = shimmer.PacketSplitter(CHANNELS, DIVISOR)
        await link.notify(shimmer.NOTIFY, self._on_notification)
        await self._ask(link, bytes((Code.STOP,)))  # it may still stream for a host that has gone
        await self._ask(link, bytes((Code.STATUS_ACK, 0)))
        await self._ask(link, shimmer.set_rate(DIVISOR))
        await self._ask(link, bytes((Code.EXPANSION_POWER, 1)))
        for chip in (0, 1):
            await self._ask(link, shimmer.set_exg(chip, shimmer.emg_registers(chip, RATE_HZ)))
        await self._ask(link, shimmer.set_sensors(SENSOR_EXG1_24BIT))
        answer = await self._ask(link, bytes((Code.INQUIRY,)), _whole_inquiry)
        told = shimmer.unpack_inquiry(answer[1:])
        if (told.channels, told.divisor) != (CHANNELS, DIVISOR):
            listed = " ".join(f"{one:02x}" for one in told.channels)
            rate = f"{shimmer.rate_hz(told.divisor):g} Hz"
            what = f"streams channels {listed or 'none'} at {rate}, not those of an EXG unit"
            raise DeviceError(self.name, what, transient=False)
        rest = await self._ask(link, bytes((Code.START,)))
        self._streaming = True
        self._splitter.feed(rest)

    async def _stop(self, link: BleLink) -> None:
        self._streaming = False
        await link.write(shimmer.WRITE, bytes((Code.STOP,)))

    async def battery_percent(self) -> int | None:
        """Always ``None``."""
        return None

    async def _ask(
        self, link: BleLink, command: bytes, whole: Callable[[bytes], bool] = lambda _: True
    ) -> bytes:
        """Writes a command and waits for its acknowledgement, and for ``whole`` of what follows that."""
        self._answer.clear()
        await link.write(shimmer.WRITE, command)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                while True:
                    for at, byte in enumerate(self._answer):  # data of an earlier stream may hold one too
                        if byte == shimmer.ACK and whole(bytes(self._answer[at + 1 :])):
                            return bytes(self._answer[at + 1 :])
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            what = f"command {command[0]:02x}: no answer in {ANSWER_TIMEOUT_S:g} s"
            raise DeviceError(self.name, what, transient=True) from None

    def _on_notification(self, data: bytes, arrival_ns: int) -> None:
        if not self._streaming:
            self._answer += data
            self._arrived.set()
            return
        for frame in self.accept(data, arrival_ns):
            if frame.reason != NOTHING_WHOLE:
                self._put(frame)

    def _invalid(self, reason: str, arrival_ns: int) -> EmgFrame:
        seq = max(self._next_seq - 1, 0)
        return EmgFrame(self.name, arrival_ns, arrival_ns, seq, RATE_HZ, (), valid=False, reason=reason)

    def accept(self, data: bytes, arrival_ns: int) -> list[EmgFrame]:
        """A piece of the stream to a frame for each run of samples without a gap; never raises.

        Where the piece completes no packet, the frame is an invalid one that says so.
        """
        runs: list[list[tuple[int, tuple[int, ...]]]] = []
        for packet in self._splitter.feed(data):
            if runs and (packet[0] - runs[-1][-1][0]) % shimmer.STAMP_WRAP == DIVISOR:
                runs[-1].append(packet)
            else:
                runs.append([packet])
        if not runs:
            return [self._invalid(NOTHING_WHOLE, arrival_ns)]
        return [self._frame(run, arrival_ns) for run in runs]

    def _frame(self, run: list[tuple[int, tuple[int, ...]]], arrival_ns: int) -> EmgFrame:
        stamp_ns = run[-1][0] * _TICK_NUMERATOR // _TICK_DENOMINATOR
        mapped = self._clock.map(stamp_ns, arrival_ns)
        if mapped.doubtful:
            return self._invalid(OFF_ITS_TIME, arrival_ns)
        step = len(run)
        if self._device_ns is not None and not mapped.reset:
            step = round((mapped.device_ns - self._device_ns) / PERIOD_NS)
            if step < len(run):
                return self._invalid(GONE_BACK, arrival_ns)
        self._device_ns = mapped.device_ns
        seq = self._next_seq + step - len(run)
        self._next_seq = seq + len(run)
        volts = tuple((one * VOLTS_PER_COUNT, two * VOLTS_PER_COUNT) for _, (_, one, two) in run)
        # Where the clock has just learnt that its first arrivals were late, a frame begins where one ended.
        first_ns = max(mapped.t_ns - (len(run) - 1) * PERIOD_NS, min(self._t_ns, mapped.t_ns))
        self._t_ns = mapped.t_ns
        return EmgFrame(self.name, first_ns, arrival_ns, seq, RATE_HZ, volts, reason=mapped.reason)


def _whole_inquiry(answer: bytes) -> bool:
    if answer[:1] != bytes((Code.INQUIRY_RESPONSE,)):
        return False
    try:
        shimmer.unpack_inquiry(answer[1:])
    except ValueError:
        return False
    return True
