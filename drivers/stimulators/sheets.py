"""Capability sheets: what each stimulator can do and what it does when its host dies, without its driver."""

from __future__ import annotations

from drivers.interface import ContactCheck, StimulatorCapability
from drivers.stimulators import sciencemode4 as sm4

P24 = StimulatorCapability(
    name="Hasomed P24 (ScienceMode4 low level)",
    channels=sm4.CHANNELS,
    current_max_ma=sm4.MAX_CURRENT_MA,
    current_step_ma=sm4.CURRENT_STEP_MA,
    width_min_us=float(sm4.MIN_POINT_TIME_US),
    width_max_us=float(sm4.MAX_POINT_TIME_US),
    rate_max_hz=50.0,  # the host makes the rate, and a command takes 5 to 15 ms (vendor): 20 to 50 Hz
    own_watchdog="no command, no pulse (low level): one pulse per command, none by itself",
    verified="vendor-code",
    contact=ContactCheck(sm4.ELECTRODE_DETECT_MA, sm4.ELECTRODE_ERROR),
    cycles_max=sm4.MAX_CYCLES,
)
