"""A packed recording and one in the layout before: the same messages, the same arms."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

from controller.analysis.arms import read_arms
from controller.record.compact import recompact
from controller.record.reader import Part, header, messages, parts, raw_messages, unreadable
from controller.record.records import Tick
from controller.record.table_view import TableView
from controller.record.writer import RecordingWriter
from drivers.interface import EmgFrame
from tests.record.made import SESSION, imu, tick, write
from tests.record.walk import record_walk


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The walk packed, and in the layout before: a message each, in compressed chunks, times monotonic."""
    folder = tmp_path_factory.mktemp("both")
    packed = record_walk(folder / "packed.mcap", strides=2)
    writer = RecordingWriter(folder / "before.mcap", header(packed), compress=True)
    for message in raw_messages(packed):
        writer.add(message.topic, message.t_ns, message.payload)
    writer.finish()
    writer.close()
    return packed, folder / "before.mcap"


def assert_same(one: object, other: object, name: str = "") -> None:
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray)
        np.testing.assert_array_equal(one, other, name)
    elif is_dataclass(one):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name), f"{name}.{field.name}")
    else:
        assert one == other, name


def test_a_recording_in_the_layout_before_reads_the_same(both: tuple[Path, Path]) -> None:
    packed, before = both
    assert not any(isinstance(part, Part) for part in parts(before, ("tick",)))
    assert list(raw_messages(packed)) == list(raw_messages(before))
    assert list(messages(packed)) == list(messages(before))


def test_arms_are_the_same_by_columns(both: tuple[Path, Path]) -> None:
    by_columns, by_ticks = (read_arms(path) for path in both)
    assert len(by_columns) == len(by_ticks) == 2
    for one, other in zip(by_columns, by_ticks, strict=True):
        assert_same(one, other)
    assert len(by_columns[0].ticks.now_ns) > 400


def test_lost_samples_and_missed_ticks_are_counted_by_columns(tmp_path: Path) -> None:
    ticks = []
    for seq in (n for n in range(80) if n not in (7, 8, 40)):
        samples = (imu(seq, seq * 5_000_000 + 1),) if seq % 10 else ()
        made = tick(seq, samples=samples)
        frame = EmgFrame("shin", 1, seq * 5_000_000, 4 * seq, 800.0, ((1e-6,),) * 4)
        inputs = made.inputs.__class__(imu=samples, emg=(frame,))
        ticks.append(("tick", seq * 5_000_000, Tick(made.now_ns, seq, seq, 1.0, 2.0, inputs, made.decision)))
    path = write(tmp_path / "s.mcap", *ticks)
    (before,) = read_arms(path)
    recompact(path)
    assert any(isinstance(part, Part) for part in parts(path, ("tick",)))
    (packed,) = read_arms(path)
    left_out = len({7, 8, 40, *range(10, 80, 10)})  # inertial samples; the first tick has none either
    assert (before.missed_ticks, before.samples_lost) == (3, 3 * 4 + left_out)
    assert_same(packed, before)


def test_a_table_with_a_message_of_the_wrong_kind_tells_it_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "s.mcap", *[("tick", seq, tick(seq)) for seq in range(60)])
    writer = RecordingWriter(tmp_path / "bad.mcap", SESSION)
    for message in raw_messages(path):
        payload = message.payload.replace(b'"seq":31,', b'"seq":31.5,')
        writer.add(message.topic, message.t_ns, payload)
    writer.finish()
    writer.close()
    recompact(tmp_path / "bad.mcap")
    (part,) = parts(tmp_path / "bad.mcap", ("tick",))
    assert isinstance(part, Part)
    assert TableView(part.table).frames(Tick) is None
    (found,) = unreadable(tmp_path / "bad.mcap")
    assert (found.topic, found.t_ns) == ("tick", 31)
