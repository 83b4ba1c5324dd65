"""The recordings and what the detector makes of each, worked out once for all tests."""

from __future__ import annotations

from functools import cache

from benchmarks.gait import Run, hemiparetic, motion_capture, observe, treadmill, unreferenced
from tests.data import DATA

WALKWAY = list(hemiparetic()) if DATA.is_dir() else []
FEET = list(motion_capture()) if DATA.is_dir() else []
TREADMILL = [*treadmill("shank"), *treadmill("forefoot")] if DATA.is_dir() else []
STAIRS = [*unreferenced("healthy_stair_up"), *unreferenced("healthy_stair_down")] if DATA.is_dir() else []


@cache
def run_of(name: str) -> Run:
    return observe(next(leg for leg in (*WALKWAY, *FEET, *TREADMILL, *STAIRS) if leg.name == name))
