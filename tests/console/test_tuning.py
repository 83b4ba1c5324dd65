"""Preview, profiles and the set-up's memory, without a browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from controller.config.tunables import values
from controller.console.setup import progress
from controller.console.setup.progress import SetupState, load, restart_search, save, say_effect
from controller.console.tuning import profiles
from controller.console.tuning.preview import preview
from controller.console.tuning.preview_chart import Line, chart
from controller.console.tuning.preview_messages import Ceiling, Question
from controller.console.tuning.profiles import Profiles, differences
from controller.console.tuning.tuning_page import read_number
from controller.errors import InputError
from controller.simulation.identified_body import full_torque_nm, identified_body
from tests.core.control.numbers import params

PARAMS = params("feedback")


def question(**wanted: float) -> Question:
    return Question(PARAMS, {key.replace("__", "."): value for key, value in wanted.items()}, 1.4, 0.025, 0.7)


def test_the_identified_body_has_the_identified_torque_and_speed() -> None:
    for torque_nm in (8.0, 15.0):
        told = replace(PARAMS, muscle=replace(PARAMS.muscle, torque_max_nm=torque_nm))
        assert full_torque_nm(identified_body(told, 0.025)) == pytest.approx(torque_nm, rel=0.02)
    slow = replace(PARAMS, muscle=replace(PARAMS.muscle, bandwidth_rps=14.2))
    assert identified_body(slow, 0.025).muscle_slowness == pytest.approx(1.3, rel=0.05)


def test_a_lower_ceiling_binds_worsens_the_stride_and_is_set_against_what_was_measured() -> None:
    asked = replace(
        question(limits__current_max_ma=20.0),
        measured_error_deg=4.0,
        ceilings=(Ceiling("charge_max_uc", 5.0, "patient"),),
    )
    said: list[float] = []
    found = preview(asked, said.append)
    assert len(found.current.errors_deg) == len(found.proposed.errors_deg) == 10
    assert "limits.current_max_ma" in [binding.limit for binding in found.proposed.bindings]
    assert "limits.current_max_ma" not in [binding.limit for binding in found.current.bindings]
    guard = next(b for b in found.proposed.bindings if b.limit == "guard.charge_max_uc")
    assert guard.set_by == "patient"  # 20 mA x 300 us is 6 uC
    assert found.proposed.current_max_ma == 20.0
    assert found.proposed.error_deg > found.current.error_deg
    scale = found.proposed.error_deg / found.current.error_deg
    assert found.predicted_error_deg == pytest.approx(4.0 * scale)
    assert said == sorted(said)
    assert 0.9 < said[-1] <= 1.0


def test_a_profile_reads_back_what_was_saved_and_names_what_differs(tmp_path: Path) -> None:
    store = Profiles(tmp_path, "P1")
    note = 'quotes " and \\ and\nlines'
    store.save("walk-1", "AB", note, values(PARAMS), {"thresholds.motor_ma": 12.5, "muscle.i50_ma": 28.0})
    found = store.one("walk-1")
    assert found is not None
    assert (found.by, found.note, found.pseudonym) == ("AB", note, "P1")
    assert found.values == values(PARAMS)
    assert found.found == {"thresholds.motor_ma": 12.5, "muscle.i50_ma": 28.0}
    changed = {**found.values, "feedback.ti_s": 2.0}
    assert differences(found.values, changed) == [("feedback.ti_s", 0.3, 2.0)]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("\U0001f600 \u017d", "\U0001f600 \u017d"),
        ("\x7f\x01", "\x7f\x01"),
        ("a\ud800b\0c", "a\ufffdb\ufffdc"),
    ],
)
def test_a_profile_can_be_read_whatever_was_typed(tmp_path: Path, typed: str, kept: str) -> None:
    Profiles(tmp_path, "P1").save("walk", typed, typed, values(PARAMS), {})
    found = Profiles(tmp_path, "P1").one("walk")
    assert found is not None
    assert (found.by, found.note) == (kept, kept)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 41, "ä"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        Profiles(tmp_path, "P1").save(name, "AB", "", values(PARAMS), {})
    assert Profiles(tmp_path, "P1").one(name) is None


@pytest.mark.parametrize(
    "text",
    ["", "[profile]\nname = 3", "{", '[feedback]\nkp_nm_per_rad = "x"', "[feedback]\nkp_nm_per_rad = nan",
     "[nothing]\nx = 1.0", "[feedback]\nx = true"],
)  # fmt: skip
def test_a_file_that_is_no_profile_is_refused_and_left_out_of_the_list(tmp_path: Path, text: str) -> None:
    head = (
        '[profile]\nname="a"\npseudonym="P1"\nby="AB"\nnote=""\nsaved=""\n'
        if "feed" in text or "nothing" in text
        else ""
    )
    (tmp_path / "P1").mkdir()
    path = tmp_path / "P1" / "a.toml"
    path.write_text(head + text)
    with pytest.raises(InputError):
        profiles.read(path)
    assert Profiles(tmp_path, "P1").all() == []


def test_the_search_remembers_first_felt_first_moved_and_enough() -> None:
    state, levels = search("nothing", "again", "felt", "felt", "moved", "moved", "enough")
    assert levels == [4.0, 6.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert state.thresholds == {"sensory": 6.0, "motor": 8.0, "comfort": 10.0}
    restart_search(state)
    assert state == SetupState("s")


def search(*effects: str, most_ma: float = 50.0) -> tuple[SetupState, list[float]]:
    """What is known after these answers, and the currents they were given to."""
    state, levels = SetupState("s"), []
    for effect in effects:
        state.given_ma = state.level_ma
        levels.append(state.level_ma)
        told_ma = progress.next_ma(state, effect, most_ma)
        say_effect(state, effect, most_ma)
        assert told_ma == (None if "comfort" in state.thresholds else state.level_ma)
    return state, levels


@pytest.mark.parametrize(
    ("effects", "levels", "comfort_ma"),
    [
        (("felt", "moved", "too_strong", "moved"), [4.0, 5.0, 6.0, 5.5], 5.5),
        (("felt", "moved", "too_strong", "too_strong"), [4.0, 5.0, 6.0, 5.5], 5.0),
        (("too_strong", "felt", "moved"), [4.0, 3.0, 3.5], 3.5),  # the first one already
        (("too_strong",) * 5, [4.0, 3.0, 2.0, 1.0, 0.5], None),  # nothing was accepted
    ],
)
def test_what_is_too_strong_goes_back_by_half_a_step_to_the_strongest_that_was_accepted(
    effects: tuple[str, ...], levels: list[float], comfort_ma: float | None
) -> None:
    state, given_ma = search(*effects)
    assert given_ma == levels
    assert state.thresholds.get("comfort") == comfort_ma
    assert all(mark_ma <= (comfort_ma or 4.0) for mark_ma in state.thresholds.values())


def test_at_the_most_that_is_allowed_the_search_ends_with_what_is_felt_and_goes_no_higher() -> None:
    state, levels = search("nothing", "moved", "moved", most_ma=6.5)
    assert levels == [4.0, 6.0, 6.5]
    assert state.thresholds == {"sensory": 6.0, "motor": 6.0, "comfort": 6.5}
    state, levels = search("nothing", "nothing", "nothing", "nothing", most_ma=6.5)
    assert levels == [4.0, 6.0, 6.5, 6.5]  # no pad sits where it should
    assert state.thresholds == {}


def test_a_set_up_is_taken_up_again_and_asked_anew_in_another_session(tmp_path: Path) -> None:
    path = tmp_path / "P1" / "setup.json"
    state = SetupState("one", "AB", ["patient", "checklist"], {"skin": "no"}, thresholds={"motor": 9.0})
    save(path, state)
    assert load(path, "one") == state
    other = load(path, "two")
    assert (other.done, other.answers, other.thresholds) == ([], {}, {"motor": 9.0})
    path.write_text("no JSON")
    assert load(path, "one") == SetupState("one")
    assert progress.unanswered({"skin": "no"})[0] == "pacemaker"


@pytest.mark.parametrize(
    ("typed", "number"), [("8", 8.0), (" 0,5 ", 0.5), ("x", None), ("", None), ("1e2", 100.0)]
)
def test_a_number_is_read_with_point_or_comma(typed: str, number: float | None) -> None:
    assert read_number(typed) == number


def test_a_chart_is_drawn_for_flat_and_for_wild_curves() -> None:
    for curve in ([0.0] * 51, [1e4 * (-1) ** i for i in range(51)]):
        drawn = chart("a <title>", [Line(curve, "new")], "%")
        assert "&lt;title&gt;" in drawn
        assert "nan" not in drawn
