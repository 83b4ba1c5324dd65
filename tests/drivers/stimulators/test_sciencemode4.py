"""The ScienceMode4 codec gives the vendor's bytes, and nothing but what was sent comes out of it."""

from __future__ import annotations

import json
import math
from binascii import crc_hqx
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.stimulators import sciencemode4 as sm4
from drivers.stimulators import sciencemode4_words as words
from drivers.stimulators.framing import Frame
from drivers.stimulators.sciencemode4 import Command, MidLevelChannel, Point, new_splitter
from tests.data import REFERENCE, needs_reference


@dataclass(frozen=True, slots=True)
class Vector:
    name: str
    packet: bytes
    decoded: dict[str, object]
    direction: str


def _vectors() -> list[Vector]:
    path = REFERENCE / "protocol_vectors.json"
    if not path.is_file():
        return []
    return [
        Vector(v["name"], bytes.fromhex(v["hex"]), v["decoded"], v["dir"])
        for v in json.loads(path.read_text())
        if v["device"] == "hasomed-sm4"
    ]


VECTORS = _vectors()
every_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.name)

VENDOR_PULSE = (Point(200, 20.0), Point(100, 0.0), Point(200, -20.0))

# What each request of the reference file means, in the vendor's words, as our call.
MEANINGS: dict[str, Callable[[], bytes]] = {
    "GetBatteryStatus pn=2": lambda: sm4.encode(2, Command.BATTERY),
    "GetStimStatus pn=3": lambda: sm4.encode(3, Command.STIM_STATUS),
    "Reset pn=5": lambda: sm4.encode(5, Command.RESET),
    "GetVersionStim pn=7": lambda: sm4.encode(7, Command.VERSION_STIM),
    "LlInit pn=0 meas=none hv=default": lambda: sm4.encode(0, Command.LL_INIT, sm4.ll_init()),
    "LlChannelConfig pn=1 blue/yellow 200us+20mA,100us 0,200us-20mA (vendor example test_single_pulse)": (
        lambda: sm4.encode(
            1, Command.LL_CHANNEL_CONFIG, sm4.ll_channel_config(1, sm4.biphasic_points(20.0, 200.0))
        )
    ),
    "LlChannelConfig pn=63 red/green 300us +25.5,300us -25.5": lambda: sm4.encode(
        63, Command.LL_CHANNEL_CONFIG, sm4.ll_channel_config(4, (Point(300, 25.5), Point(300, -25.5)))
    ),
    "LlChannelConfig vendor test 'complete' pn=46 black/green 16pts t=2i I=-2.5i interp=1": lambda: (
        sm4.encode(
            46,
            Command.LL_CHANNEL_CONFIG,
            sm4.ll_channel_config(6, [Point(2 * i, -2.5 * i, 1) for i in range(16)]),
        )
    ),
    "LlChannelConfig vendor test 'minimal' pn=24 no-stim white/green n=16": lambda: sm4.encode(
        24, Command.LL_CHANNEL_CONFIG, sm4.ll_channel_config(7, [Point(0, 0.0)] * 16, execute=False)
    ),
    "MlInit pn=0 stop_all=0": lambda: sm4.encode(0, Command.ML_INIT, sm4.ml_init()),
    "MlInit vendor test pn=45 stop_all=1": lambda: sm4.encode(
        45, Command.ML_INIT, sm4.ml_init(stop_all_on_error=True)
    ),
    "MlUpdate vendor test minimal pn=40 no channels": lambda: sm4.encode(
        40, Command.ML_UPDATE, sm4.ml_update({})
    ),
    "MlUpdate vendor example pn=1 red ramp3 period20ms": lambda: sm4.encode(
        1, Command.ML_UPDATE, sm4.ml_update({0: MidLevelChannel(20.0, VENDOR_PULSE, ramp_pulses=3)})
    ),
    "MlUpdate pn=2 ch0 28.75ms(double acc) ramp3 + ch4 25ms ramp0, same 3 pts": lambda: sm4.encode(
        2,
        Command.ML_UPDATE,
        sm4.ml_update({4: MidLevelChannel(25.0, VENDOR_PULSE), 0: MidLevelChannel(28.75, VENDOR_PULSE, 3)}),
    ),
    "MlUpdate vendor test one_channel pn=44": lambda: sm4.encode(
        44, Command.ML_UPDATE, sm4.ml_update({2: MidLevelChannel(16000.0, (Point(2000, -122.5),) * 2, 3)})
    ),
    "MlGetCurrentData pn=40 sel=4": lambda: sm4.encode(
        40, Command.ML_GET_CURRENT_DATA, sm4.ml_get_current_data()
    ),
    "MlStop pn=3": lambda: sm4.encode(3, Command.ML_STOP),
    "TRAP MlGetCurrentData pn=10 sel=4 (f0 inside header)": lambda: sm4.encode(
        10, Command.ML_GET_CURRENT_DATA, sm4.ml_get_current_data(4)
    ),
}

RUNNING_0_AND_4 = (True, False, False, False, True, False, False, False)

# What each answer of the reference file means.
REPLIES: dict[str, sm4.Reply] = {
    "LlInitAck pn=0 ok": sm4.Acknowledged(0),
    "LlChannelConfigAck pn=1 ok blue/yellow none": sm4.ChannelConfigured(0, 1, 0),
    "LlChannelConfigAck pn=63 ElectrodeError red/green": sm4.ChannelConfigured(10, 4, 0),
    "LlStopAck pn=2 ok": sm4.Acknowledged(0),
    "MlInitAck pn=0 ok": sm4.Acknowledged(0),
    "MlUpdateAck pn=1 ok": sm4.Acknowledged(0),
    "MlUpdateAck pn=1 ParameterError": sm4.Acknowledged(2),
    "LlStopAck pn=2 NotInitialized": sm4.Acknowledged(7),
    "ResetAck pn=5": sm4.Acknowledged(0),
    "MlGetCurrentDataAck pn=40 sel=4 running ch0,ch4; err ch1=electrode ch3=lowcurrent ch6=timeout": (
        sm4.CurrentData(0, RUNNING_0_AND_4, (0, 1, 0, 3, 0, 0, 2, 0))
    ),
    "MlGetCurrentDataAck pn=40 sel=2 running, electrode err ch2": sm4.Acknowledged(0),
    "GetDeviceIdAck pn=1 '1234567890'": sm4.DeviceId(0, "1234567890"),
    "GetBatteryStatusAck pn=2 87% 3912mV": sm4.Battery(0, 87, 3912),
    "GetStimStatusAck pn=3 ML running HV=150V": sm4.StimStatus(0, 3, 6),
    "GetExtendedVersionAck pn=4 fw1.2.3 sm4.0.1 hash deadbeef git valid": sm4.ExtendedVersion(
        0, (1, 2, 3), (4, 0, 1), 0xDEADBEEF, 1, True
    ),
    "TRAP MlStopAck pn=58 ok (0f inside header)": sm4.Acknowledged(0),
    "TRAP MlGetCurrentDataAck pn=18 sel=4 running ch0,ch4 (0f inside header)": sm4.CurrentData(
        0, RUNNING_0_AND_4, (0,) * 8
    ),
    "TRAP MlGetCurrentDataAck pn=16 sel=4 running ch0,ch4 (f0 inside header)": sm4.CurrentData(
        0, RUNNING_0_AND_4, (0,) * 8
    ),
}


@needs_reference
def test_every_vendor_packet_is_covered_by_a_meaning() -> None:
    assert {v.name for v in VECTORS if v.direction == "tx"} == set(MEANINGS)
    assert {v.name for v in VECTORS if v.direction == "rx"} == set(REPLIES)


@every_vector
def test_vendor_packet_decodes_to_its_values(vector: Vector) -> None:
    decoded = words.decode(vector.packet, None)
    assert {key: decoded[key] for key in vector.decoded} == vector.decoded
    assert "problem" not in decoded


# Three packets of the reference file in words, by hand from the library's headers.
WORDS: dict[str, dict[str, object]] = {
    "f08155814c811681e90402a20c8550000644b0000c8410000f": {
        "name": "LlChannelConfig",
        "channel": "channel 1 (blue, yellow connector)",
        "execute": True,
        "points": [
            {"time_us": 200, "current_ma": 20.0},
            {"time_us": 100, "current_ma": 0.0},
            {"time_us": 200, "current_ma": -20.0},
        ],
    },
    "f08155815a81be8146fc030a10000f": {
        "name": "LlChannelConfigAck",
        "result_text": sm4.RESULT_TEXT[10],
        "channel": "channel 4 (red, green connector)",
    },
    "f08155814681288127a025000411103000020f": {
        "name": "MlGetCurrentDataAck",
        "result_text": "ok",
        "running": ["channel 0 (red, yellow connector)", "channel 4 (red, green connector)"],
        "channel_states": ["ok", "electrode error", "ok", "low current", "ok", "ok", "timeout", "ok"],
    },
    "f08155817e81f081d00820112300e70c8550000644b0000c8410002000640c8550000644b0000c8410000f": {
        "name": "MlUpdate",
        "channels": [
            {
                "channel": name,
                "ramp_pulses": ramp,
                "period_ms": period_ms,
                "points": [
                    {"time_us": 200, "current_ma": 20.0},
                    {"time_us": 100, "current_ma": 0.0},
                    {"time_us": 200, "current_ma": -20.0},
                ],
            }
            for name, ramp, period_ms in (
                ("channel 0 (red, yellow connector)", 3, 28.75),
                ("channel 4 (red, green connector)", 0, 25.0),
            )
        ],
    },
}


@pytest.mark.parametrize("packet_hex", WORDS)
def test_a_packet_in_words(packet_hex: str) -> None:
    decoded = words.decode(bytes.fromhex(packet_hex), None)
    assert {key: decoded[key] for key in WORDS[packet_hex]} == WORDS[packet_hex]


@pytest.mark.parametrize("command", sorted(Command))
def test_a_packet_cut_within_its_data_tells_its_problem_and_never_raises(command: Command) -> None:
    whole = {
        Command.LL_CHANNEL_CONFIG: sm4.ll_channel_config(1, VENDOR_PULSE),
        Command.ML_UPDATE: sm4.ml_update({4: MidLevelChannel(25.0, VENDOR_PULSE)}),
        Command.LL_INIT: sm4.ll_init(),
        Command.ML_INIT: sm4.ml_init(),
        Command.ML_GET_CURRENT_DATA: sm4.ml_get_current_data(),
    }.get(command, b"")
    assert "problem" not in words.meaning(Frame(0, command, whole))
    for cut in range(len(whole)):
        assert "problem" in words.meaning(Frame(0, command, whole[:cut])), cut
    assert "problem" in words.meaning(Frame(0, command + 1, b""))  # an answer says at least its result


@given(st.integers(0, 1023), st.binary(max_size=40))
def test_any_data_of_any_command_is_told_in_words(command: int, data: bytes) -> None:
    assert words.meaning(Frame(0, command, data))["name"]


@every_vector
def test_vendor_packet_is_rebuilt_from_its_values(vector: Vector) -> None:
    frame = sm4.decode_frame(vector.packet)
    assert sm4.encode(frame.packet_number, frame.command, frame.data) == vector.packet


@every_vector
def test_vendor_packet_is_built_or_read_from_its_meaning(vector: Vector) -> None:
    if vector.direction == "tx":
        assert MEANINGS[vector.name]() == vector.packet
    else:
        assert sm4.read_reply(sm4.decode_frame(vector.packet)) == REPLIES[vector.name]


@every_vector
def test_vendor_packet_survives_the_splitter_byte_by_byte(vector: Vector) -> None:
    splitter = new_splitter()
    frames = [frame for byte in vector.packet for frame in splitter.feed(bytes((byte,)))]
    assert frames == [sm4.decode_frame(vector.packet)]
    assert (splitter.bad_frames, splitter.skipped_bytes) == (0, 0)


def test_checksum_is_xmodem() -> None:
    assert crc_hqx(b"123456789", 0) == 0x31C3  # the published check value of CRC-16/XMODEM


# --- the raw delimiters in the header ---


def test_every_checksum_byte_passes_the_splitter() -> None:
    """A checksum byte of 5a or a5 puts a raw 0f or f0 into the header; none of the 256 values may matter."""
    seen_high: set[int] = set()
    seen_low: set[int] = set()
    stream = b""
    sent: list[Frame] = []
    for value in range(3000):
        frame = Frame(value % 64, 2, value.to_bytes(2, "big"))
        packet = sm4.encode(frame.packet_number, frame.command, frame.data)
        fresh = {packet[6] ^ 0x55} - seen_high or {packet[8] ^ 0x55} - seen_low
        seen_high.add(packet[6] ^ 0x55)
        seen_low.add(packet[8] ^ 0x55)
        if fresh:
            stream += packet
            sent.append(frame)
    assert len(seen_high) == len(seen_low) == 256
    splitter = new_splitter()
    assert splitter.feed(stream) == sent
    assert splitter.bad_frames == 0


@pytest.mark.parametrize("length", [90, 165])  # low length byte 5a or a5: raw 0f or f0 at offset 4
def test_lengths_that_put_a_delimiter_into_the_header(length: int) -> None:
    packet = sm4.encode(1, 2, bytes(length - 12))
    assert len(packet) == length
    assert packet[4] in (0x0F, 0xF0)
    assert new_splitter().feed(packet * 3) == [Frame(1, 2, bytes(length - 12))] * 3


def test_a_whole_frame_after_a_cut_one_is_not_lost() -> None:
    packet = sm4.encode(9, Command.LL_CHANNEL_CONFIG, sm4.ll_channel_config(0, VENDOR_PULSE))
    for cut in range(1, len(packet)):
        splitter = new_splitter()
        assert splitter.feed(packet[:cut] + packet) == [sm4.decode_frame(packet)], cut
        assert splitter.bad_frames >= 1


# --- properties ---

frames = st.builds(Frame, st.integers(0, 63), st.integers(0, 1023), st.binary(max_size=60))


def _packet(frame: Frame) -> bytes:
    return sm4.encode(frame.packet_number, frame.command, frame.data)


@given(frames)
def test_round_trip(frame: Frame) -> None:
    assert sm4.decode_frame(_packet(frame)) == frame


@given(st.lists(st.one_of(frames.map(_packet), st.binary(max_size=30)), max_size=5), st.data())
def test_cutting_the_stream_changes_nothing(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    whole, cut = new_splitter(), new_splitter()
    expected = whole.feed(stream)
    marks = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    got = []
    for begin, end in zip([0, *marks], [*marks, len(stream)], strict=True):
        got += cut.feed(stream[begin:end])
    assert got == expected
    assert (cut.bad_frames, cut.skipped_bytes) == (whole.bad_frames, whole.skipped_bytes)


@given(frames, st.data())
def test_a_flipped_bit_yields_no_frame(frame: Frame, data: st.DataObject) -> None:
    packet = bytearray(_packet(frame))
    bit = data.draw(st.integers(0, 8 * len(packet) - 1))
    packet[bit // 8] ^= 1 << bit % 8
    assert new_splitter().feed(bytes(packet)) == []
    with pytest.raises(ValueError, match=r"^(start|header|length|stop|crc): "):
        words.decode(bytes(packet), None)


@given(frames, st.data())
def test_a_truncated_packet_yields_no_frame(frame: Frame, data: st.DataObject) -> None:
    packet = _packet(frame)
    cut = data.draw(st.integers(0, len(packet) - 1))
    assert new_splitter().feed(packet[:cut]) == []
    with pytest.raises(ValueError, match=r"^(start|length): "):
        words.decode(packet[:cut], None)
    if cut:
        assert new_splitter().feed(packet[cut:]) == []


@given(st.lists(frames, max_size=5), st.integers(1, 3))
def test_merged_and_repeated_packets_come_out_one_by_one(sent: list[Frame], times: int) -> None:
    assert new_splitter().feed(b"".join(_packet(frame) * times for frame in sent)) == [
        frame for frame in sent for _ in range(times)
    ]


@given(st.binary(max_size=300))
def test_garbage_never_raises_and_never_holds_back_a_frame_for_long(garbage: bytes) -> None:
    splitter = new_splitter()
    splitter.feed(garbage)
    frame = Frame(1, 3, b"\0\1\0")
    got = [out for _ in range(2) for out in splitter.feed(_packet(frame))]
    assert frame in got  # at the latest the second one


@given(st.binary(max_size=40))
def test_decode_of_any_bytes_gives_values_or_a_named_reason(data: bytes) -> None:
    reason = ""
    try:
        words.decode(data, None)
    except ValueError as error:
        reason = str(error)
    assert reason.partition(":")[0] in {"", "start", "header", "length", "stop", "crc"}


@given(st.integers(0, 200), st.binary(max_size=20))
def test_reading_a_reply_gives_a_value_or_a_reason(command: int, data: bytes) -> None:
    try:
        outcome: int | str = sm4.read_reply(Frame(0, command, data)).result
    except ValueError as error:
        outcome = str(error).partition(":")[0]
    assert outcome in {data[0] if data else -1, f"command {command}"}


# --- pulses ---


@given(st.floats(0.0, 130.0), st.floats(10.0, 4095.0))
def test_pulse_has_no_net_charge_and_is_never_more_than_asked(current_ma: float, width_us: float) -> None:
    positive, gap, negative = sm4.biphasic_points(current_ma, width_us)
    assert positive.time_us * positive.current_ma + negative.time_us * negative.current_ma == 0.0
    assert gap.current_ma == 0.0
    assert current_ma - 0.5 < positive.current_ma <= current_ma
    assert width_us - 1.0 < positive.time_us <= width_us
    assert [sm4.unpack_point(sm4.pack_point(p)) for p in (positive, gap, negative)] == [
        positive,
        gap,
        negative,
    ]


@pytest.mark.parametrize("current_ma", [-0.5, 130.0000001, math.nan, math.inf, -math.inf])
def test_pulse_refuses_a_current_it_cannot_give(current_ma: float) -> None:
    with pytest.raises(ValueError, match=r"current_ma: found .*, allowed: 0.0 to 130.0"):
        sm4.biphasic_points(current_ma, 200.0)


@pytest.mark.parametrize("width_us", [0.0, 9.999, 4095.001, -200.0, math.nan, math.inf])
def test_pulse_refuses_a_width_it_cannot_give(width_us: float) -> None:
    with pytest.raises(ValueError, match=r"width_us: found .*, allowed: 10 to 4095"):
        sm4.biphasic_points(20.0, width_us)


def test_pulse_boundaries_are_included() -> None:
    assert sm4.biphasic_points(130.0, 4095.0)[0] == Point(4095, 130.0)
    assert sm4.biphasic_points(-0.0, 10.0)[0] == Point(10, 0.0)


@given(st.floats(0.0, 130.0), st.floats(10.0, 4095.0), st.integers(2, 8))
def test_a_burst_is_balanced_phases_back_to_back(current_ma: float, width_us: float, cycles: int) -> None:
    points = sm4.biphasic_points(current_ma, width_us, cycles)
    positive, _, _ = sm4.biphasic_points(current_ma, width_us)
    assert points == (positive, Point(positive.time_us, -positive.current_ma)) * cycles
    assert len(sm4.ll_channel_config(0, points)) == 1 + 4 * 2 * cycles


def test_eight_cycles_of_200_us_are_3_2_ms_at_2500_hz() -> None:
    points = sm4.biphasic_points(40.0, 200.0, 8)
    assert [(p.time_us, p.current_ma) for p in points] == [(200, 40.0), (200, -40.0)] * 8
    assert sum(p.time_us for p in points) == 3200
    assert 1e6 / (2 * points[0].time_us) == 2500.0


@pytest.mark.parametrize("cycles", [-1, 0, 9, math.nan])
def test_a_burst_that_does_not_fit_the_sixteen_points_is_refused(cycles: int) -> None:
    with pytest.raises(ValueError, match=r"cycles: found .*, allowed: 1 to 8"):
        sm4.biphasic_points(20.0, 200.0, cycles)


def test_current_between_steps_is_cut_towards_zero_in_both_directions() -> None:
    assert sm4.unpack_point(sm4.pack_point(Point(1, 20.49))).current_ma == 20.0
    assert sm4.unpack_point(sm4.pack_point(Point(1, -20.49))).current_ma == -20.0


@pytest.mark.parametrize(
    "point", [Point(4096, 1.0), Point(-1, 1.0), Point(1, 130.5), Point(1, -130.5), Point(1, math.nan)]
)
def test_point_outside_the_format_is_refused(point: Point) -> None:
    with pytest.raises(ValueError, match=r"found .*, allowed"):
        sm4.pack_point(point)


@pytest.mark.parametrize("period_ms", [0.25, 16383.5, 20.1, 9000.25, math.nan])
def test_period_the_device_cannot_hold_is_refused(period_ms: float) -> None:
    with pytest.raises(ValueError, match="period_ms"):
        sm4.ml_update({0: MidLevelChannel(period_ms, VENDOR_PULSE)})


def test_wrong_counts_and_numbers_are_refused() -> None:
    calls: tuple[Callable[[], bytes], ...] = (
        lambda: sm4.ll_channel_config(8, VENDOR_PULSE),
        lambda: sm4.ll_channel_config(0, ()),
        lambda: sm4.ll_channel_config(0, [Point(1, 0.0)] * 17),
        lambda: sm4.ml_update({-1: MidLevelChannel(20.0, VENDOR_PULSE)}),
        lambda: sm4.ml_update({0: MidLevelChannel(20.0, VENDOR_PULSE, 16)}),
        lambda: sm4.ml_get_current_data(5),
        lambda: sm4.encode(64, 0),
        lambda: sm4.encode(0, 1024),
        lambda: sm4.encode(0, 0, bytes(1189)),
    )
    for call in calls:
        with pytest.raises(ValueError, match="allowed"):
            call()
    assert len(sm4.encode(0, 0, bytes(1188))) == 1200


def test_measured_samples_are_read_in_hundredths() -> None:
    data = bytes((0, 0x12, 1, 0, 10)) + (2550).to_bytes(2, "big") * 128
    assert sm4.read_reply(Frame(0, 3, data)) == sm4.ChannelConfigured(0, 6, 1, 10, (25.5,) * 128)


def test_every_channel_has_a_colour_and_a_connector() -> None:
    assert sm4.channel_name(1) == "channel 1 (blue, yellow connector)"
    assert sm4.channel_name(7) == "channel 7 (white, green connector)"


def test_results_have_plain_words_and_unknown_ones_say_so() -> None:
    assert "electrode" in sm4.result_text(10)
    assert sm4.result_text(99) == "unknown result code 99"
