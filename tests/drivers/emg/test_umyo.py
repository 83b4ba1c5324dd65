"""uMyo: its advertisement as the maker's library reads it; erroneous ones are refused, sessions too."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.config.session import load_session
from controller.errors import ConfigError
from drivers.catalogue import REFUSED
from drivers.decode import decode

# adc 7, battery 190: 3900 mV; bands 300, 200, 100, 50; w 0.5, x -0.5, y 0.5, z -0.5 in high bytes
BODY = bytes((7, 190)) + struct.pack(">4hh3b", 300, 200, 100, 50, 16384, -64, 64, -64)
TOLD = {
    "adc_id": 7,
    "battery_mv": 3900,
    "spectrum": [300, 200, 100, 50],
    "level": 200,
    "quat_wxyz": [0.5, -0.5, 0.5, -0.5],
}
ADVERTISEMENT = b"\x02\x01\x06" + b"\x08\x08uMyo v2" + bytes((1 + len(BODY), 0xFF)) + BODY


def test_an_advertisement_and_its_data_alone_are_read() -> None:
    assert decode("umyo", BODY.hex()) == TOLD
    assert decode("umyo", ADVERTISEMENT.hex()) == {"name": "uMyo v2"} | TOLD


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (BODY[:-1], "14 bytes, must be 15"),
        (ADVERTISEMENT[:-1], "must be 15"),
        (ADVERTISEMENT.replace(b"uMyo", b"iMyo"), "must begin with uMyo"),
        (b"", "0 bytes"),
        (b"\x02\xff\x01", "no name"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode("umyo", data.hex())


@given(st.binary(max_size=40))
def test_any_bytes_give_values_or_a_named_reason(data: bytes) -> None:
    reason = ""
    try:
        assert decode("umyo", data.hex())["battery_mv"]
    except ValueError as error:
        reason = str(error)
    assert not reason or reason.startswith("umyo: ")


def test_a_session_that_names_it_is_refused_with_the_reason(tmp_path: Path) -> None:
    text = Path("configs/sessions/demo.toml").read_text().replace('device = "myo"', 'device = "umyo"')
    (tmp_path / "session.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_session(tmp_path / "session.toml")
    (line,) = [line for line in caught.value.problems if "device" in line]
    assert REFUSED["umyo"].refused in line
