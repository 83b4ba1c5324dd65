"""What the EMG estimator is told before it starts: electrodes, method, rest and the person's own maximum.

Frozen and JSON-able, so that a recording holds it whole and replay starts from the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

# prediction: linear prediction from earlier responses, solved anew for each pulse (Sennels 1997);
# gram-schmidt: the orthogonalised prediction-error filter, sample by sample (Yeom 2005); comb: the response
# one pulse before is taken off (Frigo 2000); blanking: nothing but the blanked artefact.
MWaveMethod = Literal["prediction", "gram-schmidt", "comb", "blanking"]
# told: by the stimulator's own log; found: in the EMG itself, where another's stimulator gives no log.
PulseTimes = Literal["told", "found"]


@dataclass(frozen=True, slots=True)
class EmgElectrode:
    """One pair of EMG electrodes: a column of a sensor's frames, and what was measured on this person.

    ``rest_v`` and ``rest_sd_v`` are mean and SD of the envelope at rest, ``maximum_v`` the envelope at the
    person's own strongest effort; ``None``: not measured, then :meth:`EmgEstimator.resting` measures rest.
    ``range_v`` is the largest voltage the amplifier can show, ``None`` where it is not known. ``answers``:
    the muscle is one of those stimulated; not so on the other side of the body.
    """

    sensor: str
    column: int
    muscle: str
    rest_v: float | None = None
    rest_sd_v: float | None = None
    maximum_v: float | None = None
    range_v: float | None = None
    answers: bool = True


@dataclass(frozen=True, slots=True)
class EmgParams:
    """``mains_hz`` is 50 or 60, ``None`` where no mains is near; ``on_sd`` and ``off_sd`` the trigger's
    threshold and its lower release, in SD of the resting envelope above its mean.

    ``lag_s`` is by how much the EMG shows a pulse later than the pulse's own time says.
    """

    electrodes: tuple[EmgElectrode, ...]
    method: MWaveMethod = "prediction"
    pulses: PulseTimes = "told"
    mains_hz: float | None = 50.0
    blank_s: float = 0.004  # from the pulse on; artefact and dead amplifier (2 to 5 ms at surface electrodes)
    on_sd: float = 5.0
    off_sd: float = 2.5
    refractory_s: float = 0.5
    lag_s: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError where a number makes no sense."""
        if not self.electrodes:
            raise ValueError("no EMG electrode is named")
        if not 0.0 <= self.blank_s <= 0.02:
            raise ValueError(f"blank_s: {self.blank_s} s, allowed: 0 to 0.02")
        if not (0.0 < self.off_sd < self.on_sd and math.isfinite(self.on_sd)):
            raise ValueError("off_sd must be above 0 and below on_sd")
        if self.mains_hz not in (None, 50.0, 60.0):
            raise ValueError(f"mains_hz: {self.mains_hz} Hz, allowed: 50, 60 or none")
        for one in self.electrodes:
            if one.column < 0:
                raise ValueError(f"{one.muscle}: column {one.column}")
            for name in ("rest_v", "rest_sd_v", "maximum_v", "range_v"):
                value = getattr(one, name)
                if value is not None and not (math.isfinite(value) and value > 0.0):
                    raise ValueError(f"{one.muscle}: {name} {value} V must be above 0")
