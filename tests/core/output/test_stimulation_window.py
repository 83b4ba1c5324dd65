"""The stimulation window: opened by events, ended by events or by itself."""

from __future__ import annotations

from copy import copy

import pytest

from controller.core.output.stimulation_window import PAUSE_PER_TRAIN, Window
from controller.core.params import Envelope
from controller.core.signals import EventKind, GaitEvent

MS = 1_000_000
ENVELOPE = Envelope(current_ma=30.0, rise_s=0.2, extension_s=0.15, fall_s=0.2)


def window(*events: tuple[EventKind, int]) -> Window:
    made = Window(ENVELOPE)
    for kind, at_ms in events:
        made.note(GaitEvent(kind, at_ms * MS, at_ms * MS), at_ms * MS)
    return made


def state_after(made: Window, at_ms: int) -> str:
    made.tick(at_ms * MS)
    return made.state


def test_it_is_closed_until_a_heel_leaves_the_ground() -> None:
    made = window(("initial_contact", 0), ("foot_flat", 100))
    assert (made.state, made.share(200 * MS)) == ("closed", 0.0)


def test_a_step_goes_through_pre_swing_swing_and_extension_and_falls_by_itself() -> None:
    made = window(("heel_off", 0))
    assert made.state == "pre_swing"
    for kind, at_ms, expected in (("toe_off", 180, "swing"), ("initial_contact", 650, "extension")):
        made.note(GaitEvent(kind, at_ms * MS, at_ms * MS), at_ms * MS)
        assert made.state == expected
    assert made.opened_ns == 0
    assert state_after(made, 801) == "falling"
    assert made.share(901 * MS) == pytest.approx(0.5)
    assert state_after(made, 1001) == "closed"


@pytest.mark.parametrize(
    ("events", "last_ms", "open_state"),
    [
        ((("heel_off", 0),), 600, "pre_swing"),
        ((("heel_off", 0), ("toe_off", 100)), 1300, "swing"),
        ((("heel_off", 0), ("toe_off", 100), ("initial_contact", 500)), 650, "extension"),
    ],
)
def test_every_state_ends_one_tick_after_its_own_limit(
    events: tuple[tuple[EventKind, int], ...], last_ms: int, open_state: str
) -> None:
    made = window(*events)
    assert state_after(made, last_ms) == open_state
    assert state_after(made, last_ms + 5) == "falling"


def test_a_missed_heel_off_still_opens_at_toe_off() -> None:
    made = window(("toe_off", 300))
    assert (made.state, made.opened_ns) == ("swing", 300 * MS)


def test_a_missed_toe_off_ends_at_contact() -> None:
    assert window(("heel_off", 0), ("initial_contact", 400)).state == "extension"


def test_events_of_stance_change_nothing() -> None:
    made = window(("initial_contact", 0), ("foot_flat", 50), ("mid_swing", 70))
    assert made.state == "closed"


@pytest.mark.parametrize("events", [(("heel_off", 0),), (("toe_off", 0),)])
def test_what_speaks_against_a_lift_leaves_nothing_within_a_tenth_of_a_second(
    events: tuple[tuple[EventKind, int], ...],
) -> None:
    made, shares = window(*events), []
    for at_ms in range(5, 120, 5):
        made.tick(at_ms * MS, against="standing still")
        shares.append(made.share(at_ms * MS))
    assert shares == sorted(shares, reverse=True)
    assert (made.share(105 * MS), made.state, made.why) == (0.0, "closed", "standing still")


def test_nothing_opens_against_what_speaks_against_it_and_it_opens_once_that_is_gone() -> None:
    for kind in ("heel_off", "toe_off"):
        made = Window(ENVELOPE)
        made.note(GaitEvent(kind, 0, 0), 0, against="standing still")
        assert (made.state, made.why) == ("closed", "standing still")
    made.tick(5 * MS, against="standing still", swinging=True)
    assert made.state == "closed"
    made.tick(10 * MS, swinging=True)
    assert (made.state, made.opened_ns, made.share(10 * MS)) == ("swing", 10 * MS, 1.0)


def test_a_swing_whose_pulses_took_too_long_gets_no_more_of_them_and_the_next_one_does() -> None:
    made = window(("toe_off", 0))
    for at_ms in range(5, 2000, 5):
        made.tick(at_ms * MS, swinging=True)
    assert made.state == "closed"
    made.note(GaitEvent("heel_off", 2000 * MS, 2000 * MS), 2000 * MS)
    assert made.state == "pre_swing"


@pytest.mark.parametrize(("late_ms", "open_ms"), [(0, 150), (60, 150), (200, 10)])
def test_a_contact_known_later_than_usual_shortens_the_extension(late_ms: int, open_ms: int) -> None:
    made = window(("heel_off", 0), ("toe_off", 100))
    made.note(GaitEvent("initial_contact", (700 - late_ms) * MS, 700 * MS), 700 * MS)
    assert state_after(made, 700 + open_ms) == "extension"
    assert state_after(made, 700 + open_ms + 5) == "falling"


def test_a_new_heel_off_reopens_a_falling_window() -> None:
    made = window(("heel_off", 0), ("toe_off", 100), ("initial_contact", 500))
    made.tick(700 * MS)
    made.note(GaitEvent("heel_off", 750 * MS, 750 * MS), 750 * MS)
    assert (made.state, made.opened_ns, made.share(750 * MS)) == ("pre_swing", 750 * MS, 1.0)


def test_a_primed_window_opens_at_heel_off_or_closes_by_itself() -> None:
    made = window()
    made.prime(0)
    assert (made.state, made.opened_ns) == ("primed", 0)
    made.note(GaitEvent("heel_off", 100 * MS, 100 * MS), 100 * MS)
    assert (made.state, made.opened_ns) == ("pre_swing", 0)
    other = window()
    other.prime(0)
    assert state_after(other, 290) == "primed"
    assert state_after(other, 310) == "falling"
    assert state_after(other, 420) == "closed"
    other.note(GaitEvent("heel_off", 500 * MS, 500 * MS), 500 * MS)
    other.prime(510 * MS)
    assert other.state == "pre_swing"


def step_of(made: Window, begin_ms: int, stride_ms: int, *, stance_ms: int) -> set[str]:
    """The states seen in a stride of 5 ms ticks: 100 ms of pre-swing, swing, then ``stance_ms``."""
    swing_ms = stride_ms - stance_ms - 100
    events: dict[int, EventKind] = {
        0: "heel_off",
        100: "toe_off",
        100 + swing_ms: "initial_contact",
    }
    seen = set()
    for t_ms in range(0, stride_ms, 5):
        if t_ms in events:
            at_ns = (begin_ms + t_ms) * MS
            made.note(GaitEvent(events[t_ms], at_ns, at_ns), at_ns)
        seen.add(state_after(made, begin_ms + t_ms))
    return seen


@pytest.mark.parametrize("stance_ms", [150, 200, 250, 300, 360, 600])
def test_a_quick_walkers_window_closes_before_the_next_heel_off(stance_ms: int) -> None:
    made = Window(ENVELOPE)  # extension and ramp take 350 ms
    step_of(made, 0, 900, stance_ms=stance_ms)  # how long its stance lasts is seen in the first stride
    step_of(made, 900, 900, stance_ms=stance_ms)
    for stride in range(2, 6):
        begin_ms = 900 * stride
        assert "closed" in step_of(made, begin_ms, 900, stance_ms=stance_ms)
        assert made.train_ns >= (begin_ms - 900) * MS  # no train longer than a stride


@pytest.mark.parametrize(("stance_ms", "closed_ms"), [(800, 360), (600, 265), (460, 150), (300, 120)])
def test_extension_and_ramp_leave_the_time_that_priming_needs(stance_ms: int, closed_ms: int) -> None:
    # And before it the pause: 130 ms, or 0.22 of the train where that is longer. Not below 140 ms, as far as
    # the pause allows: of 600 ms (600 - 0.22 * 400) / 1.22 - 150, of 300 ms (300 - 0.22 * 700) / 1.22.
    made = Window(ENVELOPE, lead_s=0.15)
    for stride in range(3):
        step_of(made, 1000 * stride, 1000, stance_ms=stance_ms)
    contact_ms = 4000 - stance_ms
    events: list[tuple[EventKind, int]] = [
        ("heel_off", 3000),
        ("toe_off", 3100),
        ("initial_contact", contact_ms),
    ]
    for kind, at_ms in events:
        made.tick(at_ms * MS)
        made.note(GaitEvent(kind, at_ms * MS, at_ms * MS), at_ms * MS)
    first_ms = next(t for t in range(0, stance_ms, 5) if state_after(made, contact_ms + t) == "closed")
    assert first_ms == pytest.approx(closed_ms, abs=10)


def test_a_train_lasts_from_closed_to_closed_whatever_opens_again_between() -> None:
    made = window(("heel_off", 1000), ("toe_off", 1100), ("initial_contact", 1500), ("heel_off", 1550))
    assert (made.opened_ns, made.train_ns) == (1550 * MS, 1000 * MS)


def test_a_pause_that_the_guard_does_not_count_ends_no_train_and_is_not_cut_short() -> None:
    made = window(("heel_off", 1000), ("toe_off", 1100), ("initial_contact", 1300))
    closed_ms = next(t_ms for t_ms in range(1300, 3000) if state_after(made, t_ms) == "closed")
    made.prime((closed_ms + 105) * MS)
    assert made.state == "closed"
    early, late = copy(made), copy(made)
    for other, after_ms in ((early, 105), (late, 115)):
        at_ns = (closed_ms + after_ms) * MS
        other.note(GaitEvent("heel_off", at_ns, at_ns), at_ns)
    assert (early.state, early.train_ns) == ("pre_swing", 1000 * MS)
    assert (late.state, late.train_ns) == ("pre_swing", (closed_ms + 115) * MS)
    whole_ms = closed_ms + round(PAUSE_PER_TRAIN * (closed_ms - 1000))  # 144 ms
    made.prime((whole_ms - 1) * MS)
    assert made.state == "closed"
    made.prime((whole_ms + 1) * MS)
    assert (made.state, made.train_ns) == ("primed", (whole_ms + 1) * MS)


@pytest.mark.parametrize("stride_ms", [850, 1000, 1200, 1500, 2000])
@pytest.mark.parametrize("lead_ms", [0, 100, 200])
def test_in_every_even_walk_current_is_asked_for_at_most_five_sixths_of_the_time(
    stride_ms: int, lead_ms: int
) -> None:
    made = Window(ENVELOPE, lead_s=lead_ms / 1e3)
    stance_ms = round(0.33 * stride_ms)  # from initial contact to heel-off
    on = []
    for t_ms in range(0, 10 * stride_ms, 5):
        at_ms = t_ms % stride_ms
        kind: EventKind | None = {
            0: "heel_off",
            round(0.025 * stride_ms) * 5: "toe_off",
            (stride_ms - stance_ms) // 5 * 5: "initial_contact",
        }.get(at_ms)  # type: ignore[assignment]  # a table of literals
        if kind is not None:
            made.note(GaitEvent(kind, t_ms * MS, t_ms * MS), t_ms * MS)
        made.tick(t_ms * MS)
        if at_ms >= stride_ms - lead_ms:
            made.prime(t_ms * MS)
        on.append(made.state != "closed")
    whole = on[3 * stride_ms // 5 :]
    assert sum(whole) / len(whole) <= 5 / 6
    swing = [t % (stride_ms // 5) * 5 < stride_ms - stance_ms for t in range(len(on))]
    assert all(state for state, swings in zip(on, swing, strict=True) if swings)
