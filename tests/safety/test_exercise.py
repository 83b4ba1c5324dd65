"""Exercise in the guard: without sensors, when EMG falls silent, and programmes at every limit."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from controller.core.exercise.exercise_core import ExerciseCore
from controller.core.exercise.programme import MusclePlan
from controller.core.exercise.timeline import READY_S
from controller.core.signals import TickInputs
from controller.errors import InputError
from controller.safety.judgement.frame_check import MS
from controller.safety.judgement.guard_types import Request, prepare
from controller.safety.judgement.limits import Limits
from controller.safety.judgement.liveness import deadline_ns
from controller.safety.judgement.requests import refusals
from controller.safety.settings import parse
from drivers.interface import ChannelCommand
from tests.core.exercise.numbers import programme
from tests.safety.rig import CAPABILITY, Bench, raw_settings

EMG = [{"name": "foot"}]  # the name under which the bench's sensor speaks
FREE: dict[str, float] = {"rate_max_hz": 50.0}
WRIST = ChannelCommand(20.0, 300.0, 40.0)  # 6 uC a phase


def exercise(limits: dict[str, float] | None = None, caps: str = "exercise", **changes: Any) -> Bench:
    layers = [{"who": "session", "limits": FREE | (limits or {})}]
    return Bench(**{"caps": caps, "sensors": [], "limits": layers} | changes).armed()


def on(bench: Bench, seconds: float, command: ChannelCommand = WRIST) -> str:
    """Current for so long; the worst verdict."""
    found = {"ok"}
    for _ in range(round(seconds * 200)):
        reaction = bench.tick(command)
        assert reaction.verdict is not None
        found.add(reaction.verdict.verdict)
    return "blocked" if "blocked" in found else "reduced" if "reduced" in found else "ok"


def off(bench: Bench, seconds: float) -> None:
    for _ in range(round(seconds * 200)):
        bench.tick(None)


# --- sensors ---


def test_without_a_sensor_an_exercise_is_armed_and_runs() -> None:
    bench = Bench(caps="exercise", sensors=[]).ready()
    assert refusals(bench.now_ns, bench.setup, bench.known) == ()
    assert bench.known.plausibility.measured  # no stride is waited for
    bench.feed(Request("arm"))
    assert on(bench, 1.5, ChannelCommand(10.0, 300.0, 40.0)) == "reduced"  # on its way up
    assert (bench.stage, bench.fault) == ("active", None)
    due_ns = deadline_ns(bench.setup, bench.known)
    assert due_ns == (bench.known.frame_ns or 0) + 60 * MS  # the controller's frames alone


def test_the_controller_has_the_same_deadline_without_sensors() -> None:
    bench = exercise()
    on(bench, 1.0)
    bench.wait(60.0)
    assert bench.fault is None
    bench.wait(0.001)
    assert (bench.stage, bench.fault) == ("tripped", "F4")


@pytest.mark.parametrize(("action", "stage"), [("stop", "tripped"), ("ramp", "ramp")])
def test_when_emg_falls_silent_the_configured_action_follows(action: str, stage: str) -> None:
    bench = exercise(sensors=EMG, safe_action=action)
    on(bench, 1.0)
    stamped_ns = bench.now_ns
    while bench.stage == "active":
        bench.now_ns += 5 * MS
        bench.frame(WRIST)
    assert (bench.stage, bench.fault) == (stage, "F1")
    assert bench.now_ns - stamped_ns == 155 * MS
    while bench.stage == "ramp":
        bench.now_ns += 5 * MS
        bench.frame(WRIST)
        bench.wait(0.0)
    assert (bench.stage, bench.now_ns - stamped_ns <= 260 * MS) == ("tripped", True)


def test_a_silent_emg_sensor_forbids_arming() -> None:
    bench = Bench(caps="exercise", sensors=[{"name": "emg"}]).ready()
    bench.feed(Request("arm"))
    assert bench.stage == "off"
    assert "sensor emg is silent" in bench.notes[-1].text


def test_a_walk_without_a_sensor_is_refused_and_with_a_silent_one_not_armed() -> None:
    with pytest.raises(InputError, match="a list of 1 to 16 objects"):
        Bench(sensors=[])
    bench = Bench(sensors=[{"name": "shank"}]).ready()
    bench.feed(Request("arm"))
    assert bench.stage == "off"


# --- caps ---


def test_a_walk_gets_no_exercises_caps_and_an_exercise_its_own() -> None:
    walk = prepare(parse(raw_settings(limits=[]), "x"), CAPABILITY).rules
    arm = prepare(parse(raw_settings(limits=[], caps="exercise"), "x"), CAPABILITY).rules
    assert (walk.effective.limits.train_max_s, walk.on_window_s) == (3.0, 10.0)
    assert (arm.effective.limits.train_max_s, arm.on_window_s) == (30.0, 120.0)
    assert (walk.effective.limits.cycles_max, arm.effective.limits.cycles_max) == (1, 25)


# --- programmes at their limits ---


def test_a_contraction_of_30_s_runs_whole_and_a_longer_one_is_cut() -> None:
    bench = exercise()
    assert on(bench, 30.0) == "reduced"  # on its way up, then whole
    assert on(bench, 0.005) == "ok"  # 30 s from the first frame to the last
    assert on(bench, 0.005) == "blocked"
    reaction = bench.reactions[-2][1]
    assert reaction.limit == "train_max_s 30 (compiled)"
    assert bench.stage == "active"
    on(bench, 1.0)
    assert (bench.stage, bench.fault) == ("tripped", "F9")


def given_uc(bench: Bench) -> float:
    return sum(
        pulse.cycles * pulse.current_ma * pulse.width_us * 1e-3
        for _, reaction in bench.reactions
        for pulse in reaction.pulses
    )


@pytest.mark.parametrize("cycles", [1, 8])
def test_the_dose_of_a_minute_ends_it_bursts_with_all_their_cycles(cycles: int) -> None:
    dose_uc = 2000.0 * cycles
    bench = exercise({"dose_max_uc": dose_uc})
    command = ChannelCommand(20.0, 200.0, 50.0, cycles)  # 4 uC a phase: 500 pulses or bursts, 10 s
    on(bench, 12.0, command)
    assert bench.fault == "F9"
    blocked = next(r for _, r in bench.reactions if r.verdict and r.verdict.verdict == "blocked")
    assert blocked.limit == f"dose_max_uc {dose_uc:g} (session)"
    assert dose_uc - 4.0 * cycles < given_uc(bench) <= dose_uc


@pytest.mark.parametrize("cycles", [1, 8])
def test_the_density_of_the_electrode_binds_one_step_further(cycles: int) -> None:
    # I sqrt(2 * 200 us * 50 Hz * cycles) over half the pad at 2 mA/cm2
    command = ChannelCommand(40.0, 200.0, 50.0, cycles)
    area_cm2 = 40.0 * (2.0 * 200e-6 * 50.0 * cycles) ** 0.5 / 0.5 / 2.0
    for share, worst in ((1.001, "reduced"), (0.999, "blocked")):
        channel = {"name": "quadriceps", "electrode_area_cm2": share * area_cm2}
        bench = exercise(channels=[channel])
        assert on(bench, 1.0, command) == worst


@pytest.mark.parametrize("cycles", [1, 8])
def test_a_programmes_ramp_at_the_rise_limit_is_not_touched_and_a_steeper_one_is(cycles: int) -> None:
    for step_ma, worst in ((1.0, "ok"), (1.1, "reduced")):
        bench = exercise({"rise_max_ma_per_250ms": 60.0})
        for number in range(30):
            found = on(bench, 0.005, ChannelCommand((number + 1) * step_ma, 200.0, 50.0, cycles))
            assert found == worst, number


def test_no_dose_of_two_channels_is_the_others() -> None:
    two = [{"name": name, "electrode_area_cm2": 25.0} for name in ("flexors", "extensors")]
    bench = exercise({"dose_max_uc": 2100.0}, channels=two)
    command = ChannelCommand(20.0, 200.0, 50.0)
    for channels in ((command, None), (None, command)):
        for _ in range(1800):
            bench.tick(*channels)
        for _ in range(30):
            bench.tick(None, None)
    assert bench.fault is None


# --- a programme against each limit: at it, and one step beyond ---

PLAN = MusclePlan(
    muscle="wrist-extensors",
    channel=0,
    current_ma=20.0,
    current_max_ma=20.0,
    width_us=300.0,
    rate_hz=40.0,
    begin_s=0.0,
    ramp_up_s=0.5,
    hold_s=0.5,
    ramp_down_s=0.25,
)  # 6 uC, 0.12 mJ in 500 ohm; 20 mA sqrt(2 * 300 us * 40 Hz) over half of 25 cm2: 0.2479 mA/cm2
RUN_S = 3.0  # two contractions of 1.25 s and a rest of 0.5 s


@pytest.fixture(scope="module")
def frames() -> list[tuple[ChannelCommand | None, ...]]:
    """What the core asks for in two contractions, planned within no guard's limits."""
    core = ExerciseCore(programme(PLAN, rest_s=0.5))
    asked = []
    for number in range(round((READY_S + RUN_S) * 200) + 2):
        decision = core.step(number * 5 * MS, TickInputs(scope="walk"))
        asked.append(decision.command.channels)
    assert core.timeline.phase == "done"
    return asked[round(READY_S * 200) :]


LIMITED = {  # a value that this programme just keeps, and one that it breaks
    "current_max_ma": (20.0, 19.9, "blocked"),
    "width_max_us": (300.0, 299.0, "blocked"),
    "width_min_us": (300.0, 301.0, "blocked"),
    "rate_max_hz": (40.0, 39.9, "blocked"),
    "rate_min_hz": (40.0, 40.1, "blocked"),
    "charge_max_uc": (6.0, 5.99, "blocked"),
    "energy_max_mj": (0.1201, 0.1199, "blocked"),
    "density_rms_max_ma_cm2": (0.248, 0.247, "blocked"),
    "rise_max_ma_per_frame": (0.5, 0.4, "reduced"),  # 0.2 mA a tick, in steps of 0.5 mA
    "rise_max_ma_per_250ms": (10.5, 9.0, "reduced"),  # 10 mA, and what a step may add
    "train_max_s": (1.25, 1.2, "blocked"),
    "on_share_max": (0.021, 0.020, "blocked"),  # 2.5 s of 120
    "dose_max_uc": (430.0, 400.0, "blocked"),  # 2 x 0.875 s x 40 Hz x 6 uC is 420
    "bout_max_s": (3.1, 2.5, "tripped"),
    "session_max_s": (3.1, 2.5, "tripped"),
}


@pytest.mark.parametrize("name", LIMITED)
def test_a_programme_that_keeps_a_limit_is_left_alone_and_one_that_does_not_is_held(
    name: str, frames: list[tuple[ChannelCommand | None, ...]]
) -> None:
    kept, broken, held = LIMITED[name]
    for value, expected in ((kept, "ok"), (broken, held)):
        bench = exercise({"rate_max_hz": 50.0, name: value})
        found, named = "ok", ""
        for channels in frames:
            reaction = bench.tick(*channels)
            assert reaction.verdict is not None
            if bench.fault == "F9" and found == "ok" and reaction.limit == "":
                found, named = "tripped", bench.notes[-1].text
            elif reaction.verdict.verdict != "ok":
                found, named = reaction.verdict.verdict, reaction.limit
            if found != "ok":
                break
        assert found == expected, named
        assert found == "ok" or f"{name} " in named


def test_every_limit_of_a_programmes_pulses_is_in_the_table() -> None:
    others = {"cycles_max", "pause_min_s", "session_pause_min_s", "sensor_age_max_ms", "frame_age_max_ms"}
    assert set(LIMITED) == {field.name for field in fields(Limits)} - others
