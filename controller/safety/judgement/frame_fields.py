"""What a frame's fields can be at all, whatever the limits: anything else is a broken controller (F7)."""

from __future__ import annotations

from controller.safety.judgement.wire import Frame

# Beyond the number range of a ScienceMode4 point (header of the vendor's library), whatever the limits
FIELD_CURRENT_MA = 150.0
FIELD_WIDTH_US = 4095.0
FIELD_RATE_HZ = 2000.0
FIELD_CYCLES = 255  # one byte of a frame
FIELD_LIFETIME_MS = 1000.0


def nonsense(frame: Frame, channels: int) -> str:
    """Why a frame of a session of ``channels`` can only come from a broken controller; empty: it is sound."""
    if len(frame.channels) != channels:
        return f"{len(frame.channels)} channels in the frame, {channels} in the session"
    if not 0.0 <= frame.lifetime_ms <= FIELD_LIFETIME_MS:
        return f"lifetime {frame.lifetime_ms!r} ms, possible are 0 to {FIELD_LIFETIME_MS:g}"
    if frame.purpose == "off" and any(channel is not None for channel in frame.channels):
        return "a pulse is asked for by a frame that says off"
    for index, channel in enumerate(frame.channels):
        if channel is None:
            continue
        for name, value, top in (
            ("current_ma", channel.current_ma, FIELD_CURRENT_MA),
            ("width_us", channel.width_us, FIELD_WIDTH_US),
            ("rate_hz", channel.rate_hz, FIELD_RATE_HZ),
        ):
            if not 0.0 <= value <= top:  # false for NaN
                return f"channel {index}: {name} {value!r}, possible are 0 to {top:g}"
        if not 1 <= channel.cycles <= FIELD_CYCLES:
            return f"channel {index}: cycles {channel.cycles!r}, possible are 1 to {FIELD_CYCLES}"
        burst_us = 2.0 * channel.cycles * channel.width_us
        if channel.cycles > 1 and burst_us * channel.rate_hz >= 1e6:
            return f"channel {index}: bursts of {burst_us:g} us at {channel.rate_hz:g} Hz leave no pause"
    return ""
