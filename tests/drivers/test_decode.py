"""`dorsi decode`: bytes written as people write them, characteristics by four digits, devices by name."""

from __future__ import annotations

import json

import pytest

from drivers.catalogue import DECODERS
from drivers.decode import bytes_of, decode, full_uuid
from tests.data import REFERENCE, needs_reference


@pytest.mark.parametrize(
    "written",
    [
        "f0 81 55", "F08155", "0xf08155", "0xF0 0x81 0x55", "f0:81:55", " f0-81-55\n", "0xf0,0x81,0x55",
        "F0\t81  55",
    ],
)  # fmt: skip
def test_bytes_as_people_write_them(written: str) -> None:
    assert bytes_of(written) == bytes((0xF0, 0x81, 0x55))


@pytest.mark.parametrize("written", ["f", "f0 8 1 55", "0xf0 81 5", "f0_81", "g0", "0x0xf0"])
def test_what_is_no_pair_of_digits_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="pairs of hexadecimal digits"):
        bytes_of(written)


@needs_reference
def test_four_digits_name_a_characteristic_as_its_whole_uuid_does() -> None:
    vectors = json.loads((REFERENCE / "protocol_vectors.json").read_text())
    named = {(v["device"], v["channel"]) for v in vectors if v["channel"] and v["device"] in DECODERS}
    assert len(named) > 8
    for device, channel in named:
        if not channel.startswith("beb5483e"):  # its UUIDs have no common base
            assert full_uuid(device, channel[4:8].upper()) == channel
            assert full_uuid(device, f"0x{channel[4:8]}") == channel
        assert full_uuid(device, channel) == channel
    raw = "000400fe00014001c0ff2000a00060ff2003"
    assert decode("thingy52", raw, "0406")["acc_g"] == [1.0, -0.5, 0.25]
    assert decode("thingy52", "57", "2a19") == {"level_percent": 87}  # Bluetooth's own number


def test_an_unknown_device_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="toaster") as caught:
        decode("toaster", "00")
    assert all(name in str(caught.value) for name in DECODERS)
