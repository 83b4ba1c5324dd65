"""The wire format: what goes in comes out, and no other bytes ever become a command."""

from __future__ import annotations

import math
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.safety.judgement import wire
from controller.safety.judgement.wire import (
    BadFrame,
    Frame,
    PulseTold,
    SensorStamp,
    Verdict,
    decode_frame,
    decode_pulse,
    decode_stamp,
    decode_verdict,
    encode_frame,
    encode_pulse,
    encode_stamp,
    encode_verdict,
)
from drivers.interface import ChannelCommand

number = st.floats(width=64)
channel = st.none() | st.builds(ChannelCommand, number, number, number, st.integers(0, 255))
channels = st.lists(channel, max_size=8).map(tuple)
count = st.integers(0, 2**64 - 1)
time_ns = st.integers(-(2**63), 2**63 - 1)
frame = st.builds(Frame, count, count, time_ns, number, channels)
vector = st.tuples(number, number, number)
stamp = st.builds(
    SensorStamp,
    count,
    st.text(max_size=60),
    time_ns,
    count,
    st.booleans(),
    st.integers(0, 2**32 - 1),
    st.none() | st.tuples(vector, vector),
)
pulse = st.builds(PulseTold, st.integers(0, 255), time_ns, number, number, st.integers(0, 255))
verdict = st.builds(
    Verdict,
    count,
    time_ns,
    st.sampled_from(["off", "armed", "active", "ramp", "tripped"]),
    st.sampled_from(["ok", "reduced", "blocked"]),
    st.text(max_size=90),
    channels,
)
FRAME = encode_frame(Frame(7, 3, 10**12, 60.0, (ChannelCommand(20.0, 300.0, 40.0), None)))
DECODERS = (decode_frame, decode_stamp, decode_verdict, decode_pulse)


@given(frame)
def test_any_frame_comes_out_as_it_went_in(value: Frame) -> None:
    assert repr(decode_frame(encode_frame(value))) == repr(value)  # repr: NaN is not equal to itself


@given(stamp)
def test_any_stamp_comes_out_as_it_went_in(value: SensorStamp) -> None:
    assert repr(decode_stamp(encode_stamp(value))) == repr(value)  # repr: NaN is not equal to itself


@given(verdict)
def test_any_verdict_comes_out_as_it_went_in(value: Verdict) -> None:
    assert repr(decode_verdict(encode_verdict(value))) == repr(value)


@given(pulse)
def test_any_pulse_comes_out_as_it_went_in(value: PulseTold) -> None:
    assert repr(decode_pulse(encode_pulse(value))) == repr(value)


def test_a_pulse_with_more_bytes_is_bad_and_one_of_one_cycle_need_not_say_so() -> None:
    message = encode_pulse(PulseTold(1, 5, 20.0, 300.0))
    assert decode_pulse(message) == PulseTold(1, 5, 20.0, 300.0, 1)
    longer = message[:-4] + b"x"
    sealed = longer + struct.pack("<I", zlib.crc32(longer))
    assert decode_pulse(sealed) == BadFrame("27 bytes do not hold a pulse")


@given(st.binary(max_size=300))
def test_no_other_bytes_become_a_message(data: bytes) -> None:
    for decode in DECODERS:
        assert isinstance(decode(data), BadFrame)


@given(st.integers(0, 8 * len(FRAME) - 1))
def test_one_flipped_bit_makes_a_bad_frame(bit: int) -> None:
    flipped = bytearray(FRAME)
    flipped[bit // 8] ^= 1 << bit % 8
    assert isinstance(decode_frame(bytes(flipped)), BadFrame)


@pytest.mark.parametrize("length", range(len(FRAME)))
def test_a_truncated_frame_is_bad(length: int) -> None:
    shortest = 4 + 34 + 4
    reason = f"{length} bytes are too short" if length < shortest else "checksum does not match"
    assert decode_frame(FRAME[:length]) == BadFrame(reason)


def test_an_off_channel_is_all_zero_bytes() -> None:
    message = encode_frame(Frame(7, 3, 10**12, 60.0, (None,)))
    assert message[-4 - 26 : -4] == bytes(26)


@pytest.mark.parametrize("cycles", [-1, 256])
def test_cycles_that_do_not_fit_a_frame_are_refused(cycles: int) -> None:
    with pytest.raises(struct.error):
        encode_frame(Frame(7, 3, 10**12, 60.0, (ChannelCommand(20.0, 200.0, 50.0, cycles),)))


def test_two_frames_in_one_message_are_bad() -> None:
    assert isinstance(decode_frame(FRAME + FRAME), BadFrame)


def test_one_kind_is_never_taken_for_another() -> None:
    messages = (
        FRAME,
        encode_stamp(SensorStamp(7, "foot", 1, 2, True)),
        encode_verdict(Verdict(3, 1, "off", "ok", "", (None,))),
        encode_pulse(PulseTold(0, 1, 20.0, 300.0)),
    )
    for decode, own in zip(DECODERS, messages, strict=True):
        assert [isinstance(decode(message), BadFrame) for message in messages] == [
            message is not own for message in messages
        ]


def resealed(message: bytes, at: int, byte: int) -> bytes:
    """``message`` with one byte changed and a checksum that fits."""
    body = bytearray(message[:-4])
    body[at] = byte
    return bytes(body) + struct.pack("<I", zlib.crc32(body))


@pytest.mark.parametrize(
    ("at", "byte", "words"),
    [
        (0, 9, "kind 9"),
        (1, 0, "magic"),
        (3, 1, "version 1"),
        (4 + 32, 1, "do not hold 1"),
        (4 + 32, 9, "do not hold 9"),
        (4 + 34, 2, "a channel is neither on nor off"),
    ],
)
def test_a_sound_checksum_does_not_save_a_wrong_field(at: int, byte: int, words: str) -> None:
    bad = decode_frame(resealed(FRAME, at, byte))
    assert isinstance(bad, BadFrame)
    assert words in bad.reason


def test_a_stamp_whose_name_is_cut_or_no_text_is_bad() -> None:
    message = encode_stamp(SensorStamp(7, "foot", 1, 2, True))
    assert decode_stamp(resealed(message, 4 + 29, 3)) == BadFrame(
        "34 bytes do not hold a name of 3 and a motion"
    )
    assert decode_stamp(resealed(message, 4 + 30, 0xFF)) == BadFrame("sensor name is not UTF-8")


def test_a_verdict_with_an_unknown_kind_or_cut_text_is_bad() -> None:
    message = encode_verdict(Verdict(3, 1, "off", "ok", "why", ()))
    wrong = BadFrame("verdict kind or text length does not fit")
    assert decode_verdict(resealed(message, 4 + 16, 3)) == wrong
    assert decode_verdict(resealed(message, 4 + 17, 200)) == wrong
    assert isinstance(decode_verdict(resealed(message, 4 + 20, 1)), BadFrame)
    assert decode_verdict(resealed(message, 4 + 21, 0xFF)) == BadFrame("verdict text is not UTF-8")


def test_more_channels_than_the_device_has_are_refused() -> None:
    encode_frame(Frame(1, 1, 1, 60.0, (None,) * 8))
    with pytest.raises(ValueError, match="9 channels"):
        encode_frame(Frame(1, 1, 1, 60.0, (None,) * 9))


def test_a_sensor_name_that_does_not_fit_is_refused() -> None:
    encode_stamp(SensorStamp(1, "n" * 255, 1, 1, True))
    with pytest.raises(ValueError, match="256 bytes"):
        encode_stamp(SensorStamp(1, "n" * 256, 1, 1, True))


def test_a_long_reason_is_cut_at_a_whole_character() -> None:
    got = decode_verdict(encode_verdict(Verdict(1, 1, "off", "ok", "x" + "µ" * 300, ())))
    assert isinstance(got, Verdict)
    assert got.reason == "x" + "µ" * 199
    assert len(got.reason.encode()) <= wire.TEXT_MAX_BYTES
    got = decode_verdict(encode_verdict(Verdict(1, 1, "s" * 300, "ok", "", ())))
    assert isinstance(got, Verdict)
    assert got.state == "s" * 255


def test_the_first_byte_tells_the_kinds_apart() -> None:
    kinds = {wire.KIND_FRAME, wire.KIND_STAMP, wire.KIND_VERDICT, wire.KIND_JSON}
    assert kinds == {1, 2, 3, ord("{")}
    assert FRAME[0] == wire.KIND_FRAME


def test_off_is_not_zero_on_the_wire() -> None:
    got = decode_frame(encode_frame(Frame(1, 1, 1, 60.0, (None, ChannelCommand(0.0, 0.0, 0.0)))))
    assert isinstance(got, Frame)
    assert got.channels == (None, ChannelCommand(0.0, 0.0, 0.0))
    negative_zero = decode_frame(encode_frame(Frame(1, 1, 1, 60.0, (ChannelCommand(-0.0, 1.0, 1.0),))))
    assert isinstance(negative_zero, Frame)
    assert negative_zero.channels[0] is not None
    assert math.copysign(1.0, negative_zero.channels[0].current_ma) == -1.0
