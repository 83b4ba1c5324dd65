"""Recordings of exercise sessions, made by the core itself in virtual time, and entries of a dose book."""

from __future__ import annotations

import dataclasses
import random
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from controller.analysis.dose_book import DoseEntry, MuscleEntry, Prescription
from controller.core.emg.assist import AssistParams
from controller.core.emg.params import EmgElectrode, EmgParams
from controller.core.exercise.effort import EffortParams
from controller.core.exercise.exercise_core import ExerciseCore
from controller.core.exercise.programme import ExerciseParams
from controller.core.signals import PulseGiven, TickInputs
from controller.record.records import Clock, GuardVerdict, Pulse, Tick, encode
from controller.record.writer import RecordingWriter
from drivers.interface import EmgFrame
from tests.core.exercise.numbers import programme

MS = 1_000_000
TICK_NS = 5 * MS
EMG_HZ, EMG_MAX_V, REST_V = 1000.0, 100e-6, 1e-6
TRYING = ("attempt", "on")
PROGRAMME_FILE = """
[programme]
title = "Short"
kind = "cyclic"
aim = "a test"
source = "nobody"
[[contractions]]
muscle = "wrist-extensors"
width_us = 300.0
rate_hz = 40.0
ramp_up_s = 1.0
hold_s = 2.0
ramp_down_s = 0.5
[repetitions]
count = 2
rest_s = 3.0
[prescription]
contractions_per_day = 4
minutes_per_day = 1.0
days_per_week = 5
step_percent = 10.0
"""


def exercised(
    path: Path,
    begin: datetime | None,
    *,
    params: ExerciseParams | None = None,
    seconds: float = 60.0,
    own_share: float | None = None,
    **head: str,
) -> Path:
    """A session that begins at ``begin`` and is armed from its first tick, until the programme is done or for
    ``seconds``; ``head`` replaces entries of its header. None for ``begin``: a clock that was not set. With
    ``own_share`` the person's signal is that share of their largest in each try and contraction."""
    params = params or programme()
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "session": path.parent.name,
        "id": f"id-{path.parent.name}",
        "pseudonym": "P01",
        "virtual": "no",
        "core_params": msgspec.json.encode(params).decode(),
        "programme_file": PROGRAMME_FILE,
    }
    writer = RecordingWriter(path, facts | head)
    utc_ns = 0 if begin is None else int(begin.timestamp() * 1e9)
    writer.add("clock", 0, encode(Clock(0, utc_ns, 0)))
    test = Pulse(
        1, 0, 45.0, 20.0, 0
    )  # of the electrodes: stronger and much shorter than any of the programme
    tested = GuardVerdict(0, 1, 1, "contact test", "ok", "", (None,) * params.channels, (test,))
    writer.add("guard/verdict", 1, encode(tested))
    core, last_ns, given = ExerciseCore(params), [-(10**9)] * params.channels, ()
    for seq in range(1, round(seconds / 0.005) + 1):
        now_ns = seq * TICK_NS
        emg = (
            ()
            if own_share is None
            else (_heard(now_ns, own_share if core.timeline.phase in TRYING else 0.0),)
        )
        inputs = TickInputs(scope="walk", pulses=given, emg=emg)
        decision = core.step(now_ns, inputs)
        writer.add("tick", now_ns, encode(Tick(now_ns, seq, seq, 0.0, 0.0, inputs, decision)))
        pulses = []
        for number, channel in enumerate(decision.command.channels):
            if channel is not None and now_ns - last_ns[number] >= 1e9 / channel.rate_hz - 1:
                last_ns[number] = now_ns
                cycles = params.muscles[number].cycles
                pulses.append(Pulse(now_ns, number, channel.current_ma, channel.width_us, seq % 256, cycles))
        given = tuple(PulseGiven(one.channel, one.t_ns, one.current_ma, one.width_us) for one in pulses)
        verdict = GuardVerdict(
            seq, now_ns, now_ns + MS, "active", "ok", "", decision.command.channels, tuple(pulses)
        )
        writer.add("guard/verdict", now_ns + MS, encode(verdict))
        if core.timeline.phase == "done":
            break
    writer.finish()
    writer.close()
    return path


def listening(assist: AssistParams | None, **course: Any) -> ExerciseParams:
    """Contractions that the person's own try begins; 5 % of their largest signal needs no support."""
    electrode = EmgElectrode("emg", 0, "wrist-extensors", maximum_v=EMG_MAX_V)
    heard = EmgParams((electrode,), mains_hz=None)
    effort = EffortParams(heard, 0.2, 0.1, refractory_s=1.0, try_s=5.0, assist=assist, goal=0.05)
    return dataclasses.replace(programme(control="emg-triggered", **course), effort=effort)


def _heard(now_ns: int, share: float) -> EmgFrame:
    """The last tick of a muscle that is at rest, or at so much of its largest."""
    noise = random.Random(now_ns)  # of no pulse's time: a signal that repeats is taken for the answer to one
    rows = tuple((noise.gauss(0.0, max(REST_V, share * EMG_MAX_V)),) for _ in range(5))
    return EmgFrame("emg", now_ns - TICK_NS, now_ns, now_ns // MS, EMG_HZ, rows)


def entry(day: str, number: int = 1, **changes: Any) -> DoseEntry:
    """A session of 10 contractions of one muscle, as a book holds it."""
    muscle = MuscleEntry("wrist-extensors", 10, 2000, 18.0, 80.0, 30.0, 30.0, 40.0, 5.0)
    made = DoseEntry(
        id=f"{day}-{number}",
        session=f"{day}-{number}",
        day=day,
        begin_utc=f"{day}T10:{number:02d}:00+00:00",
        programme="wrist",
        title="Wrist",
        seconds=180.0,
        repetitions=10,
        planned=10,
        count=10,
        whole=True,
        broken_off=0,
        missed=0,
        trips=0,
        muscles=(muscle,),
        prescription=Prescription(20, 6.0, 5, 10.0, 3, "repetitions"),
    )
    return dataclasses.replace(made, **changes)
