"""The local bus: whole messages, ends seen at once, nobody waits."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.runtime import bus


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    server = bus.listen(tmp_path, "x")
    client = bus.connect(tmp_path, "x")
    accepted, _ = server.accept()
    accepted.setblocking(False)
    yield client, accepted
    for sock in (server, client, accepted):
        sock.close()


def test_messages_arrive_whole_and_in_order(ends: tuple[socket.socket, socket.socket]) -> None:
    client, accepted = ends
    sender = bus.Sender(client)
    messages = [b"a", b"b" * 5000, b"c" * 100_000]
    assert all(sender.send(message) for message in messages)
    assert [bus.receive(accepted) for _ in messages] == messages
    assert bus.receive(accepted) == b""


def test_the_end_of_a_peer_is_seen_at_once(ends: tuple[socket.socket, socket.socket]) -> None:
    client, accepted = ends
    client.close()
    assert bus.receive(accepted) is None


def test_a_full_socket_drops_and_counts_and_never_waits(ends: tuple[socket.socket, socket.socket]) -> None:
    sender = bus.Sender(ends[0])
    taken = sum(sender.send(b"x" * 1000) for _ in range(5000))
    assert 0 < taken < 5000
    assert sender.dropped == 5000 - taken
    assert not sender.gone


def test_a_gone_reader_is_counted_and_told(ends: tuple[socket.socket, socket.socket]) -> None:
    client, accepted = ends
    accepted.close()
    sender = bus.Sender(client)
    assert not sender.send(b"x")
    assert sender.gone
    assert sender.dropped == 1


def test_a_process_that_does_not_come_up_is_named(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="'guard'"):
        bus.connect(tmp_path, "guard", timeout_s=0.05)


def test_a_record_survives_packing() -> None:
    packed = bus.pack_record("guard/verdict", 123456789012345, b'{"a": "b c"}')
    assert bus.unpack_record(packed) == ("guard/verdict", 123456789012345, b'{"a": "b c"}')


@pytest.mark.parametrize("broken", [b"", b"tick", b"tick 12", b"tick x {}", b"\xff 1 {}"])
def test_what_is_no_record_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        bus.unpack_record(broken)
