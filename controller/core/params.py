"""Everything the control core is told before it starts: placement, identified body, reference, gains.

Frozen and JSON-able, so that a recording holds it whole and replay starts from the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from controller.core.emg.params import EmgParams
from controller.core.signals import Mode
from drivers.interface import Segment, Side

# How readily a swing is lifted: only where walking is beyond doubt, wherever nothing speaks against it, or
# also where much does.
Readiness = Literal["cautious", "balanced", "eager"]


@dataclass(frozen=True, slots=True)
class Placement:
    """One inertial sensor on the limb; its rotation there is found by itself."""

    sensor: str
    segment: Segment
    side: Side


@dataclass(frozen=True, slots=True)
class MuscleModel:
    """The identified Hammerstein muscle: lognormal recruitment, second-order lag, delay, torque."""

    i50_ma: float
    sigma: float
    chronaxie_us: float
    torque_max_nm: float  # evocable dorsiflexion torque at full recruitment
    bandwidth_rps: float  # wn of the critically damped second-order lag
    delay_s: float


@dataclass(frozen=True, slots=True)
class FootModel:
    """The foot as a rigid body on an ankle that thigh and shank carry; passive moment: Riener-Edrich
    times a factor."""

    mass_kg: float
    com_forward_m: float
    inertia_kgm2: float
    damping_nms_per_rad: float
    passive_factor: float
    thigh_m: float
    shank_m: float
    neutral_deg: float = 0.0  # the passive moment's angle is shifted by this, plantarflexion negative


@dataclass(frozen=True, slots=True)
class NormalCurves:
    """Normal walking at one speed, on the grid of the reference that it stands beside."""

    speed_mps: float
    foot_pitch_deg: tuple[float, ...]
    shank_pitch_deg: tuple[float, ...]
    knee_flexion_deg: tuple[float, ...]
    toe_off_percent: float


@dataclass(frozen=True, slots=True)
class Reference:
    """Target foot pitch and the knee that goes with it, on an even grid of 0 to 100 % of the stride.

    ``speeds``, slowest first, say how it changes with the pace (``pace.py``); none: it never does.
    """

    foot_pitch_deg: tuple[float, ...]
    shank_pitch_deg: tuple[float, ...]
    knee_flexion_deg: tuple[float, ...]
    toe_off_percent: float
    band_deg: tuple[float, ...] = ()  # half width about the foot pitch: no error within; none: a line
    speed_mps: float | None = None  # the walking speed it is for
    speeds: tuple[NormalCurves, ...] = ()


def sample(curve: tuple[float, ...], percent: float) -> float:
    """A curve of a reference at a phase: linear on its even grid of 0 to 100 percent; wraps."""
    place = (percent % 100.0) / 100.0 * (len(curve) - 1)
    low = int(place)
    share = place - low
    return curve[low] if share == 0.0 else curve[low] * (1.0 - share) + curve[low + 1] * share


@dataclass(frozen=True, slots=True)
class Pulse:
    """How the stimulator is driven on the dorsiflexion channel."""

    channel: int
    channels: int
    width_us: float
    rate_hz: float
    current_max_ma: float
    current_step_ma: float
    rise_ma_per_tick: float
    rise_ma_per_250ms: float
    train_max_s: float
    lifetime_ms: float
    width_min_us: float | None = None  # width goes down to this with the activation; None: it is fixed


@dataclass(frozen=True, slots=True)
class Envelope:
    """The trapezoid: rise from heel-off, hold, extension past initial contact, fall."""

    current_ma: float
    rise_s: float
    extension_s: float
    fall_s: float


@dataclass(frozen=True, slots=True)
class Gains:
    """PID in torque units on foot pitch; derivative on measurement."""

    kp_nm_per_rad: float
    ti_s: float
    td_s: float
    derivative_filter: float  # N of the derivative's low-pass, 5 to 10
    torque_max_nm: float  # bound on the feedback part alone


@dataclass(frozen=True, slots=True)
class Learning:
    """The learning law: how an error is weighed, how far a stride may move it, what it believes at first."""

    change: float = 1e-4  # (rad/Nm)^2: weight of a changed command against the squared error
    bend: float = 2e-3  # (rad/Nm)^2: weight of the command's second difference, the low-pass over the swing
    step: float = 0.5  # share of the optimal change taken at a stride: a gain of 3 still never makes it worse
    forget: float = 0.99  # of what was learned beyond the model is kept from stride to stride
    change_max: float = 0.3  # of the torque at full recruitment, in one stride, in any cell
    kp_nm_per_rad: float = 6.0  # of the feedback that runs beside the learning
    td_s: float = 0.04
    gain_sd: float = 0.4  # how far the muscle's gain may be from the identified one
    gain_drift: float = 0.05  # and how much it may change from stride to stride
    gain_min: float = 0.15
    gain_max: float = 4.0
    dead_band: float = 0.03  # a belief that moves less is not acted on


@dataclass(frozen=True, slots=True)
class Assistance:
    """How high feedback and learning lift the foot: 100 is the reference (``control/assistance.py``)."""

    percent: float = 100.0


@dataclass(frozen=True, slots=True)
class ResponseMap:
    """What each channel does about both axes: Nm at full recruitment, by the first and by the second one."""

    dorsiflexion_nm: tuple[float, float]
    eversion_nm: tuple[float, float]


@dataclass(frozen=True, slots=True)
class SecondChannel:
    """The channel that turns the foot, and how it is steered from stride to stride."""

    channel: int
    i50_ma: float
    sigma: float
    chronaxie_us: float
    width_us: float
    current_max_ma: float
    response: ResponseMap
    target_deg: float = 0.0  # inversion of the landing foot against the foot flat on the ground
    band_deg: float = 1.0  # no error within at the landing: about what a foot sensor's roll is wrong by
    swing_band_deg: float = (
        10.0  # and this in mid-swing (assumed: an inverted foot that comes down is a sprain)
    )
    compliance_deg_per_nm: float = 14.0  # subtalar stiffness 4 Nm/rad (assumed)
    step: float = 0.8  # of the change that would end the error: twice the compliance is still stable
    change_max_nm: float = 1.0  # in one stride


@dataclass(frozen=True, slots=True)
class CoreParams:
    """The whole of it."""

    mode: Mode
    placements: tuple[Placement, ...]
    muscle: MuscleModel
    foot: FootModel
    reference: Reference
    pulse: Pulse
    envelope: Envelope
    gains: Gains
    tick_s: float
    learning: Learning = Learning()
    second: SecondChannel | None = None
    readiness: Readiness = "balanced"
    emg: EmgParams | None = None  # shin and calf; None: not measured
    assistance: Assistance = Assistance()


FIXED = ("mode", "placements", "muscle", "foot", "reference", "tick_s", "emg")


def objection(old: CoreParams, new: CoreParams) -> str:
    """Why ``new`` cannot replace ``old`` in a running core; empty where it can."""
    if (old.pulse.channel, old.pulse.channels) != (new.pulse.channel, new.pulse.channels):
        return "pulse.channel: another one needs a new session"
    changed = [name for name in FIXED if getattr(old, name) != getattr(new, name)]
    return f"{changed[0]}: another one needs a new session" if changed else ""
