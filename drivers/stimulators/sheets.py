"""Capability sheets: what each stimulator can do and what it does when its host dies, without its driver."""

from __future__ import annotations

from drivers.interface import ContactCheck, StimulatorCapability
from drivers.stimulators import sciencemode2 as sm2
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
    measures=("current", "voltage"),
    late_answer_ms=18.0,  # USB hands an answer over within 16 ms, the vendor says 5 to 15 ms
)

REHASTIM2 = StimulatorCapability(
    name="Hasomed RehaStim2 (ScienceMode2 single pulses)",
    channels=sm2.CHANNELS,
    # The vendor's table of the device (ScienceMode2 README): 0 to 126 mA in steps of 2 mA, 20 to 500 us. What
    # it does with 25 mA is not told, so it is never asked.
    current_max_ma=126.0,
    current_step_ma=2.0,
    width_min_us=float(sm2.WIDTH_MIN_US),
    width_max_us=float(sm2.WIDTH_MAX_US),
    # The same table: a command takes effect within 10 to 24 ms. At periods of 30 ms two pulses are never
    # closer than 6 ms, whatever the line does between.
    rate_max_hz=33.0,
    own_watchdog="no command, no pulse (single pulses): one pulse per command, none by itself; a list that "
    "another host left running ends 1.2 s after its last packet",
    verified="spec",
    late_answer_ms=24.0,
    contact=None,  # it reports an electrode error by itself, without the channel or a least current
)
