"""The main screen of a walk: is the foot lifted, how strong is the help, how long has it been.

The scripts fill it; what stands here is readable without data.
"""

from __future__ import annotations

from markupsafe import Markup

from controller.config.console_settings import ConsoleSettings
from controller.console.i18n import Texts
from controller.console.render import NOTHING, render
from controller.runtime.tuning import BY_MAX

MARKS = 10  # steps that are shown one by one


def main_html(texts: Texts, settings: ConsoleSettings, by: str, line: Markup = NOTHING) -> Markup:
    """Everything between the bar and Details; ``by`` signed last at this browser, ``line`` is HTML that says
    which view of a blinded trial it is.
    """
    told = (
        settings.pseudonym,
        settings.session,
        texts.get("page.virtual") if settings.virtual else "",
        texts.get("page.standard_model") if settings.standard_model else "",
    )
    who = " · ".join(part for part in told if part)
    return render("live/main", texts, line=line, who=who, by=by, by_max=BY_MAX, marks=MARKS)
