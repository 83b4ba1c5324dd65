"""Each programme's pulses, read from the device's own log, are what the programme says."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.commands.exercise import PROGRAMMES, virtual_session_text
from controller.commands.exercise_check import exercise_objections
from controller.config.exercise import ExerciseSession, load_exercise
from controller.core.exercise.programme import MusclePlan
from controller.core.exercise.timeline import READY_S
from controller.errors import ConfigError
from drivers.catalogue import STIMULATORS
from tests.core.exercise.virtual import Given, ProgrammeRun, programme_run

TICK_S = 0.005
MINUTE_S, SOME_S = 60.0, 15.0  # an hour of TENS has begun by then, and is over in neither

P24, OTHERS = next(iter(STIMULATORS)), ("dorsiflexion_seated", "shoulder_subluxation")  # to spare time
CASES = [
    (device, path)
    for device in STIMULATORS
    for path in sorted(PROGRAMMES.glob("*.toml"))
    if device == P24 or path.stem in OTHERS
]


def loaded(programme: Path, folder: Path, device: str) -> ExerciseSession | None:
    """The virtual person's session of a programme; None where the stimulator cannot give it."""
    file = folder / "session.toml"
    file.write_text(virtual_session_text(programme, device))
    try:
        session = load_exercise(file)
    except ConfigError:
        return None
    return None if exercise_objections(session) else session


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[1].stem}-{case[0]}")
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProgrammeRun]:
    device, programme = request.param
    session = loaded(programme, tmp_path_factory.mktemp(programme.stem), device)
    if session is None:
        assert device == P24, "chosen as one that it can give"
        pytest.skip("the P24 cannot give it: tests/config/test_programmes.py holds the refusal")
    made = programme_run(session, repetitions=1)
    made.run(MINUTE_S if made.params.repetition_s < MINUTE_S else SOME_S)
    yield made
    made.close()


def given_by(run: ProgrammeRun) -> list[Given]:
    """The programme's pulses; those of the electrode test, at arming, come before the countdown is over."""
    return [given for given in run.given() if given.t_s >= READY_S]


def step_ma(run: ProgrammeRun) -> float:
    """The device's own."""
    return run.setup.capability.current_step_ma


def plan_of(run: ProgrammeRun, given: Given) -> MusclePlan:
    (channel,) = (index for index, one in enumerate(run.setup.config.channels) if one.output == given.output)
    return run.params.muscles[channel]


def test_no_frame_is_blocked_or_reduced_and_nothing_trips(run: ProgrammeRun) -> None:
    after_arming = sum(run.verdicts.values())
    assert run.verdicts["ok"] == after_arming, run.reasons
    assert run.trips == []


def test_every_pulse_has_the_width_and_the_cycles_and_is_balanced(run: ProgrammeRun) -> None:
    pulses = given_by(run)
    assert len(pulses) > 20
    for given in pulses:
        plan = plan_of(run, given)
        assert sum(width_us * current_ma for width_us, current_ma in given.points) == 0.0
        phases = [(width_us, current_ma) for width_us, current_ma in given.points if current_ma]
        assert {width_us for width_us, _ in phases} == {int(plan.width_us)}
        assert len({abs(current_ma) for _, current_ma in phases}) == 1
        assert len(phases) == 2 * plan.cycles
        assert max(current_ma for _, current_ma in phases) <= plan.current_ma + step_ma(run)
        if plan.cycles > 1:  # a burst has no gap within
            assert len(given.points) == len(phases)


def test_pulses_come_at_the_rate_the_programme_says(run: ProgrammeRun) -> None:
    for channel, plan in enumerate(run.params.muscles):
        times_s = [g.t_s for g in given_by(run) if plan_of(run, g) is run.params.muscles[channel]]
        gaps_s = [after - before for before, after in itertools.pairwise(times_s)]
        within = [gap for gap in gaps_s if gap < 0.5]
        assert within
        rates = {plan.rate_hz, plan.rate_end_hz or plan.rate_hz}
        shortest_s = min(1.0 / max(rates), 1.0 if plan.doublet_ms is None else plan.doublet_ms / 1e3)
        assert min(within) >= shortest_s - TICK_S - 1e-6
        assert max(within) <= 1.0 / min(rates) + TICK_S + 1e-6
        if plan.rate_end_hz is None and plan.doublet_ms is None:
            whole = [g for g in within if g < 1.5 / plan.rate_hz]
            assert sum(whole) / len(whole) == pytest.approx(1.0 / plan.rate_hz, rel=0.02)


def holds(run: ProgrammeRun, plan: MusclePlan) -> list[list[Given]]:
    """Of each repetition that was given, a muscle's pulses from the first to the last of its hold."""
    began_s: dict[int, float] = {}
    for number, decision in enumerate(run.decisions):
        seen = decision.view.exercise
        if seen is not None and seen.phase == "on":
            began_s.setdefault(seen.repetition, number * TICK_S)
    mine = [given for given in given_by(run) if plan_of(run, given) is plan]
    return [
        [g for g in mine if plan.held_share(g.t_s - at_s) is not None]
        for number, at_s in began_s.items()
        if number < run.core.timeline.repetition
    ]


def test_a_hold_has_its_pulses_its_doublet_and_its_rising_rate(run: ProgrammeRun) -> None:
    """As many as the mean rate gives, but for one at each end; a doublet is one more, and comes first."""
    if run.params.control == "emg-proportional" or not run.core.timeline.given:
        pytest.skip("the person shapes it, or an hour is not over in a minute")
    for plan in run.params.muscles:
        rate_hz = (plan.rate_hz + (plan.rate_end_hz or plan.rate_hz)) / 2.0
        trains = holds(run, plan)
        assert len(trains) == run.core.timeline.given
        for train in trains:
            gaps_s = [after.t_s - before.t_s for before, after in itertools.pairwise(train)]
            assert len(train) == pytest.approx(plan.hold_s * rate_hz + (plan.doublet_ms is not None), abs=2)
            if plan.doublet_ms is not None:
                assert gaps_s[0] == pytest.approx(plan.doublet_ms / 1e3, abs=TICK_S)
                assert min(gaps_s[1:]) > 1.0 / plan.rate_hz - TICK_S - 1e-6
            if plan.rate_end_hz is not None:
                third = len(gaps_s) // 3
                first, last = gaps_s[:third], gaps_s[-third:]
                middle = (plan.rate_end_hz - plan.rate_hz) / 6.0  # of the first third, by the straight line
                assert third / sum(first) == pytest.approx(plan.rate_hz + middle, rel=0.05)
                assert third / sum(last) == pytest.approx(plan.rate_end_hz - middle, rel=0.05)


def test_no_pulse_comes_outside_a_contraction(run: ProgrammeRun) -> None:
    """A pulse of a tick is given at once: its tick's phase is its own."""
    for given in given_by(run):
        seen = run.decisions[round(given.t_s / TICK_S)].view.exercise
        assert seen is not None
        assert seen.phase == "on", given


def test_the_current_follows_its_trapezoid(run: ProgrammeRun) -> None:
    """By the clock of the contraction alone: a cyclic or triggered programme in its first full repetition."""
    if run.params.control == "emg-proportional":
        pytest.skip("the person shapes it")
    began_s = {}
    for number, decision in enumerate(run.decisions):
        seen = decision.view.exercise
        assert seen is not None
        if seen.phase == "on" and not seen.warming_up:
            began_s.setdefault(seen.repetition, number * TICK_S)
    assert began_s
    first_s = began_s[min(began_s)]
    assert first_s >= READY_S
    for given in given_by(run):
        plan, t_s = plan_of(run, given), given.t_s - first_s
        if 0.0 <= t_s < run.params.repetition_s:
            current_ma = max(ma for _, ma in given.points)
            wanted = [plan.share(t_s - TICK_S), plan.share(t_s), plan.share(t_s + TICK_S)]
            low, high = min(wanted) * plan.current_ma, max(wanted) * plan.current_ma
            assert low - step_ma(run) - 0.3 <= current_ma <= high + step_ma(run), (plan.muscle, t_s)


def test_every_muscle_contracts(run: ProgrammeRun) -> None:
    counts = {
        plan.muscle: seen.contractions
        for plan, seen in zip(run.params.muscles, run.core.seen().muscles, strict=True)
    }
    whole = run.core.timeline.given > 0  # an hour of TENS is not over in a minute
    assert min(counts.values()) >= whole, counts
    assert {plan_of(run, given).muscle for given in given_by(run)} == {*counts}
