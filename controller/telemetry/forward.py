"""Brings the broker what it missed of a recorded session.

Promises every event and stride of the recording once, from the position stored for that broker on. Refuses to
go on without the broker: it says how far it came, and the next call begins there.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

from controller.config.exercise import load_any
from controller.errors import ConfigError
from controller.record.numbered_events import told
from controller.record.reader import header
from controller.telemetry.broker_position import Position
from controller.telemetry.mqtt import MqttSettings, MqttTelemetry
from controller.telemetry.settings import mqtt_settings

AHEAD_MAX = 256  # events in memory before the broker has acknowledged
LOOK_S = 0.02
PATIENCE_S = 10.0  # twice what the broker has to answer


class NotDeliveredError(Exception):
    """The broker did not take all; the message says why and how far it came."""


async def forward(
    recording: Path, settings: MqttSettings, *, patience_s: float, progress: Callable[[int], None]
) -> int:
    """Publish what this broker has not acknowledged yet; returns the number of events sent now.

    ``progress`` is called with that number now and then. The rig's retained state is left alone: another
    session may be running. Raises InputError for what is no recording and NotDeliveredError after
    ``patience_s`` without an acknowledgement.
    """
    position = Position.beside(recording, header(recording), settings.address)
    begun = position.sent
    link = MqttTelemetry(settings, None, random.Random(), position)
    task = asyncio.create_task(link.run())

    async def acknowledged(seq: int) -> None:
        """Wait until the broker has all up to ``seq``."""
        waited_s, before = 0.0, position.sent
        while position.sent < seq:
            await asyncio.sleep(LOOK_S)
            waited_s = waited_s + LOOK_S if position.sent == before else 0.0
            before = position.sent
            progress(position.sent - begun)
            if waited_s > patience_s:
                said = link.trouble or "the broker does not acknowledge"
                raise NotDeliveredError(f"{said}; {position.sent - begun} events sent, the rest later")

    async def reached() -> None:
        """Nothing is left to send: still, what is said of the broker is said after asking it."""
        waited_s = 0.0
        while not link.link.connected:
            await asyncio.sleep(LOOK_S)
            waited_s += LOOK_S
            if waited_s > patience_s:
                raise NotDeliveredError(
                    f"{link.trouble or 'the broker does not answer'}; nothing is left to send"
                )

    newest = begun
    try:
        for event in told(recording):
            if event.seq > begun:
                link.event(event.kind, event.payload_json, event.seq)
                newest = event.seq
                await acknowledged(newest - AHEAD_MAX)
        await acknowledged(newest)
        if newest == begun:
            await reached()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return newest - begun


def run_forward(recording: Path, session_file: Path, progress: Callable[[int], None]) -> int:
    """:func:`forward` to the broker of a session file. Raises ConfigError where that names none."""
    header(recording)  # what is no recording is refused before the session file is looked at
    settings = mqtt_settings(load_any(session_file))
    if settings is None:
        raise ConfigError([f"{session_file}: telemetry: missing, allowed: a table that names the broker"])
    return asyncio.run(forward(recording, settings, patience_s=PATIENCE_S, progress=progress))
