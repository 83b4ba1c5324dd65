"""The default session's numbers, for every test of this folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.core.params import CoreParams
from controller.core.signals import Mode

DEMO = Path(__file__).resolve().parents[3] / "configs" / "sessions" / "demo.toml"


def params(mode: Mode) -> CoreParams:
    """The demo's patient with the demo's gains."""
    return core_params(load_session(DEMO), mode)


def linear(given: CoreParams, **muscle: float) -> CoreParams:
    """The same with other muscle numbers."""
    return replace(given, muscle=replace(given.muscle, **muscle))
