"""Test trains of a recording as the answers of a hanging foot: what `dorsi identify --recording` works on.

Promises stretches in which the foot began at rest and was heard throughout. The turn is the gyroscope's own,
about the axis that the trains show, from each rest on: the core's pitch is for walking, and takes a lifted
foot that keeps still for one on the ground. Refuses a recording without such trains.
"""

from __future__ import annotations

import math
from array import array
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.integrate import cumulative_trapezoid

from controller.core.params import CoreParams, FootModel
from controller.errors import InputError
from controller.record.reader import header, messages
from controller.record.records import CoreStart, GuardVerdict, Tick
from models.free_foot import FreeFootTest
from models.limb.foot import FootBody
from models.recruitment import REFERENCE_WIDTH_US, RecruitmentParams, equivalent_ma

Array = npt.NDArray[np.float64]
PURPOSE = "test_train"
BEFORE_S, AFTER_S = 0.3, 1.0  # of a train: at rest, and falling back until the next one's rest
STEP_S = 0.01
REST_RPS = math.radians(8.0)  # a foot that turns slower, in the mean over BEFORE_S, is at rest
HOLE_S = 0.1  # longer without a sample, and the stretch is left out
ALLOWED = "test trains, given while the leg hung at rest with a sensor on the foot"


class _Seen:
    """What the messages tell, in order: the foot's rates, its pitch as the core tells it, and the trains."""

    def __init__(self) -> None:
        self.foot = ""  # name of the sensor there
        self.t_s, self.gyr_rps = array("d"), array("d")  # of each sample; three rates each
        self.told_s, self.pitch_deg, self.shank_deg = array("d"), array("d"), array("d")
        self.trains: list[list[float]] = []  # begin and end
        self.pulse_t_s, self.current_ma = array("d"), array("d")
        self._in_train = False

    def tick(self, tick: Tick) -> None:
        view, now_s = tick.decision.view, tick.now_ns / 1e9
        for sample in tick.inputs.imu:
            if sample.sensor == self.foot and sample.valid:
                self.t_s.append(sample.t_ns / 1e9)
                self.gyr_rps.extend(sample.gyr_rps)
        if view.foot_pitch_deg is not None:
            self.told_s.append(now_s)
            self.pitch_deg.append(view.foot_pitch_deg)
            if view.ankle_deg is not None:
                self.shank_deg.append(view.foot_pitch_deg - view.ankle_deg)
        if view.test_train and not self._in_train:
            self.trains.append([now_s, now_s])
        if view.test_train:
            self.trains[-1][1] = now_s
        self._in_train = view.test_train

    def verdict(self, verdict: GuardVerdict, chronaxie_us: float) -> None:
        """Pulses of a train, as currents at the reference width."""
        if verdict.purpose != PURPOSE:
            return
        for pulse in verdict.pulses:
            of_one_ma = equivalent_ma(1.0, pulse.width_us, chronaxie_us)
            self.pulse_t_s.append(pulse.t_ns / 1e9)
            self.current_ma.append(abs(pulse.current_ma) * of_one_ma)


def read_answers(recording: Path) -> tuple[FreeFootTest, FootBody]:
    """The trains of a recording, and the foot that answered.

    Raises InputError for what is no recording of a walk's session, and where no train can be used.
    """
    params: CoreParams | None = None
    seen, chronaxie_us = _Seen(), RecruitmentParams().chronaxie_us
    for message in messages(recording, ("core/start", "tick", "guard/verdict")):
        match message.record:
            case CoreStart():
                params = _params(recording, bytes(message.record.params))
                seen.foot = next((p.sensor for p in params.placements if p.segment == "foot"), "")
            case Tick():
                seen.tick(message.record)
            case GuardVerdict():
                seen.verdict(message.record, chronaxie_us)
            case _:
                continue
    params = params or _params(recording, header(recording).get("core_params", "").encode())
    if not seen.trains or len(seen.pulse_t_s) < 2:
        raise InputError(str(recording), "test trains", "none", ALLOWED)
    return _test(recording, seen), foot_body(params.foot)


def foot_body(foot: FootModel) -> FootBody:
    """The controller's foot, with the centre of mass as far below the ankle as Winter has it."""
    height_m = foot.shank_m / 0.246
    return FootBody(
        mass_kg=foot.mass_kg,
        com_x_m=foot.com_forward_m,
        com_y_m=-0.35 * 0.039 * height_m,
        inertia_com_kgm2=foot.inertia_kgm2 - foot.mass_kg * foot.com_forward_m**2,
    )


def _params(recording: Path, params_json: bytes) -> CoreParams:
    try:
        return msgspec.json.decode(params_json, type=CoreParams)
    except msgspec.DecodeError as error:
        raise InputError(str(recording), "core_params", str(error), "the recording of a walk") from None


def _test(recording: Path, seen: _Seen) -> FreeFootTest:
    at_s, rates_rps = np.array(seen.t_s), np.array(seen.gyr_rps).reshape(-1, 3)
    stretches = []
    for number, (begin_s, end_s) in enumerate(seen.trains):
        later_s = seen.trains[number + 1][0] - BEFORE_S if number + 1 < len(seen.trains) else math.inf
        inside = (at_s >= begin_s - BEFORE_S) & (at_s < min(end_s + AFTER_S, later_s))
        here_s, turn_rps = at_s[inside], rates_rps[inside]
        before = here_s < begin_s
        if before.sum() < 3 or np.diff(here_s).max() > HOLE_S or here_s[-1] < end_s:
            continue
        turn_rps = turn_rps - turn_rps[before].mean(axis=0)
        if np.linalg.norm(turn_rps[before], axis=1).mean() <= REST_RPS:
            stretches.append((here_s, turn_rps))
    if not stretches:
        found = f"{len(seen.trains)} trains, none with a foot heard and at rest before it"
        raise InputError(str(recording), "test trains", found, ALLOWED)
    told_s, told_deg = np.array(seen.told_s), np.array(seen.pitch_deg)
    rests = [told_deg[np.searchsorted(told_s, here_s[0]) :][:1] for here_s, _ in stretches]
    rest_deg = float(np.median(np.concatenate(rests))) if told_s.size else 0.0
    axis = _axis(np.concatenate([turn for _, turn in stretches]))
    times, turned = [], []
    for here_s, turn_rps in stretches:
        grid = np.arange(here_s[0], here_s[-1], STEP_S)
        angle_rad = cumulative_trapezoid(turn_rps @ axis, here_s, initial=0.0)
        times.append(grid)
        turned.append(np.interp(grid, here_s, np.degrees(angle_rad)))
    up = 1.0 if sum(float(one.sum()) for one in turned) >= 0.0 else -1.0  # pulses lift the toes
    t_s, pulse_t_s, shank = np.concatenate(times), np.array(seen.pulse_t_s), np.array(seen.shank_deg)
    return FreeFootTest(
        t_s=t_s - t_s[0],
        pitch_deg=rest_deg + up * np.concatenate(turned),
        begins=tuple(np.cumsum([0, *(len(one) for one in times[:-1])]).tolist()),
        pulse_times_s=pulse_t_s - t_s[0],
        current_ma=np.array(seen.current_ma),
        width_us=REFERENCE_WIDTH_US,
        shank_deg=float(np.clip(np.median(shank), -60.0, 60.0)) if shank.size else 0.0,
    )


def _axis(rates_rps: Array) -> Array:
    """About which the foot turned most, (3,)."""
    _, vectors = np.linalg.eigh(rates_rps.T @ rates_rps)
    axis: Array = vectors[:, -1]
    return axis
