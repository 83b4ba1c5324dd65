"""Whether a page fits its screen: nothing cut, nothing over another, targets for fingers, one language."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from controller.console.i18n import load_texts
from tests.console.browser import shot

SIZES: Mapping[str, Any] = {  # Any: Playwright's own type of a size is not to be imported
    "phone": {"width": 390, "height": 844},
    "tablet": {"width": 820, "height": 1180},
    "desktop": {"width": 1280, "height": 800},
}
TARGET_PX = 44
WORDS = {  # that stand in nearly every sentence of the other language, and in none of this one
    "en": "der die das und ist nicht ein eine einen wird mit für auf den dem von oder kein keine werden",
    "de": "the and is are not with for of to this that be it no has by or from which",
}
LOOK = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def foreign(language: str) -> list[str]:
    """Whole texts of the other language that are not this one's too."""
    texts = load_texts()
    own = set(texts[language].words.values())
    return sorted(
        {text for name, other in texts.items() if name != language for text in other.words.values()} - own
    )


def misfits(page: Page, language: str, name: str) -> list[str]:
    """What does not fit at each size, with a picture of it; of every page where DORSI_SHOTS is set."""
    told = {"least": TARGET_PX, "foreign": foreign(language), "words": WORDS[language]}
    poor: list[str] = []
    for size_name, size in SIZES.items():
        page.set_viewport_size(size)
        found: list[str] = page.evaluate(LOOK, told)
        if found or os.environ.get("DORSI_SHOTS"):
            slug = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "live"
            shot(page, f"{slug}-{language}-{size_name}", whole=True)
        poor += [f"{name}, {size_name}: {one}" for one in found]
    return poor
