"""The device clock: never later than the arrival, never back, and true spacing whatever the radio does."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from drivers.clock import OUTSIDE, SLEW, DeviceClock, Mapped
from tests.data import DATA, needs_data

WRAP = 2**32
PROMPT_MS = (1.0, 3.0)  # what a connection event costs where nothing goes wrong
TILT = 4e-4  # 2 ms of such jitter over 5 s


def arrivals(
    seed: int, *, drift_ppm: float, burst: float, seconds: float, start_us: int, rate_hz: float = 60.0
) -> list[tuple[int, int, int]]:
    """True time (ns), device stamp and arrival (ns): prompt, or held back by up to 150 ms."""
    rng = random.Random(seed)
    rows = []
    held_ns = 0.0
    for count in range(int(seconds * rate_hz)):
        true_ns = 5e9 + count * 1e9 / rate_hz
        if rng.random() < burst:
            held_ns = max(held_ns, true_ns + rng.uniform(1.0, 150.0) * 1e6)
        held_ns = max(held_ns, true_ns + rng.uniform(*PROMPT_MS) * 1e6)
        stamp = int(start_us + true_ns * (1 + drift_ppm * 1e-6) / 1000) % WRAP
        rows.append((round(true_ns), stamp, int(held_ns)))
    return rows


def run(clock: DeviceClock, rows: list[tuple[int, int, int]]) -> list[tuple[int, int, Mapped]]:
    return [(true_ns, arrival_ns, clock.map(stamp, arrival_ns)) for true_ns, stamp, arrival_ns in rows]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    drift_ppm=st.floats(-1500, 1500),
    burst=st.floats(0, 0.2),
    start_us=st.integers(0, WRAP - 1),
)
def test_time_is_true_under_bursts_and_drift(
    seed: int, drift_ppm: float, burst: float, start_us: int
) -> None:
    mapped = run(
        DeviceClock(), arrivals(seed, drift_ppm=drift_ppm, burst=burst, seconds=40, start_us=start_us)
    )
    assert not any(after.reset for _, _, after in mapped)
    assert all(after.t_ns <= arrival_ns for _, arrival_ns, after in mapped)
    assert all(a[2].t_ns <= b[2].t_ns for a, b in pairwise(mapped))
    settled = [row for row in mapped if row[0] > 15e9]
    # Every half second brings a prompt sample, so the line lies within the spread of prompt delays of the
    # truth (the sides of the 5 s fit can tilt it by as much again), less one microsecond of stamp.
    spread_ns = (PROMPT_MS[1] - PROMPT_MS[0]) * 1e6
    for true_ns, _, after in settled:
        assert PROMPT_MS[0] * 1e6 - 2 * spread_ns < after.t_ns - true_ns < PROMPT_MS[1] * 1e6 + spread_ns
    # Between two samples the offset moves by the slew at most, beside a drift that jitter tilts.
    for (true_a, _, a), (true_b, _, b) in pairwise(settled):
        error_ns = (b.t_ns - a.t_ns) - (true_b - true_a)
        assert -spread_ns < error_ns <= (SLEW + TILT) * (true_b - true_a) + 2000


def test_wrap_goes_on_without_a_jump() -> None:
    rows = arrivals(1, drift_ppm=0, burst=0.0, seconds=20, start_us=WRAP - 12_000_000)
    assert any(b[1] < a[1] for a, b in pairwise(rows))
    mapped = run(DeviceClock(), rows)
    assert not any(after.reset for _, _, after in mapped)
    steps_us = [round((b[2].device_ns - a[2].device_ns) / 1000) for a, b in pairwise(mapped)]
    assert set(steps_us) <= {16666, 16667}


def test_silence_longer_than_half_a_wrap_is_counted() -> None:
    clock = DeviceClock()
    clock.map(100, 10**9)
    away_ns = 50 * 60 * 10**9  # 50 min; the 32-bit microsecond clock wraps after 71.6 min
    later = clock.map((100 + away_ns // 1000) % WRAP, 10**9 + away_ns)
    assert not later.reset
    assert later.device_ns == away_ns


@pytest.mark.parametrize("stamp_after", [0, 123_456])
def test_device_reset_starts_anew_and_time_goes_on(stamp_after: int) -> None:
    clock = DeviceClock()
    before = [clock.map(3_000_000_000 + 16_667 * k, 10**9 + 16_667_000 * k) for k in range(120)]
    arrival_ns = 10**9 + 16_667_000 * 150
    after = clock.map(stamp_after, arrival_ns)
    assert (after.doubtful, after.reset, after.t_ns) == (True, False, arrival_ns)
    assert before[-1].device_ns < after.device_ns
    following = clock.map(stamp_after + 16_667, arrival_ns + 16_667_000)
    assert (following.doubtful, following.reset) == (False, True)
    assert following.t_ns - after.t_ns == following.device_ns - after.device_ns == 16_667_000
    third = clock.map(stamp_after + 2 * 16_667, arrival_ns + 2 * 16_667_000)
    assert (third.doubtful, third.reset) == (False, False)
    assert third.t_ns - following.t_ns == 16_667_000


@pytest.mark.parametrize("bit", range(32))
def test_one_flipped_bit_of_a_stamp_moves_no_other_sample(bit: int) -> None:
    sound, hurt = DeviceClock(), DeviceClock()
    for k in range(400):
        stamp, arrival_ns = 16_667 * k, 10**9 + 16_667_000 * k
        wanted = sound.map(stamp, arrival_ns)
        found = hurt.map(stamp ^ (1 << bit) if k == 300 else stamp, arrival_ns)
        assert found.t_ns <= arrival_ns
        if k != 300:
            assert not found.doubtful
            assert abs(found.device_ns - wanted.device_ns) == 0
            assert wanted.t_ns - found.t_ns < 20_000_000


@pytest.mark.parametrize(("drop_us", "doubtful"), [(20_000, False), (20_001, True)])
def test_a_drop_counts_at_once_up_to_20_ms_and_beyond_when_the_next_sample_confirms_it(
    drop_us: int, doubtful: bool
) -> None:
    """The radio held the first ten samples back by as much and lost two; then it delivers promptly."""
    clock = DeviceClock()
    held = [clock.map(16_667 * k, 10**9 + 16_667_000 * k + 1000 * drop_us) for k in range(10)]
    assert not any(mapped.doubtful for mapped in held)
    found = [clock.map(16_667 * k, 10**9 + 16_667_000 * k) for k in range(12, 17)]
    assert [mapped.doubtful for mapped in found] == [doubtful, False, False, False, False]
    assert [mapped.t_ns for mapped in found] == [10**9 + 16_667_000 * k for k in range(12, 17)]
    assert not any(mapped.reset for mapped in found)


def test_one_late_sample_does_not_move_the_clock() -> None:
    clock = DeviceClock()
    for k in range(300):
        clock.map(16_667 * k, 10**9 + 16_667_000 * k)
    held = clock.map(16_667 * 300, 10**9 + 16_667_000 * 300 + 140_000_000)
    assert held.t_ns == 10**9 + 16_667_000 * 300


@given(st.lists(st.tuples(st.integers(0, WRAP - 1), st.integers(0, 2**63)), min_size=1, max_size=40))
def test_any_stamps_and_arrivals_keep_the_promises(pairs: list[tuple[int, int]]) -> None:
    clock = DeviceClock()
    newest_ns = last_ns = 0
    for stamp, arrival_ns in pairs:
        newest_ns = max(newest_ns, arrival_ns)
        mapped = clock.map(stamp, arrival_ns)
        assert last_ns <= mapped.t_ns <= newest_ns
        last_ns = mapped.t_ns


@pytest.mark.parametrize("drift_ppm", [-1500, -980, 0, 980, 1500])
def test_the_first_seconds_lag_by_no_more_than_the_drift_that_cannot_be_told_yet(drift_ppm: float) -> None:
    rows = arrivals(3, drift_ppm=drift_ppm, burst=0.1, seconds=8, start_us=0)
    for true_ns, _, after in run(DeviceClock(), rows):
        assert -1500e-6 * 3.5e9 < after.t_ns - true_ns < 2 * PROMPT_MS[1] * 1e6


@pytest.mark.parametrize(
    ("drift_ppm", "outside"), [(1200, False), (-1200, False), (1800, True), (-1800, True)]
)
def test_a_clock_outside_its_bound_is_told_after_a_minute_and_no_other(
    drift_ppm: float, outside: bool
) -> None:
    rows = arrivals(5, drift_ppm=drift_ppm, burst=0.1, seconds=64, start_us=0)
    told = [after.reason for _, _, after in run(DeviceClock(), rows)]
    assert set(told[: 30 * 60]) == {""}
    assert set(told[60 * 60 :]) == {OUTSIDE if outside else ""}


@needs_data
@pytest.mark.parametrize("name", ["16bit_rest", "24bit_rest", "24bit_strong_contraction"])
def test_a_captured_wearable_is_mapped_onto_the_line_of_its_earliest_arrivals(name: str) -> None:
    """ttktjmt/mudraka, a wristband 650 to 982 ppm off its host, whose first seconds were all held back."""
    table = np.loadtxt(DATA / "ble_host_arrivals" / f"{name}.csv", delimiter=",", skiprows=1, dtype=np.int64)
    device_s, arrival_s = ((table - table[0]) * (1e-6, 1e-9)).T
    late_s = arrival_s - device_s
    line = linprog(
        [-device_s.sum(), -len(device_s)],
        np.c_[device_s, np.ones_like(device_s)],
        late_s,
        bounds=(None, None),
    )
    clock = DeviceClock()
    mapped = [clock.map(int(stamp), int(arrival)) for stamp, arrival in table]
    mapped_s = np.array([one.t_ns - int(table[0, 1]) for one in mapped]) * 1e-9
    error_s = mapped_s - (device_s * (1 + line.x[0]) + line.x[1])
    settled = error_s[device_s > 6.0]
    assert np.percentile(np.abs(settled), 95) < 0.005
    assert np.abs(settled).max() < 0.010
    assert {one.reason for one in mapped} == {""}
