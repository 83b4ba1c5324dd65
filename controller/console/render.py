"""The console's templates, each with the page's words (``t``) and its language's figures."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from controller.console.i18n import Texts
from controller.templates import Templates

NOTHING = Markup("")
TEMPLATES = Templates(Path(__file__).parent / "templates")


def render(name: str, texts: Texts, **values: object) -> Markup:
    """The HTML of ``templates/NAME.html``."""
    return TEMPLATES.render(f"{name}.html", texts=texts, t=texts.get, figure=texts.figure, **values)
