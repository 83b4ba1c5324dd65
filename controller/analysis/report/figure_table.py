"""The report's table of figures: what each row is called, its unit, and how it reads."""

from __future__ import annotations

from collections.abc import Callable

from controller.analysis.summary import ArmSummary, Latency, Spread
from controller.analysis.tables import left_out_words

Cell = Callable[[ArmSummary], str]


def _number(value: float | None, form: str) -> str:
    return "not known" if value is None else _minus(f"{value:{form}}")


def _spread(value: Spread | None) -> str:
    return "not known" if value is None else _minus(f"{value.median:.1f} ({value.p90:.1f})")


def _latency(value: Latency | None) -> str:
    return "none" if value is None else f"{value.p50:.2f} / {value.p99:.2f} / {value.max:.2f}"


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


FIGURES: tuple[tuple[str, str, Cell], ...] = (
    ("Duration", "s", lambda arm: f"{arm.seconds:.1f}"),
    ("Strides the controller counted", "", lambda arm: str(arm.strides)),
    ("Strides the body made", "", lambda arm: _number(arm.true_strides, "d")),
    ("Unlifted swings", "", lambda arm: _number(arm.unlifted_swings, "d")),
    ("Strides in the figures", "", lambda arm: str(arm.counted_strides)),
    (
        "Strides in no figure",
        "",
        lambda arm: left_out_words(arm.left_out_strides) or "none",
    ),
    ("Ankle at initial contact", "°", lambda arm: _spread(arm.ankle_at_initial_contact_deg)),
    ("Foot pitch at initial contact", "°", lambda arm: _spread(arm.foot_pitch_at_initial_contact_deg)),
    ("Peak dorsiflexion in swing", "°", lambda arm: _spread(arm.peak_swing_dorsiflexion_deg)),
    ("Foot pitch error in swing, r.m.s.", "°", lambda arm: _spread(arm.swing_pitch_rmse_deg)),
    ("Phase charge per stride, median", "µC", lambda arm: _number(arm.charge_per_stride_uc, ".0f")),
    ("Sensor to pulse", "ms", lambda arm: _latency(arm.sensor_to_pulse_ms)),
    ("Tick", "ms", lambda arm: _latency(arm.tick_ms)),
    ("Missed ticks", "", lambda arm: str(arm.missed_ticks)),
    ("Samples lost", "", lambda arm: str(arm.samples_lost)),
    ("Trips", "", lambda arm: str(arm.trips)),
)
FIGURES_NOTE = (
    "Angles: median over strides, in brackets the 90th percentile. Delays: median / 99 % / largest."
)
