"""Whom a new connection displaces at the console's door."""

from __future__ import annotations

import random

from controller.console.door_queue import Lobby, Rank, Visitor


def test_up_to_the_cap_nobody_goes_and_then_the_oldest_silent_one() -> None:
    lobby = Lobby(most=100, most_of_address=3)
    first, second, third, fourth, fifth = (Visitor("a") for _ in range(5))
    assert [lobby.enter(one) for one in (first, second, third)] == [None, None, None]
    assert lobby.enter(fourth) is first
    assert lobby.enter(fifth) is second
    assert len(lobby) == 3


def test_who_has_spoken_goes_after_the_silent_and_who_is_logged_in_last() -> None:
    lobby = Lobby(most=100, most_of_address=3)
    known, speaking, silent = Visitor("a", Rank.KNOWN), Visitor("a", Rank.SPEAKING), Visitor("a")
    for one in (known, speaking, silent):
        lobby.enter(one)
    assert lobby.enter(Visitor("a", Rank.KNOWN)) is silent
    assert lobby.enter(Visitor("a", Rank.KNOWN)) is speaking
    assert lobby.enter(Visitor("a", Rank.KNOWN)) is known


def test_one_address_cannot_displace_another() -> None:
    lobby = Lobby(most=100, most_of_address=3)
    quiet = Visitor("b")
    lobby.enter(quiet)
    leaving = [lobby.enter(Visitor("a")) for _ in range(50)]
    assert quiet not in leaving
    assert len(lobby) == 4


def test_many_addresses_displace_the_one_that_has_most() -> None:
    lobby = Lobby(most=6, most_of_address=4)
    few = [Visitor("few"), Visitor("few")]
    many = [Visitor("many") for _ in range(4)]
    for one in (*few, *many):
        lobby.enter(one)
    assert [lobby.enter(Visitor(f"new{number}")) for number in range(3)] == [*many[:2], few[0]]


def test_who_left_makes_room_and_may_leave_twice() -> None:
    lobby = Lobby(most=2, most_of_address=2)
    one, two = Visitor("a"), Visitor("a")
    lobby.enter(one)
    lobby.enter(two)
    lobby.leave(one)
    lobby.leave(one)
    assert lobby.enter(Visitor("a")) is None
    assert len(lobby) == 2


def test_whatever_comes_and_goes_a_logged_in_one_stays_while_others_are_there() -> None:
    chance = random.Random(3)
    lobby = Lobby(most=20, most_of_address=8)
    inside: list[Visitor] = []
    for _ in range(5000):
        if inside and chance.random() < 0.3:
            lobby.leave(inside.pop(chance.randrange(len(inside))))
            continue
        new = Visitor(chance.choice("abcde"), chance.choice(list(Rank)))
        leaving = lobby.enter(new)
        if leaving is not None:
            inside.remove(leaving)
            rivals = [one for one in inside if one.address == leaving.address] + [leaving]
            assert leaving.rank == min(one.rank for one in rivals)
        inside.append(new)
        assert len(lobby) == len(inside) <= 20
        assert max(sum(one.address == host for one in inside) for host in "abcde") <= 8
