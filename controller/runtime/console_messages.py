"""What controller process and console say to each other, as JSON.

Promises types alone; refuses nothing by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.config.tunables import Allowed
from controller.core.params import CoreParams
from controller.core.signals import Mode
from controller.record.records import Audit
from controller.runtime.test_trains import ProbeTold, ProbeWish
from controller.runtime.tuning import Wish
from controller.trial.schedule import Progress


@dataclass(frozen=True, slots=True)
class PauseWish:
    """A person wants stimulation to pause after this step, or to go on."""

    paused: bool
    by: str
    utc_ns: int


@dataclass(frozen=True, slots=True)
class Asked:
    """One message of a console; one of the three."""

    wish: Wish | None = None
    probe: ProbeWish | None = None
    pause: PauseWish | None = None


@dataclass(frozen=True, slots=True)
class WalkTold:
    """What is walked: the arm's true ``mode``, the pause, and how far a schedule is (None without one).

    ``paused`` is when a person has asked for it, ``resting`` once the current of the last step has ended.
    """

    mode: Mode
    paused: bool = False
    resting: bool = False
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a console is told, as JSON; ``trail`` has the newest entry last.

    ``found`` are the sensors whose axes on the limb are known, ``findings`` what is wrong with the one that
    shows the events, in words.
    """

    version: int
    waiting: bool
    values: dict[str, float]
    allowed: dict[str, Allowed]
    params: CoreParams
    trail: tuple[Audit, ...]
    probe: ProbeTold
    walking: bool
    found: tuple[str, ...]
    findings: tuple[str, ...]
    walk: WalkTold
