"""Packet numbers that wrap, against the time that passed: in virtual time."""

from __future__ import annotations

import random

import pytest

from drivers.packet_order import PacketOrder

SAMPLE_NS = 2_000_000
CYCLE = 256
STEP = 10
START_NS = 10**9


def fits(places: list[tuple[int, int]]) -> list[bool]:
    """Verdicts on packets given as number since the start and arrival in ms."""
    order = PacketOrder(cycle=CYCLE, sample_ns=SAMPLE_NS)
    return [order.fits(k * STEP % CYCLE, STEP, START_NS + ms * 10**6) for k, ms in places]


def test_a_stream_with_losses_and_bursts_fits() -> None:
    chance = random.Random(1)
    kept = [k for k in range(2000) if chance.random() > 0.05]
    assert all(fits([(k, -(-20 * k // 300) * 300) for k in kept]))


@pytest.mark.parametrize("repeated", [1, 2, 10])
def test_a_packet_that_comes_again_does_not_fit_and_harms_none_after_it(repeated: int) -> None:
    places = [(k, 20 * k) for k in range(20)] + [(19, 400)] * repeated + [(k, 20 * k) for k in range(20, 40)]
    assert fits(places) == [True] * 20 + [False] * repeated + [True] * 20


def test_a_flipped_number_costs_one_packet() -> None:
    places = [(k, 20 * k) for k in range(40)]
    places[20] = (33, 400)
    assert fits(places) == [k != 20 for k in range(40)]


def test_many_lost_packets_of_a_burst_cost_one_more() -> None:
    """Nineteen are lost of what a host that stood still gets at once."""
    places = [(k, 20 * k) for k in range(20)] + [(20, 900), (21, 900)] + [(k, 900) for k in range(41, 45)]
    assert fits(places) == [True] * 22 + [False] + [True] * 3


def test_packets_that_overlap_do_not_fit() -> None:
    order = PacketOrder(cycle=CYCLE, sample_ns=SAMPLE_NS)
    assert order.fits(250, STEP, START_NS)
    assert not order.fits(3, STEP, START_NS + 20_000_000)
    assert order.fits(4, STEP, START_NS + 20_000_000)


def test_after_a_silence_any_number_fits() -> None:
    assert fits([(0, 0), (7, 5000), (8, 5020)]) == [True, True, True]
