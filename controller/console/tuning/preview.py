"""What a change of settings would do: the patient's identified model walks ten strides with and without it.

Promises the same strides for both, and names every limit that binds. Runs as a process of its own
(``dorsi-preview``, lines of JSON in and out, low priority), as it takes seconds of a processor.
"""

from __future__ import annotations

import copy
import os
import statistics
import sys
from collections import Counter
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray
from setproctitle import setproctitle

from controller.config.tunables import with_values
from controller.console.low_priority import BEHIND
from controller.console.tuning.preview_messages import PERCENTS, Asked, Binding, Preview, Question, Said, Walk
from controller.core.control.assistance import asked_reference
from controller.core.params import CoreParams
from controller.simulation.closed_loop import TICK_S, Rehearsal, Stride, TracePoint
from controller.simulation.identified_body import identified_body
from models.gait import Activity
from models.patient import STAND_FIRST_S, VirtualPatient

STRIDES = 10
WARM_STRIDES = 6  # axes, pace and integral find their place
FULL = 0.98  # of the fibres: more current brings nothing
WINDOW_TICKS = round(0.25 / TICK_S)
DRAWN_S = 0.25  # of walking between two words on how far it is
BIND_SHARE = 0.01  # of the ticks with current: less is a single tick at the edge
MINUTE_S = 60.0


Progress = Callable[[float], None]


def preview(question: Question, progress: Progress = lambda _: None) -> Preview:
    """Walk the model with the settings as they are until they have settled, then ten strides either way."""
    params = question.params
    new = with_values(params, question.wanted)
    body = identified_body(params, question.stride_cv)
    pace = Activity("walk", 1e4, speed_mps=question.speed_mps, stride_s=question.stride_s)
    patient = VirtualPatient(body, question.seed, (Activity("stand", STAND_FIRST_S), pace))
    settling = Rehearsal(params, patient)
    warm_s = STAND_FIRST_S + WARM_STRIDES * question.stride_s
    all_s = warm_s + 2 * (STRIDES + 2) * question.stride_s
    _walk(settling, warm_s, lambda done_s: progress(done_s / all_s))
    settling.to_boundary()
    since_s = settling.ticks * TICK_S
    until_s = since_s + (STRIDES + 2) * question.stride_s
    walks: list[Walk] = []
    for turn, chosen in enumerate((params, new)):
        walk = copy.deepcopy(settling)
        if chosen is not params:
            walk.reconfigure(chosen)
        begun_s = warm_s + turn * (until_s - since_s)
        _walk(walk, until_s, _from(progress, begun_s - since_s, all_s))
        walks.append(_figures(walk, since_s, question))
    now, then = walks
    measured = question.measured_error_deg
    scale = 1.0 if measured is None or now.error_deg <= 0.0 else measured / now.error_deg
    wanted = asked_reference(new)
    reference = np.interp(PERCENTS, np.linspace(0, 100, len(wanted.foot_pitch_deg)),
                          wanted.foot_pitch_deg)  # fmt: skip
    return Preview(now, then, _rounded(reference), then.error_deg * scale)


def _from(progress: Progress, offset_s: float, all_s: float) -> Progress:
    return lambda done_s: progress(min(1.0, (done_s + offset_s) / all_s))  # however the sum was rounded


def _walk(walk: Rehearsal, until_s: float, said: Progress) -> None:
    while (at_s := walk.ticks * TICK_S) < until_s:
        walk.walk(min(until_s, at_s + DRAWN_S))
        said(walk.ticks * TICK_S)


def _figures(walk: Rehearsal, since_s: float, question: Question) -> Walk:
    true = [s for s in walk.patient.strides() if s.initial_contact_s >= since_s][:STRIDES]
    judged = {stride.end_s: stride for stride in walk.strides()}
    strides: list[Stride] = [
        judged[s.next_initial_contact_s] for s in true if s.next_initial_contact_s in judged
    ]
    if not strides:
        raise ValueError("the model did not walk")
    time_s = np.array([point.time_s for point in walk.trace])
    bounds = [np.searchsorted(time_s, (s.initial_contact_s, s.next_initial_contact_s)) for s in true]
    pieces = [walk.trace[first:last] for first, last in bounds]
    return Walk(
        error_deg=statistics.median(s.error_rms_deg for s in strides),
        ankle_contact_deg=statistics.median(s.ankle_deg for s in strides),
        charge_uc=statistics.median(s.charge_uc for s in strides),
        current_max_ma=max(point.current_ma or 0.0 for piece in pieces for point in piece),
        errors_deg=tuple(round(s.error_rms_deg, 2) for s in strides),
        pitch_deg=_mean(pieces, lambda point: point.foot_pitch_deg),
        ankle_deg=_mean(pieces, lambda point: point.ankle_deg),
        current_ma=_mean(pieces, lambda point: point.current_ma or 0.0),
        bindings=bindings(walk.params, pieces, question),
    )


def _mean(pieces: list[list[TracePoint]], value: Callable[[TracePoint], float]) -> tuple[float, ...]:
    curves = [
        np.interp(PERCENTS, np.linspace(0.0, 100.0, len(piece)), [value(point) for point in piece])
        for piece in pieces
    ]
    return _rounded(np.mean(curves, axis=0))


def _rounded(curve: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 2) for value in curve)


def bindings(params: CoreParams, strides: list[list[TracePoint]], question: Question) -> tuple[Binding, ...]:
    """The limits that held the current back, the one that did so most first."""
    ticks: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    on = 0
    for stride in strides:
        here: Counter[str] = Counter()
        currents = [point.current_ma or 0.0 for point in stride]
        for index, point in enumerate(stride):
            if point.current_ma is None:
                continue
            on += 1
            before_ma = currents[index - 1] if index else 0.0
            lowest_ma = min(currents[max(0, index - WINDOW_TICKS) : index + 1])
            here.update(_at_limit(params, point, before_ma, lowest_ma))
        ticks.update(here)
        seen.update(name for name, count in here.items() if count > BIND_SHARE * len(stride))
    found = [Binding(name, seen[name], ticks[name] / on) for name in seen]
    return tuple(sorted(found, key=lambda b: -b.share)) + _guards(params, strides, question)


def _at_limit(params: CoreParams, point: TracePoint, before_ma: float, lowest_ma: float) -> list[str]:
    """The limits this tick's current stands at."""
    pulse, view, current_ma = params.pulse, point.decision.view, point.current_ma or 0.0
    step_ma = pulse.current_step_ma
    found: list[str] = []
    if current_ma > pulse.current_max_ma - step_ma:
        found.append("limits.current_max_ma")
    elif view.activation >= FULL:
        found.append("full_recruitment")
    if current_ma - before_ma > pulse.rise_ma_per_tick - step_ma / 2:
        found.append("limits.rise_max_ma_per_frame")
    if current_ma - lowest_ma > pulse.rise_ma_per_250ms - step_ma:
        found.append("limits.rise_max_ma_per_250ms")
    feedback_nm = view.proportional + view.integral + view.derivative
    if params.mode != "trapezoid" and point.in_swing and abs(feedback_nm) >= params.gains.torque_max_nm > 0.0:
        found.append("feedback.torque_max_nm")
    return found


def _guards(params: CoreParams, strides: list[list[TracePoint]], question: Question) -> tuple[Binding, ...]:
    """Limits of the guard that this walk would meet: it would block, or stop."""
    highest_ma = max((point.current_ma or 0.0 for stride in strides for point in stride), default=0.0)
    seconds = sum(len(stride) for stride in strides) * TICK_S
    flowing = [point for stride in strides for point in stride if point.current_ma]
    dose_uc = sum((p.current_ma or 0.0) * p.width_us for p in flowing) * 1e-3 * params.pulse.rate_hz * TICK_S
    values = {
        "current_max_ma": highest_ma,
        "charge_max_uc": highest_ma * params.pulse.width_us * 1e-3,
        "dose_max_uc": dose_uc * MINUTE_S / seconds if seconds else 0.0,
    }
    return tuple(
        Binding(f"guard.{ceiling.name}", len(strides), 1.0, ceiling.set_by)
        for ceiling in question.ceilings
        if values.get(ceiling.name, 0.0) > ceiling.value
    )


def _telling(number: int, say: Callable[[Said], None]) -> Progress:
    return lambda done: say(Said(number, done))


def main() -> None:
    """Answer questions, one a line, until the other end closes."""
    setproctitle("dorsi-preview")
    os.nice(BEHIND)
    VirtualPatient.compile()
    decoder, encoder = msgspec.json.Decoder(Asked), msgspec.json.Encoder()

    def say(said: Said, /) -> None:
        sys.stdout.buffer.write(encoder.encode(said) + b"\n")
        sys.stdout.buffer.flush()

    for line in sys.stdin.buffer:
        asked = decoder.decode(line)
        number = asked.number
        try:
            found = preview(asked.question, _telling(number, say))
        except ValueError as error:
            say(Said(number, 1.0, error=str(error)))
        else:
            say(Said(number, 1.0, found))


if __name__ == "__main__":
    main()
