"""Where sensors and pads sit, drawn on the leg of the side that is treated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from controller.config.console_settings import ConsoleSettings
from controller.console.i18n import Texts
from controller.console.render import render
from drivers.catalogue import is_inertial, sensor_device

SPOTS = {"shank": (102, 206), "foot": (78, 268), "emg": (124, 168)}  # of the sensors, in the drawing's units
NERVE, MUSCLE = (134, 154), (112, 196)  # of the pads


@dataclass(frozen=True, slots=True)
class Spot:
    """A sensor or a pad: where, the key of its words, and by which name a script finds it."""

    shape: Literal["emg", "inertial", "pad"]
    x: int
    y: int
    words: str
    name: str = ""


def place_of(device: str, segment: str) -> str:
    return segment if is_inertial(device) else sensor_device(device).kind


def leg_svg(texts: Texts, settings: ConsoleSettings) -> Markup:
    """Where the sensors sit, on the leg of the side that is treated; a mark turns green when it is heard."""
    spots = []
    for name, device, segment in settings.sensors:
        place = place_of(device, segment)
        shape: Literal["emg", "inertial"] = "emg" if place == "emg" else "inertial"
        spots.append(Spot(shape, *SPOTS[place], f"setup.place_{place}", name))
    return _leg(texts, settings, spots)


def pads_svg(texts: Texts, settings: ConsoleSettings) -> Markup:
    """Where the two pads go: over the nerve behind the fibula's head, and over tibialis anterior."""
    pads = [Spot("pad", *NERVE, "setup.pad_nerve"), Spot("pad", *MUSCLE, "setup.pad_muscle")]
    return _leg(texts, settings, pads)


def _leg(texts: Texts, settings: ConsoleSettings, spots: Sequence[Spot]) -> Markup:
    return render("setup/leg", texts, side=texts.get(f"setup.side_{settings.side}"), spots=spots)
