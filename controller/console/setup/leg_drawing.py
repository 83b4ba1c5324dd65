"""Where sensors and pads sit, drawn on the leg of the side that is treated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from controller.config.console_settings import ConsoleSettings
from controller.console.i18n import Texts
from controller.console.layout import STATIC
from controller.console.render import render
from controller.console.setup.progress import PADS, Pad
from drivers.catalogue import is_inertial, sensor_device

SPOTS = {"shank": (102, 206), "foot": (78, 268), "emg": (124, 168)}  # of the sensors, in the drawing's units
USUAL: Mapping[Pad, tuple[int, int]] = {"nerve": (134, 154), "muscle": (112, 196)}  # of the pads
MARKED: Mapping[Pad, str] = {"nerve": "nerve pad marked at", "muscle": "muscle pad marked at"}  # in the trail
SHOWN = (20, 8), (170, 300)  # corners of the limb as drawn: where a pad can be marked


@dataclass(frozen=True, slots=True)
class Spot:
    """A sensor or a pad: where, the key of its words, and by which name a script finds it."""

    shape: Literal["emg", "inertial", "pad"]
    x: int
    y: int
    words: str
    name: str = ""
    pad: Pad | None = None


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


def pads_html(texts: Texts, settings: ConsoleSettings, marked: Mapping[Pad, tuple[int, int]]) -> Markup:
    """Where the two pads go: over the nerve behind the fibula's head, and over tibialis anterior; or where
    they were ``marked`` on this person. A tap on the drawing marks them.
    """
    pads = [Spot("pad", *marked.get(pad, USUAL[pad]), f"setup.pad_{pad}", pad=pad) for pad in PADS]
    drawn = _leg(texts, settings, pads)
    return render("setup/pads", texts, drawn=drawn, marked=bool(marked), static=STATIC)


def place_on_leg(x: str, y: str) -> tuple[int, int] | None:
    """A place on the drawing as it was tapped, in whole units; None for what is no number."""
    try:
        at = float(x), float(y)
    except ValueError:
        return None
    if not all(map(math.isfinite, at)):
        return None
    low, high = SHOWN
    return round(min(high[0], max(low[0], at[0]))), round(min(high[1], max(low[1], at[1])))


def _leg(texts: Texts, settings: ConsoleSettings, spots: Sequence[Spot]) -> Markup:
    return render("setup/leg", texts, side=texts.get(f"setup.side_{settings.side}"), spots=spots)
