"""Changes of settings in the controller process: whole or refused, by the right version, at a boundary."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from controller.config.core_params import core_params
from controller.config.session import load_session
from controller.config.tunable_ranges import tunable
from controller.config.tunables import KNOBS, objections, values, with_values
from controller.runtime.tuning import Tuning, Wish
from tests.core.control.numbers import DEMO, params

PARAMS = params("feedback")
ALLOWED = tunable(load_session(DEMO))
WISH = Wish(0, {"feedback.kp_nm_per_rad": 12.0}, "AB", "foot slaps", 7)


def tuning() -> Tuning:
    return Tuning(PARAMS, ALLOWED)


def test_a_wish_waits_for_the_boundary_and_then_holds() -> None:
    settings = tuning()
    assert settings.ask(1, WISH) is None
    assert settings.waiting
    assert settings.params == PARAMS
    taken = settings.take(5)
    assert taken is not None
    new, entry = taken
    assert new.gains == replace(PARAMS.gains, kp_nm_per_rad=12.0)
    assert settings.params == new
    assert (entry.t_ns, entry.utc_ns, entry.version, entry.by, entry.reason) == (5, 7, 1, "AB", "foot slaps")
    assert [(c.key, c.old, c.new) for c in entry.changes] == [("feedback.kp_nm_per_rad", 8.0, 12.0)]
    assert settings.take(6) is None
    assert settings.trail == (entry,)


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (replace(WISH, version=1), "stale"),
        (replace(WISH, by=" "), "by: found 0 characters"),
        (replace(WISH, by="A" * 21), "by: found 21 characters"),
        (replace(WISH, reason="no"), "reason: found 2 characters"),
        (replace(WISH, wanted={"feedback.kp_nm_per_rad": 30.1}), "found 30.1, allowed: 0 to 30"),
        (replace(WISH, wanted={"feedback.kp_nm_per_rad": math.nan}), "found nan, allowed: 0 to 30"),
        (replace(WISH, wanted={"feedback.kp": 1.0}), "feedback.kp: no setting that can be changed"),
        (replace(WISH, wanted={"feedback.kp_nm_per_rad": 8.0}), "nothing changed"),
        (replace(WISH, wanted={}), "nothing changed"),
        (
            replace(WISH, wanted={"feedback.td_s": 0.01, "trapezoid.current_ma": 50.5}),
            "0 to 50 (current_max_ma, patient)",
        ),
    ],
)
def test_what_cannot_be_is_refused_whole_with_its_reason(wish: Wish, why: str) -> None:
    settings = tuning()
    entry = settings.ask(1, wish)
    assert entry is not None
    assert entry.kind == "refused"
    assert why in entry.text
    assert not settings.waiting
    assert settings.take(2) is None
    assert settings.params == PARAMS


def test_the_second_of_two_wishes_from_the_same_settings_is_refused() -> None:
    settings = tuning()
    assert settings.ask(1, WISH) is None
    other = settings.ask(2, replace(WISH, wanted={"feedback.ti_s": 1.0}, by="CD"))
    assert other is not None
    assert other.text.startswith("stale")
    busy = settings.ask(3, replace(WISH, version=1, wanted={"feedback.ti_s": 1.0}))
    assert busy is not None
    assert busy.text.startswith("busy")


def test_every_setting_has_a_range_from_the_file_and_a_current_the_limit_that_binds() -> None:
    assert set(ALLOWED) == {knob.key for knob in KNOBS}
    assert (ALLOWED["feedback.td_s"].low, ALLOWED["feedback.td_s"].high) == (0.0, 0.3)
    assert str(ALLOWED["limits.current_max_ma"]) == "0.5 to 50 (current_max_ma, patient)"
    standing = values(PARAMS)
    assert objections(standing, ALLOWED) == []
    assert values(with_values(PARAMS, standing)) == standing


# --- the guard's largest current falls while the session runs


def test_a_lowered_largest_current_holds_from_the_next_boundary_without_a_preview_and_is_in_the_trail() -> (
    None
):
    settings = tuning()
    settings.tighten(20.0, "AB", 7)
    assert settings.waiting
    assert (
        settings.allowed["limits.current_max_ma"].high
        == settings.allowed["trapezoid.current_ma"].high
        == 20.0
    )
    taken = settings.take(5)
    assert taken is not None
    new, entry = taken
    assert (new.pulse.current_max_ma, new.envelope.current_ma) == (20.0, 20.0)
    assert replace(new, pulse=PARAMS.pulse, envelope=PARAMS.envelope) == PARAMS
    assert (entry.t_ns, entry.utc_ns, entry.kind, entry.by, entry.version) == (5, 7, "setup", "AB", 1)
    assert [(c.key, c.old, c.new) for c in entry.changes] == [
        ("trapezoid.current_ma", 32.0, 20.0),
        ("limits.current_max_ma", 50.0, 20.0),
    ]
    assert not settings.waiting
    assert settings.take(6) is None


def test_no_wish_raises_it_again_and_a_form_from_before_is_stale() -> None:
    settings = tuning()
    settings.tighten(20.0, "AB", 7)
    wish = replace(WISH, wanted={"limits.current_max_ma": 20.5})
    refused = settings.ask(1, wish)
    assert refused is not None
    assert refused.text.startswith("stale")
    refused = settings.ask(1, replace(wish, version=1))
    assert refused is not None
    assert "found 20.5, allowed:" in refused.text
    assert "to 20 (current_max_ma, session)" in refused.text
    assert settings.ask(1, replace(wish, version=1, wanted={"limits.current_max_ma": 19.0})) is None


def test_a_change_that_waits_meanwhile_is_taken_within_it() -> None:
    settings = tuning()
    assert settings.ask(1, replace(WISH, wanted={"trapezoid.current_ma": 40.0})) is None
    settings.tighten(20.0, "AB", 7)
    for at_ns in (5, 6):
        taken = settings.take(at_ns)
        assert taken is not None
        assert (taken[0].envelope.current_ma, taken[0].pulse.current_max_ma) == (20.0, 20.0)
    assert [entry.kind for entry in settings.trail] == ["change", "setup"]
    assert settings.take(7) is None


@pytest.mark.parametrize("told_ma", [50.0, 50.0004, 49.9995, 60.0, math.inf])
def test_what_the_guard_says_at_the_start_lowers_nothing(told_ma: float) -> None:
    settings = tuning()
    settings.tighten(told_ma, "", 7)
    assert (settings.waiting, settings.version, settings.allowed) == (False, 0, ALLOWED)
    settings.tighten(20.0, "AB", 7)
    settings.tighten(20.0, "AB", 7)
    settings.tighten(30.0, "AB", 7)
    assert (settings.version, settings.allowed["limits.current_max_ma"].high) == (1, 20.0)


def test_the_second_channel_stays_within_it_too() -> None:
    session = load_session(DEMO.parent / "two_channels.toml")
    settings = Tuning(core_params(session), tunable(session))
    settings.tighten(15.0, "AB", 7)
    taken = settings.take(5)
    assert taken is not None
    assert taken[0].second is not None
    assert taken[0].second.current_max_ma == 15.0
