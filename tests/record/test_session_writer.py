"""A session's recording in tails and packed chunks: every message once, wherever the recorder dies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mcap.reader import make_reader

from controller.errors import InputError
from controller.record import session_writer
from controller.record.compact import recompact
from controller.record.reader import has_end, header, messages, raw_messages, tails_of
from controller.record.records import Clock, GuardEvent, Record, Tick, encode
from controller.record.session_writer import SessionWriter
from tests.record.made import MS, SESSION, imu, tick, verdict, write

UTC_NS = 1_800_000_000 * 10**9
EACH = 40  # ticks of a segment: enough for a table


def told(begin: int) -> list[tuple[str, int, Record]]:
    """A segment's messages: ticks and verdicts in turn, and between them some that stay as they are."""
    found: list[tuple[str, int, Record]] = [("clock", begin * 5 * MS, Clock(begin, UTC_NS + begin, begin))]
    for seq in range(begin, begin + EACH):
        samples = (imu(seq, seq * 5 * MS),) if seq % 3 else ()
        made = tick(seq, samples=samples, current_ma=seq / 7 if seq % 2 else None, lateness_us=seq / 8)
        found += [("tick", seq * 5 * MS, made), ("guard/verdict", seq * 5 * MS, verdict(seq))]
    return [*found, ("guard/event", begin, GuardEvent(begin, "state", "armed", f"arm {begin}"))]


SEGMENTS = [told(begin * EACH) for begin in range(3)]
EXPECTED = [(topic, t_ns, encode(record)) for segment in SEGMENTS for topic, t_ns, record in segment]


def read(path: Path) -> list[tuple[str, int, bytes]]:
    return [(each.topic, each.t_ns, each.payload) for each in raw_messages(path)]


@pytest.fixture
def snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Path]]:
    """A recording's folder as a death would leave it, after each step; how many messages were flushed."""
    monkeypatch.setattr(session_writer, "SEGMENT_S", 0.0)
    live = tmp_path / "live"
    live.mkdir()
    writer = SessionWriter(live / "s.mcap", SESSION)
    taken: list[tuple[int, Path]] = []
    flushed = 0

    def snapshot() -> None:
        taken.append((flushed, tmp_path / f"{len(taken)}"))
        shutil.copytree(live, taken[-1][1])

    snapshot()
    for segment in SEGMENTS:
        for topic, t_ns, record in segment:
            writer.add(topic, t_ns, encode(record))
        writer.flush()
        flushed += len(segment)
        snapshot()
        assert writer.turn()
        snapshot()
        kept = tails_of(live / "s.mcap")
        for tail in kept:
            shutil.copy(tail, tmp_path / tail.name)
        writer.pack()
        snapshot()
        for tail in kept:  # packed, and the death came before it was removed
            shutil.copy(tmp_path / tail.name, taken[-1][1])
    writer.finish()
    writer.close()
    snapshot()
    return taken


def test_what_was_flushed_is_read_once_and_in_order_after_a_death_at_any_step(
    snapshots: list[tuple[int, Path]],
) -> None:
    for flushed, folder in snapshots:
        path = folder / "s.mcap"
        assert read(path) == EXPECTED[:flushed], folder.name
        asked = [each for each in EXPECTED[:flushed] if each[0] in ("tick", "guard/event")]
        assert [(m.topic, m.t_ns, m.payload) for m in raw_messages(path, ("tick", "guard/event"))] == asked
        assert header(path) == SESSION
    assert [tails_of(folder / "s.mcap") == [] for _, folder in snapshots] == [False] * 10 + [True]


def test_a_death_within_the_writing_of_a_chunk_loses_nothing(snapshots: list[tuple[int, Path]]) -> None:
    (before, whole), (_, packed) = snapshots[2], snapshots[3]
    path, begin = whole / "s.mcap", (whole / "s.mcap").stat().st_size
    data = (packed / "s.mcap").read_bytes()
    for length in range(begin, len(data), 97):
        path.write_bytes(data[:length])
        assert read(path) == EXPECTED[:before], f"cut after {length} bytes"


def test_another_recordings_tail_is_no_part_of_it(snapshots: list[tuple[int, Path]], tmp_path: Path) -> None:
    apart = tmp_path / "apart"
    apart.mkdir()
    other = SessionWriter(apart / "s.mcap", SESSION)
    other.add("clock", 1, encode(Clock(1, 2, 3)))
    other.flush()
    other.close()
    flushed, folder = snapshots[3]
    for tail in tails_of(apart / "s.mcap"):
        shutil.copy(tail, folder)
    assert read(folder / "s.mcap") == EXPECTED[:flushed]


def test_a_closed_recording_opens_in_the_library_with_times_in_utc(
    snapshots: list[tuple[int, Path]],
) -> None:
    path = snapshots[-1][1] / "s.mcap"
    assert has_end(path)
    with path.open("rb") as stream:
        reader = make_reader(stream)
        events = [message for _, _, message in reader.iter_messages(topics=["guard/event"])]
        tables = [
            (channel.message_encoding, message)
            for _, channel, message in reader.iter_messages(topics=["table/tick"])
        ]
    assert [event.publish_time for event in events] == [0, EACH, 2 * EACH]
    assert all(UTC_NS <= event.log_time < UTC_NS + 10**9 for event in events)
    assert [encoding for encoding, _ in tables] == ["msgpack"] * 3


def test_mending_what_a_death_left_gives_one_closed_file_with_the_same_messages(
    snapshots: list[tuple[int, Path]],
) -> None:
    flushed, folder = snapshots[5]
    path = folder / "s.mcap"
    assert not has_end(path)
    assert recompact(path) == flushed
    assert has_end(path)
    assert read(path) == EXPECTED[:flushed]
    assert [entry.name for entry in folder.iterdir()] == ["s.mcap"]


def test_typed_messages_are_as_they_were_written(snapshots: list[tuple[int, Path]]) -> None:
    ticks = [message.record for message in messages(snapshots[-1][1] / "s.mcap", ("tick",))]
    written = [record for segment in SEGMENTS for _, _, record in segment if isinstance(record, Tick)]
    assert ticks == written
    assert b"-0.0" in encode(ticks[1])


def test_a_damaged_table_is_refused_by_name(snapshots: list[tuple[int, Path]]) -> None:
    path = snapshots[-1][1] / "s.mcap"
    data = bytearray(path.read_bytes())
    with path.open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    chunk = summary.chunk_indexes[0]
    data[chunk.chunk_start_offset + chunk.chunk_length // 2] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"s\.mcap: near byte"):
        read(path)


def test_a_few_messages_of_two_topics_stay_in_their_order_in_a_copy(tmp_path: Path) -> None:
    """Too few for tables: they lie topic by topic in their chunk."""
    path = tmp_path / "a.mcap"
    written = [(topic, n) for n in range(5) for topic in ("tick", "guard/verdict")]
    made = {"tick": tick, "guard/verdict": verdict}
    write(path, *((topic, n * MS, made[topic](n)) for topic, n in written))
    recompact(path)
    assert [(message.topic, message.t_ns // MS) for message in raw_messages(path)] == written
