"""What the core plans passes the guard: no frame of a healthy walk is reduced, blocked or too much."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.core.output.pulse_shaping import Intensity
from controller.core.params import CoreParams
from controller.core.signals import Mode
from controller.safety.judgement.frame_check import MS, Rules, fresh_memory, judge, on_share
from controller.safety.judgement.limits import Layer, merge
from controller.safety.judgement.wire import Channels, Frame
from controller.simulation.closed_loop import EPOCH_NS, Rehearsal
from drivers.interface import ChannelCommand
from models.cohort import cohort_patient
from models.gait import Activity
from models.patient import STAND_FIRST_S, VirtualPatient
from models.patient_params import PatientParams
from tests.core.control.numbers import DEMO, params

TWO = DEMO.with_name("two_channels.toml")
WALK_S = 22.0  # twice the window of the on-share


def rules_of(core: CoreParams, channels: int = 1) -> Rules:
    pulse = core.pulse
    limits = {
        "current_max_ma": pulse.current_max_ma,
        "width_max_us": pulse.width_us,
        "rise_max_ma_per_frame": pulse.rise_ma_per_tick,
        "rise_max_ma_per_250ms": pulse.rise_ma_per_250ms,
        "train_max_s": pulse.train_max_s,
    }
    return Rules(7, (25.0,) * channels, merge((Layer("session", limits),)))


def given_away(frames: list[tuple[int, int, Channels]], rules: Rules) -> tuple[set[str], float]:
    """Why frames did not pass whole, and the greatest on-share; a frame has the guard's and its own time."""
    memory = fresh_memory(len(rules.areas_cm2))
    reasons, share = set(), 0.0
    for seq, (now_ns, t_ns, channels) in enumerate(frames):
        got, memory = judge(now_ns, Frame(7, seq, t_ns, 60.0, channels), (), rules, memory)
        if got.verdict != "ok":
            reasons.add(got.reason)
        share = max(share, *(on_share(track, now_ns, rules.on_window_ns) for track in memory.tracks))
    return reasons, share


def walked(core: CoreParams, body: PatientParams, seed: int, stride_s: float) -> Rehearsal:
    speed_mps = 1.2 / stride_s  # a faster walk has the shorter strides
    schedule = (Activity("stand", STAND_FIRST_S), Activity("walk", WALK_S, speed_mps, stride_s))
    walk = Rehearsal(core, VirtualPatient(body, seed, schedule))
    walk.walk(STAND_FIRST_S + WALK_S)
    return walk


def frames_of(walk: Rehearsal) -> list[tuple[int, int, Channels]]:
    times = [EPOCH_NS + round(point.time_s * 1e9) for point in walk.trace]
    commands = [point.decision.command.channels for point in walk.trace]
    return [(t_ns, t_ns, channels) for t_ns, channels in zip(times, commands, strict=True)]


@pytest.mark.parametrize(
    ("mode", "stride_s"), [("feedback", 0.85), ("feedback", 1.2), ("feedback", 2.0), ("trapezoid", 0.85)]
)
def test_a_healthy_walk_at_any_pace_passes_whole_with_time_to_spare(mode: Mode, stride_s: float) -> None:
    core = params(mode)
    walk = walked(core, PatientParams(), 1, stride_s)
    assert len(walk.pulses) > WALK_S * 10  # it is stimulated, and most of its strides are
    reasons, share = given_away(frames_of(walk), rules_of(core))
    assert reasons == set()
    assert share < 0.87  # 0.9 is the guard's limit


@pytest.mark.parametrize("number", range(2))
def test_a_patient_at_their_own_pace_passes_whole(number: int) -> None:
    member = cohort_patient(number)
    core = params("feedback")
    placements = tuple(replace(one, side=member.params.side) for one in core.placements)
    core = replace(core, placements=placements)
    walk = walked(core, member.params, member.seed, member.stride_s)
    reasons, share = given_away(frames_of(walk), rules_of(core))
    assert reasons == set()
    assert share < 0.87


def test_two_channels_pass_whole() -> None:
    core = core_params(load_session(TWO), "learning")
    walk = walked(core, PatientParams(), 1, 1.3)
    frames = frames_of(walk)
    assert any(channels[1] is not None for _, _, channels in frames)
    reasons, share = given_away(frames, rules_of(core, channels=2))
    assert reasons == set()
    assert share < 0.87


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(1.0, 14.0), st.floats(0.0, 60.0), st.floats(0.0, 4.0)), min_size=1, max_size=120
    ),
    st.sampled_from([None, 150.0]),
)
def test_whatever_the_core_wishes_and_whenever_it_steps_the_guard_reduces_nothing(
    steps: list[tuple[float, float, float]], width_min_us: float | None
) -> None:
    core = params("feedback")
    pulse = replace(core.pulse, width_min_us=width_min_us, current_max_ma=45.0, rise_ma_per_250ms=200.0)
    it = Intensity(core.muscle, pulse)
    frames: list[tuple[int, int, Channels]] = []
    t_ns = now_ns = EPOCH_NS
    for gap_ms, wanted_ma, late_ms in steps:  # late: from its tick to the guard
        t_ns += round(gap_ms * MS)
        now_ns = max(now_ns, t_ns + round(late_ms * MS))
        it.move(t_ns, wanted_ma)
        current_ma, width_us = it.shaped()
        frames.append((now_ns, t_ns, (ChannelCommand(current_ma, width_us, 40.0),)))
    loose = rules_of(replace(core, pulse=replace(pulse, train_max_s=3.0, rise_ma_per_250ms=60.0)))
    assert given_away(frames, loose)[0] == set()
