"""Why an exercise programme may not begin: what the stimulator cannot produce, what a limit would block.

Each refusal gives the reason and the nearest that can be given; nothing is changed silently.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from controller.config.exercise import (
    ExerciseSession,
    caps_of,
    cycles_of,
    exercise_params,
    output_of,
    repeated_of,
)
from controller.config.exercise_facts import Reason
from controller.config.limits import broken_by, current_ceilings
from controller.config.loader import place_of
from controller.core.exercise.timeline import READY_S
from controller.safety.judgement.limits import DOSE_WINDOW_S, ON_WINDOW_S
from drivers.catalogue import STIMULATORS

DENERVATED_WIDTH_US = 10_000.0  # below, muscle without nerve does not answer (docs/exercise.md)


def exercise_objections(session: ExerciseSession) -> list[str]:
    """Why this programme may not begin: what device or limits cannot give; a line each, or none."""
    return [reason.text for reason in exercise_reasons(session)]


def exercise_reasons(session: ExerciseSession) -> list[Reason]:
    """The same with codes and values."""
    return [*_shapes(session), *_currents(session), *_lengths(session)]


def _shapes(session: ExerciseSession) -> Iterator[Reason]:
    """Waveforms that the stimulator does not have, with the nearest it has."""
    sheet = STIMULATORS[session.file.stimulator.device].capability
    limits, set_by = session.effective.limits, session.effective.set_by
    for number, one in enumerate(session.programme.contractions, 1):
        place = f"{session.programme_path}: contractions number {number} ({one.muscle})"
        if (one.carrier_hz is None) != (one.burst_ms is None):
            alone = "carrier_hz" if one.burst_ms is None else "burst_ms"
            text = f"{place}: {alone}: found alone, allowed: carrier_hz and burst_ms, or neither"
            yield Reason(text, "burst_alone", one.muscle)
        elif one.carrier_hz is not None and one.burst_ms is not None:
            half_us = 5e5 / one.carrier_hz
            if abs(half_us - one.width_us) > 0.5:
                text = (
                    f"{place}: width_us: found {one.width_us:g}, allowed: {half_us:g}, half a period "
                    f"of {one.carrier_hz:g} Hz"
                )
                yield Reason(text, "half_period", one.muscle, one.width_us, half_us, more=(one.carrier_hz,))
        if session.programme.programme.kind == "denervated" and one.width_us < DENERVATED_WIDTH_US:
            text = (
                f"{place}: width_us: found {one.width_us:g}, allowed: at least {DENERVATED_WIDTH_US:g} in a "
                "programme of kind 'denervated': muscle that does not answer to shorter pulses has lost "
                "its nerve, and muscle that does needs no such programme"
            )
            yield Reason(text, "too_short", one.muscle, one.width_us, DENERVATED_WIDTH_US)
        most_us = min(sheet.width_max_us, limits.width_max_us)
        if one.width_us > most_us:
            text = (
                f"{place}: width_us: found {one.width_us:g}, allowed: at most {most_us:g} with {sheet.name} "
                f"and {session.effective.named('width_max_us')}; the nearest is {most_us:g} us, which is "
                "another stimulation, not a shorter form of this one"
            )
            yield Reason(text, "width", one.muscle, one.width_us, most_us, set_by["width_max_us"])
        for key, rate_hz in (("rate_hz", one.rate_hz), ("rate_end_hz", one.rate_end_hz)):
            if rate_hz is not None and rate_hz > limits.rate_max_hz:
                text = (
                    f"{place}: {key}: found {rate_hz:g}, allowed: at most {limits.rate_max_hz:g} by "
                    f"{session.effective.named('rate_max_hz')}; the nearest is {limits.rate_max_hz:g} Hz"
                )
                yield Reason(text, "rate", one.muscle, rate_hz, limits.rate_max_hz, set_by["rate_max_hz"])
        if cycles_of(one) > limits.cycles_max:
            most_ms = 1e3 * limits.cycles_max / (one.carrier_hz or 1e3)
            text = (
                f"{place}: burst_ms: found {one.burst_ms:g}, {cycles_of(one)} cycles, allowed: at most "
                f"{limits.cycles_max:g} cycles by {session.effective.named('cycles_max')}; the nearest is "
                f"{most_ms:g} ms"
            )
            cycles = (float(cycles_of(one)), float(limits.cycles_max))
            found_ms = one.burst_ms or 0.0
            yield Reason(text, "burst", one.muscle, found_ms, most_ms, set_by["cycles_max"], cycles)
        least_ms = 1e3 / limits.rate_max_hz
        if one.doublet_ms is not None and one.doublet_ms < least_ms:
            text = (
                f"{place}: doublet_ms: found {one.doublet_ms:g}, allowed: at least {least_ms:g} by "
                f"{session.effective.named('rate_max_hz')}; the nearest is {least_ms:g} ms"
            )
            yield Reason(text, "doublet", one.muscle, one.doublet_ms, least_ms, set_by["rate_max_hz"])
        if one.doublet_ms is not None and one.doublet_ms >= 1e3 / one.rate_hz:
            text = (
                f"{place}: doublet_ms: found {one.doublet_ms:g}, allowed: below {1e3 / one.rate_hz:g}, the "
                f"time between two pulses at {one.rate_hz:g} Hz"
            )
            usual_ms = 1e3 / one.rate_hz
            yield Reason(text, "long_doublet", one.muscle, one.doublet_ms, usual_ms, more=(one.rate_hz,))


def _currents(session: ExerciseSession) -> Iterator[Reason]:
    """Currents that a limit would block."""
    limits = session.effective.limits
    for one, place in session.muscles:
        output = output_of(one, place)
        broken = broken_by(limits, output, place.current_max_ma)
        for most_ma, name in current_ceilings(limits, output):
            if name in broken:
                where = place_of(session.path, session.text, "therapy", "muscles", "current_max_ma")
                text = (
                    f"{where} of {one.muscle}: found {place.current_max_ma:g} at {one.width_us:g} us through "
                    f"{place.electrode_area_cm2:g} cm2, allowed: at most {most_ma:.4g} "
                    f"by {session.effective.named(name)}"
                )
                through = (one.width_us, place.electrode_area_cm2)
                layer = session.effective.set_by[name]
                yield Reason(text, "current", one.muscle, place.current_max_ma, most_ma, layer, through)


def _lengths(session: ExerciseSession) -> Iterator[Reason]:
    """Contractions that last too long, or too close to each other, for the limits in force."""
    params = exercise_params(session)
    limits, effective = session.effective.limits, session.effective
    window_s = ON_WINDOW_S[caps_of(session.programme)]
    again = params.course.total > 1
    for number, (muscle, (one, place)) in enumerate(zip(params.muscles, session.muscles, strict=True), 1):
        where = f"{session.programme_path}: contractions number {number} ({muscle.muscle})"
        if muscle.lasts_s > limits.train_max_s:
            text = (
                f"{where}: ramps and hold last {muscle.lasts_s:g} s, allowed: at most "
                f"{limits.train_max_s:g} s by {effective.named('train_max_s')}"
            )
            lasts_s, most_s = muscle.lasts_s, limits.train_max_s
            yield Reason(text, "train", muscle.muscle, lasts_s, most_s, effective.set_by["train_max_s"])
        rest_s = params.repetition_s - muscle.lasts_s + params.course.rest_s if again else DOSE_WINDOW_S
        contraction = repeated_of(session, one, place)
        if (dose_uc := contraction.dose_uc(rest_s)) > limits.dose_max_uc:
            text = (
                f"{where}: gives {dose_uc:.0f} uC in {DOSE_WINDOW_S:g} s at {muscle.current_max_ma:g} mA, "
                f"allowed: at most {limits.dose_max_uc:g} uC by {effective.named('dose_max_uc')}; longer "
                "rests, a lower rate or less current would do"
            )
            more = (DOSE_WINDOW_S, muscle.current_max_ma)
            layer = effective.set_by["dose_max_uc"]
            yield Reason(text, "dose", muscle.muscle, round(dose_uc), limits.dose_max_uc, layer, more)
        elif again and rest_s < muscle.rest_least_s:
            share = contraction.on_share(window_s, rest_s)
            text = (
                f"{where}: rests {rest_s:g} s between two contractions and is on for {share:.0%} of "
                f"{window_s:g} s, allowed: a rest of at least {muscle.rest_least_s:.2f} s, for "
                f"{effective.named('on_share_max')} and {effective.named('dose_max_uc')}"
            )
            layer = effective.set_by["on_share_max"]
            yield Reason(
                text, "rest", muscle.muscle, rest_s, math.ceil(100 * muscle.rest_least_s) / 100, layer
            )
    whole_s = READY_S + params.whole_s
    for name in ("bout_max_s", "session_max_s"):
        most_s = getattr(limits, name)
        if whole_s > most_s:
            text = (
                f"{session.programme_path}: repetitions: the programme lasts {whole_s:.0f} s "
                f"with its countdown, allowed: at most {most_s:g} s by {effective.named(name)}"
            )
            yield Reason(text, "length", "", round(whole_s), most_s, effective.set_by[name])
