"""The LSL streams of a real recorder, read back through liblsl in another process: this one."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.record.reader import messages, raw_messages
from controller.record.records import Arm, GuardEvent, GuardVerdict, Tick
from controller.runtime import bus
from tests.record.walk import record_walk

pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed (extra lsl)")

PATIENCE_S = 30.0
STREAMS = ("command", "pulses", "markers")
pylsl.set_config_content("[multicast]\nResolveScope = machine\n[log]\nlevel = -1\n")


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_walk(tmp_path_factory.mktemp("lsl") / "walk.mcap", strides=1)


Pulled = dict[str, tuple[list[list[float | str]], list[float]]]


@pytest.fixture(scope="module")
def pulled(walk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pulled]:
    """Samples and times of each stream of the walk."""
    folder = tmp_path_factory.mktemp("rig")
    (folder / "header.json").write_bytes(b'{"session":"walk"}')
    command = [sys.executable, "-m", "controller.record.recorder", "--rig", str(folder), "--lsl", "machine"]
    command += ["--out", str(folder / "s.mcap"), "--header", str(folder / "header.json"), "--name", "rig-1"]
    recorder = subprocess.Popen(command)
    try:
        sender = bus.Sender(bus.connect(folder, "recorder"), keep_bytes=bus.KEEP_RECORDS_BYTES)
        inlets = {}
        for name in STREAMS:
            found = pylsl.resolve_byprop("name", f"rig-1-{name}", 1, PATIENCE_S)
            assert found, f"no stream {name}"
            inlets[name] = pylsl.StreamInlet(found[0], recover=False)
            inlets[name].open_stream(PATIENCE_S)
        records = list(raw_messages(walk))
        kept = [m.record for m in messages(walk)]
        expected = {
            "command": sum(isinstance(record, Tick) for record in kept),
            "pulses": sum(len(record.pulses) for record in kept if isinstance(record, GuardVerdict)),
            "markers": sum(isinstance(record, Arm | GuardEvent) for record in kept)
            + sum(len(record.decision.events) for record in kept if isinstance(record, Tick)),
        }
        for message in records:
            sender.send(bus.pack_record(message.topic, message.t_ns, message.payload))
            if sender.behind:
                time.sleep(0.005)
        sender.close(wait_s=PATIENCE_S)
        assert sender.dropped == 0
        made: Pulled = {}
        for name, inlet in inlets.items():
            made[name] = [], []
            end_s = time.monotonic() + PATIENCE_S
            while (count := len(made[name][1])) < expected[name] and time.monotonic() < end_s:
                chunk, stamps = inlet.pull_chunk(0.5, expected[name] - count)
                made[name][0].extend(chunk)
                made[name][1].extend(stamps)
        yield made
    finally:
        recorder.send_signal(signal.SIGTERM)
        assert recorder.wait(PATIENCE_S) == 0


def test_its_clock_is_the_recordings() -> None:
    assert pylsl.local_clock() == pytest.approx(time.monotonic(), abs=1.0)


def test_every_command_comes_with_its_tick_and_off_is_not_zero(pulled: Pulled, walk: Path) -> None:
    ticks = [m.record for m in messages(walk, ("tick",)) if isinstance(m.record, Tick)]
    values, times = pulled["command"]
    assert times == [tick.now_ns / 1e9 for tick in ticks]
    for row, tick in zip(values, ticks, strict=True):
        given = [channel for channel in tick.decision.command.channels if channel is not None]
        command = given[0] if given else None
        if command is None:
            assert all(isinstance(value, float) and math.isnan(value) for value in row)
        else:
            assert row == [command.current_ma, command.width_us, command.rate_hz]


def test_every_pulse_and_every_marker_is_there(pulled: Pulled, walk: Path) -> None:
    verdicts = [m.record for m in messages(walk, ("guard/verdict",)) if isinstance(m.record, GuardVerdict)]
    pulses = [pulse for verdict in verdicts for pulse in verdict.pulses]
    values, times = pulled["pulses"]
    assert values == [[float(pulse.channel), pulse.current_ma, pulse.width_us] for pulse in pulses]
    assert times == [pulse.t_ns / 1e9 for pulse in pulses]
    words = [row[0] for row in pulled["markers"][0]]
    assert words[0] == "arm begin off"
    assert "toe_off" in words
    assert any(str(word).startswith("guard trip F1") for word in words)
