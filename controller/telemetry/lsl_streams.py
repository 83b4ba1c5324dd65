"""LSL out and in for the recorder; pylsl is an extra, and imported only where it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.record.telemetry_port import Listener, Outlets, Scope


def outlets(rig: str, session: Mapping[str, str], scope: Scope) -> Outlets:
    from controller.telemetry.lsl import LslOutlets

    return LslOutlets(rig, session.get("session", ""), scope)


def listener(markers: Sequence[str], shown: Sequence[str]) -> Listener | None:
    """None where nothing is to be heard."""
    if not markers and not shown:
        return None
    from controller.telemetry.lsl_in import LslListener

    return LslListener(markers, shown)
