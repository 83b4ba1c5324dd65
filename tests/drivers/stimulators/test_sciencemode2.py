"""The ScienceMode2 codec gives the bytes of the vendor's description, and reads nothing but what was sent."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode import decode
from drivers.stimulators import sciencemode2 as sm2
from drivers.stimulators.framing import Frame
from drivers.stimulators.sciencemode2 import Command, ListPulse
from tests.data import REFERENCE, needs_reference

DEVICE = "hasomed-rehastim2-sm2"

# What each packet of the reference file means, as our call.
MEANINGS: dict[str, Callable[[], bytes]] = {
    "Init from device, version 1": lambda: sm2.encode(0, Command.INIT, b"\1"),
    "InitAck ok": lambda: sm2.encode(0, Command.INIT_ACK, b"\0"),
    "Watchdog": lambda: sm2.encode(1, Command.WATCHDOG),
    "InitChannelListMode ch1, IPI 8 ms, t1 25 ms": lambda: sm2.encode(
        3, Command.INIT_LIST, sm2.init_list((0,), 25.0)
    ),
    "StartChannelListMode single 300us 25mA": lambda: sm2.encode(
        4, Command.START_LIST, sm2.start_list((ListPulse(300, 25),))
    ),
    "SinglePulse ch0 300us 25mA": lambda: sm2.encode(6, Command.SINGLE_PULSE, sm2.single_pulse(0, 300, 25)),
    "Watchdog with stuffed packet number 15": lambda: sm2.encode(15, Command.WATCHDOG),
    "StimulationError electrode (-2)": lambda: sm2.encode(7, Command.STIMULATION_ERROR, b"\xfe"),
}
# Packets that a user of another library wrote down (oscarys/pyRehaStim, docs, CC-BY)
WRITTEN_DOWN = {
    "f0817f81560002000f": {"name": "InitAck", "result_text": "ok"},
    "f081768157010a0f": {"name": "GetStimulationMode", "packet_number": 1},
    "f08117815c021e000100000040010f": {
        "name": "InitChannelListMode", "channels": ["channel 1 (module A)"], "interval_ms": 33.0,
    },
    "f081e08153032000015e050f": {
        "name": "StartChannelListMode", "pulses": [{"group": "single", "width_us": 350, "current_ma": 5}],
    },
    "f0811d815704040f": {"name": "Watchdog", "packet_number": 4},
}  # fmt: skip


@needs_reference
def test_every_reference_packet_is_built_and_read() -> None:
    vectors = json.loads((REFERENCE / "protocol_vectors.json").read_text())
    mine = {v["name"]: v for v in vectors if v["device"] == DEVICE}
    assert set(mine) == set(MEANINGS)
    for name, vector in mine.items():
        assert MEANINGS[name]().hex() == vector["hex"], name
        decoded = decode(DEVICE, vector["hex"])
        assert {key: decoded[key] for key in vector["decoded"]} == vector["decoded"], name
        assert "problem" not in decoded


@pytest.mark.parametrize("packet_hex", WRITTEN_DOWN)
def test_packets_written_down_by_another_in_words(packet_hex: str) -> None:
    decoded = decode(DEVICE, packet_hex)
    assert {key: decoded[key] for key in WRITTEN_DOWN[packet_hex]} == WRITTEN_DOWN[packet_hex]


@pytest.mark.parametrize(
    ("packet_hex", "words"),
    [
        ("f081d08153032000015e050f", "crc: 85 announced, the bytes give b5"),  # a slip in the same page
        ("f081e58157025f0f", "command: 95"),  # a library that stuffs the command without 0x81
        ("f0815c8157010f0f", "raw 0f"),
        ("f0815c815601040f", "stop|raw|crc|length"),
        ("f05c815701040f", "header"),
        ("f0815c815701040f00", "9 were given"),
    ],
)
def test_erroneous_packets_are_refused(packet_hex: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode(DEVICE, packet_hex)


def test_results_and_errors_in_words() -> None:
    for result in (0, -1, -2, -3, -8):
        packet = sm2.encode(9, Command.SINGLE_PULSE + 1, result.to_bytes(1, "big", signed=True))
        told = sm2.decode(packet, None)
        assert (told["result"], told["result_text"]) == (result, sm2.RESULT_TEXT[result])
    told = sm2.decode(sm2.encode(9, Command.GET_MODE + 1, b"\0\2"), None)
    assert told["mode"] == "channel list running"
    assert "emergency" in str(sm2.decode(sm2.encode(9, 38, b"\xff"), None)["error_text"])


def test_what_is_out_of_range_is_refused_and_its_bounds_are_taken() -> None:
    sm2.single_pulse(7, 500, 130)
    sm2.single_pulse(0, 20, 0)
    sm2.single_pulse(0, 0, 0)
    for channel, width_us, current_ma in (
        (8, 300, 10),
        (-1, 300, 10),
        (0, 501, 10),
        (0, 19, 10),
        (0, 300, 131),
    ):
        with pytest.raises(ValueError, match="allowed"):
            sm2.single_pulse(channel, width_us, current_ma)
    for interval_ms in (7.5, 1025.5, float("nan")):
        with pytest.raises(ValueError, match="interval_ms"):
            sm2.init_list((0,), interval_ms)
    with pytest.raises(ValueError, match="69"):
        sm2.encode(0, 0, bytes(62))
    assert len(sm2.encode(0, 0, bytes(61))) == sm2.MAX_PACKET_BYTES


frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=30))


def _packet(frame: Frame) -> bytes:
    return sm2.encode(frame.packet_number, frame.command, frame.data)


@given(frames)
def test_round_trip(frame: Frame) -> None:
    assert sm2.decode_frame(_packet(frame)) == frame
    assert sm2.meaning(frame)["name"]


@given(st.lists(frames, max_size=5), st.data())
def test_frames_come_out_of_a_stream_cut_anywhere(sent: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(map(_packet, sent))
    marks = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    splitter = sm2.new_splitter()
    got = []
    for begin, end in zip([0, *marks], [*marks, len(stream)], strict=True):
        got += splitter.feed(stream[begin:end])
    assert got == sent
    assert (splitter.bad_frames, splitter.skipped_bytes) == (0, 0)


def test_a_header_that_holds_a_raw_start_or_stop_byte_is_read() -> None:
    """A checksum of 5A or A5 is stuffed into 0F or F0 as it always is."""
    trapped = [packet for n in range(256) for packet in [sm2.encode(n, 4)] if {0x0F, 0xF0} & {packet[2]}]
    assert trapped
    for packet in trapped:
        (frame,) = sm2.new_splitter().feed(packet)
        assert frame == sm2.decode_frame(packet)


@given(frames, st.data())
def test_a_flipped_bit_or_a_cut_yields_no_frame(frame: Frame, data: st.DataObject) -> None:
    packet = bytearray(_packet(frame))
    cut = data.draw(st.integers(0, len(packet) - 1))
    assert sm2.new_splitter().feed(bytes(packet[:cut])) == []
    bit = data.draw(st.integers(0, 8 * len(packet) - 1))
    packet[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match=r"^(start|header|length|stop|crc): "):
        sm2.decode_frame(bytes(packet))


@given(st.binary(max_size=100))
def test_garbage_never_raises_and_never_holds_back_a_frame_for_long(garbage: bytes) -> None:
    splitter = sm2.new_splitter()
    splitter.feed(garbage)
    assert Frame(1, 3, b"\0") in [
        out for _ in range(2) for out in splitter.feed(_packet(Frame(1, 3, b"\0")) * 9)
    ]
