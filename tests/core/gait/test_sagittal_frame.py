"""Which way a limb moves, on swings of half a sine."""

from __future__ import annotations

import math

import pytest

from controller.core.gait.sagittal_frame import GRAVITY_MPS2, REST_S, SagittalFrame

STEP_NS = 10_000_000
SWING_S = 0.4


def stride(frame: SagittalFrame, t_ns: int, way: float) -> int:
    """One stride of a second, forward (1), backward (-1) or none (0: it stands); when it ended."""
    for k in range(100):
        t_ns = sample(frame, t_ns, way, k * 0.01)
    return t_ns


def sample(frame: SagittalFrame, t_ns: int, way: float, share_s: float) -> int:
    rate_rps, forward_mps2 = (-1.0 if share_s > SWING_S + 0.1 else 0.0), 0.0
    if share_s < SWING_S:
        rate_rps = 4.0 * math.sin(math.pi * share_s / SWING_S)
        forward_mps2 = 12.0 * math.sin(math.tau * share_s / SWING_S)
    t_ns += STEP_NS
    frame.update(t_ns, (way * forward_mps2, 0.0, GRAVITY_MPS2), (0.0, way * rate_rps, 0.0))
    return t_ns


@pytest.mark.parametrize(("stood_s", "still_backward"), [(REST_S - 0.1, True), (REST_S + 0.1, False)])
def test_a_limb_that_stood_may_go_the_other_way(stood_s: float, *, still_backward: bool) -> None:
    frame, t_ns = SagittalFrame(), 0
    for way in (*[1.0] * 15, 0.0, -1.0):
        t_ns = stride(frame, t_ns, way)
    assert frame.moves_backward  # known from the first stride after standing on
    for _ in range(round(stood_s * 1e9) // STEP_NS):
        t_ns = sample(frame, t_ns, 0.0, 0.0)
    assert frame.moves_backward == still_backward
    stride(frame, t_ns, -1.0)
    assert frame.moves_backward
