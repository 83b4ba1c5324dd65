"""The page of a patient's profiles: the list, the form to save what is in force, what two sets differ in."""

from __future__ import annotations

from markupsafe import Markup

from controller.config.tunables import BY_KEY, KNOBS
from controller.console.i18n import Texts
from controller.console.render import render
from controller.console.tuning.profiles import LAST, NOTE_MAX, Profile, differences
from controller.runtime.tuning import BY_MAX


def profiles_html(
    texts: Texts,
    known: list[Profile],
    chosen: list[Profile],
    now: dict[str, float] | None,
    *,
    by: str,
    problem: str,
) -> Markup:
    """The list, the form to save what is in force, and what two sets differ in."""
    sides = [(profile.name, profile.values) for profile in chosen]
    if len(sides) == 1 and now is not None:
        sides.append((texts.get("profiles.now"), now))
    return render(
        "tuning/profiles",
        texts,
        known=known,
        chosen=chosen,
        names=[name for name, _ in sides],
        compared=differences(*(values for _, values in sides)) if len(sides) == 2 else None,
        settings_count=len(KNOBS),
        unit_of=lambda key: BY_KEY[key].unit,
        last_profile=LAST,
        note_max=NOTE_MAX,
        by=by,
        by_max=BY_MAX,
        problem=problem,
    )
