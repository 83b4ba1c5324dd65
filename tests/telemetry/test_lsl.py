"""The LSL streams of a real recorder, read back through liblsl in another process: this one."""

from __future__ import annotations

import math
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pyxdf

from controller.core.signals import TickInputs
from controller.ipc import bus
from controller.record.reader import messages
from controller.record.records import Arm, GuardEvent, GuardVerdict, Pulse, Record, Tick, encode
from controller.safety.judgement.staged_unlock import UnlockStage
from drivers.interface import EmgFrame, ImuSample
from tests.analysis.exercised import exercised
from tests.core.exercise.numbers import programme
from tests.record.made import MS, tick, verdict
from tests.record.walk import record_walk

pytestmark = pytest.mark.real_time

pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed (extra lsl)")

from controller.telemetry.lsl import LslOutlets  # noqa: E402  # it needs pylsl

PATIENCE_S = 30.0
STREAMS = ("command", "pulses", "markers", "foot", "emg")
EMG_HZ = 200.0
CHANNELS = 8  # of a Myo
FRAMES = 40
FIRST_FRAME_NS = 60 * 10**9  # after the walk
pylsl.set_config_content("[multicast]\nResolveScope = machine\n[log]\nlevel = -1\n")


Sent = list[tuple[str, int, Record]]


def sensed(number: int) -> Tick:
    """A tick with two EMG samples of eight channels and an IMU sample; every tenth is not valid."""
    t_ns, valid = FIRST_FRAME_NS + number * 10 * MS, number % 10 != 9
    volts = tuple(
        tuple(1e-6 * (8 * (2 * number + k) + channel) for channel in range(CHANNELS)) for k in (0, 1)
    )
    frame = EmgFrame(
        "emg", t_ns, t_ns + 9 * MS, 2 * number, EMG_HZ, volts, valid=valid, reason="" if valid else "railed"
    )
    sample = ImuSample(
        "foot", t_ns + 1, t_ns + 9 * MS, number, (0.1, 9.81, 1 / 3), (-0.0, 1e-300, number), valid=valid
    )
    made = tick(10_000 + number, now_ns=t_ns + 9 * MS)
    return replace(made, inputs=TickInputs(imu=(sample,), emg=(frame,)))


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    """A walk, and then half a second of EMG."""
    walk = record_walk(tmp_path_factory.mktemp("lsl") / "walk.mcap", strides=1)
    ticks = [sensed(number) for number in range(FRAMES)]
    return [(m.topic, m.t_ns, m.record) for m in messages(walk)] + [("tick", t.now_ns, t) for t in ticks]


Pulled = dict[str, tuple[list[list[float | str]], list[float]]]


@pytest.fixture(scope="module")
def pulled(sent: Sent, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pulled]:
    """Samples and times of each stream of the walk."""
    folder = tmp_path_factory.mktemp("rig")
    (folder / "header.json").write_bytes(b'{"session":"walk"}')
    command = [sys.executable, "-m", "controller.runtime.recorder", "--rig", str(folder), "--lsl", "machine"]
    command += ["--out", str(folder / "s.mcap"), "--header", str(folder / "header.json"), "--name", "rig-1"]
    recorder = subprocess.Popen(command)
    try:
        sender = bus.Sender(bus.connect(folder, "recorder"), keep_bytes=bus.KEEP_RECORDS_BYTES)
        first = sensed(0)  # the sensors' streams begin with their first samples, which nobody hears
        sender.send(bus.pack_record("tick", first.now_ns, encode(first)))
        inlets = {}
        for name in STREAMS:
            found = pylsl.resolve_byprop("name", f"rig-1-{name}", 1, PATIENCE_S)
            assert found, f"no stream {name}"
            inlets[name] = pylsl.StreamInlet(found[0], recover=False)
            inlets[name].open_stream(PATIENCE_S)
            assert found[0].nominal_srate() == pylsl.IRREGULAR_RATE, name  # or readers move the stamps
        kept = [record for _, _, record in sent]
        samples = [s for r in kept if isinstance(r, Tick) for s in (*r.inputs.imu, *r.inputs.emg) if s.valid]
        expected = {
            "command": sum(isinstance(record, Tick) for record in kept),
            "pulses": sum(len(record.pulses) for record in kept if isinstance(record, GuardVerdict)),
            "markers": sum(isinstance(record, Arm | GuardEvent) for record in kept)
            + sum(len(record.decision.events) for record in kept if isinstance(record, Tick)),
            "foot": sum(isinstance(sample, ImuSample) for sample in samples),
            "emg": sum(len(sample.volts) for sample in samples if isinstance(sample, EmgFrame)),
        }
        for topic, t_ns, record in sent:
            sender.send(bus.pack_record(topic, t_ns, encode(record)))
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


def test_every_command_comes_with_its_tick_and_off_is_not_zero(pulled: Pulled, sent: Sent) -> None:
    ticks = [record for _, _, record in sent if isinstance(record, Tick)]
    values, times = pulled["command"]
    assert times == [tick.now_ns / 1e9 for tick in ticks]
    for row, made in zip(values, ticks, strict=True):
        given = [channel for channel in made.decision.command.channels if channel is not None]
        command = given[0] if given else None
        if command is None:
            assert all(isinstance(value, float) and math.isnan(value) for value in row)
        else:
            assert row == [command.current_ma, command.width_us, command.rate_hz]


def test_every_pulse_and_every_marker_is_there(pulled: Pulled, sent: Sent) -> None:
    verdicts = [record for _, _, record in sent if isinstance(record, GuardVerdict)]
    pulses = [pulse for verdict in verdicts for pulse in verdict.pulses]
    values, times = pulled["pulses"]
    assert values == [
        [float(pulse.channel), pulse.current_ma, pulse.width_us, float(pulse.cycles)] for pulse in pulses
    ]
    assert times == [pulse.t_ns / 1e9 for pulse in pulses]
    words = [row[0] for row in pulled["markers"][0]]
    assert words[0] == "arm begin off"
    assert "toe_off" in words
    assert any(str(word).startswith("guard trip F1") for word in words)


def test_every_valid_imu_sample_comes_whole_at_its_own_time(pulled: Pulled, sent: Sent) -> None:
    ticks = [record for _, _, record in sent if isinstance(record, Tick)]
    samples = [sample for tick in ticks for sample in tick.inputs.imu if sample.valid]
    values, times = pulled["foot"]
    assert values == [[*sample.acc_mps2, *sample.gyr_rps] for sample in samples]
    assert times == [sample.t_ns / 1e9 for sample in samples]


def test_every_valid_emg_sample_comes_with_all_channels_at_its_own_time(pulled: Pulled, sent: Sent) -> None:
    ticks = [record for _, _, record in sent if isinstance(record, Tick)]
    frames = [frame for tick in ticks for frame in tick.inputs.emg if frame.valid]
    assert len(frames) == FRAMES - FRAMES // 10
    values, times = pulled["emg"]
    assert values == [[volt * 1e6 for volt in volts] for frame in frames for volts in frame.volts]
    assert times == [frame.t_ns / 1e9 + k / EMG_HZ for frame in frames for k in range(2)]


def test_the_phases_of_an_exercise_are_markers_at_their_ticks(tmp_path: Path) -> None:
    """Each once, where it begins: countdown of 3 s, 3.5 s, a rest of 3 s, 3.5 s."""
    recording = exercised(tmp_path / "session.mcap", None, params=programme())
    outlets = LslOutlets("rig-2", "exercise", "machine")
    (found,) = pylsl.resolve_byprop("name", "rig-2-markers", 1, PATIENCE_S)
    inlet = pylsl.StreamInlet(found, recover=False)
    inlet.open_stream(PATIENCE_S)
    for message in messages(recording, ("tick",)):
        outlets.take("tick", encode(message.record))
    words, times = list[str](), list[float]()
    end_s = time.monotonic() + PATIENCE_S
    while len(words) < 5 and time.monotonic() < end_s:
        chunk, stamps = inlet.pull_chunk(0.5, 5 - len(words))
        words += [row[0] for row in chunk]
        times += stamps
    assert words == [
        "exercise ready, 0 of 2",
        "exercise on, 0 of 2",
        "exercise rest, 1 of 2",
        "exercise on, 1 of 2",
        "exercise done, 2 of 2",
    ]
    assert times == pytest.approx([0.005, 3.005, 6.505, 9.505, 13.005], abs=0.006)


def test_a_sensor_that_gives_movement_and_emg_has_a_stream_of_each() -> None:
    outlets = LslOutlets("rig-3", "walk", "machine")
    made = sensed(0)
    (frame,) = made.inputs.emg
    both = replace(made, inputs=TickInputs(imu=(replace(made.inputs.imu[0], sensor="myo"),),
                                           emg=(replace(frame, sensor="myo"),)))  # fmt: skip
    outlets.take("tick", encode(both))
    channels = {}
    for name in ("rig-3-myo", "rig-3-myo-emg"):
        (found,) = pylsl.resolve_byprop("name", name, 1, PATIENCE_S)
        channels[found.type()] = found.channel_count()
    assert channels == {"IMU": 6, "EMG": CHANNELS}


def xdf_chunk(tag: int, content: bytes) -> bytes:
    """One chunk of an XDF file, its length in eight bytes (the XDF 1.0 specification)."""
    return b"\x08" + struct.pack("<QH", len(content) + 2, tag) + content


def test_in_a_file_of_lab_recorder_a_hole_moves_no_stamp(tmp_path: Path) -> None:
    """pyxdf puts a stream of a regular rate on a straight line over its holes (findings/pyxdf-hole.sh). The
    stream's own head and stamps, in the file that a recorder of LSL would make of them."""
    outlets = LslOutlets("rig-4", "walk", "machine")
    outlets.take("tick", encode(sensed(0)))
    (found,) = pylsl.resolve_byprop("name", "rig-4-emg", 1, PATIENCE_S)
    times_s = [k / EMG_HZ for k in range(400)] + [4.0 + k / EMG_HZ for k in range(400)]
    rows = [[float(k + channel) for channel in range(CHANNELS)] for k in range(len(times_s))]
    samples = b"".join(
        b"\x08" + struct.pack(f"<{1 + CHANNELS}d", at_s, *row)
        for at_s, row in zip(times_s, rows, strict=True)
    )
    stream = struct.pack("<I", 1)
    path = tmp_path / "s.xdf"
    path.write_bytes(
        b"XDF:"
        + xdf_chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")
        + xdf_chunk(2, stream + found.as_xml().encode())
        + xdf_chunk(3, stream + b"\x04" + struct.pack("<I", len(rows)) + samples)
        + xdf_chunk(6, stream + b"<?xml version='1.0'?><info></info>")
    )
    ((read,), _) = pyxdf.load_xdf(path)
    assert list(read["time_stamps"]) == times_s
    assert read["time_series"].tolist() == rows


class Outlet:
    """What a stream was given."""

    def __init__(self) -> None:
        self.samples: list[list[float | str]] = []

    def push_sample(self, sample: list[float | str], _: float) -> None:
        self.samples.append(sample)


def test_a_blinded_arm_tells_neither_its_command_nor_a_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Outlet] = {}

    def outlet(self: LslOutlets, name: str, *_: object) -> Outlet:
        return made.setdefault(name, Outlet())

    monkeypatch.setattr(LslOutlets, "_outlet", outlet)
    outlets = LslOutlets("rig-1", "walk", "machine")
    pulses = verdict(1, Pulse(5, 0, 20.0, 300.0, 0))
    stage = UnlockStage(1, 3, "strides", full=False, ceiling_ma=30.0)
    unlock = GuardEvent(6, "unlock", "armed", "a stride answered", unlock=stage)
    given = {}
    for blinded in (True, False):
        arm = Arm(1, "begin", "A", 3, "A", 0, blinded)
        for topic, record in (
            ("arm", arm), ("tick", sensed(0)), ("guard/verdict", pulses), ("guard/event", unlock),
        ):  # fmt: skip
            outlets.take(topic, encode(record))
        given[blinded] = {name: len(one.samples) for name, one in made.items()}
    assert (given[True]["command"], given[True]["pulses"], given[True]["markers"]) == (0, 0, 1)
    assert (given[False]["command"], given[False]["pulses"], given[False]["markers"]) == (1, 1, 3)
