"""The muscles that exercise programmes name; apart from the limbs, which need the whole muscle model."""

from __future__ import annotations

from typing import Literal

MuscleName = Literal[
    "wrist-extensors",
    "finger-extensors",
    "finger-flexors",
    "quadriceps",
    "hamstrings",
    "dorsiflexors",
    "calf",
    "deltoid-posterior",
    "supraspinatus",
]
