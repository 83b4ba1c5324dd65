"""What the feed tells the browsers of a point, a stride, a refusal and a limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from msgspec import convert

from controller.console.live.stride_curves import Curves
from controller.record.live import TracePoint
from controller.record.step_verdict import target_deg, verdict
from controller.record.strides import Stride
from controller.safety.judgement.arming_refusals import RefusalCode

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Refused:
    """One of the guard's refusals, as it tells them: controller.safety.judgement.arming_refusals."""

    code: RefusalCode
    name: str
    left_s: float | None

    @property
    def shown(self) -> str:
        """What goes into the words for it: a name, or how many minutes are left."""
        if self.code == "unanswered":
            return ""
        return self.name if self.left_s is None else str(math.ceil(self.left_s / 60.0))


def point_message(point: TracePoint) -> list[float | None]:
    return [
        round(point.t_ns / 1e9, 3),
        _rounded(point.foot_pitch_deg),
        _rounded(point.reference_pitch_deg),
        _rounded(point.ankle_deg),
        _rounded(point.commanded_ma),
        _rounded(point.applied_ma),
        _rounded(point.phase_percent),
        _rounded(point.emg_uv),
    ]


def stride_message(number: int, stride: Stride, curves: Curves) -> Json:
    return {
        "number": number,
        "end_s": stride.next_initial_contact_ns / 1e9,
        "duration_s": stride.duration_s,
        "cadence_spm": stride.cadence_spm,
        "swing_percent": stride.swing_percent,
        "pitch_contact_deg": stride.foot_pitch_at_initial_contact_deg,
        "ankle_contact_deg": stride.ankle_at_initial_contact_deg,
        "error_deg": stride.swing_pitch_rmse_deg,
        "charge_uc": stride.charge_uc,
        "verdict": verdict(stride),
        "landing_deg": stride.landing_pitch_deg,
        "target_deg": target_deg(stride),
        "reference_deg": [_rounded(value) for value in curves.reference_deg],
        "pitch_deg": [_rounded(value) for value in curves.pitch_deg],
        "applied_ma": [_rounded(value) for value in curves.applied_ma],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def refusals_told(told: object) -> list[tuple[str, str]]:
    """Code and name of the guard's refusals in its order; that questions are unanswered is told once."""
    whys = convert(told, list[_Refused])
    return list(dict.fromkeys((why.code, why.shown) for why in whys))


def limits_told(told: object) -> dict[str, tuple[float, str]]:
    """The guard's limits by name, each with who set it; empty where it did not say."""
    if not isinstance(told, dict):
        return {}
    return {
        str(name): (float(limit["value"]), str(limit.get("set_by", "")))
        for name, limit in told.items()
        if isinstance(limit, dict) and isinstance(limit.get("value"), int | float)
    }


def on_time_told(told: object, limits: dict[str, tuple[float, str]]) -> Json:
    """How long it has been armed since the last full rest, and until the next one is due, to 10 s; ``told``
    is the guard's on-time of bout and session in seconds. Empty where it did not say.
    """
    if not isinstance(told, dict):
        return {}
    used_s = {name: float(value) for name, value in told.items() if isinstance(value, int | float)}
    left_s = [limits[f"{n}_max_s"][0] - used_s[n] for n in used_s if f"{n}_max_s" in limits]
    if "bout" not in used_s or not left_s:
        return {}
    return {"on_s": round(used_s["bout"], -1), "rest_in_s": max(0.0, round(min(left_s), -1))}
