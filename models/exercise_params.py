"""Who exercises, and where the pads are: the parameters of the exercising patient."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from models.emg import EmgParams
from models.exercise_limbs import LIMBS, LimbName
from models.muscle_names import MuscleName
from models.recruitment import check

EMG = EmgParams()


@dataclass(frozen=True, slots=True)
class ExerciseParams:
    """One person and where the pads are. ``outputs``: the muscle that each output of the stimulator reaches.

    Shares are of the whole muscle. ``intent`` "rest": never tries; "cue": tries when told to. Evocable share
    0.3 to 0.7, delay 20 to 50 ms, tone and reflex: from memory, unverified; the rest is assumed.
    """

    limb: LimbName = "wrist-and-fingers"
    outputs: tuple[MuscleName, ...] = ("wrist-extensors", "finger-extensors", "finger-flexors")
    intent: Literal["rest", "cue"] = "cue"
    volition: float = 0.10  # drive of the affected muscle at the person's best effort
    effort: float = 0.8  # share of that best effort in an attempt
    gain_per_attempt: float = 0.0  # relative growth of volition from attempt to attempt
    attempts_made: float = 1.0  # share of cues that the person follows
    reaction_s: float = 0.35
    reaction_sd_s: float = 0.06
    rise_s: float = 0.15  # time constant of getting going
    fall_s: float = 0.25  # and of letting go
    hold_s: float = 30.0  # after it a try ends by itself
    unsteady: float = 0.1  # relative, of the drive
    cocontraction: float = 0.1  # drive of the antagonist over that of the agonist
    tone: float = 0.0  # steady drive of the flexors (or the calf) of a spastic person
    reflex_gain: float = 0.0  # their drive per rad/s of stretch above the threshold
    reflex_threshold_dps: float = 30.0
    reflex_delay_s: float = 0.040
    strength: float = 0.6  # of the muscles, against a healthy adult
    evocable: float = 0.5  # share of the muscle that surface stimulation reaches
    stiffness: float = 1.0
    load_share: float = 0.5  # sit-to-stand: of the half of the body's weight, what this leg carries
    threshold_factor: float = 1.0  # on every recruitment current: fat, dry skin, pads beside the point
    drift_per_minute: float = 0.0
    spill: float = 0.0  # share of an output's current that reaches the other muscles
    sensory_ratio: float = 0.4  # felt from here on, of the current that recruits half, at 300 us
    comfort_ratio: float = 1.6  # too much above
    denervated: bool = False
    other_effort: float = 0.3  # drive of the other side's muscle in an attempt
    delay_s: float = 0.030
    muscle_slowness: float = 1.0
    fatigue_s: float = 30.0
    recovery_s: float = 50.0
    fatigue_min: float = 0.2
    emg: EmgParams = EMG

    def __post_init__(self) -> None:
        if self.limb not in LIMBS:
            raise ValueError(f"limb: found {self.limb!r}, allowed: {', '.join(LIMBS)}")
        names = [m.name for m in LIMBS[self.limb].muscles]
        for name in self.outputs:
            if name not in names:
                raise ValueError(f"outputs: found {name!r}, allowed for {self.limb}: {', '.join(names)}")
        if not 1 <= len(self.outputs) <= 16:
            raise ValueError(f"outputs: found {len(self.outputs)} outputs, allowed: 1 to 16")
        if self.intent not in ("rest", "cue"):
            raise ValueError(f"intent: found {self.intent!r}, allowed: 'rest', 'cue'")
        for field in fields(self):
            if field.name in RANGES:
                check(field.name, getattr(self, field.name), *RANGES[field.name])


RANGES: dict[str, tuple[float, float]] = {
    "volition": (0.0, 1.0),
    "effort": (0.0, 1.0),
    "gain_per_attempt": (0.0, 0.5),
    "attempts_made": (0.0, 1.0),
    "reaction_s": (0.05, 3.0),
    "reaction_sd_s": (0.0, 1.0),
    "rise_s": (0.01, 3.0),
    "fall_s": (0.01, 3.0),
    "hold_s": (0.1, 600.0),
    "unsteady": (0.0, 1.0),
    "cocontraction": (0.0, 1.0),
    "tone": (0.0, 0.5),
    "reflex_gain": (0.0, 1.0),
    "reflex_threshold_dps": (0.0, 500.0),
    "reflex_delay_s": (0.01, 0.2),
    "other_effort": (0.0, 1.0),
    "strength": (0.05, 1.5),
    "evocable": (0.0, 1.0),
    "stiffness": (0.1, 5.0),
    "load_share": (0.0, 1.0),
    "threshold_factor": (0.2, 5.0),
    "drift_per_minute": (-0.2, 0.2),
    "spill": (0.0, 1.0),
    "sensory_ratio": (0.01, 1.0),
    "comfort_ratio": (0.1, 10.0),
    "delay_s": (0.0, 0.1),
    "muscle_slowness": (0.4, 2.5),
    "fatigue_s": (1.0, 2000.0),
    "recovery_s": (1.0, 5000.0),
    "fatigue_min": (0.01, 1.0),
}
