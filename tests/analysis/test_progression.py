"""Progression: proposed after so many sessions done whole at one value, within the person's maximum."""

from __future__ import annotations

import dataclasses

import pytest

from controller.analysis.dose_book import DoseEntry, Prescription
from controller.analysis.progression import own_share_weeks, proposals, share_words, words
from tests.analysis.exercised import entry

DAYS = [f"2026-03-{day:02d}" for day in range(2, 12)]


def _row(count: int, **changes: object) -> list[DoseEntry]:
    return [entry(day, **changes) for day in DAYS[:count]]


def _of(step_of: str, percent: float = 10.0) -> Prescription:
    return Prescription(step_percent=percent, step_after=3, step_of=step_of)


def test_the_third_session_done_whole_is_the_first_with_a_proposal() -> None:
    assert proposals(_row(2)) == ()
    (one,) = proposals(_row(3))
    assert words(one) == "3 sessions done whole: 11 instead of 10 repetitions is proposed"


def test_one_that_was_not_done_whole_begins_the_count_anew() -> None:
    broken = entry(DAYS[3], whole=False)
    assert proposals([*_row(3), broken]) == ()
    after = [entry(day) for day in DAYS[4:6]]
    assert proposals([*_row(3), broken, *after]) == ()


def test_a_value_that_was_raised_begins_the_count_anew() -> None:
    assert proposals([*_row(3), entry(DAYS[3], count=11)]) == ()


def test_another_programme_between_does_not_matter() -> None:
    other = entry(DAYS[0], 2, programme="other", prescription=None)
    assert len(proposals([*_row(2), other, entry(DAYS[2])])) == 1


def test_nothing_is_proposed_where_no_step_is_prescribed() -> None:
    assert proposals(_row(5, prescription=_of("repetitions", 0.0))) == ()
    assert proposals(_row(5, prescription=None)) == ()


def test_a_step_too_small_to_be_set_is_one_that_can() -> None:
    (one,) = proposals(_row(3, prescription=_of("repetitions", 1.0)))
    assert one.proposed == 11


@pytest.mark.parametrize(
    ("set_ma", "proposed", "said"),
    [
        (30.0, 33.0, "33 instead of 30 mA for wrist-extensors is proposed"),
        (39.0, 40.0, "40 instead of 39 mA"),  # 42.9 is above the comfort maximum
        (40.0, None, "this person's maximum"),
    ],
)
def test_a_current_is_proposed_up_to_the_comfort_maximum(
    set_ma: float, proposed: float | None, said: str
) -> None:
    row = _row(3, prescription=_of("current"))
    row = [
        dataclasses.replace(one, muscles=(dataclasses.replace(one.muscles[0], set_ma=set_ma),)) for one in row
    ]
    (one,) = proposals(row)
    assert one.proposed == proposed
    assert said in words(one)


def test_a_hold_is_proposed_in_half_seconds() -> None:
    (one,) = proposals(_row(3, prescription=_of("hold")))
    assert words(one) == "3 sessions done whole: 5.5 instead of 5 s of hold for wrist-extensors is proposed"


def test_the_persons_own_share_is_told_week_by_week_where_something_measured_it() -> None:
    assert share_words(own_share_weeks(_row(3))) == []

    def shared(day: str, share: float, contractions: int) -> DoseEntry:
        one = entry(day)
        muscle = dataclasses.replace(one.muscles[0], own_share=share, contractions=contractions)
        return dataclasses.replace(one, muscles=(muscle,))

    weeks = own_share_weeks(
        [shared("2026-03-02", 0.2, 10), shared("2026-03-04", 0.4, 30), shared("2026-03-09", 0.5, 5)]
    )
    assert share_words(weeks) == [
        "own share of wrist-extensors: 50% in the week of 2026-03-09, 35% in that of 2026-03-02"
    ]


def test_the_support_that_withdraws_is_told_beside_the_own_share() -> None:
    """Means over contractions: (10 x 0.9 + 30 x 0.5) / 40 = 0.6; an older entry counts for none."""

    def session(day: str, share: float, support: float | None, contractions: int) -> DoseEntry:
        one = entry(day)
        muscle = dataclasses.replace(
            one.muscles[0], own_share=share, support=support, contractions=contractions
        )
        return dataclasses.replace(one, muscles=(muscle,))

    weeks = own_share_weeks(
        [
            session("2026-03-02", 0.2, 0.9, 10),
            session("2026-03-04", 0.4, 0.5, 30),
            session("2026-03-09", 0.5, 0.2, 5),
            session("2026-03-10", 0.5, None, 500),
        ]
    )
    assert [one.support for one in weeks] == [pytest.approx(0.6), pytest.approx(0.2)]
    assert share_words(weeks) == [
        "own share of wrist-extensors: 50% with a support of 20% in the week of 2026-03-09, "
        "35% with a support of 60% in that of 2026-03-02"
    ]
