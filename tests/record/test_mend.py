"""A recording of a killed recorder gets its end; a recording gets a copy that viewers draw."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mcap.reader import make_reader
from typer.testing import CliRunner

from controller.cli import app
from controller.errors import InputError
from controller.record.compact import mend
from controller.record.reader import has_end, messages, raw_messages
from controller.record.reading_told import reading_told
from controller.record.records import Arm, Clock, Tick, encode
from controller.record.session_writer import SessionWriter
from controller.record.signals_file import write_signals
from tests.record.made import MS, SESSION, imu, tick
from tests.record.walk import STRIDE_MS, record_walk

UTC_NS = 1_800_000_000 * 1000 * MS  # of the walk's clock


def line(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, " ".join(done.output.split())


def killed(path: Path, count: int) -> Path:
    """What a killed recorder leaves: a recording and a tail that ends within a message."""
    writer = SessionWriter(path, SESSION)
    for seq in range(count):
        writer.add("tick", seq * 5 * MS, encode(tick(seq, samples=(imu(seq, seq * 5 * MS),))))
    writer.flush()
    writer.close()
    (tail,) = path.parent.glob("*.tail-*")
    tail.write_bytes(tail.read_bytes() + b"\x05\xff" + bytes(40))
    return path


def test_mend_says_what_it_saved_and_where_it_was_cut_and_leaves_a_whole_file_alone(tmp_path: Path) -> None:
    path = killed(tmp_path / "s.mcap", 50)
    before = list(raw_messages(path))
    code, said = line("mend", str(path))
    assert code == 0
    assert "mended: 50 messages of 0.2 s are saved. Behind the last one 42 bytes were cut off" in said
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.mcap"]
    assert list(raw_messages(path)) == before
    with path.open("rb") as stream:
        reader = make_reader(stream)
        summary = reader.get_summary()
        assert summary is not None
        assert len(summary.chunk_indexes) == 1
        assert sum(1 for _ in reader.iter_messages()) == 1  # a table
    data = path.read_bytes()
    code, said = line("mend", str(path))
    assert (code, path.read_bytes()) == (0, data)
    assert "has its end; it stays as it is" in said


def test_a_recording_that_is_being_written_is_not_mended(tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "s.mcap", SESSION)
    with pytest.raises(InputError, match="its session still runs"):
        mend(tmp_path / "s.mcap")
    writer.close()
    assert mend(tmp_path / "s.mcap") is not None


def test_an_interrupted_mending_leaves_the_recording_as_it_was(tmp_path: Path) -> None:
    path = killed(tmp_path / "s.mcap", 50)
    left = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}

    def interrupt(_percent: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), reading_told(interrupt):
        mend(path)
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == left
    assert not has_end(path)


def test_a_damaged_recording_is_refused_and_stays(tmp_path: Path) -> None:
    path = record_walk(tmp_path / "s.mcap", strides=1)
    data = bytearray(path.read_bytes()[:-20])
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)
    code, said = line("mend", str(path))
    assert code == 2
    assert "s.mcap: near byte" in said
    assert path.read_bytes() == bytes(data)


def test_the_signals_are_a_topic_each_with_every_value_once_in_utc(tmp_path: Path) -> None:
    path = record_walk(tmp_path / "walk.mcap", strides=1)
    code, said = line("signals", str(path))
    assert code == 0
    assert "signals.mcap" in said
    with (tmp_path / "signals.mcap").open("rb") as stream:
        found = list(make_reader(stream).iter_messages())
    topics = [channel.topic for _, channel, _ in found]
    ticks = 2 * 2 * STRIDE_MS // 5
    assert topics.count("/gait/phase") == topics.count("/command") == ticks
    assert topics.count("/imu/foot") == ticks / 2
    assert {"/pulse", "/gait/event", "/guard"} < set(topics)
    schema, channel, message = next(each for each in found if each[1].topic == "/gait/phase")
    assert (schema.encoding, channel.message_encoding) == ("jsonschema", "json")
    clock = next(each.record for each in messages(path, ("clock",)))
    first = next(each.record for each in messages(path, ("tick",)))
    assert isinstance(clock, Clock)
    assert isinstance(first, Tick)
    assert message.log_time == first.now_ns + clock.utc_ns - clock.monotonic_ns
    assert message.log_time >= UTC_NS
    assert json.loads(message.data)["phase_percent"] == 0.0


def test_signals_are_never_written_over_a_recording(tmp_path: Path) -> None:
    path = record_walk(tmp_path / "signals.mcap", strides=1)
    before = path.read_bytes()
    for words in (["signals", str(path)], ["signals", str(path), "--out", str(path)]):
        code, said = line(*words)
        assert code == 2
        assert "found 'a recording', allowed: another name" in said
    assert path.read_bytes() == before


def test_of_a_blinded_arm_the_signals_have_no_current(tmp_path: Path) -> None:
    path = tmp_path / "s.mcap"
    writer = SessionWriter(path, SESSION)
    records = [
        ("clock", 1, Clock(1, UTC_NS, 1)),
        ("arm", 2, Arm(2, "begin", "A", label="A", blinded=True)),
        ("tick", 3, tick(0, now_ns=3, current_ma=20.0)),
    ]
    for topic, t_ns, record in records:
        writer.add(topic, t_ns, encode(record))
    writer.finish()
    writer.close()
    for unblind, expected in ((False, {"/gait/phase"}), (True, {"/gait/phase", "/command"})):
        out = tmp_path / f"{unblind}.mcap"
        write_signals(path, out, unblind=unblind)
        with out.open("rb") as stream:
            assert {channel.topic for _, channel, _ in make_reader(stream).iter_messages()} == expected
