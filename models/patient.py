"""One virtual patient: a leg that walks, a foot that drops, muscles that answer pulses, sensors that err.

Promises the same life for the same seed and inputs, 1 kHz inside; refuses unphysical parameters and pulses.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models import plant
from models.emg import RATE_MAX_HZ, EmgParams, EmgParts, SurfaceEmg
from models.gait import CURVE_SETS, Activity, ActivityKind, toe_off_percent
from models.limb.reflex import ROWS as REFLEX_ROWS
from models.limb.subtalar import peroneal_force_n, subtalar_moment_nm
from models.muscle.ding import DING2003
from models.muscle.hill import ta_force_n
from models.muscle.stimulated import FITNESS, rested, send
from models.patient_body import body_of
from models.patient_params import DEFAULT_PATIENT, PatientParams, Quat
from models.plant import CHANNELS, DT_S, HISTORY
from models.recruitment import check, electrode_gain, fraction
from models.worn_sensors import Segment, worn

Array = npt.NDArray[np.float64]
Vec3 = tuple[float, float, float]

EMG_CHANNELS = (
    "tibialis anterior", "gastrocnemius", "peronei", "shin", "front", "side", "back", "inside",
)  # fmt: skip
# Where each electrode lies around the calf, and each muscle, in rad from the front outwards (assumed).
EMG_RAD = np.array([0.6, 3.6, 1.8, 0.0, 1.2, 2.6, 4.4, 5.3])
EMG_MUSCLES_RAD = EMG_RAD[:3]
STRIDES_KEPT = 20000
WANDER_STEP_S = 10.0
STAND_FIRST_S = 4.0  # quiet standing in which the sensors find their axes
DEFAULT_SCHEDULE = (Activity("stand", STAND_FIRST_S), Activity("walk", 1e6))

EMG = EmgParams()


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happens at ``time_s``; angles in degrees, toe up and dorsiflexion +."""

    time_s: float
    foot_pitch_deg: float
    foot_pitch_rate_dps: float
    shank_pitch_deg: float
    ankle_deg: float
    knee_deg: float
    inversion_deg: float
    torque_nm: float  # made by the stimulated and voluntary muscles
    activation: float  # of the dorsiflexors by stimulation, 0 to 1, before fatigue
    fitness: float  # 1 rested, falls with fatigue
    phase_percent: float
    in_swing: bool
    walking: bool
    reference_pitch_deg: float  # normal foot pitch at this phase and speed
    heading_deg: float


@dataclass(frozen=True, slots=True)
class TrueStride:
    """One completed stride, from initial contact to the next; angles in degrees."""

    initial_contact_s: float
    toe_off_s: float
    next_initial_contact_s: float
    ankle_at_initial_contact_deg: float
    foot_pitch_at_initial_contact_deg: float
    peak_swing_dorsiflexion_deg: float  # after the first quarter of swing
    swing_pitch_rmse_deg: float  # against normal foot pitch at the same phase and speed
    forefoot_contact: bool  # the ball met the ground no later than the heel
    toe_clearance_m: float  # smallest, mid-swing
    inversion_at_initial_contact_deg: float


def _plan(schedule: tuple[Activity, ...]) -> Array:
    rows = np.zeros((len(schedule), plant.PLAN_WEIGHTS + len(CURVE_SETS)))
    start, toe_off, forward = 0.0, 0.65, 1.0
    for row, activity in zip(rows, schedule, strict=True):
        row[0] = start
        if activity.cyclic:
            row[1] = 1.0 / activity.stride_s
            strides = max(1.0, activity.duration_s / activity.stride_s)
            row[2] = math.radians(activity.turn_deg) / strides
            toe_off = toe_off_percent(activity.speed_mps) / 100.0
            forward = 0.0 if activity.kind == "step_in_place" else 1.0
            row[5] = 0.34 if activity.kind == "stairs" else 0.0  # two 17 cm steps a stride
        row[3], row[4] = toe_off, forward  # the last step of a walk keeps the walk's own
        row[6] = math.radians(4.0) if activity.kind == "weight_shift" else 0.0
        row[7] = 1.0 if activity.kind == "hang" else 0.0
        row[plant.PLAN_WEIGHTS :] = activity.set_weights()
        start += activity.duration_s
    return rows


class VirtualPatient:
    """A patient that lives in model time; ``advance`` and the sensors drive it, pulses move its foot."""

    def __init__(
        self,
        params: PatientParams = DEFAULT_PATIENT,
        seed: int = 1,
        schedule: tuple[Activity, ...] = DEFAULT_SCHEDULE,
        emg: EmgParams = EMG,
    ) -> None:
        if not schedule:
            raise ValueError("schedule: found no activity, allowed: at least one")
        self.params = params
        self.schedule = schedule
        self.time_s = 0.0
        self._body = body_of(params)
        source = np.random.default_rng(np.random.SeedSequence([0xD0, seed]))
        self._draws = np.clip(source.standard_normal((4096, 4)), -2.5, 2.5)
        self._worn = worn(params, source, seed)
        pickup = np.exp(2.0 * (np.cos(EMG_MUSCLES_RAD[:, None] - EMG_RAD[None, :]) - 1.0))
        # the nerve's pads lie beside tibialis anterior, the evertors' over the peronei
        self._emg = SurfaceEmg(emg, pickup, 0.2 + 0.8 * pickup[[0, 2]], seed)
        self._told: list[TrueStride] = []
        self._wander = np.cumsum(np.random.default_rng([seed, 3]).standard_normal(720))
        self._plan = _plan(schedule)
        self._weights = np.zeros((2, len(CURVE_SETS)))
        self._weights[0] = self._plan[0, plant.PLAN_WEIGHTS :]
        self._eff = np.zeros(CURVE_SETS.shape[1:])
        self._constants = DING2003.stretched(params.muscle_slowness).constants(
            fatigue=params.fatigue_model == "ding"
        )
        self._muscles, self._queue = rested(CHANNELS, self._constants)
        self._reflex = np.zeros(2)
        self._history = np.zeros((HISTORY, plant.WIDTH))
        self._lag = np.zeros(REFLEX_ROWS)
        self._strides = np.zeros((STRIDES_KEPT, plant.STRIDE_WIDTH))
        self._state = np.zeros(1, dtype=plant.STATE)
        self._start()

    def _start(self) -> None:
        """Stand still, foot flat under the first posture."""
        s, b = self._state, self._body
        thigh, shank = np.radians(np.tensordot(self._weights[0], CURVE_SETS, axes=1)[:2, 0])
        s["phase"], s["factor"], s["load_s"], s["contact_time"] = 0.30, 1.0, 0.001, -10.0
        cyclic = self._plan[self._plan[:, 1] > 0.0]
        s["toe_phase"] = cyclic[0, 3] if len(cyclic) else 0.65
        s["anchor_x"] = b.heel_x_m
        s["thigh"], s["ring_time"] = thigh, -10.0
        for name in ("shank", "shank_prev"):
            s[name] = shank
        for name in ("ankle_y", "ankle_y1"):
            s[name] = -b.sole_y_m
        for name in ("hip_x", "hip_x1"):
            s[name] = -b.thigh_m * math.sin(thigh) - b.shank_m * math.sin(shank)
        for name in ("hip_y", "hip_y1"):
            s[name] = -b.sole_y_m + b.thigh_m * math.cos(thigh) + b.shank_m * math.cos(shank)
        self._run(3)

    @classmethod
    def compile(cls) -> None:
        """Make the machine code now (or load it from the disk cache), so that no later call waits."""
        patient = cls()
        patient.pulse(0.0, 0, 1.0, 100.0)
        patient.advance(0.05)
        patient.imu("foot", 0.05)
        patient.imu("shank", 0.05)
        patient.emg(0.0, 2, 200.0)

    def _run(self, steps: int) -> None:
        plant.run(
            steps, self._body, self._constants, self._state, self._weights, CURVE_SETS, self._eff, self._plan,
            self._draws, self._muscles, self._queue, self._history, self._reflex,
            self._lag, self._strides,
        )  # fmt: skip

    def _ensure(self, t_s: float) -> None:
        """Have the history reach two milliseconds past ``t_s``."""
        behind = math.ceil((t_s - float(self._state["time"][0])) / DT_S + 3.0 - 1e-6)
        if behind > 0:
            self._run(behind)

    def advance(self, t_s: float) -> None:
        """Live until ``t_s`` seconds of model time; earlier times change nothing."""
        check("t_s", t_s, 0.0, 1e7)
        if t_s > self.time_s:
            self._ensure(t_s)
            self.time_s = t_s

    def turn_to(self, kind: ActivityKind) -> None:
        """From now on do this, at the pace of the last walk, instead of what was planned."""
        kept: list[Activity] = []
        start_s = 0.0
        for activity in self.schedule:
            if start_s >= self.time_s:
                break
            lasted_s = max(0.1, min(activity.duration_s, self.time_s - start_s))
            kept.append(dataclasses.replace(activity, duration_s=lasted_s))
            start_s += lasted_s
        walked = next((a for a in reversed(self.schedule) if a.kind == "walk"), Activity("walk", 1.0))
        kept.append(dataclasses.replace(walked, kind=kind, duration_s=1e6))
        self.schedule = tuple(kept)
        self._plan = _plan(self.schedule)

    def pulse(self, t_s: float, channel: int, current_ma: float, width_us: float) -> None:
        """One stimulation pulse. Channel 0: dorsiflexors (common peroneal nerve), 1: evertors.

        A pulse later than ``t_s`` says (the model has moved on) acts at once.
        """
        if channel not in range(CHANNELS):
            raise ValueError(f"channel: found {channel!r}, allowed: 0 to {CHANNELS - 1}")
        check("t_s", t_s, 0.0, 1e7)
        p = self.params
        gain = electrode_gain(p.electrode_gain, p.drift_per_minute, t_s) * self._contact(t_s)
        curve = p.recruitment if channel == 0 else p.recruitment_eversion
        recruited = fraction(check("current_ma", current_ma, 0.0, 200.0) / gain, width_us, curve)
        now = max(t_s, self.time_s)
        send(self._muscles[channel], self._queue[channel], now, p.delay_s, recruited, current_ma)
        tired = (1.0 - float(self._muscles[0, FITNESS]), 1.0 - float(self._muscles[1, FITNESS]))
        share = (
            (1.0, 0.0, p.nerve_eversion_share) if channel == 0 else (p.second_dorsiflexion_share, 0.0, 1.0)
        )
        excited = (recruited * share[0], recruited * share[1], recruited * share[2])
        self._emg.pulse(now, channel, current_ma, 2e-6 * width_us, excited, (tired[0], 0.0, tired[1]))

    def _contact(self, t_s: float) -> float:
        """What wandering pads and sliding skin do to the current needed, at this instant."""
        p = self.params
        factor = 1.0
        if p.electrode_wander > 0.0:
            place = t_s / WANDER_STEP_S
            place %= len(self._wander) - 1
            knot = int(place)
            before, after = self._wander[knot : knot + 2].tolist()
            walk = before + (after - before) * (place - knot)
            factor += p.electrode_wander * math.sqrt(WANDER_STEP_S / 60.0) * walk
        if p.skin_slide_per_deg != 0.0:
            ankle_rad = float(self._state["foot"][0] - self._state["shank"][0])
            factor += p.skin_slide_per_deg * math.degrees(ankle_rad)
        return min(3.0, max(0.3, factor))

    def imu(self, segment: Segment, t_s: float) -> tuple[Quat, Vec3, Vec3]:
        """Quaternion (sensor to world, z up), specific force m/s2, angular rate rad/s in sensor axes.

        ``t_s`` may lie up to half a second in the past; a later time advances the model.
        """
        if segment not in self._worn:
            raise ValueError(f"segment: found {segment!r}, allowed: 'foot', 'shank'")
        self._reach(t_s, t_s)
        qw, qx, qy, qz, ax, ay, az, gx, gy, gz = self._worn[segment].sample(self._history, t_s)
        return (qw, qx, qy, qz), (ax, ay, az), (gx, gy, gz)

    def imu_block(self, segment: Segment, t_s: float, n: int, rate_hz: float) -> Array:
        """``n`` samples from ``t_s`` on at ``rate_hz``: (n, 10) quaternion wxyz, force, angular rate."""
        if segment not in self._worn:
            raise ValueError(f"segment: found {segment!r}, allowed: 'foot', 'shank'")
        check("rate_hz", rate_hz, 1.0, 10000.0)
        times = t_s + np.arange(n) / rate_hz
        self._reach(t_s, float(times[-1]))
        return self._worn[segment].block(self._history, times)

    def _reach(self, first_s: float, last_s: float) -> None:
        check("t_s", first_s, 0.0, 1e7)
        self.advance(last_s)
        oldest = self.time_s - (HISTORY - 8) * DT_S
        if first_s < oldest:
            raise ValueError(
                f"t_s: found {first_s!r}, allowed: at least {oldest:.3f} s (the model keeps 1 s)"
            )

    def emg(self, t_s: float, n: int, rate_hz: float) -> Array:
        """Surface EMG, (n, 8) volts in the order of ``EMG_CHANNELS``; ask for it in order of time.

        Tibialis anterior works as the person can, the calf as it pushes off, each at its phase of the stride.
        """
        return self._emg.read(t_s, rate_hz, self._effort(t_s, n, rate_hz))

    def emg_parts(self, t_s: float, n: int, rate_hz: float) -> EmgParts:
        """The same samples with what they are made of, and the true volitional envelope."""
        return self._emg.read_parts(t_s, rate_hz, self._effort(t_s, n, rate_hz))

    def set_contact(self, channel: int, contact: float) -> None:
        """An EMG electrode from now on: 1 good, 0.5 half lifted, 0 off."""
        self._emg.set_contact(channel, contact)

    def _effort(self, t_s: float, n: int, rate_hz: float) -> Array:
        """Drive of tibialis anterior, gastrocnemius and peronei (n, 3)."""
        check("rate_hz", rate_hz, 1.0, RATE_MAX_HZ)
        check("n", n, 1, 1_000_000)
        self._reach(t_s, t_s + (n - 1) / rate_hz)
        slots = np.floor((t_s + np.arange(n) / rate_hz) / DT_S + 1e-6).astype(np.int64) % HISTORY
        effort = np.zeros((n, len(EMG_MUSCLES_RAD)))
        effort[:, :2] = self._history[slots][:, (plant.H_VOLITION, plant.H_CALF)]
        return effort

    def truth(self) -> Truth:
        """The state at ``time_s``."""
        h = self._history[int(self.time_s / DT_S + 0.5) % HISTORY]
        return Truth(
            time_s=self.time_s,
            foot_pitch_deg=math.degrees(h[plant.H_FOOT]),
            foot_pitch_rate_dps=math.degrees(h[plant.H_FOOT_RATE]),
            shank_pitch_deg=math.degrees(h[plant.H_SHANK]),
            ankle_deg=math.degrees(h[plant.H_FOOT] - h[plant.H_SHANK]),
            knee_deg=math.degrees(h[plant.H_KNEE]),
            inversion_deg=math.degrees(h[plant.H_ROLL]),
            torque_nm=float(h[plant.H_TORQUE]),
            activation=float(h[plant.H_ACT0]),
            fitness=float(self._muscles[0, FITNESS]),
            phase_percent=100.0 * float(h[plant.H_PHASE]),
            in_swing=bool(h[plant.H_SWING] > 0.5),
            walking=bool(self._state["moving"][0] > 0.5),
            reference_pitch_deg=math.degrees(h[plant.H_REFERENCE]),
            heading_deg=math.degrees(h[plant.H_YAW]),
        )

    def true_ticks(self, times_s: Array) -> list[tuple[float, float, float, bool]]:
        """Foot pitch deg, ankle deg, phase % and whether in swing at each of ``times_s``: what ``truth`` told
        then, to the bit. They lie up to half a second in the past.
        """
        self._reach(float(times_s[0]), float(times_s[-1]))
        rows = self._history[(times_s / DT_S + 0.5).astype(np.int64) % HISTORY]
        columns = rows[:, (plant.H_FOOT, plant.H_SHANK, plant.H_PHASE, plant.H_SWING)].tolist()
        return [
            (math.degrees(foot), math.degrees(foot - shank), 100.0 * phase, swing > 0.5)
            for foot, shank, phase, swing in columns
        ]

    @property
    def stride_count(self) -> int:
        """How many strides are completed."""
        return int(self._state["strides_done"][0])

    def eversion_nm(self) -> float:
        """Moment of the muscles about the foot's long axis now, eversion +; a resting foot has none."""
        b, h = self._body, self._history[int(self.time_s / DT_S + 0.5) % HISTORY]
        first, second = (
            float(h[slot] * muscle[FITNESS]) * b.evocable
            for slot, muscle in zip((plant.H_ACT0, plant.H_ACT1), self._muscles, strict=True)
        )
        tibialis = min(1.0, b.ta_share0 * first + b.ta_share1 * second + float(h[plant.H_VOLITION]))
        peronei = min(1.0, b.per_share0 * first + b.per_share1 * second)
        ankle_rad = float(h[plant.H_FOOT] - h[plant.H_SHANK])
        return -float(
            subtalar_moment_nm(ta_force_n(tibialis, ankle_rad, 0.0), peroneal_force_n(peronei), 0.0)
        )

    def strides(self) -> list[TrueStride]:
        """Strides completed so far, oldest first; the first step from standing is not one."""
        done = int(self._state["strides_done"][0])
        for r in self._strides[len(self._told) : done]:
            self._told.append(_stride(r))
        return self._told.copy()


def _stride(r: Array) -> TrueStride:
    """One row of the plant's list, in degrees."""
    return TrueStride(
        initial_contact_s=float(r[plant.S_CONTACT]),
        toe_off_s=float(r[plant.S_TOE_OFF]),
        next_initial_contact_s=float(r[plant.S_NEXT_CONTACT]),
        ankle_at_initial_contact_deg=math.degrees(r[plant.S_ANKLE_AT_CONTACT]),
        foot_pitch_at_initial_contact_deg=math.degrees(r[plant.S_FOOT_AT_CONTACT]),
        peak_swing_dorsiflexion_deg=math.degrees(r[plant.S_PEAK_ANKLE]),
        swing_pitch_rmse_deg=math.degrees(r[plant.S_SWING_RMSE]),
        forefoot_contact=bool(r[plant.S_FOREFOOT] > 0.5),
        toe_clearance_m=float(r[plant.S_CLEARANCE]),
        inversion_at_initial_contact_deg=math.degrees(r[plant.S_INVERSION_AT_CONTACT]),
    )
