"""Limits tighten on their way down, name who set them, and refuse everything else."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import InputError
from controller.safety.judgement.limits import (
    CAPPED,
    CAPS,
    COMPILED,
    DEFAULTS,
    NAMES,
    ON_WINDOW_S,
    PEOPLE,
    Caps,
    Layer,
    Limits,
    Who,
    burst_uc,
    charge_uc,
    compiled_layer,
    density_rms_ma_cm2,
    device_layer,
    energy_mj,
    is_floor,
    merge,
)
from drivers.stimulators import sheets
from tests.safety.rig import CAPABILITY


def layer(who: Who, **values: float) -> Layer:
    return Layer(who, values)


def test_without_any_layer_the_compiled_caps_and_the_defaults_hold() -> None:
    got = merge(())
    assert got.limits == replace(COMPILED, **DEFAULTS)
    assert {name for name in NAMES if got.set_by[name] == "default"} == set(DEFAULTS)
    assert {got.set_by[name] for name in NAMES} == {"compiled", "default"}


def test_the_compiled_caps_are_these() -> None:
    rests = (1800, 60, 3600, 3600)
    assert Limits(100, 20, 500, 1, 100, 1, 35, 5, 2, 2, 60, 3, 0.9, 40_000, *rests, 300, 100) == COMPILED
    assert dict(DEFAULTS) == {
        "rise_max_ma_per_frame": 1.0,
        "rise_max_ma_per_250ms": 40.0,
        "sensor_age_max_ms": 150.0,
        "frame_age_max_ms": 60.0,
    }


def test_each_limit_has_its_unit_in_its_name() -> None:
    units = ("_ma", "_us", "_hz", "_uc", "_mj", "_cm2", "_frame", "_250ms", "_s", "_ms")
    bare = [field.name for field in fields(Limits) if not field.name.endswith(units)]
    assert bare == ["cycles_max", "on_share_max"]


def test_the_caps_of_the_other_therapies_are_these() -> None:
    hour, ends = (4500, 60, 4500, 3600), (300, 100)
    exercise = Limits(100, 20, 500, 1, 100, 25, 40, 20, 2, 2, 60, 30, 0.75, 60_000, *hour, *ends)
    comfort = Limits(60, 20, 250, 1, 100, 1, 12, 1, 1, 2, 60, 3600, 1, 36_000, *hour, *ends)
    rests = (1800, 60, 3600, 3600)
    long = (100, 1e4, 2e5, 0.2, 25, 1, 8000, 300, 2, 2, 60, 300, 0.75, 480_000)
    assert dict(CAPPED) == {
        "gait": COMPILED,
        "exercise": exercise,
        "comfort": comfort,
        "denervated": Limits(*long, *rests, *ends),
    }
    assert dict(ON_WINDOW_S) == {"gait": 10.0, "exercise": 120.0, "comfort": 10.0, "denervated": 120.0}
    assert tuple(CAPPED) == CAPS


@pytest.mark.parametrize("caps", CAPS)
def test_without_a_device_each_therapys_caps_and_the_defaults_hold(caps: Caps) -> None:
    got = merge((), caps=caps)
    assert got.limits == replace(CAPPED[caps], **DEFAULTS)
    assert compiled_layer(caps).values == {name: getattr(CAPPED[caps], name) for name in NAMES}


@pytest.mark.parametrize("caps", ["exercise", "comfort"])
@pytest.mark.parametrize("name", NAMES)
def test_a_session_only_tightens_within_its_own_caps(caps: Caps, name: str) -> None:
    cap = getattr(CAPPED[caps], name)
    assert getattr(merge((Layer("session", {name: cap}),), caps=caps).limits, name) == cap
    loose = math.nextafter(cap, 0.0 if is_floor(name) else math.inf)
    with pytest.raises(InputError, match="set by compiled"):
        merge((Layer("session", {name: loose}),), caps=caps)


@pytest.mark.parametrize(
    "name", ["train_max_s", "charge_max_uc", "cycles_max", "energy_max_mj", "dose_max_uc"]
)
def test_what_an_exercise_may_a_walk_may_not(name: str) -> None:
    wish = (Layer("session", {name: getattr(CAPPED["exercise"], name)}),)
    merge(wish, caps="exercise")
    with pytest.raises(InputError, match="set by compiled"):
        merge(wish)


def test_a_stimulator_without_long_pulses_is_refused_for_denervated_muscle() -> None:
    with pytest.raises(InputError, match=r"width_min_us.*10000.*at most 4095, set by device"):
        merge((device_layer(sheets.P24),), caps="denervated")
    long = replace(CAPABILITY, width_max_us=300_000.0)
    assert merge((device_layer(long),), caps="denervated").limits.width_max_us == 200_000.0


def test_the_p24_gives_bursts_of_eight_cycles_and_no_walk_gives_any() -> None:
    device = (device_layer(sheets.P24),)
    exercise = merge(device, caps="exercise")
    assert (exercise.limits.cycles_max, exercise.set_by["cycles_max"]) == (8, "device")
    assert merge(device).limits.cycles_max == 1


def test_a_burst_counts_with_all_its_cycles() -> None:
    # Kots: 25 cycles of 2.5 kHz are 10 ms, at 50 Hz half of the time: I / sqrt(2) r.m.s.
    assert density_rms_ma_cm2(40.0, 200.0, 50.0, 25.0, 25) == pytest.approx(40.0 / math.sqrt(2.0) / 12.5)
    assert burst_uc(40.0, 200.0, 25) == pytest.approx(25 * 8.0)
    assert energy_mj(40.0, 200.0, 25) == pytest.approx(0.04**2 * 500.0 * 10.0)  # I2 * R * 10 ms


def test_the_tighter_of_device_and_compiled_cap_holds_whichever_it_is() -> None:
    strong = device_layer(CAPABILITY)
    assert merge((strong,)).set_by["current_max_ma"] == "compiled"
    weak = device_layer(replace(CAPABILITY, current_max_ma=50.0, width_min_us=30.0))
    got = merge((weak,))
    assert (got.limits.current_max_ma, got.set_by["current_max_ma"]) == (50.0, "device")
    assert (got.limits.width_min_us, got.set_by["width_min_us"]) == (30.0, "device")


def test_the_order_in_which_layers_are_given_does_not_matter() -> None:
    layers = (layer("session", current_max_ma=20.0), layer("clinic", current_max_ma=60.0))
    got = merge(layers)
    assert (got.limits.current_max_ma, got.set_by["current_max_ma"]) == (20.0, "session")
    assert merge(layers[::-1]) == got


def test_a_looser_layer_is_refused_and_the_message_names_all_there_is_to_know() -> None:
    layers = (layer("patient", current_max_ma=30.0), layer("session", current_max_ma=30.5))
    with pytest.raises(InputError) as caught:
        merge(layers, "walk.toml")
    message = str(caught.value)
    for part in ("walk.toml", "session", "current_max_ma", "30.5", "at most 30", "patient"):
        assert part in message
    with pytest.raises(InputError, match=r"^limits\b"):
        merge(layers)


def test_a_limit_equal_to_the_one_before_is_fine_and_stays_with_the_first() -> None:
    got = merge((layer("patient", current_max_ma=30.0), layer("session", current_max_ma=30.0)))
    assert got.set_by["current_max_ma"] == "patient"
    got = merge((layer("patient", width_min_us=90.0), layer("session", width_min_us=90.0)))
    assert got.set_by["width_min_us"] == "patient"


def test_a_floor_tightens_upwards() -> None:
    got = merge((layer("clinic", width_min_us=100.0), layer("session", width_min_us=150.0)))
    assert (got.limits.width_min_us, got.set_by["width_min_us"]) == (150.0, "session")
    with pytest.raises(InputError, match="at least 100, set by clinic"):
        merge((layer("clinic", width_min_us=100.0), layer("session", width_min_us=99.0)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("who", PEOPLE)
def test_nobody_loosens_a_compiled_cap(name: str, who: Who) -> None:
    cap = getattr(COMPILED, name)
    with pytest.raises(InputError, match="set by compiled"):
        merge((Layer(who, {name: math.nextafter(cap, 0.0 if is_floor(name) else math.inf)}),))
    # who asks for the cap itself gets it; the default is for where nobody asks
    assert getattr(merge((Layer(who, {name: cap}),)).limits, name) == cap


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_person_may_choose_between_default_and_cap(name: str) -> None:
    between = (DEFAULTS[name] + getattr(COMPILED, name)) / 2
    got = merge((Layer("session", {name: between}),))
    assert (getattr(got.limits, name), got.set_by[name]) == (between, "session")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0])
@pytest.mark.parametrize("name", NAMES)
def test_a_value_that_is_no_limit_is_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match="finite number above 0"):
        merge((Layer("session", {name: value}),))


@pytest.mark.parametrize("value", [True, "5", None, [5.0]])
def test_a_limit_of_the_wrong_type_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="a number"):
        merge((Layer("session", {"current_max_ma": value}),))


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("current_max_mA", 5.0, f"one of {', '.join(NAMES)}"),
        ("current_max_ma", "5", "a number"),
        ("current_max_ma", -5.0, "a finite number above 0"),
        ("current_max_ma", 100.5, "at most 100, set by compiled; a layer may only tighten"),
    ],
)
def test_a_refusal_names_source_place_value_and_what_is_allowed(
    name: str, value: float, allowed: str
) -> None:
    with pytest.raises(InputError) as caught:
        merge((Layer("clinic", {name: value}),), "walk.toml")
    error = caught.value
    assert (error.source, error.where) == ("walk.toml", f"limits of clinic: {name}")
    assert (error.found, error.allowed) == (value, allowed)


def test_crossed_limits_are_refused_by_name() -> None:
    for low, high, value in (("width_min_us", "width_max_us", 90.0), ("rate_min_hz", "rate_max_hz", 30.0)):
        with pytest.raises(InputError) as caught:
            merge((Layer("session", {low: value, high: value - 1}),), "walk.toml")
        error = caught.value
        assert (error.source, error.where, error.found) == ("walk.toml", low, value)
        assert error.allowed == f"at most {value - 1:g}, set by session"


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(InputError, match="current_max_mA"):
        merge((Layer("session", {"current_max_mA": 5.0}),))


def test_a_floor_above_its_ceiling_is_refused() -> None:
    with pytest.raises(InputError, match="width_min_us"):
        merge((layer("session", width_min_us=200.5, width_max_us=200.0),))
    with pytest.raises(InputError, match="rate_min_hz"):
        merge((layer("session", rate_min_hz=40.5, rate_max_hz=40.0),))
    merge((layer("session", width_min_us=200.0, width_max_us=200.0, rate_min_hz=40.0, rate_max_hz=40.0),))


@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(NAMES), st.floats(0.001, 50_000))))
def test_whatever_is_merged_is_never_looser_than_the_compiled_caps(
    given_layers: list[tuple[Who, str, float]],
) -> None:
    try:
        got = merge(Layer(who, {name: value}) for who, name, value in given_layers)
    except InputError:
        return
    for name in NAMES:
        value, cap = getattr(got.limits, name), getattr(COMPILED, name)
        assert value >= cap if is_floor(name) else value <= cap
        asked = [float(v) for _, n, v in given_layers if n == name]
        assert not asked or value == (max if is_floor(name) else min)(asked)


def test_a_limit_in_words_names_value_and_origin() -> None:
    assert merge((layer("patient", current_max_ma=30.0),)).named("current_max_ma") == (
        "current_max_ma 30 (patient)"
    )


@pytest.mark.parametrize(  # reckoned by hand: biphasic pulses, 32 mm disc of 8.0 cm2
    ("current_ma", "width_us", "rate_hz", "charge", "density", "energy_per_phase"),
    [
        (30, 250, 40, 7.5, 0.53, 0.11),
        (40, 250, 40, 10, 0.70, 0.20),
        (60, 300, 45, 18, 1.23, 0.54),
        (80, 350, 50, 28, 1.86, 1.1),
        (100, 300, 45, 30, 2.04, 1.5),
        (130, 500, 50, 65, 3.61, 4.2),
    ],
)
def test_the_published_figures_come_out(
    current_ma: float, width_us: float, rate_hz: float, charge: float, density: float, energy_per_phase: float
) -> None:
    assert charge_uc(current_ma, width_us) == pytest.approx(charge)
    whole = density_rms_ma_cm2(current_ma, width_us, rate_hz, 8.042) / 2  # ours counts half the pad
    assert whole == pytest.approx(density, abs=0.035)  # the table rounds the current first
    assert energy_mj(current_ma, width_us) / 2 == pytest.approx(energy_per_phase, rel=0.05)


def test_a_half_lifted_small_pad_at_60_ma_crosses_the_density_limit() -> None:
    assert density_rms_ma_cm2(60, 300, 45, 8.042) > COMPILED.density_rms_max_ma_cm2


def test_the_compiled_layer_is_all_of_it() -> None:
    assert set(compiled_layer().values) == set(NAMES)
