"""Where sensors and pads sit, drawn on the leg of the side that is treated."""

from __future__ import annotations

from html import escape

from controller.config.console_settings import ConsoleSettings
from controller.console.i18n import Texts
from drivers.catalogue import is_inertial, sensor_device

LEG = (
    # thigh, knee, shank, foot of a standing leg seen from its outer side
    '<path class="limb" d="M92 8C88 60 96 110 104 138C96 176 98 236 108 262C92 268 60 272 46 284'
    'C40 292 46 298 56 298H140C150 298 152 288 150 276C148 250 160 190 150 142C158 100 164 50 166 8"/>'
)


def place_of(device: str, segment: str) -> str:
    return segment if is_inertial(device) else sensor_device(device).kind


def leg_svg(texts: Texts, settings: ConsoleSettings) -> str:
    """Where the sensors sit, on the leg of the side that is treated; a mark turns green when it is heard."""
    t = texts.get
    spots = {"shank": (102, 206), "foot": (78, 268), "emg": (124, 168)}
    marks = ""
    for name, device, segment in settings.sensors:
        place = place_of(device, segment)
        x, y = spots[place]
        shape = (
            f'<rect x="{x - 22}" y="{y - 7}" width="44" height="14" rx="7"/>'
            if place == "emg"
            else f'<rect x="{x - 11}" y="{y - 14}" width="22" height="28" rx="5"/>'
        )
        marks += (
            f'<g class="spot" id="spot-{escape(name)}">{shape}<path class="pointer" d="M{x + 12} {y}H186"/>'
            f'<text x="190" y="{y + 5}">{escape(t(f"setup.place_{place}"))}</text></g>'
        )
    return _leg(texts, settings, marks)


def pads_svg(texts: Texts, settings: ConsoleSettings) -> str:
    """Where the two pads go: over the nerve behind the fibula's head, and over tibialis anterior."""
    t = texts.get
    marks = (
        '<g class="spot"><circle cx="134" cy="154" r="12"/><path class="pointer" d="M146 154H186"/>'
        f'<text x="190" y="159">{escape(t("setup.pad_nerve"))}</text></g>'
        '<g class="spot"><circle cx="112" cy="196" r="12"/><path class="pointer" d="M124 196H186"/>'
        f'<text x="190" y="201">{escape(t("setup.pad_muscle"))}</text></g>'
    )
    return _leg(texts, settings, marks)


def _leg(texts: Texts, settings: ConsoleSettings, marks: str) -> str:
    side = texts.get(f"setup.side_{settings.side}")
    label = texts.get("setup.picture").format(side=side)
    return (
        f'<svg class="leg" viewBox="0 0 360 306" role="img" aria-label="{escape(label)}">{LEG}'
        f'<circle class="knee" cx="112" cy="136" r="9"/>{marks}'
        f'<text x="190" y="24" class="side">{escape(side)}</text></svg>'
    )
