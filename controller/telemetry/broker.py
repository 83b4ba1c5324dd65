"""The demo's own MQTT broker on loopback, as a process: ``python -m controller.telemetry.broker``.

Promises a port to watch the demo on with no installation. Refuses everything but loopback; for a real site
take Mosquitto, as this one mishandles retained messages and wills (measured).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
from collections.abc import Sequence

from amqtt.broker import Broker
from setproctitle import setproctitle

LOOPBACK = "127.0.0.1"
PARENT_LOOK_S = 1.0


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


async def serve(port: int) -> None:
    """Run the broker until SIGTERM or until the process that started it is gone.

    Prints the port as one line once clients may connect.
    """
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{LOOPBACK}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    print(port, flush=True)
    parent = os.getppid()
    while os.getppid() == parent and not stop.is_set():
        try:
            async with asyncio.timeout(PARENT_LOOK_S):
                await stop.wait()
        except TimeoutError:
            continue
    await broker.shutdown()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the broker; see ``--help``."""
    parser = argparse.ArgumentParser(prog="python -m controller.telemetry.broker", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args(arguments)
    setproctitle("dorsi-broker")
    logging.disable(logging.ERROR)  # amqtt logs every closing client as an error
    asyncio.run(serve(options.port or free_port()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
