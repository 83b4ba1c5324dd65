"""An LSL stream of the virtual body, by liblsl itself: movement or EMG. Needs the extra ``lsl``."""

from __future__ import annotations

from typing import Literal

from drivers.devices import Body
from drivers.emulated.sampling import sample
from drivers.links.lsl_inlet import library

IMU_RATE_HZ, EMG_RATE_HZ = 100.0, 500.0
EMG_CHUNK = 10
EMG_CHANNELS = 8
CHANNELS = {
    "imu": [*((f"acc_{axis}", "m/s^2") for axis in "xyz"), *((f"gyr_{axis}", "rad/s") for axis in "xyz")],
    "emg": [(f"emg_{number}", "microvolts") for number in range(EMG_CHANNELS)],
}


class EmulatedLslStream:
    """Announces itself and sends while ``run`` runs; its stamps are ``ahead_s`` of this host's clock."""

    def __init__(self, name: str, body: Body, kind: Literal["imu", "emg"], *, ahead_s: float = 0.0) -> None:
        self.name = name
        self.ahead_s = ahead_s
        self._body = body
        self._kind = kind

    async def run(self) -> None:
        lsl = library(self.name)
        rate_hz = IMU_RATE_HZ if self._kind == "imu" else EMG_RATE_HZ
        channels = CHANNELS[self._kind]
        source, kind = f"dorsi-virtual-{self.name}", self._kind.upper()
        info = lsl.StreamInfo(self.name, kind, len(channels), rate_hz, lsl.cf_double64, source)
        listed = info.desc().append_child("channels")
        for label, unit in channels:
            channel = listed.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
        outlet = lsl.StreamOutlet(info)
        samples = 1 if self._kind == "imu" else EMG_CHUNK
        period_ns = round(1e9 * samples / rate_hz)

        def send(_count: int, due_ns: int) -> None:
            rows = self._rows(due_ns, samples, 1e9 / rate_hz)
            if rows:
                outlet.push_chunk(rows, due_ns / 1e9 + self.ahead_s)

        await sample(send, lambda count: count * period_ns)

    def _rows(self, due_ns: int, samples: int, step_ns: float) -> list[list[float]]:
        rows = []
        for place in range(samples):
            instant_ns = due_ns - round((samples - 1 - place) * step_ns)
            if self._kind == "imu":
                moved = self._body.imu(instant_ns)
                values = None if moved is None else [*moved[1], *moved[2]]
            else:
                volts = self._body.emg(instant_ns)
                values = None if volts is None else [1e6 * volt for volt in volts]
                if values is not None:
                    values = (values + [0.0] * EMG_CHANNELS)[:EMG_CHANNELS]
            if values is not None:
                rows.append(values)
        return rows
