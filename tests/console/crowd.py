"""Connections that say nothing, in a process of its own: `python -m tests.console.crowd PORT COUNT`.

Prints how many it opened; then, when its input ends, how many of them the other side had closed by then.
"""

from __future__ import annotations

import resource
import select
import socket
import sys


def main() -> None:
    port, count = int(sys.argv[1]), int(sys.argv[2])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    crowd: list[socket.socket] = []
    poller = select.poll()
    for _ in range(count):
        crowd.append(socket.create_connection(("127.0.0.1", port), timeout=60))
        poller.register(crowd[-1], select.POLLIN)
    print(len(crowd), flush=True)
    sys.stdin.read()
    print(len(poller.poll(0)), flush=True)  # nobody sends them anything: what can be read is an end of file
    for sock in crowd:
        sock.close()


if __name__ == "__main__":
    main()
