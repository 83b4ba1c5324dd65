"""What advertises is told with the device it is: by the rules alone, and over the virtual radio."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.commands import doctor
from controller.commands.scan import scan, table_of
from drivers.catalogue import REFUSED, SENSORS
from drivers.emulated.dot import EmulatedDot
from drivers.emulated.myo import EmulatedMyo
from drivers.emulated.npg_lite import EmulatedNpgLite
from drivers.emulated.radio import VirtualRadio
from drivers.interface import DeviceError
from drivers.links.ble_scan import Advertisement
from drivers.links.bumble_backend import bumble_backend
from drivers.scan import BATTERY_SERVICE, Nearby, Nearness, device_of
from tests.drivers.emg.test_umyo import BODY

# names as their makers give them, by the sources of each codec
NAMES = {
    "Movella DOT": "movella-dot", "Xsens DOT": "movella-dot", "IMU_1a2b3c": "capture2go",
    "WT901BLE67": "witmotion-wt901ble", "MetaWear": "mbientlab-metamotion", "Thingy": "thingy52",
    "Movesense 174630000192": "movesense", "Ganglion-5fe8": "openbci-ganglion",
    "gForcePro+(1A2B)": "oymotion-gforcepro", "NPG-LITE-3CH:1A:2B": "npg-lite",
    "Shimmer3R-1A2B-BLE": "shimmer3r-exg", "uMyo v2": "umyo", "": "", "My Movella DOT": "", "TV": "",
}  # fmt: skip


def told(
    name: str = "",
    *,
    services: tuple[str, ...] = (),
    makers: dict[int, bytes] | None = None,
    data: dict[str, bytes] | None = None,
) -> Advertisement:
    return Advertisement("C0:00:00:00:00:01", name, -60, services, makers or {}, data or {})


@pytest.mark.parametrize("name", NAMES)
def test_a_name_tells_the_device(name: str) -> None:
    assert device_of(told(name)) == NAMES[name]


def test_a_service_says_more_than_a_name_and_a_name_more_than_a_maker() -> None:
    myo = SENSORS["myo"].advertised.services
    assert device_of(told("Movella DOT", services=myo)) == "myo"
    assert device_of(told("Thingy", makers={0x0886: b""})) == "thingy52"
    assert device_of(told("foot", makers={0x0886: b""})) == "movella-dot"
    assert device_of(told("TEST1", services=REFUSED["openemsstim"].advertised.services)) == "openemsstim"  # type: ignore[union-attr]


def test_no_two_devices_share_a_rule() -> None:
    rules = [device.advertised for device in (*SENSORS.values(), *REFUSED.values()) if device.advertised]
    for one in ("names", "services", "makers"):
        every = [value for rule in rules for value in getattr(rule, one)]
        assert len(every) == len(set(every))
    for name, device in NAMES.items():
        fitting = [rule for rule in rules if any(name.startswith(first) for first in rule.names)]
        assert len(fitting) == bool(device)


def last(*heard: Advertisement) -> Nearby:
    nearness = Nearness()
    for count, one in enumerate(heard):
        nearness.take(one, count)
    (nearby,) = nearness.table()
    return nearby


def test_a_battery_is_told_where_the_advertisement_has_it_and_kept() -> None:
    assert last(told("x", data={BATTERY_SERVICE: b"\x57"})).battery == "87 %"
    assert last(told("x", data={BATTERY_SERVICE: b"\xff"})).battery == ""
    maker = int.from_bytes(BODY[:2], "little")  # where others have the company's number
    assert last(told("uMyo v2", makers={maker: BODY[2:]})).battery == "3900 mV"
    assert last(told("uMyo v2", makers={1: b""})).battery == ""
    rude = "[red]\x1b[2Jx"  # whoever advertises chooses the name
    (cell,) = table_of([last(told(rude))], 0).columns[1].cells
    assert str(cell) == "[red][2Jx"
    kept = last(told("uMyo v2", makers={maker: BODY[2:]}), told(""))
    assert (kept.name, kept.device, kept.battery, kept.heard) == ("uMyo v2", "umyo", "3900 mV", 2)


async def test_the_virtual_radios_devices_are_found_by_what_they_advertise() -> None:
    async def heard() -> list[Nearby]:
        async with VirtualRadio() as radio:
            await radio.add(EmulatedDot(lambda _t: None, name="left foot"))
            await radio.add(EmulatedMyo(lambda _t: None, lambda _t: None, name="arm"))
            await radio.add(EmulatedNpgLite(lambda _t: None, name="plain"))
            backend = bumble_backend(radio.hci_address)
            try:
                return await scan(0.5, seen.append, backend)
            finally:
                await backend.aclose()

    seen: list[list[Nearby]] = []
    found = {one.name: one.device for one in (await heard())}
    assert found == {"left foot": "movella-dot", "arm": "myo", "plain": ""}
    assert len(seen) >= 3
    table = table_of(seen[-1], seen[-1][0].last_ns)
    assert [column.header for column in table.columns][:3] == ["device", "name", "address"]
    assert table.row_count == 3


async def test_no_radio_at_the_address_is_named() -> None:
    async def heard() -> list[Nearby]:
        return await scan(0.5, lambda _: None, bumble_backend("tcp-client:127.0.0.1:1"))

    with pytest.raises(DeviceError, match="no radio at"):
        await heard()


def test_without_an_adapter_it_says_so_and_scans_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = doctor.bluetooth(tmp_path)
    monkeypatch.setattr(doctor, "bluetooth", lambda: nowhere)
    told = CliRunner().invoke(app, ["scan"])
    assert told.exit_code == 2
    assert "refused: no Bluetooth adapter: plug in" in told.stderr
