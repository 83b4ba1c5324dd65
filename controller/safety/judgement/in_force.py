"""What was in force when a guard ended amid stimulation, for the one that comes after it (F16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from drivers.interface import ChannelCommand

UNREADABLE = "what was in force cannot be read"


def kept(utc: str, state: str, channels: Sequence[ChannelCommand | None]) -> dict[str, object]:
    """As JSON: the wall clock when the guard was armed, its state, what each channel gets."""
    given = [None if channel is None else asdict(channel) for channel in channels]
    return {"utc": utc, "state": state, "channels": given}


def words(found: object, names: Sequence[str]) -> str:
    """What :func:`kept` kept, in words for a person; whatever else was found is unreadable."""
    if not isinstance(found, Mapping) or not isinstance(found.get("channels"), list):
        return UNREADABLE
    given = [
        f"{names[index] if index < len(names) else index + 1} {_command(channel)}"
        for index, channel in enumerate(found["channels"])
        if channel is not None
    ]
    return (
        f"armed at {found.get('utc')}, in force was {found.get('state')}: {', '.join(given) or 'no current'}"
    )


def _command(channel: object) -> str:
    if not isinstance(channel, Mapping):
        return f"{channel}"
    return f"{channel.get('current_ma')} mA, {channel.get('width_us')} us, {channel.get('rate_hz')} Hz"
