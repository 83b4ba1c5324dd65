"""What the P24 measures of a pulse, load or charge that arrives; an independent library reads the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.interface import MeasuredPulse, Quantity
from drivers.stimulators import sciencemode4 as sm4
from drivers.stimulators.measured import measured_pulse
from drivers.stimulators.p24 import P24
from tests.drivers.contract_stimulator import notices_until
from tests.drivers.stimulators.served import ServedP24

WAVE = [20.0] * 40 + [0.1] * 10 + [20.0] * 40 + [0.0] * 38


def test_load_is_voltage_over_current_and_charge_the_current_that_came() -> None:
    volts = measured_pulse("voltage", [1.5 * one for one in WAVE], 20.0, 300.0, 1)
    assert volts == MeasuredPulse(20.0, 300.0, 1, 6.0, None, pytest.approx(1500.0))
    current = measured_pulse("current", [0.5 * one for one in WAVE], 20.0, 300.0, 2)
    assert current == MeasuredPulse(20.0, 300.0, 2, 12.0, pytest.approx(6.0), None)


@pytest.mark.parametrize(
    ("samples", "current_ma"),
    [([], 20.0), ([0.0] * 128, 20.0), ([20.0, 20.0], 20.0), (WAVE, 1.5), (WAVE, 0.0)],
)
def test_too_little_tells_nothing(samples: list[float], current_ma: float) -> None:
    assert measured_pulse("voltage", samples, current_ma, 300.0, 1) is None


@pytest.fixture
def served() -> Iterator[ServedP24]:
    device = ServedP24()
    yield device
    device.close()


@pytest.mark.parametrize(
    ("quantity", "load_ohm", "found"),
    [
        ("voltage", 1500.0, (None, 1500.0)),
        (
            "voltage",
            10_000.0,
            (None, 7500.0),
        ),  # 150 V drive no more than 15 of 20 mA: the load is at least that
        ("current", 1500.0, (6.0, None)),
        ("current", 10_000.0, (4.5, None)),
        (None, 1500.0, None),
    ],
)
def test_the_driver_tells_it_with_the_acknowledgement(
    served: ServedP24,
    quantity: Quantity | None,
    load_ohm: float,
    found: tuple[float | None, float | None] | None,
) -> None:
    served.device.load_ohm = lambda _t_ns, _channel: load_ohm
    driver = P24(served.device.port, measure=quantity, ack_timeout_ms=5000.0)
    try:
        driver.open()
        driver.pulse(2, 20.2, 300.9)  # cut down to 20 mA and 300 us
        (notice,) = notices_until(driver, bool)
    finally:
        driver.close()
    assert (notice.fault, notice.code) == (False, 0)
    if found is None:
        assert notice.measured is None
    else:
        assert notice.measured == MeasuredPulse(
            20.0, 300, 1, 6.0, *(one and pytest.approx(one) for one in found)
        )


def test_a_refused_pulse_tells_nothing(served: ServedP24) -> None:
    served.device.loose_electrodes.add(0)
    driver = P24(served.device.port, measure="voltage", ack_timeout_ms=5000.0)
    try:
        driver.open()
        driver.pulse(0, 20.0, 300.0)
        (notice,) = notices_until(driver, bool)
    finally:
        driver.close()
    assert (notice.code, notice.measured) == (10, None)


def test_hasomeds_library_reads_the_same_samples() -> None:
    low_level = pytest.importorskip("science_mode_4.low_level.low_level_channel_config")
    data = bytes((0, 0x12, 2)) + (6).to_bytes(2, "big")
    data += b"".join(round(100 * one).to_bytes(2, "big") for one in WAVE)
    theirs = low_level.PacketLowLevelChannelConfigAck(data)
    ours = sm4.read_reply(sm4.new_splitter().feed(sm4.encode(1, 3, data))[0])
    assert isinstance(ours, sm4.ChannelConfigured)
    assert ours.channel == 6
    assert list(ours.samples) == pytest.approx(theirs.measurement_samples)
    assert list(ours.samples) == pytest.approx(WAVE)
    assert ours.sampling_us == theirs.sampling_time_in_microseconds == 6
