"""Stimulators known by their bytes alone: their vectors both ways, erroneous bytes, and no session."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.config.session import load_session
from controller.errors import ConfigError
from drivers.catalogue import REFUSED, STIMULATORS
from drivers.catalogue_stimulators import BY_BYTES_ALONE
from drivers.decode import decode
from drivers.stimulators import motimove8, openemsstim
from tests.data import REFERENCE, needs_reference

QUIET = (0,) * 7
MEANINGS: dict[tuple[str, str], Callable[[], bytes]] = {
    (
        "motimove8",
        "pulse-by-pulse: T 40 ms, 100 %, ch1 20 mA 300 us, others 0 mA/100 us, prescaler 1, HV on",
    ): lambda: motimove8.encode(motimove8.Pulses(40, 100, (20, *QUIET), (300,) + (100,) * 7)),
    ("motimove8", "train start"): lambda: motimove8.encode_train(start=True),
    ("motimove8", "train stop"): lambda: motimove8.encode_train(start=False),
    ("openemsstim", "both fields max, ch0 1 s"): lambda: openemsstim.encode(0, 100, 1000),
    ("openemsstim", "ch1 zero intensity 50 ms"): lambda: openemsstim.encode(1, 0, 50),
    ("openemsstim", "stop ch0"): lambda: openemsstim.encode(0, 0, 0),
}


@needs_reference
def test_every_reference_vector_is_built_and_read() -> None:
    vectors = json.loads((REFERENCE / "protocol_vectors.json").read_text())
    mine = {(v["device"], v["name"]): v for v in vectors if v["device"] in REFUSED}
    assert set(mine) == set(MEANINGS)
    for name, vector in mine.items():
        assert MEANINGS[name]().hex() == vector["hex"], name
        decoded = decode(vector["device"], vector["hex"], vector["channel"])
        assert {key: decoded[key] for key in vector["decoded"]} == vector["decoded"], name


def test_openemsstim_tells_a_share_of_an_external_unit_and_what_the_firmware_cuts() -> None:
    told = openemsstim.decode(openemsstim.encode(1, 40, 6000), openemsstim.CHARACTERISTIC)
    assert told["intensity_percent_of_external_unit"] == 40
    assert (told["channel"], told["time_ms"], told["on_time_ms"]) == (1, 6000, 5000)
    usb = openemsstim.over_usb(b"C0I100T1000G")
    assert usb == b"WV,001C,433049313030543130303047.\n"  # the firmware's own form
    assert openemsstim.decode(usb, None)["command"] == "C0I100T1000G"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"C2I50T100G", "channel: found 2, allowed: 0 to 1"),  # writes out of bounds
        (b"C0I101T100G", "intensity_percent: found 101"),
        (b"C0I50T32768G", "time_ms: found 32768, allowed: 0 to 32767"),  # overflows
        (b"C0I50T100", "must be like"),
        (b"C0I-5T100G", "must be like"),
        (b"OMA[1]", "must be like"),
        (b"\xff", "not ASCII"),
        (b"", "must be like"),
    ],
)
def test_openemsstim_commands_that_harm_or_mean_nothing_are_refused(text: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("[", "\\[")):
        openemsstim.decode(text, None)
    assert openemsstim.decode(b"C1I100T32767G", None)["on_time_ms"] == 5000


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("ff2c032c022c05", "length: 44 announced, 6"),  # the commas of a public constant
        ("ff030206", "sum: 06 announced, the bytes give 05"),
        ("ff03040700", "length"),
        ("ff030407", "type: 04"),
        ("fe030205", "start: found fe"),
        ("ff0302", "length"),
        ("ff", "length"),
        ("", "nothing"),
    ],
)
def test_motimove_messages_with_an_error_are_refused(message: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        motimove8.decode(bytes.fromhex(message), None)


def test_motimove_bounds() -> None:
    def made(**changes: object) -> bytes:
        plain: dict[str, object] = {
            "period_ms": 25, "intensity_percent": 100, "currents_ma": (0,) * 8, "widths_us": (0,) * 8,
        }  # fmt: skip
        return motimove8.encode(motimove8.Pulses(**(plain | changes)))  # type: ignore[arg-type]

    for good in (
        {"period_ms": 10}, {"period_ms": 254}, {"currents_ma": (170,) * 8}, {"widths_us": (1000,) * 8},
        {"currents_ma": (100,) * 8, "simultaneous": True}, {"doublet_interval_us": 2700},
    ):  # fmt: skip
        assert motimove8.decode(made(**good), None)["name"] == "pulse by pulse"
    for bad in (
        {"period_ms": 9}, {"period_ms": 255}, {"currents_ma": (171,) * 8}, {"widths_us": (1001,) * 8},
        {"currents_ma": (101,) * 8, "simultaneous": True}, {"doublet_interval_us": 2600},
        {"currents_ma": (0,) * 7}, {"intensity_percent": 101}, {"sensor": 3}, {"high_voltage": -1},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="allowed"):
            made(**bad)


@given(st.binary(max_size=40))
def test_any_bytes_give_values_or_a_named_reason(data: bytes) -> None:
    for read in (openemsstim.decode, motimove8.decode):
        name: object = "refused"
        with contextlib.suppress(ValueError):
            name = read(data, None)["name"]
        assert name


@pytest.mark.parametrize("name", sorted(device.name for device in BY_BYTES_ALONE))
def test_a_session_that_names_one_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    assert name not in STIMULATORS
    text = (Path("configs/sessions/demo.toml")).read_text().replace("hasomed-p24", name)
    (tmp_path / "session.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_session(tmp_path / "session.toml")
    (line,) = [line for line in caught.value.problems if "stimulator.device" in line]
    assert REFUSED[name].refused in line
    assert "'hasomed-p24'" in line
