"""Replay: identical means every bit, and anything else names the first difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from controller.core.signals import Decision, TickInputs
from controller.errors import InputError
from controller.record.records import CoreStart, Record, Tick
from controller.record.replay import replay
from tests.record.made import IDLE_VIEW, MS, imu, tick, write

Stepper = Callable[[int, TickInputs], Decision]


class Gain(msgspec.Struct, forbid_unknown_fields=True):
    gain: float


def summing_core(params_json: bytes) -> Stepper:
    """A stand-in core with state: the current is a gain times the sum of all it has ever seen."""
    gain = msgspec.json.decode(params_json, type=Gain).gain
    total = 0.0

    def advance(now_ns: int, inputs: TickInputs) -> Decision:
        nonlocal total
        total += gain * sum(sample.acc_mps2[2] for sample in inputs.imu) + now_ns * 1e-9
        view = replace(IDLE_VIEW, activation=total)
        return tick(0, current_ma=total / 3, view=view).decision

    return advance


def session(count: int, gain: float = 0.1) -> list[Tick]:
    core = summing_core(msgspec.json.encode(Gain(gain)))
    ticks = []
    for seq in range(count):
        bare = tick(seq, samples=(imu(seq, seq * 5 * MS),) if seq % 2 else ())
        ticks.append(replace(bare, decision=core(bare.now_ns, bare.inputs)))
    return ticks


def entries(ticks: list[Tick]) -> list[tuple[str, int, Record]]:
    return [("tick", each.now_ns, each) for each in ticks]


def test_the_recording_of_a_deterministic_core_replays_identical(tmp_path: Path) -> None:
    result = replay(write(tmp_path / "a.mcap", *entries(session(500))), summing_core)
    assert result.identical
    assert result.ticks == 500
    assert result.first_difference is None


def test_one_bit_of_one_value_is_a_difference_with_tick_time_and_field(tmp_path: Path) -> None:
    ticks = session(100)
    decision = ticks[60].decision
    value = decision.view.activation
    nearly = value * (1 + 2**-52)
    ticks[60] = replace(ticks[60], decision=replace(decision, view=replace(decision.view, activation=nearly)))
    result = replay(write(tmp_path / "a.mcap", *entries(ticks)), summing_core)
    assert not result.identical
    assert result.ticks == 61
    expected = f"tick 60 at 0.300 s: view.activation: recorded {nearly!r}, replayed {value!r}"
    assert result.first_difference == expected
    assert (result.decided, result.first_other_decision) == (100, None)


def test_last_bits_are_told_apart_from_another_decision(tmp_path: Path) -> None:
    """As between processors: the view differs in last bits from tick 20 on, the current from tick 70."""
    ticks = session(100)
    for at in range(20, 100):
        decision = ticks[at].decision
        view = replace(decision.view, activation=decision.view.activation * (1 + 2**-50), fingerprint=at)
        ticks[at] = replace(ticks[at], decision=replace(decision, view=view))
    result = replay(write(tmp_path / "a.mcap", *entries(ticks)), summing_core)
    assert (result.identical, result.ticks, result.decided) == (False, 21, 100)
    assert result.first_other_decision is None
    (channel, _) = ticks[70].decision.command.channels
    assert channel is not None
    more = replace(channel, current_ma=channel.current_ma + 0.5)
    command = replace(ticks[70].decision.command, channels=(more, None))
    ticks[70] = replace(ticks[70], decision=replace(ticks[70].decision, command=command))
    result = replay(write(tmp_path / "b.mcap", *entries(ticks)), summing_core)
    assert result.decided == 70
    assert result.first_difference is not None
    assert result.first_other_decision is not None
    assert result.first_difference.startswith("tick 20 ")
    assert result.first_other_decision.startswith("tick 70 at 0.350 s: command.channels[0].current_ma")


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("reason", lambda d: replace(d, reason="another")),
        ("view.activation", lambda d: replace(d, view=replace(d.view, activation=-0.0))),
        ("view.fingerprint", lambda d: replace(d, view=replace(d.view, fingerprint=1))),
        ("command.channels[0]", lambda d: replace(d, command=replace(d.command, channels=(None, None)))),
        ("command.lifetime_ms", lambda d: replace(d, command=replace(d.command, lifetime_ms=59.0))),
    ],
)
def test_every_part_of_a_decision_counts_even_the_sign_of_zero(
    tmp_path: Path, field: str, changed: Callable[[Decision], Decision]
) -> None:
    first = session(1)[0]
    path = write(tmp_path / "a.mcap", *entries([replace(first, decision=changed(first.decision))]))
    result = replay(path, summing_core)
    assert not result.identical
    assert result.first_difference is not None
    assert result.first_difference.startswith(f"tick 0 at 0.000 s: {field}")


def test_a_lost_tick_shows_as_a_difference_and_not_as_identical(tmp_path: Path) -> None:
    ticks = session(20)
    del ticks[10]
    assert not replay(write(tmp_path / "a.mcap", *entries(ticks)), summing_core).identical


def test_each_start_of_a_core_begins_anew_with_its_own_parameters(tmp_path: Path) -> None:
    begin = [
        ("core/start", 0, CoreStart(0, 1, msgspec.Raw(msgspec.json.encode(Gain(gain)))))
        for gain in (0.1, 0.7)
    ]
    records = [begin[0], *entries(session(30)), begin[1], *entries(session(30, 0.7))]
    assert replay(write(tmp_path / "a.mcap", *records, session={}), summing_core).ticks == 60
    assert replay(tmp_path / "a.mcap", summing_core).identical


def test_a_recording_cut_anywhere_replays_identical_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mcap", *entries(session(30)))
    data = path.read_bytes()
    begin = data.index(b'{"now_ns":5000000,')
    counts = set()
    for length in range(begin, begin + 4000, 53):
        path.write_bytes(data[:length])
        result = replay(path, summing_core)
        assert result.identical
        counts.add(result.ticks)
    assert {1, 2, 3} <= counts


def test_nothing_to_replay_is_refused_and_never_called_identical(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one tick"):
        replay(write(tmp_path / "a.mcap"), summing_core)
    with pytest.raises(InputError, match="core_params"):
        replay(write(tmp_path / "b.mcap", *entries(session(1)), session={}), summing_core)
    unfit = {"core_params": '{"gain":1.0,"unknown":2}'}
    with pytest.raises(InputError, match="unknown"):
        replay(write(tmp_path / "c.mcap", *entries(session(1)), session=unfit), summing_core)
