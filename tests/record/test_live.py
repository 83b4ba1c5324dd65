"""The live status: figures so far, in bounded space, for the arm that is walking now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.signals import GaitEvent, Mode
from controller.record.live import BUCKET_RATIO, Histogram, Live, UnlockGlance
from controller.record.records import Arm, Delivered, GuardEvent, Pulse, encode
from controller.safety.judgement.staged_unlock import UnlockStage
from tests.record.made import IDLE_VIEW, MS, imu, tick, verdict


@given(
    st.lists(st.floats(min_value=1.0, max_value=1e9), min_size=1, max_size=200),
    st.floats(min_value=0.01, max_value=1.0),
)
def test_a_quantile_is_within_a_bucket_of_the_exact_one(values: list[float], fraction: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    rank = next(k for k in range(1, len(values) + 1) if k >= fraction * len(values))
    exact = sorted(values)[rank - 1]
    quantile = histogram.quantile(fraction)
    assert quantile is not None
    assert exact / BUCKET_RATIO <= quantile <= exact * BUCKET_RATIO


@pytest.mark.parametrize("value", [0.0, -5.0, 1e300])
def test_a_histogram_takes_silly_values_and_an_empty_one_knows_nothing(value: float) -> None:
    histogram = Histogram()
    assert histogram.quantile(0.5) is None
    histogram.add(value)
    assert histogram.count == 1
    assert histogram.quantile(0.5) is not None


def test_sensor_to_pulse_is_from_the_newest_sample_of_that_tick_to_its_pulse() -> None:
    live = Live()
    live.take("tick", encode(tick(2, samples=(imu(1, 8 * MS), imu(2, 9 * MS)))))
    live.take("guard/verdict", encode(verdict(2, Pulse(12 * MS, 0, 20.0, 300.0, 1))))
    live.take("guard/verdict", encode(verdict(3, Pulse(99 * MS, 0, 20.0, 300.0, 2))))
    status = live.status(20 * MS, "ok")
    assert status.pulses == 2
    assert status.sensor_to_pulse_p50_ms == pytest.approx(3.0, rel=0.02)
    assert status.sensor_to_pulse_p99_ms == pytest.approx(3.0, rel=0.02)
    assert status.sensor_age_ms == {"shank": 11.0}


def test_gait_events_are_handed_on_and_a_new_arm_begins_at_nothing() -> None:
    live = Live()
    event = GaitEvent("toe_off", 1, 2)
    view = replace(IDLE_VIEW, strides=7, foot_pitch_deg=-3.0)
    assert live.take("tick", encode(tick(1, events=(event,), view=view, current_ma=12.0))) == (event,)
    assert live.status(0, "ok").strides == 7
    live.take("arm", encode(Arm(5, "begin", "feedback", 1, "second")))
    status = live.status(0, "ok")
    assert (status.arm, status.strides, status.ticks, status.foot_pitch_deg) == ("second", 0, 0, None)
    assert status.lateness_p99_us is None


@pytest.mark.parametrize("payload", [b"", b"{}", b"null", b'{"now_ns":"x"}', b"\xff"])
def test_what_it_cannot_read_it_passes_over(payload: bytes) -> None:
    live = Live()
    for topic in ("tick", "guard/verdict", "guard/event", "arm", "something/new"):
        assert live.take(topic, payload) == ()
    assert live.status(0, "ok").ticks == 0


def test_a_status_carries_the_trace_since_the_last_one_at_no_more_than_50_hz() -> None:
    live = Live()
    for number in range(40):  # 200 ms of ticks 5 ms apart
        view = replace(IDLE_VIEW, foot_pitch_deg=float(number))
        live.take("tick", encode(replace(tick(number, view=view), now_ns=number * 5 * MS)))
    first = live.status(200 * MS, "ok")
    assert [point.t_ns // MS for point in first.trace] == list(range(0, 200, 20))
    assert [point.foot_pitch_deg for point in first.trace] == [float(n) for n in range(0, 40, 4)]
    assert first.tick_age_ms == 5.0
    assert live.status(300 * MS, "ok").trace == ()


def test_the_charge_of_the_trace_is_the_sum_of_current_times_width() -> None:
    live = Live()
    for packet in (1, 2):
        live.take("guard/verdict", encode(verdict(packet, Pulse(packet * MS, 0, 20.0, 300.0, packet))))
    live.take("tick", encode(tick(3)))
    assert live.status(0, "ok").trace[0].charge_uc == pytest.approx(12.0)


def test_the_guards_words_are_passed_on_once() -> None:
    live = Live()
    event = GuardEvent(5, "trip", "tripped", "words", "F1", "")
    live.take("guard/event", encode(event))
    assert live.status(0, "ok").notes == (event,)
    assert live.status(0, "ok").notes == ()


@pytest.mark.parametrize(
    ("mode", "blinded", "shown"),
    [("learning", False, True), ("learning", True, False), ("feedback", False, False)],
)
def test_what_is_believed_of_the_muscle_is_shown_where_it_is_learned_and_names_no_blinded_arm(
    mode: Mode, blinded: bool, shown: bool
) -> None:
    live = Live()
    live.take("arm", encode(Arm(5, "begin", mode, 1, "A" if blinded else "", blinded=blinded)))
    view = replace(IDLE_VIEW, mode=mode, believed_gain=0.8, believed_late_ms=15.0, response_share=0.9)
    view = replace(view, believed_reflex_nms=3.5)
    live.take("tick", encode(tick(1, view=view)))
    status = live.status(0, "ok")
    said = (status.believed_gain, status.believed_late_ms, status.believed_reflex_nms, status.response_share)
    assert said == ((0.8, 15.0, 3.5, 0.9) if shown else (None,) * 4)


@pytest.mark.parametrize("by", ["strides", "person"])
@pytest.mark.parametrize(
    ("answered", "full"), [(0, False), (1, False), (3, False), (3, True)], ids=["0", "1", "3", "unlocked"]
)
def test_a_blinded_arm_is_not_named_by_how_far_its_unlock_is(answered: int, full: bool, by: str) -> None:
    stage = UnlockStage(answered, needed=3, by=by, full=full, ceiling_ma=30.0)
    for blinded in (False, True):
        live = Live()
        live.take("arm", encode(Arm(5, "begin", "off", 1, "A" if blinded else "", blinded=blinded)))
        shown = None if full else UnlockGlance(None if blinded else answered, 3, by, 30.0)
        live.take("guard/event", encode(GuardEvent(6, "answer", "armed", "It lifted.", unlock=stage)))
        assert seen(live) == ("" if blinded else "It lifted.", shown)
        live.take("guard/event", encode(GuardEvent(7, "warning", "active", "The line answers late.")))
        assert seen(live) == ("The line answers late.", shown)
        live.take("guard/event", encode(GuardEvent(8, "stop", "tripped", "STOP was pressed.")))
        assert seen(live) == ("STOP was pressed.", None)


def test_an_exercises_unlock_counts_contractions() -> None:
    stage = UnlockStage(2, needed=3, by="person", full=False, ceiling_ma=30.0, counted="contractions")
    live = Live()
    live.take("guard/event", encode(GuardEvent(6, "answer", "armed", "Given.", unlock=stage)))
    assert seen(live) == ("Given.", UnlockGlance(2, 3, "person", 30.0, "contractions"))


def seen(live: Live) -> tuple[str, UnlockGlance | None]:
    status = live.status(0, "ok")
    return status.guard_text, status.unlock


@pytest.mark.parametrize("blinded", [False, True])
def test_the_worst_channels_load_and_charge_are_shown_and_name_no_blinded_arm(blinded: bool) -> None:
    live = Live()
    live.take("arm", encode(Arm(5, "begin", "feedback", 1, "A" if blinded else "", blinded=blinded)))
    assert (live.status(0, "ok").load_ohm, live.status(0, "ok").delivered_share) == (None, None)
    for channel, load_ohm in ((0, 1500.0), (1, 9000.0), (1, 2000.0), (1, 2100.0)):
        live.take("guard/delivered", encode(Delivered(6, channel, 20.0, 300.0, 1, 6.0, load_ohm=load_ohm)))
    for charge_uc in (6.0, 4.5, 4.5):
        live.take("guard/delivered", encode(Delivered(7, 0, 20.0, 300.0, 1, 6.0, charge_uc=charge_uc)))
    status = live.status(8, "ok")
    assert (status.load_ohm, status.delivered_share) == ((None, None) if blinded else (2100.0, 0.75))
    live.take("arm", encode(Arm(9, "begin", "feedback", 1)))
    assert live.status(9, "ok").load_ohm is None
