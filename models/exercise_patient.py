"""A virtual person who exercises one limb: muscles that answer pulses, a will that tries, EMG of both.

The same life for the same seed and inputs, 1 kHz inside. Limbs and muscles: :mod:`models.exercise_limbs`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from models import exercise_plant as plant
from models.emg import RATE_MAX_HZ, EmgParts, SurfaceEmg
from models.exercise_limbs import LIMBS, LimbMuscle, SegmentName
from models.exercise_params import ExerciseParams
from models.exercise_plant import DT_S, EVENTS, HISTORY, Person
from models.limb.reflex import ROWS
from models.muscle.ding import DING2003, FORCE_100_HZ_N
from models.muscle.stimulated import FITNESS, Tiring, rested, send
from models.muscle_names import MuscleName
from models.recruitment import RecruitmentParams, check, electrode_gain, equivalent_ma, fraction

Array = npt.NDArray[np.float64]
Side = Literal["affected", "other"]
Quat = tuple[float, float, float, float]
Vec3 = tuple[float, float, float]
Sensation = Literal["nothing", "felt", "too much"]

DEFAULT = ExerciseParams()
EMG_CHANNELS = 8
SENSATION_S = 0.2  # how long a pulse is felt
GRAVITY = 9.80665
ACC_NOISE_MPS2, GYR_NOISE_RPS = 0.03, math.radians(0.1)  # as of the walking patient's sensors
SETTLE_MS = 20_000
LEAST_SHARE = 1e-4  # of motor units; fewer are none
# Channels after the muscles' own lie between them: a share of the nearest muscle, less of others (assumed).
NEIGHBOUR_PICKUP, CROSSTALK = 0.6, 0.12
SPEED_OF_BURST_S = 0.004  # time constant with which the cycles of a burst add up (assumed)
# Thresholds of bursts of 1 and 4 kHz fall with their duration, until 10 ms for motor nerve (Ward and
# Lucas-Toumazou 2007, abstract); how far was not read: by a third (assumed).
BURST_GAIN = 1.5
# A denervated muscle answers by itself, without its nerve: chronaxie of several ms (from memory, unverified).
DENERVATED = RecruitmentParams(i50_ma=350.0, sigma=0.3, chronaxie_us=15000.0)


@dataclass(frozen=True, slots=True)
class MuscleTruth:
    """One muscle: drives and activations 0 to 1, fitness 1 when rested."""

    drive: float  # of the person, reflex and tone included; what its EMG shows
    stimulated: float  # activation of the part within the electrodes' reach, before fatigue
    own: float  # activation of the whole muscle by the person
    active: float  # by both
    fitness: float


@dataclass(frozen=True, slots=True)
class ExerciseTruth:
    """What really happens at ``time_s``. The shoulder has a shift and a lift; every other limb an angle and a
    torque of its main joint, and the hand the angle of its fingers; what a limb has not is None."""

    time_s: float
    angle_deg: float | None
    finger_angle_deg: float | None
    torque_nm: float | None
    shift_mm: float | None
    lift_n: float | None
    activation: float  # of the agonists by stimulation, before fatigue
    own_share: float  # of the agonists' pull that is the person's own; 0 where nothing pulls
    fitness: float  # of the most tired agonist
    trying: bool  # the person means to move
    sensation: Sensation
    muscles: dict[MuscleName, MuscleTruth]


def burst_gain(cycles: int, cycle_s: float) -> float:
    """How much more a burst does than one of its cycles: subthreshold depolarisations add up."""
    return 1.0 + (BURST_GAIN - 1.0) * -math.expm1(-(cycles - 1) * cycle_s / SPEED_OF_BURST_S)


def _electrodes(muscles: tuple[LimbMuscle, ...]) -> tuple[tuple[str, ...], Array]:
    """Names of the channels and how much of each muscle each picks up: own ones first, then neighbours."""
    n = len(muscles)
    names = [str(m.name) for m in muscles]
    pickup = np.full((n, EMG_CHANNELS), CROSSTALK)
    for channel in range(EMG_CHANNELS):
        nearest, ring = channel % n, channel // n
        pickup[nearest, channel] = NEIGHBOUR_PICKUP**ring
        if ring:
            pickup[(nearest + 1) % n, channel] = min(1.0, CROSSTALK * (1.0 + ring))
            names.append(f"{muscles[nearest].name} neighbour {ring}")
    return tuple(names), pickup


class ExercisePatient:
    """A person and a limb that live in model time; ``advance`` and the sensors drive them."""

    def __init__(self, params: ExerciseParams = DEFAULT, seed: int = 1) -> None:
        p = self.params = params
        self.limb = LIMBS[p.limb]
        muscles = self.limb.muscles
        n = len(muscles)
        self.time_s = 0.0
        self.muscle_names = tuple(m.name for m in muscles)
        self.emg_channels, pickup = _electrodes(muscles)
        self._output = [self.muscle_names.index(name) for name in p.outputs]
        # The artefact is largest beside the pads; the other arm or leg sees a hundredth of it (assumed).
        near = 0.3 + 0.7 * pickup[self._output]
        self._emg = {
            "affected": SurfaceEmg(p.emg, pickup, near, seed),
            "other": SurfaceEmg(p.emg, pickup, 0.01 * near, seed + 1_000_003),
        }
        self._imu_noise = {
            part.name: np.random.default_rng([0xE7, seed, 2 + place])
            for place, part in enumerate(self.limb.segments)
        }
        self._choice = np.random.default_rng([0xE7, seed, 0])
        self._wander = np.clip(np.random.default_rng([0xE7, seed, 1]).standard_normal(4096), -2.0, 2.0)
        self._constants = DING2003.stretched(p.muscle_slowness).constants(fatigue=False)
        self._tiring = Tiring(FORCE_100_HZ_N, p.fatigue_min, p.fatigue_s, p.recovery_s)
        # Each output has motor units of its own, and so has what spills over to a muscle (assumed).
        self._row_muscle = np.array([*self._output, *range(n)], dtype=np.int64)
        self._rows, self._queue = rested(len(self._row_muscle), self._constants)
        self._joints, self._muscles = _joint_rows(p), _muscle_rows(p)
        self._person = Person(
            p.rise_s, p.fall_s, p.unsteady, p.reflex_delay_s, math.radians(p.reflex_threshold_dps), 17.0
        )
        self._clock = np.zeros(1)
        self._state = np.zeros((len(self.limb.joints), 2))
        self._state[:, 0] = self._joints[:, plant.J_REST]
        self._will = np.zeros((2 * n, 3))
        self._events, self._taken = np.zeros((EVENTS, 1 + 2 * n)), np.zeros(2)
        self._reflex, self._lag = np.zeros((n, 2)), np.zeros((n, ROWS))
        self._history = np.zeros((HISTORY, plant.H_MUSCLES + plant.H_PER_MUSCLE * n))
        self._cued: tuple[int, ...] = ()
        self._attempts = 0
        self._felt: tuple[float, Sensation] = (0.0, "nothing")
        self._run(SETTLE_MS)  # the limb hangs still when life begins
        self._clock[0] = 0.0
        self._run(3)

    @classmethod
    def compile(cls) -> None:
        """Make the machine code now (or load it from the disk cache), so that no later call waits."""
        patient = cls()
        patient.pulse(0.0, 0, 1.0, 100.0)
        patient.advance(0.05)
        patient.emg(0.0, 2, 200.0)
        patient.imu("hand", 0.05)

    def _run(self, steps: int) -> None:
        plant.run(
            steps, self._clock, self._joints, self._muscles, self._person, self._tiring, self._constants,
            self._rows, self._queue, self._row_muscle, self._state, self._will, self._events, self._taken,
            self._reflex, self._lag, self._wander, self._history,
        )  # fmt: skip

    def advance(self, t_s: float) -> None:
        """Live until ``t_s`` seconds of model time; earlier times change nothing."""
        check("t_s", t_s, 0.0, 1e7)
        if t_s > self.time_s:
            behind = math.ceil((t_s - float(self._clock[0])) / DT_S + 3.0 - 1e-6)
            if behind > 0:
                self._run(behind)
            self.time_s = t_s

    def cue(self, on: bool, muscle: MuscleName | None = None) -> None:
        """Tell the person to try (with this muscle, or the limb's agonists) or to let go, now.

        After the reaction time drive rises; it ends with the cue or when the person cannot hold it longer.
        """
        wanted = self._asked(muscle) if on else ()
        if wanted == self._cued or self.params.intent == "rest":
            return
        p = self.params
        self._cued = wanted
        reaction_s = max(0.1, p.reaction_s + p.reaction_sd_s * float(self._choice.standard_normal()))
        follows = float(self._choice.random()) < p.attempts_made
        starts_s = self.time_s + reaction_s
        n = len(self.muscle_names)
        done, told = int(self._taken[0]), int(self._taken[1])
        kept = [row.copy() for row in self._events[done:told] if row[0] < starts_s][-(EVENTS - 2) :]
        aims = np.zeros(2 * n)
        if wanted and follows:
            best = min(1.0, p.volition * (1.0 + p.gain_per_attempt) ** self._attempts)
            self._attempts += 1
            for k in range(n):
                share = 1.0 if k in wanted else p.cocontraction
                aims[k] = 0.0 if p.denervated else share * p.effort * best
                aims[n + k] = p.other_effort if k in wanted else 0.0
        kept.append(np.concatenate(([starts_s], aims)))
        kept.append(np.concatenate(([starts_s + p.hold_s], np.zeros(2 * n))))
        self._events[: len(kept)] = kept
        self._taken[:] = 0.0, len(kept)

    def _asked(self, muscle: MuscleName | None) -> tuple[int, ...]:
        if muscle is None:
            return tuple(k for k, m in enumerate(self.limb.muscles) if m.agonist)
        return (self._place_of(muscle),)

    def _place_of(self, muscle: MuscleName) -> int:
        if muscle not in self.muscle_names:
            raise ValueError(f"muscle: found {muscle!r}, allowed: {', '.join(self.muscle_names)}")
        return self.muscle_names.index(muscle)

    def pulse(
        self, t_s: float, channel: int, current_ma: float, width_us: float, cycles: int = 1,
        cycle_s: float | None = None,
    ) -> None:  # fmt: skip
        """One stimulation pulse on an output, or a burst of ``cycles`` of alternating current.

        ``width_us`` is one phase, ``cycle_s`` the period of a cycle (default: two phases). A pulse later than
        ``t_s`` says (the model has moved on) acts at once.
        """
        p = self.params
        if channel not in range(len(self._output)):
            raise ValueError(f"channel: found {channel!r}, allowed: 0 to {len(self._output) - 1}")
        check("t_s", t_s, 0.0, 1e7)
        check("current_ma", abs(current_ma), 0.0, 300.0)
        check("width_us", width_us, 0.0, 100_000.0)
        check("cycles", cycles, 1, 10_000)
        period_s = 2e-6 * width_us if cycle_s is None else check("cycle_s", cycle_s, 0.0, 0.2)
        now = max(t_s, self.time_s)
        strength = burst_gain(cycles, period_s) / electrode_gain(1.0, p.drift_per_minute, now)
        strength *= abs(current_ma) / p.threshold_factor
        main = self._output[channel]
        recruited, tired = [0.0] * len(self.muscle_names), [0.0] * len(self.muscle_names)
        for k, muscle in enumerate(self.limb.muscles):
            row = channel if k == main else len(self._output) + k
            curve = DENERVATED if p.denervated else muscle.recruitment
            share = fraction(strength * (1.0 if k == main else p.spill), width_us, curve)
            recruited[k], tired[k] = share, 1.0 - float(self._rows[row, FITNESS])
            if share > LEAST_SHARE:
                send(self._rows[row], self._queue[row], now, p.delay_s, share, current_ma)
        none = (0.0,) * len(recruited)
        excited = none if p.denervated else tuple(recruited)  # without nerve fibres no M-wave
        lasts_s = cycles * period_s
        self._emg["affected"].pulse(now, channel, current_ma, lasts_s, excited, tuple(tired))
        self._emg["other"].pulse(now, channel, current_ma, lasts_s, none, none)
        self._feel(now, strength, width_us, self.limb.muscles[main].recruitment)

    def _feel(self, now_s: float, strength_ma: float, width_us: float, curve: RecruitmentParams) -> None:
        p = self.params
        if width_us == 0.0:
            return
        ratio = equivalent_ma(strength_ma, width_us, curve.chronaxie_us) / curve.i50_ma
        if ratio >= p.sensory_ratio:
            self._felt = (now_s + SENSATION_S, "too much" if ratio > p.comfort_ratio else "felt")

    def emg(self, t_s: float, n: int, rate_hz: float, side: Side = "affected") -> Array:
        """Surface EMG, (n, 8) volts, in the order of ``emg_channels``; ask for each side in order of time.

        ``t_s`` may lie up to a second in the past; a later time advances the model.
        """
        return self._emg[side].read(t_s, rate_hz, self._effort(t_s, n, rate_hz, side))

    def emg_parts(self, t_s: float, n: int, rate_hz: float, side: Side = "affected") -> EmgParts:
        """The same samples with what they are made of, and the true volitional envelope."""
        return self._emg[side].read_parts(t_s, rate_hz, self._effort(t_s, n, rate_hz, side))

    def imu(self, segment: SegmentName, t_s: float) -> tuple[Quat, Vec3, Vec3]:
        """Quaternion (sensor to world, z up), specific force m/s2, angular rate rad/s in segment axes.

        ``t_s`` may lie up to a second in the past; a later time advances the model.
        """
        found = [s for s in self.limb.segments if s.name == segment]
        if not found:
            names = ", ".join(s.name for s in self.limb.segments)
            raise ValueError(f"segment: found {segment!r}, allowed: {names}")
        part = found[0]
        h = self._history[int(self._reach(t_s, 1, 1000.0)[0])]
        moved, rate, acceleration = (
            float(h[at]) * part.turns for at in (plant.H_PLACE, plant.H_RATE, plant.H_ACC)
        )
        pitch = math.radians(part.pitch_deg) + moved
        x, z = part.place_m
        lift = float(h[plant.H_ACC]) if self.limb.joints[0].shift and part is self.limb.segments[0] else 0.0
        up = GRAVITY + lift
        noise = self._imu_noise[segment].standard_normal(6)
        force = (
            up * math.sin(pitch) - acceleration * z - rate * rate * x + ACC_NOISE_MPS2 * float(noise[0]),
            ACC_NOISE_MPS2 * float(noise[1]),
            up * math.cos(pitch) + acceleration * x - rate * rate * z + ACC_NOISE_MPS2 * float(noise[2]),
        )
        turn = (
            GYR_NOISE_RPS * float(noise[3]),
            -rate + GYR_NOISE_RPS * float(noise[4]),
            GYR_NOISE_RPS * float(noise[5]),
        )
        return (math.cos(0.5 * pitch), 0.0, -math.sin(0.5 * pitch), 0.0), force, turn

    def set_contact(self, channel: int, contact: float, side: Side = "affected") -> None:
        """An EMG electrode from now on: 1 good, 0.5 half lifted, 0 off."""
        self._emg[side].set_contact(channel, contact)

    def _effort(self, t_s: float, n: int, rate_hz: float, side: Side) -> Array:
        if side not in self._emg:
            raise ValueError(f"side: found {side!r}, allowed: 'affected', 'other'")
        slots = self._reach(t_s, n, rate_hz)
        first = plant.H_MUSCLES + (plant.H_DRIVE if side == "affected" else plant.H_OTHER)
        return np.ascontiguousarray(self._history[slots, first :: plant.H_PER_MUSCLE])

    def _reach(self, t_s: float, n: int, rate_hz: float) -> npt.NDArray[np.int64]:
        """Rows of the history at ``n`` sample times."""
        check("rate_hz", rate_hz, 1.0, RATE_MAX_HZ)
        check("n", n, 1, 1_000_000)
        check("t_s", t_s, 0.0, 1e7)
        self.advance(t_s + (n - 1) / rate_hz)
        oldest_s = self.time_s - (HISTORY - 8) * DT_S
        if t_s < oldest_s:
            raise ValueError(f"t_s: found {t_s!r}, allowed: at least {oldest_s:.3f} s (the model keeps 1 s)")
        return np.floor((t_s + np.arange(n) / rate_hz) / DT_S + 0.5).astype(np.int64) % HISTORY

    def truth(self) -> ExerciseTruth:
        """The state at ``time_s``."""
        h = self._history[int(self.time_s / DT_S + 0.5) % HISTORY]
        muscles = {
            name: MuscleTruth(*(float(v) for v in h[at : at + plant.H_OTHER]))
            for name, at in zip(
                self.muscle_names, range(plant.H_MUSCLES, len(h), plant.H_PER_MUSCLE), strict=True
            )
        }
        agonists = [(muscles[m.name], m.f0_n * max(m.arms_m)) for m in self.limb.muscles if m.agonist]
        whole = sum(size * m.active for m, size in agonists)
        own = sum(size * min(m.own, m.active) for m, size in agonists)
        shift = self.limb.joints[0].shift
        place, moment = float(h[plant.H_PLACE]), float(h[plant.H_MOMENT])
        two = len(self.limb.joints) > 1
        until_s, sensation = self._felt
        return ExerciseTruth(
            time_s=self.time_s,
            angle_deg=None if shift else math.degrees(place),
            finger_angle_deg=math.degrees(h[plant.H_PLACE + 1]) if two else None,
            torque_nm=None if shift else moment,
            shift_mm=1e3 * place if shift else None,
            lift_n=moment if shift else None,
            activation=max(m.stimulated for m, _ in agonists),
            own_share=own / whole if whole > 1e-3 else 0.0,
            fitness=min(m.fitness for m, _ in agonists),
            trying=bool(np.any(self._will[: len(muscles), 0] > 0.0)),
            sensation=sensation if self.time_s <= until_s else "nothing",
            muscles=muscles,
        )


def _joint_rows(p: ExerciseParams) -> Array:
    rows = np.zeros((len(LIMBS[p.limb].joints), plant.J_COLUMNS))
    for row, joint in zip(rows, LIMBS[p.limb].joints, strict=True):
        unit = 1e-3 if joint.shift else math.radians(1.0)
        load = max(0.1, p.load_share) if p.limb == "sit-to-stand" else 1.0
        row[:] = (
            joint.inertia * load, joint.damping, joint.stiffness * p.stiffness, joint.rest * unit,
            joint.low * unit, joint.high * unit, joint.gravity_nm * load, joint.gravity_from_deg * unit,
            float(joint.shift), p.stiffness if joint.ankle else 0.0,
        )  # fmt: skip
    return rows


def _muscle_rows(p: ExerciseParams) -> Array:
    limb = LIMBS[p.limb]
    rows = np.zeros((len(limb.muscles), plant.MUSCLE_COLUMNS))
    for row, muscle in zip(rows, limb.muscles, strict=True):
        for j, joint in enumerate(limb.joints):
            row[plant.M_ARM + j] = muscle.arms_m[j]
            row[plant.M_OPTIMUM + j] = muscle.optimum[j] * (1e-3 if joint.shift else math.radians(1.0))
        row[plant.M_F0], row[plant.M_FIBRE] = muscle.f0_n * p.strength, muscle.fibre_m
        row[plant.M_EVOCABLE] = p.evocable
        if muscle.flexor:
            row[plant.M_TONE], row[plant.M_REFLEX] = p.tone, p.reflex_gain
    return rows
