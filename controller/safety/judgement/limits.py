"""Every limit with its unit and source, and the merge in which a later layer may only tighten.

Refuses what is unknown, not finite, of the wrong type, or looser than an earlier layer; remembers for each
limit who set it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple, cast, get_args

from controller.errors import InputError
from drivers.interface import StimulatorCapability

Who = Literal["device", "compiled", "clinic", "patient", "session"]
WHO: tuple[Who, ...] = get_args(Who)
# What the session is for decides the compiled caps: a lifted foot, muscle training, TENS below the motor
# threshold, muscle without a nerve.
Caps = Literal["gait", "exercise", "comfort", "denervated"]
CAPS: tuple[Caps, ...] = get_args(Caps)
PEOPLE: tuple[Who, ...] = ("clinic", "patient", "session")

LOAD_OHM = 500.0  # test load of IEC 60601-2-10 for output figures
HALF_LIFTED = 0.5  # a half-lifted pad doubles the density: judge with half the electrode area
DOSE_WINDOW_S = 60.0  # the dose limit holds over any 60 s
# The on-share holds over any so long: several strides of a walk; several contractions of an exercise, of
# which one alone may fill 30 s.
ON_WINDOW_S: Mapping[Caps, float] = {"gait": 10.0, "exercise": 120.0, "comfort": 10.0, "denervated": 120.0}


@dataclass(frozen=True, slots=True)
class Limits:
    """The full set. A name with ``_min_`` in it is a floor, all others are ceilings."""

    current_max_ma: float
    width_min_us: float
    width_max_us: float
    rate_min_hz: float
    rate_max_hz: float
    cycles_max: float  # of a burst
    charge_max_uc: float  # per phase
    energy_max_mj: float  # per pulse or burst, all its phases, into LOAD_OHM
    density_rms_max_ma_cm2: float  # I*sqrt(2*width*rate*cycles) over half the electrode area
    rise_max_ma_per_frame: float  # and in 5 ms, however many frames come
    rise_max_ma_per_250ms: float
    train_max_s: float
    on_share_max: float  # of any ON_WINDOW_S, per channel; a pause of less than 100 ms counts as on
    dose_max_uc: float  # sum of the charges per phase, of every cycle, over DOSE_WINDOW_S, per channel
    bout_max_s: float  # time armed, summed, until a rest of pause_min_s
    pause_min_s: float
    session_max_s: float  # time armed, summed, until a rest of session_pause_min_s
    session_pause_min_s: float
    sensor_age_max_ms: float
    frame_age_max_ms: float


NAMES: tuple[str, ...] = tuple(field.name for field in fields(Limits))

COMPILED = Limits(
    current_max_ma=100.0,  # ODFS, the strongest drop-foot stimulator (from memory, unverified)
    width_min_us=20.0,  # below, no surface stimulator recruits; twice the P24's shortest point
    width_max_us=500.0,  # RehaStim 2
    rate_min_hz=1.0,  # slower is no stimulation, and a wrong unit more likely than a wish
    rate_max_hz=100.0,  # prescriptions reach 50 Hz; above 100 Hz muscle only tires
    cycles_max=1.0,  # no gait therapy gives bursts
    charge_max_uc=35.0,  # 100 mA x 350 us, the ODFS maximum (from memory, unverified)
    energy_max_mj=5.0,  # 100 mA x 500 us; a sixtieth of the 300 mJ of IEC 601-2-10 51.104
    density_rms_max_ma_cm2=2.0,  # IEC 60601-2-10: above, the user's attention is required
    rise_max_ma_per_frame=2.0,  # a jump a walking person notices but does not start at; proposal
    rise_max_ma_per_250ms=60.0,  # the shortest prescribed rise, 0.1 to 0.5 s, to 60 mA
    train_max_s=3.0,  # WalkAide's longest stimulation (from memory, unverified)
    # healthy walks in rehearsal, strides of 0.85 to 2 s: at most 0.86; a phase that flickers, 1.9 s on and
    # 0.1 s off: 0.95
    on_share_max=0.9,
    dose_max_uc=40_000.0,  # 60 mA x 300 us at 45 Hz for four fifths of a minute
    bout_max_s=1800.0,  # of the 20 to 60 min a day of muscle training (from memory, unverified)
    pause_min_s=60.0,  # the shortest of AdaptStim's breaks of 60, 120 and 180 s between blocks
    session_max_s=3600.0,  # one hour, then a skin check
    session_pause_min_s=3600.0,  # StimStep: an hour's rest after an hour's session
    sensor_age_max_ms=300.0,  # fault table F1
    frame_age_max_ms=100.0,  # fault table F4
)

# Muscle training: cyclic, EMG-triggered and EMG-proportional. "Table 5" is that of a review of training after
# knee surgery, doi 10.1177/1941738120964817: eight protocols, pulses and bursts.
EXERCISE = Limits(
    current_max_ma=100.0,  # table 5: 65 to 100 mA at the quadriceps
    width_min_us=20.0,  # as in gait
    width_max_us=500.0,  # as in gait; wide phases of 500 us are common at the quadriceps, PMC8536851
    rate_min_hz=1.0,  # as in gait
    rate_max_hz=100.0,  # as in gait; table 5: 30 to 100 Hz
    cycles_max=25.0,  # 10 ms at 2.5 kHz, Kots' bursts (Ward and Shkuratova 2002)
    charge_max_uc=40.0,  # table 5: 100 mA, 400 us
    energy_max_mj=20.0,  # 25 cycles of 60 mA and 200 us; a fifteenth of the 300 mJ of IEC 601-2-10 51.104
    density_rms_max_ma_cm2=2.0,  # as in gait
    rise_max_ma_per_frame=2.0,  # as in gait
    rise_max_ma_per_250ms=60.0,  # as in gait; table 5: ramps of 0.5 to 3.5 s
    train_max_s=30.0,  # the longest contraction of Faghri's shoulder programme (from memory, unverified)
    # Table 5: 5 s on and 10 s off to 10 and 50 s, at most 0.38; 0.5 in trains of varied rate (Bickel 2004).
    # Continuous is no exercise: 30 s on and 10 s off, a proposal. Faghri's last step, 30 and 2 s (from
    # memory, unverified), is beyond it.
    on_share_max=0.75,
    # 100 mA, 400 us and 50 Hz for half of the time; 10 s in a minute of 8-cycle bursts of 200 us at 50 Hz and
    # 75 mA: a proposal
    dose_max_uc=60_000.0,
    bout_max_s=4500.0,  # an hour's programme and the time to arm and to pause; a proposal
    pause_min_s=60.0,  # as in gait
    session_max_s=4500.0,  # the same hour, then a skin check
    session_pause_min_s=3600.0,  # as in gait
    sensor_age_max_ms=300.0,  # as in gait
    frame_age_max_ms=100.0,  # as in gait
)

# TENS for comfort, below the motor threshold: it may go on without a pause, as it does little.
COMFORT = Limits(
    current_max_ma=60.0,  # 12 uC at 200 us
    width_min_us=20.0,  # as in gait
    width_max_us=250.0,  # TENS units end there (from memory, unverified)
    rate_min_hz=1.0,  # as in gait
    rate_max_hz=100.0,  # conventional TENS, 50 to 100 Hz (from memory, unverified)
    cycles_max=1.0,  # single pulses
    # 60 mA and 200 us, a proposal: most muscles contract at less, so a session's own limit has to lie lower
    charge_max_uc=12.0,
    energy_max_mj=1.0,  # 60 mA and 250 us are 0.9 mJ
    density_rms_max_ma_cm2=1.0,  # half of what asks for attention, as it goes on for an hour; a proposal
    rise_max_ma_per_frame=2.0,  # as in gait
    rise_max_ma_per_250ms=60.0,  # as in gait
    train_max_s=3600.0,  # an hour, then a skin check
    on_share_max=1.0,  # continuous
    dose_max_uc=36_000.0,  # 12 uC at 50 Hz; a proposal
    bout_max_s=4500.0,  # as in exercise
    pause_min_s=60.0,  # as in gait
    session_max_s=4500.0,  # as in exercise
    session_pause_min_s=3600.0,  # as in gait
    sensor_age_max_ms=300.0,  # as in gait
    frame_age_max_ms=100.0,  # as in gait
)

# Muscle without a nerve answers to long pulses alone. No stimulator of the catalogue gives them.
DENERVATED = Limits(
    current_max_ma=100.0,  # as in gait; Kern's programmes go up to 250 mA (from memory, unverified)
    width_min_us=10_000.0,  # its chronaxie is several ms and more: shorter pulses belong to another therapy
    width_max_us=200_000.0,  # triangular pulses of 200 ms for tibialis anterior (Pieber 2015, JNER 12:51)
    rate_min_hz=0.2,  # one pulse in 5 s, a proposal
    rate_max_hz=25.0,  # trains of 20 Hz late in training (Kern, from memory, unverified)
    cycles_max=1.0,  # single pulses
    charge_max_uc=8_000.0,  # 300 mJ in two phases of 200 ms: 39 mA
    energy_max_mj=300.0,  # IEC 601-2-10 51.104
    density_rms_max_ma_cm2=2.0,  # as in gait
    rise_max_ma_per_frame=2.0,  # as in gait
    rise_max_ma_per_250ms=60.0,  # as in gait
    train_max_s=300.0,  # single twitches for some minutes (from memory, unverified)
    on_share_max=0.75,  # as in exercise
    dose_max_uc=480_000.0,  # 8 mC a second; a proposal
    bout_max_s=1800.0,  # as in gait
    pause_min_s=60.0,  # as in gait
    session_max_s=3600.0,  # as in gait
    session_pause_min_s=3600.0,  # as in gait
    sensor_age_max_ms=300.0,  # as in gait
    frame_age_max_ms=100.0,  # as in gait
)

CAPPED: Mapping[Caps, Limits] = {
    "gait": COMPILED,
    "exercise": EXERCISE,
    "comfort": COMFORT,
    "denervated": DENERVATED,
}

DEFAULTS: Mapping[str, float] = {  # hold where no person set the limit
    "rise_max_ma_per_frame": 1.0,  # fault table F8
    # F8 proposes 5 mA. Then 40 mA would take 2 s, and the whole swing lasts 0.4 s: no drop-foot therapy
    # could meet it. 40 mA in 250 ms is the prescribed rise of 0.1 to 0.5 s; 1 mA a frame prevents the jump.
    "rise_max_ma_per_250ms": 40.0,
    "sensor_age_max_ms": 150.0,  # fault table F1
    "frame_age_max_ms": 60.0,  # fault table F4
}


@dataclass(frozen=True, slots=True)
class Layer:
    """What one party asks for; only the limits it names."""

    who: Who
    values: Mapping[str, float]


class Ceiling(NamedTuple):
    """What lowers each channel's current for now: a soft stop as it falls, or the steps before the unlock."""

    name: str
    current_ma: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Effective:
    """The tightest of all layers, and for each limit who set it."""

    limits: Limits
    set_by: Mapping[str, str]

    def named(self, name: str) -> str:
        """The limit in words: name, value, who."""
        return f"{name} {getattr(self.limits, name):g} ({self.set_by[name]})"


def is_floor(name: str) -> bool:
    return "_min_" in name


def device_layer(capability: StimulatorCapability) -> Layer:
    """What the stimulator itself can do."""
    return Layer(
        "device",
        {
            "current_max_ma": capability.current_max_ma,
            "width_min_us": capability.width_min_us,
            "width_max_us": capability.width_max_us,
            "rate_max_hz": capability.rate_max_hz,
            "cycles_max": capability.cycles_max,
        },
    )


def compiled_layer(caps: Caps = "gait") -> Layer:
    """The caps of this program for one kind of therapy; nothing switches them off."""
    return Layer("compiled", {name: getattr(CAPPED[caps], name) for name in NAMES})


def check_layer(layer: Layer, source: str) -> None:
    """Raises InputError on a key, type or value that is no limit."""
    for name, value in layer.values.items():
        where = f"limits of {layer.who}: {name}"
        if name not in NAMES:
            raise InputError(source, where, value, f"one of {', '.join(NAMES)}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(source, where, value, "a number")
        if not math.isfinite(value) or value <= 0:
            raise InputError(source, where, value, "a finite number above 0")


def merge(layers: Iterable[Layer], source: str = "limits", caps: Caps = "gait") -> Effective:
    """The effective limits of ``layers``, taken in the order device, compiled, clinic, patient, session.

    Between device and compiled cap the tighter holds. A clinic, patient or session value looser than what
    came before raises InputError naming key, value, the limit and who set it; so does a device that cannot do
    what ``caps`` are for. The compiled caps always take part, whether given or not.
    """
    given = [*layers, compiled_layer(caps)]
    for layer in given:
        check_layer(layer, source)
    values: dict[str, float] = {}
    set_by: dict[str, str] = {}
    for layer in sorted(given, key=lambda layer: WHO.index(layer.who)):
        for name, value in layer.values.items():
            if name not in values or (value > values[name] if is_floor(name) else value < values[name]):
                values[name], set_by[name] = float(value), layer.who
            elif layer.who in PEOPLE and value != values[name]:
                side = "at least" if is_floor(name) else "at most"
                allowed = f"{side} {values[name]:g}, set by {set_by[name]}; a layer may only tighten"
                raise InputError(source, f"limits of {layer.who}: {name}", value, allowed)
    asked = {name for layer in given if layer.who in PEOPLE for name in layer.values}
    for name, value in DEFAULTS.items():
        if name not in asked and value < values[name]:
            values[name], set_by[name] = value, "default"
    for low, high in (("width_min_us", "width_max_us"), ("rate_min_hz", "rate_max_hz")):
        if values[low] > values[high]:
            raise InputError(source, low, values[low], f"at most {values[high]:g}, set by {set_by[high]}")
    return Effective(Limits(**values), set_by)


def tightened(effective: Effective, name: str, value: object, source: str) -> Effective:
    """The limits with a ceiling that a person lowers while the session runs.

    Raises InputError where ``value`` is no limit or looser than what holds.
    """
    check_layer(Layer("session", {name: cast(float, value)}), source)
    lower, holds = float(cast(float, value)), getattr(effective.limits, name)
    if lower > holds:
        allowed = f"at most {holds:g}, set by {effective.set_by[name]}; a running session may only tighten"
        raise InputError(source, name, value, allowed)
    if lower == holds:
        return effective
    return Effective(replace(effective.limits, **{name: lower}), {**effective.set_by, name: "session"})


def charge_uc(current_ma: float, width_us: float) -> float:
    """Charge of one phase."""
    return current_ma * width_us / 1e3  # 26.5 mA x 300 us are the 7.95 uC of a file, to the last bit


def burst_uc(current_ma: float, width_us: float, cycles: int) -> float:
    """Charge of all phases of one sign: what a pulse or burst adds to a dose, and what rises."""
    return cycles * charge_uc(current_ma, width_us)


def energy_mj(current_ma: float, width_us: float, cycles: int = 1) -> float:
    """Energy of all phases of a pulse or burst into LOAD_OHM."""
    return 2.0 * current_ma**2 * LOAD_OHM * width_us * cycles * 1e-9


def density_rms_ma_cm2(
    current_ma: float, width_us: float, rate_hz: float, area_cm2: float, cycles: int = 1
) -> float:
    """R.m.s. current density of biphasic pulses or bursts under a half-lifted electrode of ``area_cm2``."""
    return current_ma * math.sqrt(2.0 * width_us * 1e-6 * rate_hz * cycles) / (HALF_LIFTED * area_cm2)
