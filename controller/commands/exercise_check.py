"""Why an exercise programme may not begin: what the stimulator cannot produce, what a limit would block.

Each refusal gives the reason and the nearest that can be given; nothing is changed silently.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from controller.config.exercise import ExerciseSession, cycles_of, exercise_params, output_of
from controller.config.limits import broken_by, current_ceilings
from controller.config.loader import place_of
from controller.core.exercise.programme import MusclePlan
from controller.safety.judgement.limits import DOSE_WINDOW_S, charge_uc
from drivers.catalogue import STIMULATORS

DENERVATED_WIDTH_US = 10_000.0  # below, muscle without nerve does not answer (docs/exercise.md)


def exercise_objections(session: ExerciseSession) -> list[str]:
    """Why this programme may not begin: what device or limits cannot give; a line each, or none."""
    return [*_shapes(session), *_currents(session), *_lengths(session)]


def _shapes(session: ExerciseSession) -> Iterator[str]:
    """Waveforms that the stimulator does not have, with the nearest it has."""
    sheet = STIMULATORS[session.file.stimulator.device].capability
    limits = session.effective.limits
    for number, one in enumerate(session.programme.contractions, 1):
        place = f"{session.programme_path}: contractions number {number} ({one.muscle})"
        if (one.carrier_hz is None) != (one.burst_ms is None):
            yield f"{place}: carrier_hz and burst_ms belong together, allowed: both or neither"
        elif one.carrier_hz is not None and one.burst_ms is not None:
            half_us = 5e5 / one.carrier_hz
            if abs(half_us - one.width_us) > 0.5:
                yield (
                    f"{place}: width_us: found {one.width_us:g}, allowed: {half_us:g}, half a period "
                    f"of {one.carrier_hz:g} Hz"
                )
        if session.programme.programme.kind == "denervated" and one.width_us < DENERVATED_WIDTH_US:
            yield (
                f"{place}: width_us: found {one.width_us:g}, allowed: at least {DENERVATED_WIDTH_US:g} in a "
                "programme of kind 'denervated': muscle that does not answer to shorter pulses has lost "
                "its nerve, and muscle that does needs no such programme"
            )
        most_us = min(sheet.width_max_us, limits.width_max_us)
        if one.width_us > most_us:
            yield (
                f"{place}: width_us: found {one.width_us:g}, allowed: at most {most_us:g} with {sheet.name} "
                f"and {session.effective.named('width_max_us')}; the nearest is {most_us:g} us, which is "
                "another stimulation, not a shorter form of this one"
            )
        for key, rate_hz in (("rate_hz", one.rate_hz), ("rate_end_hz", one.rate_end_hz)):
            if rate_hz is not None and rate_hz > limits.rate_max_hz:
                yield (
                    f"{place}: {key}: found {rate_hz:g}, allowed: at most {limits.rate_max_hz:g} by "
                    f"{session.effective.named('rate_max_hz')}; the nearest is {limits.rate_max_hz:g} Hz"
                )
        if cycles_of(one) > limits.cycles_max:
            most_ms = 1e3 * limits.cycles_max / (one.carrier_hz or 1e3)
            yield (
                f"{place}: burst_ms: found {one.burst_ms:g}, {cycles_of(one)} cycles, allowed: at most "
                f"{limits.cycles_max:g} cycles by {session.effective.named('cycles_max')}; the nearest is "
                f"{most_ms:g} ms"
            )
        least_ms = 1e3 / limits.rate_max_hz
        if one.doublet_ms is not None and one.doublet_ms < least_ms:
            yield (
                f"{place}: doublet_ms: found {one.doublet_ms:g}, allowed: at least {least_ms:g} by "
                f"{session.effective.named('rate_max_hz')}; the nearest is {least_ms:g} ms"
            )


def _currents(session: ExerciseSession) -> Iterator[str]:
    """Currents that a limit would block."""
    limits = session.effective.limits
    for one, place in session.muscles:
        output = output_of(one, place)
        broken = broken_by(limits, output, place.current_max_ma)
        for most_ma, name in current_ceilings(limits, output):
            if name in broken:
                where = place_of(session.path, session.text, "therapy", "muscles", "current_max_ma")
                yield (
                    f"{where} of {one.muscle}: found {place.current_max_ma:g} at {one.width_us:g} us through "
                    f"{place.electrode_area_cm2:g} cm2, allowed: at most {most_ma:.4g} "
                    f"by {session.effective.named(name)}"
                )


def _lengths(session: ExerciseSession) -> Iterator[str]:
    """Contractions that last too long, or too close to each other, for the limits in force."""
    params = exercise_params(session)
    limits, effective = session.effective.limits, session.effective
    period_s = params.repetition_s + params.course.rest_s
    for number, muscle in enumerate(params.muscles, 1):
        place = f"{session.programme_path}: contractions number {number} ({muscle.muscle})"
        on_s = muscle.ramp_up_s + muscle.hold_s + muscle.ramp_down_s
        if on_s > limits.train_max_s:
            yield (
                f"{place}: ramps and hold last {on_s:g} s, allowed: at most {limits.train_max_s:g} s by "
                f"{effective.named('train_max_s')}"
            )
        dose_uc = _dose_uc(muscle, period_s)
        if dose_uc > limits.dose_max_uc:
            yield (
                f"{place}: gives {dose_uc:.0f} uC in {DOSE_WINDOW_S:g} s at {muscle.current_max_ma:g} mA, "
                f"allowed: at most {limits.dose_max_uc:g} uC by {effective.named('dose_max_uc')}; longer "
                "rests, a lower rate or less current would do"
            )
    if params.whole_s > limits.session_max_s:
        yield (
            f"{session.programme_path}: repetitions: the programme lasts {params.whole_s:.0f} s, allowed: at "
            f"most {limits.session_max_s:g} s by {effective.named('session_max_s')}"
        )


def _dose_uc(muscle: MusclePlan, period_s: float) -> float:
    """The most it gives in any window of the dose limit, at its highest current: the sum over its pulses."""
    a_charge_uc = charge_uc(muscle.current_max_ma, muscle.width_us) * muscle.cycles
    rate_hz = max(muscle.rate_hz, muscle.rate_end_hz or 0.0)
    on_s = muscle.hold_s + 0.5 * (muscle.ramp_up_s + muscle.ramp_down_s)
    whole = math.floor(DOSE_WINDOW_S / period_s)
    rest_s = min(DOSE_WINDOW_S - whole * period_s, on_s)
    return a_charge_uc * rate_hz * (whole * on_s + rest_s)
