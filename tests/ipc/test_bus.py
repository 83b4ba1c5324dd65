"""The local bus: whole messages, ends seen at once, nobody waits."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.ipc import bus


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


def test_a_message_too_large_for_any_reader_is_dropped_and_the_next_one_arrives(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    client, accepted = ends
    for sender in (bus.Sender(client), bus.Sender(client, keep_bytes=bus.KEEP_RECORDS_BYTES)):
        assert sender.send(b"a" * bus.MAX_MESSAGE_BYTES)
        assert bus.receive(accepted) == b"a" * bus.MAX_MESSAGE_BYTES
        assert not sender.send(b"a" * (bus.MAX_MESSAGE_BYTES + 1))
        assert not sender.send(b"a" * (1 << 20))
        assert (sender.dropped, sender.gone) == (2, False)
        assert sender.send(b"b")
        assert bus.receive(accepted) == b"b"


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


def test_records_for_a_slow_reader_are_kept_and_come_in_order(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    client, accepted = ends
    sender = bus.Sender(client, keep_bytes=2_000_000)
    messages = [b"%06d" % n + b"x" * 400 for n in range(3000)]
    assert all(sender.send(message) for message in messages)
    taken: list[bytes] = []
    while len(taken) < len(messages):
        while message := bus.receive(accepted):
            taken.append(message)
        sender.send(messages[0])  # the next message brings the kept ones along
    assert taken[: len(messages)] == messages
    assert sender.dropped == 0


def test_beyond_its_bound_the_sender_drops_and_counts(ends: tuple[socket.socket, socket.socket]) -> None:
    sender = bus.Sender(ends[0], keep_bytes=10_000)
    taken = sum(sender.send(b"x" * 1000) for _ in range(5000))
    assert sender.dropped == 5000 - taken > 0


def test_closing_hands_over_what_is_kept(ends: tuple[socket.socket, socket.socket]) -> None:
    client, accepted = ends
    sender = bus.Sender(client, keep_bytes=2_000_000)
    for n in range(1500):
        sender.send(b"%06d" % n + b"x" * 400)
    taken: list[bytes] = []

    def read() -> None:
        while (message := bus.receive(accepted)) is not None:
            if message:
                taken.append(message)

    reader = threading.Thread(target=read)
    reader.start()
    sender.close(wait_s=10.0)
    reader.join()
    assert [int(message[:6]) for message in taken] == list(range(1500))
