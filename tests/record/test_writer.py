"""The file: every message in, every message out, whatever happens in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcap.reader import make_reader

from controller.errors import InputError
from controller.record.compact import recompact
from controller.record.reader import header, messages, raw_messages
from controller.record.records import TOPICS, Clock, Process, Unreadable, encode, schema
from controller.record.writer import RecordingWriter
from tests.record.made import MS, SESSION, imu, tick, write


def small_recording(path: Path) -> Path:
    ticks = [("tick", seq * 5 * MS, tick(seq, samples=(imu(seq, seq * 5 * MS),))) for seq in range(2)]
    return write(path, ("clock", 1, Clock(1, 2, 3)), *ticks)


def test_what_goes_in_comes_out_bit_for_bit(tmp_path: Path) -> None:
    path = small_recording(tmp_path / "a.mcap")
    records = [message.record for message in messages(path)]
    assert records == [Clock(1, 2, 3), *(tick(seq, samples=(imu(seq, seq * 5 * MS),)) for seq in range(2))]
    assert encode(records[1]).count(b"-0.0") == 1  # the sign of zero survives
    assert header(path) == SESSION


def test_a_flushed_message_is_readable_while_the_recording_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    writer = RecordingWriter(path, SESSION)
    for count in range(1, 4):
        writer.add("clock", count, encode(Clock(count, 0, 0)))
        writer.flush()
        assert [message.t_ns for message in raw_messages(path)] == list(range(1, count + 1))
    writer.close()


def test_a_file_cut_anywhere_is_read_up_to_its_last_whole_message(tmp_path: Path) -> None:
    note = Process(5, "dorsi-guard", 77, "ended", "größer als nötig")
    whole = write(
        tmp_path / "a.mcap", ("clock", 1, Clock(1, 2, 3)), ("process", 5, note), ("clock", 9, Clock(9, 9, 9))
    )
    expected = list(raw_messages(whole))
    data = whole.read_bytes()
    ends = [data.index(message.payload, 0) + len(message.payload) for message in expected]
    cut = tmp_path / "cut.mcap"
    for length in range(8, len(data)):
        cut.write_bytes(data[:length])
        read = list(raw_messages(cut))
        assert read == expected[: sum(end <= length for end in ends)], f"cut after {length} bytes"


@pytest.mark.parametrize("length", [0, 1, 7])
def test_a_file_too_short_to_be_a_recording_is_refused_by_name(tmp_path: Path, length: int) -> None:
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(small_recording(tmp_path / "a.mcap").read_bytes()[:length])
    with pytest.raises(InputError, match=r"cut\.mcap"):
        list(raw_messages(cut))


def test_a_cut_file_without_its_header_is_refused_where_the_header_is_asked_for(tmp_path: Path) -> None:
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(small_recording(tmp_path / "a.mcap").read_bytes()[:30])
    with pytest.raises(InputError, match="session metadata"):
        header(cut)


@pytest.mark.parametrize("content", [b"time_s,acc_x_g\n0,1\n" * 9, bytes(64)])
def test_what_is_no_recording_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b.mcap"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"b\.mcap: near byte"):
        list(messages(path))


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "none.mcap", tmp_path):
        with pytest.raises(InputError, match=path.name):
            header(path)


def test_a_tail_of_zeros_as_a_power_cut_leaves_it_is_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    writer = RecordingWriter(path, SESSION)
    writer.add("clock", 1, encode(Clock(1, 2, 3)))
    writer.flush()
    writer.close()
    path.write_bytes(path.read_bytes() + bytes(4096))
    assert [message.record for message in messages(path)] == [Clock(1, 2, 3)]


def test_a_message_of_the_wrong_shape_is_told_in_its_place_and_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    writer = RecordingWriter(path, SESSION)
    for t_ns, payload in enumerate(
        (b'{"monotonic_ns":"soon","utc_ns":1,"boottime_ns":2}', encode(Clock(1, 2, 3)))
    ):
        writer.add("clock", t_ns, payload)
    writer.finish()
    writer.close()
    bad, good = [message.record for message in messages(path)]
    assert isinstance(bad, Unreadable)
    assert (bad.topic, bad.t_ns) == ("clock", 0)
    assert "Expected `int`" in bad.why
    assert good == Clock(1, 2, 3)


def test_unknown_topics_are_kept_and_field_order_and_new_fields_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    writer = RecordingWriter(path, SESSION)
    writer.add("clock", 5, b'{"new":[1],"boottime_ns":3,"utc_ns":2,"monotonic_ns":1}')
    writer.add("later/topic", 6, b'{"x":1}')
    writer.finish()
    writer.close()
    assert [message.record for message in messages(path)] == [Clock(1, 2, 3)]
    assert [message.topic for message in raw_messages(path)] == ["clock", "later/topic"]


def test_recompaction_keeps_every_message_and_the_header_and_is_seekable(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mcap", *(("tick", seq, tick(seq)) for seq in range(3000)))
    before, size = list(raw_messages(path)), path.stat().st_size
    assert recompact(path) == 3000
    assert list(raw_messages(path)) == before
    assert header(path) == SESSION
    assert path.stat().st_size < size / 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mcap"]
    with path.open("rb") as stream:
        summary = make_reader(stream).get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert {channel.topic for channel in summary.channels.values()} == {"table/tick"}


def test_a_damaged_chunk_is_refused_rather_than_read_wrong(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mcap", *(("tick", seq, tick(seq)) for seq in range(300)))
    assert recompact(path)
    with path.open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    (chunk,) = summary.chunk_indexes
    data = bytearray(path.read_bytes())
    data[chunk.chunk_start_offset + chunk.chunk_length // 2] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.mcap"):
        list(raw_messages(path))


def test_recompaction_mends_a_cut_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mcap", *(("tick", seq, tick(seq)) for seq in range(20)))
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b'"seq":19,')])  # within the last tick
    before = list(raw_messages(path))
    assert 0 < len(before) < 20
    assert recompact(path)
    assert list(raw_messages(path)) == before
    with path.open("rb") as stream:
        assert make_reader(stream).get_summary() is not None


def test_a_full_disk_leaves_a_file_that_ends_after_a_whole_message(small_disk: Path) -> None:
    path = small_disk / "a.mcap"
    writer = RecordingWriter(path, SESSION)
    flushed: list[int] = []

    def fill() -> None:
        for seq in range(1000):
            writer.add("tick", seq, encode(tick(seq)))
            writer.flush()
            flushed.append(seq)

    with pytest.raises(OSError, match="No space left"):
        fill()
    writer.close()
    assert len(flushed) > 50
    assert [message.t_ns for message in raw_messages(path)] == flushed


def test_a_full_disk_at_recompaction_leaves_the_recording_as_it_was(small_disk: Path) -> None:
    records = [("tick", seq, tick(seq, lateness_us=1 / (seq + 1))) for seq in range(150)]
    path = write(small_disk / "a.mcap", *records)
    (small_disk / "other").write_bytes(bytes(max(0, 252 * 1024 - path.stat().st_size)))
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space left"):
        recompact(path)
    assert path.read_bytes() == before
    assert {entry.name for entry in small_disk.iterdir()} == {"a.mcap", "other"}


def test_every_topic_has_a_schema_with_an_object_at_its_root() -> None:
    for topic in TOPICS:
        assert schema(topic).startswith(b'{"title"')
        assert b'"type":"object"' in schema(topic)
