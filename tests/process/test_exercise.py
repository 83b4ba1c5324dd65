"""An exercise programme with all its real processes: given as written, and ended by whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from controller.analysis.dose_book import owner_of
from controller.analysis.dose_file import read_book
from controller.analysis.exercise import summarise_exercise
from controller.analysis.judge import judge_recording
from controller.record import records
from controller.record.reader import messages
from controller.record.replay import replay
from controller.runtime.person_files import FOLDER
from controller.safety.judgement.faults import FAULTS
from tests.process.rigs import (
    LoggedPulse,
    assert_every_pulse_is_accounted_for,
    children,
    finish,
    pulse_log,
    start,
    undisturbed,
    wait_for_pulses,
)
from tests.process.test_terminal import Terminal

HEAD = '[programme]\ntitle = "Short"\nkind = "{kind}"\naim = "A test."\nsource = "A test"\n'
CONTRACTION = """
[[contractions]]
muscle = "{muscle}"
width_us = {width_us}
rate_hz = {rate_hz}
begin_s = {begin_s}
ramp_up_s = 0.5
hold_s = {hold_s}
ramp_down_s = 0.5
"""
TURNS = "\n[repetitions]\ncount = {count}\nrest_s = 2.0\n"
EXTENSORS = {"muscle": "wrist-extensors", "width_us": 300.0, "rate_hz": 40.0, "begin_s": 0.0, "hold_s": 1.0}
FLEXORS = {"muscle": "finger-flexors", "width_us": 200.0, "rate_hz": 25.0, "begin_s": 2.2, "hold_s": 0.5}
OUTPUT = {"wrist-extensors": 0, "finger-flexors": 1}  # in the order of the programme
SHORT = HEAD.format(kind="cyclic") + CONTRACTION.format(**EXTENSORS) + CONTRACTION.format(**FLEXORS)
LISTENS = "\n[emg]\nthreshold_percent = 20.0\nrelease_percent = 10.0\n"
LONG = CONTRACTION.format(**{**EXTENSORS, "hold_s": 25.0})  # long enough to be in its middle on any machine
PERIOD_NS = 25_000_000  # 40 Hz
PULSES_FIRST = 40  # of them up to 10 are the electrodes' test
MS = 1_000_000

pytestmark = pytest.mark.real_time


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`dorsi demo` of two repetitions of two muscles, walked once: its folder."""
    folder = tmp_path_factory.mktemp("exercise")
    programme = folder / "short.toml"
    programme.write_text(SHORT + TURNS.format(count=2))
    return undisturbed(folder, "demo", "--programme", str(programme))[0]


def in_a_contraction(process: subprocess.Popen[str], folder: Path) -> None:
    """Until pulses of a contraction flow."""
    wait_for_pulses(process, folder, PULSES_FIRST)
    assert process.poll() is None
    while time.monotonic_ns() - pulse_log(folder)[-1].t_ns > PERIOD_NS:
        time.sleep(0.001)


def long_programme(folder: Path, kind: str, more: str = "") -> Path:
    programme = folder / "long.toml"
    programme.write_text(HEAD.format(kind=kind) + LONG + TURNS.format(count=1) + more)
    return programme


def faults(folder: Path) -> list[str | None]:
    events = [m.record for m in messages(folder / "session.mcap", ("guard/event",))]
    return [e.fault for e in events if isinstance(e, records.GuardEvent) and e.kind in ("trip", "stop")]


def assert_replays_identically(folder: Path) -> None:
    result = replay(folder / "session.mcap")
    assert result.identical, result.first_difference


def test_the_judge_finds_nothing_broken_and_replay_is_identical(done: Path) -> None:
    broken = [f for f in judge_recording(done / "session.mcap", done / "pulses.jsonl") if not f.kept]
    assert broken == []
    assert_replays_identically(done)


def test_no_frame_is_blocked_for_a_limit_or_reduced(done: Path) -> None:
    read = [m.record for m in messages(done / "session.mcap", ("guard/verdict",))]
    verdicts = [record for record in read if isinstance(record, records.GuardVerdict)]
    assert sum(verdict.state == "active" for verdict in verdicts) > 100
    assert not [one.reason for one in verdicts if one.verdict == "reduced" or " is beyond " in one.reason]


def test_the_programme_is_done_whole_and_summed_up(done: Path) -> None:
    summary = summarise_exercise(done / "session.mcap")
    assert (summary.whole, summary.repetitions, summary.broken_off, summary.trips) == (True, 2, 0, 0)
    assert [muscle.contractions for muscle in summary.muscles] == [2, 2]
    assert (done / "summary.json").stat().st_size > 0


def test_the_devices_own_log_shows_the_pulses_of_the_programme(done: Path) -> None:
    assert_every_pulse_is_accounted_for(done)
    first_ns = next(
        m.record.now_ns
        for m in messages(done / "session.mcap", ("tick",))
        if isinstance(m.record, records.Tick)
        and m.record.decision.view.exercise is not None
        and m.record.decision.view.exercise.phase == "on"
    )
    pulses = [pulse for pulse in pulse_log(done) if pulse.t_ns >= first_ns]  # before: the electrodes' test
    for muscle in (EXTENSORS, FLEXORS):
        mine = [pulse for pulse in pulses if pulse.channel == OUTPUT[str(muscle["muscle"])]]
        trains = split(mine)
        assert len(trains) == 2
        for train in trains:
            assert {pulse.points[0][0] for pulse in train} == {muscle["width_us"]}
            gaps_s = [(after.t_ns - before.t_ns) / 1e9 for before, after in pairwise(train)]
            rate_hz = float(str(muscle["rate_hz"]))
            assert sorted(gaps_s)[len(gaps_s) // 2] == pytest.approx(1.0 / rate_hz, abs=0.005)
            currents_ma = [pulse.points[0][1] for pulse in train]
            highest = currents_ma.index(max(currents_ma))
            assert currents_ma[: highest + 1] == sorted(currents_ma[: highest + 1])
            assert currents_ma[highest:] == sorted(currents_ma[highest:], reverse=True)


def split(pulses: list[LoggedPulse]) -> list[list[LoggedPulse]]:
    """The trains: one after another with a second between them."""
    trains = [pulses[:1]]
    for before, after in pairwise(pulses):
        if after.t_ns - before.t_ns > 1_000 * MS:
            trains.append([])
        trains[-1].append(after)
    return trains


def test_the_stop_key_in_a_contraction_ends_the_pulses(tmp_path: Path) -> None:
    folder, programme = tmp_path / "run", long_programme(tmp_path, "cyclic")
    terminal = Terminal("demo", "--programme", str(programme), "--out", str(folder))
    try:
        in_a_contraction(terminal.shell, folder)
        pressed_ns = time.monotonic_ns()
        terminal.press(b" ")
        screen = terminal.close()
    finally:
        terminal.shell.kill()
        terminal.shell.wait()
    deadline_ms = FAULTS["F11"].deadline_ms
    assert deadline_ms is not None
    assert pulse_log(folder)[-1].t_ns <= pressed_ns + deadline_ms * MS + PERIOD_NS
    assert faults(folder) == ["F11"]
    assert "Stopped by stop key" in screen
    assert "ended 130" in screen
    assert " icanon" in screen  # the terminal is as it was
    assert "0 of 1 repetitions, 1 broken off" in " ".join(screen.split())
    assert_replays_identically(folder)


def assert_told_and_kept(folder: Path, code: int, output: str, fault: str) -> None:
    """The fault in words, and what was given in summary, report and dose book; the recording is whole."""
    words = " ".join(output.split())
    assert code == 1, output
    assert FAULTS[fault].happened in words or "process dorsi-controller ended" in words
    assert "0 of 1 repetitions, 1 broken off" in words
    assert faults(folder) == [fault]
    broken = [f for f in judge_recording(folder / "session.mcap", folder / "pulses.jsonl") if not f.kept]
    assert broken == []
    assert_replays_identically(folder)
    summary = summarise_exercise(folder / "session.mcap")
    assert (summary.whole, summary.repetitions, summary.broken_off, summary.trips) == (False, 0, 1, 1)
    assert summary.muscles[0].pulses > 0
    assert (folder / "report.html").stat().st_size > 0
    (entry,) = read_book(folder.parent / FOLDER, owner_of(folder / "session.mcap")).entries
    assert (entry.broken_off, entry.muscles[0].pulses) == (1, summary.muscles[0].pulses)


def test_a_controller_killed_in_a_contraction_ends_the_pulses(tmp_path: Path) -> None:
    folder, programme = tmp_path / "run", long_programme(tmp_path, "cyclic")
    process = start("demo", "--programme", str(programme), "--out", str(folder))
    in_a_contraction(process, folder)
    victim = children(process.pid)["dorsi-controller"]
    killed_ns = time.monotonic_ns()
    os.kill(victim, signal.SIGKILL)
    code, output = finish(process)
    deadline_ms = FAULTS["F3"].deadline_ms
    assert deadline_ms is not None
    assert pulse_log(folder)[-1].t_ns <= killed_ns + deadline_ms * MS + PERIOD_NS
    assert_told_and_kept(folder, code, output, "F3")


def test_an_emg_sensor_silent_in_a_contraction_ends_the_pulses(tmp_path: Path) -> None:
    folder, programme = tmp_path / "run", long_programme(tmp_path, "emg-triggered", LISTENS)
    told = ("demo", "--programme", str(programme), "--out", str(folder))
    process = start(*told, module="tests.process.silent_world")
    in_a_contraction(process, folder)
    world = children(process.pid)["dorsi-world"]
    silent_ns = time.monotonic_ns()
    os.kill(world, signal.SIGUSR1)
    code, output = finish(process)
    deadline_ms = FAULTS["F1"].deadline_ms
    assert deadline_ms is not None
    assert pulse_log(folder)[-1].t_ns <= silent_ns + deadline_ms * MS + PERIOD_NS
    assert_told_and_kept(folder, code, output, "F1")
