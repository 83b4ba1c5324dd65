"""F28: pads that dry, lift by half or take too little, where the stimulator measures; a warning, no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.errors import InputError
from controller.safety.guard import make_stimulator
from controller.safety.judgement.electrode_load import (
    AGAIN_NS,
    BLOCK,
    DRY,
    FADE,
    LIFTED_PULSES,
    NEAR,
    SHARE_MIN,
    LoadTrack,
    heard,
)
from controller.safety.settings import parse
from drivers.interface import MeasuredPulse, Quantity, StimulatorNotice
from drivers.stimulators.p24 import P24
from drivers.stimulators.pulse_line import PulseLine
from tests.safety.rig import Bench, raw_settings
from tests.safety.room import Room

PULSE = MeasuredPulse(20.0, 300.0, 1, 6.0)


def met(*loads_ohm: float, ma: float = 20.0) -> list[MeasuredPulse]:
    return [replace(PULSE, current_ma=ma, load_ohm=load_ohm) for load_ohm in loads_ohm]


def arrived(*shares: float) -> list[MeasuredPulse]:
    return [replace(PULSE, asked_uc=5.0, charge_uc=5.0 * share) for share in shares]


def told(pulses: list[MeasuredPulse], *, apart_ns: int = 2 * AGAIN_NS) -> list[str]:
    """What is said of these pulses, each ``apart_ns`` after the one before."""
    track, words = LoadTrack(), []
    for count, pulse in enumerate(pulses):
        said, track = heard(count * apart_ns, pulse, track)
        words += [said] if said else []
    return words


def test_a_steady_or_falling_load_is_nothing_to_tell() -> None:
    assert told(met(*[1500.0] * 5 * BLOCK)) == []
    assert told(met(*(3000.0 - 10.0 * n for n in range(5 * BLOCK)))) == []


def test_a_load_that_has_risen_by_half_over_the_least_is_told() -> None:
    first = [3000.0] * BLOCK + [1000.0] * BLOCK  # skin under a fresh pad gets better
    assert told(met(*first, *[1000.0 * DRY] * BLOCK)) == []
    (words,) = told(met(*first, *[1000.0 * DRY + 1.0] * BLOCK))
    assert words == "load 1501 ohm, the least was 1000 ohm: the pads dry or lift"


def test_some_pulses_of_a_stride_with_half_as_much_again_are_a_pad_that_lifts() -> None:
    few, enough = LIFTED_PULSES - 1, LIFTED_PULSES
    assert told(met(*[1000.0] * (BLOCK - few), *[1501.0] * few)) == []
    assert told(met(*[1000.0] * (BLOCK - enough), *[1500.0] * enough)) == []
    (words,) = told(met(*[1000.0] * (BLOCK - enough), *[1501.0] * enough))
    assert words.startswith("4 of 20 pulses met half as much load again")


def test_charge_that_does_not_arrive_is_told_and_so_is_some_that_does_not() -> None:
    assert told(arrived(*[SHARE_MIN] * BLOCK)) == []
    assert told(arrived(*[1.0] * 3 * BLOCK)) == []
    assert told(arrived(*[1.0] * (BLOCK - LIFTED_PULSES), *[SHARE_MIN] * LIFTED_PULSES)) == []
    assert told(arrived(*[0.79] * BLOCK)) == ["79 % of the charge that was asked for arrives"]
    few = LIFTED_PULSES - 1
    assert told(arrived(*[1.0] * (BLOCK - few), *[0.5] * few)) == []
    (words,) = told(arrived(*[1.0] * (BLOCK - few - 1), *[0.5] * (few + 1)))
    assert words.startswith("4 of 20 pulses gave less than 80 %")


def test_weak_pulses_count_only_once_the_strong_ones_are_long_ago() -> None:
    strong, weak = met(*[1000.0] * BLOCK), met(*[9000.0] * BLOCK, ma=5.0)
    assert told(strong + weak[:-1] + strong) == []
    later = met(*[9000.0] * 600, ma=10.0)
    assert told(strong + later) != []


def test_a_pulse_that_is_just_strong_enough_counts_and_a_weaker_one_does_not() -> None:
    _, track = heard(0, met(1000.0)[0], LoadTrack())
    least_ma = NEAR * (FADE * 20.0)
    for current_ma, counted in ((least_ma, 2), (least_ma - 1e-9, 1)):
        _, after = heard(0, met(1000.0, ma=current_ma)[0], track)
        assert len(after.loads_ohm) == counted


def test_a_warning_comes_once_a_minute() -> None:
    high = met(*[1000.0] * BLOCK, *[2000.0] * 10 * BLOCK)
    assert len(told(high, apart_ns=AGAIN_NS // (2 * BLOCK))) == 5
    assert len(told(high, apart_ns=AGAIN_NS // BLOCK)) == 10


def notice(load_ohm: float, channel: int | None = 0) -> StimulatorNotice:
    return StimulatorNotice(0, False, channel, 0, "ok", replace(PULSE, load_ohm=load_ohm))


def test_the_guard_tells_it_and_goes_on() -> None:
    bench = Bench().active()
    bench.notes.clear()
    for load_ohm in (1000.0, 2000.0):
        for _ in range(BLOCK):
            bench.feed(notice(load_ohm, channel=7))  # no channel of this session
            bench.feed(notice(load_ohm, channel=None))
            bench.feed(notice(load_ohm))
    assert [(note.kind, note.fault) for note in bench.notes] == [("fault", "F28")]
    assert "2000 ohm" in bench.notes[0].text
    assert bench.setup.config.channels[0].name in bench.notes[0].text
    assert bench.stage == "active"


def test_the_least_load_is_that_since_arming_and_the_contact_tests_pulses_tell_nothing() -> None:
    bench = Bench().active()
    for _ in range(BLOCK):
        bench.feed(notice(1000.0))
    assert bench.known.loads[0].least_ohm == 1000.0
    bench = Bench().armed()
    assert bench.known.loads == (LoadTrack(),)


def test_each_channel_has_a_load_of_its_own() -> None:
    names = ("dorsiflexion", "eversion")
    channels = [{"name": name, "output": 3 * n, "electrode_area_cm2": 20.0} for n, name in enumerate(names)]
    bench = Bench(channels=channels)
    for output in (0, 3, 3):
        bench.feed(notice(1000.0, channel=output))
    assert [len(track.loads_ohm) for track in bench.known.loads] == [1, 2]


class MeasuringRoom(Room):
    quantity: Quantity = "voltage"

    def make_driver(self, port: str) -> PulseLine:
        return P24(port, clock=lambda: self.now_ns, measure=self.quantity)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[MeasuringRoom]:
    made = MeasuringRoom(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_a_pad_that_dries_is_recorded_pulse_by_pulse_and_told_once(room: MeasuringRoom) -> None:
    began_ns: list[int] = []

    def load(t_ns: int, _channel: int) -> float:  # twice as much after a second
        return 1500.0 * (1.0 + (t_ns - began_ns[0]) / 1e9) if began_ns else 1500.0

    room.device.load_ohm = load
    room.arm()
    began_ns.append(room.now_ns)
    room.walk_on()
    for _ in range(240):
        room.tick(20.0)
    given = [record for topic, record in room.records if topic == "guard/delivered"]
    assert len(given) > 50
    strong = [one for one in given if one["current_ma"] == 20.0]
    assert (strong[0]["channel"], strong[0]["asked_uc"], strong[0]["charge_uc"]) == (0, 6.0, None)
    for one in strong:
        assert one["load_ohm"] == pytest.approx(load(one["t_ns"], 0), rel=0.01)
    faults = [event for event in room.events() if "F28" in str(event)]
    assert len(faults) == 1
    count = len(room.records)
    for strange in (notice(1.0, channel=7), replace(notice(1.0), measured=None)):
        room.guard.delivered(strange)
    room.listen()
    assert len(room.records) == count
    assert room.stage == "active"


@pytest.mark.parametrize("device", ["hasomed-p24", "hasomed-rehastim2"])
def test_the_guard_refuses_a_measurement_that_the_device_cannot_make(device: str) -> None:
    told = {"device": device, "port": "/dev/null", "measure": "voltage"}
    config = parse(raw_settings(stimulator=told), "test")
    assert config.stimulator_measure == "voltage"
    if device == "hasomed-p24":
        assert isinstance(make_stimulator(config, "test"), P24)
        return
    with pytest.raises(InputError, match=r"stimulator\.measure: found 'voltage', allowed: nothing"):
        make_stimulator(config, "test")


def test_an_unknown_quantity_is_refused() -> None:
    told = {"device": "hasomed-p24", "port": "/dev/null", "measure": "power"}
    with pytest.raises(InputError, match=r"stimulator\.measure: found 'power'"):
        parse(raw_settings(stimulator=told), "test")
