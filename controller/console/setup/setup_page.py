"""The set-up's pages: seven steps from the person's name to the first assisted steps.

Promises one thing to do on each, in plain words, with the live state beside it. Escapes every text.
"""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from controller.config.console_settings import ConsoleSettings
from controller.console.i18n import Texts
from controller.console.render import render
from controller.console.setup.leg_drawing import leg_svg, pads_html, place_of
from controller.console.setup.patient_file import CEILING, Found
from controller.console.setup.progress import EFFECTS, MARKS, STEPS, SetupState, Step, next_ma
from controller.runtime.tuning import BY_MAX
from controller.safety.judgement.contraindications import QUESTIONS

IDENTIFIED_UNITS: Mapping[str, str] = {
    "muscle.i50_ma": "mA",
    "muscle.sigma": "",
    "muscle.chronaxie_us": "µs",
    "muscle.torque_max_nm": "Nm",
    "muscle.bandwidth_rps": "rad/s",
    "muscle.delay_ms": "ms",
    "ankle.passive_factor": "",
    "ankle.neutral_deg": "°",
}


def setup_html(
    texts: Texts,
    settings: ConsoleSettings,
    state: SetupState,
    shown: Step,
    *,
    problem: str,
    busy: bool,
    most_ma: float,
) -> Markup:
    """The whole page with ``shown`` as its step; no train is larger than ``most_ma``."""
    return render(
        "setup/setup",
        texts,
        stepper=_stepper(texts, state, shown),
        shown=shown,
        number=STEPS.index(shown) + 1,
        step=_step(texts, settings, state, shown, busy=busy, most_ma=most_ma),
        problem=problem,
    )


def _stepper(texts: Texts, state: SetupState, shown: Step) -> Markup:
    return render("setup/stepper", texts, steps=STEPS, state=state, shown=shown)


def _step(
    texts: Texts, settings: ConsoleSettings, state: SetupState, step: Step, *, busy: bool, most_ma: float
) -> Markup:
    """One thing to do, each with what it asks for."""
    match step:
        case "checklist":
            return checklist_html(texts, settings, state.answers, "/setup/checklist")
        case "patient":
            more: dict[str, object] = {"by_max": BY_MAX}
        case "sensors":
            places = [(name, place_of(device, segment)) for name, device, segment in settings.sensors]
            more = {"picture": leg_svg(texts, settings), "places": places}
        case "electrodes":
            more = {"picture": pads_html(texts, settings, state.pads)}
        case "thresholds":
            more = {
                "marks": MARKS,
                "effects": [(effect, next_ma(state, effect, most_ma)) for effect in EFFECTS],
                "at_most": state.given_ma is not None and state.given_ma >= most_ma,
            }
        case "tests":
            more = {"busy": busy, "units": IDENTIFIED_UNITS}
        case "walk":
            more = {}
    return render(f"setup/{step}", texts, settings=settings, state=state, **more)


def checklist_html(
    texts: Texts,
    settings: ConsoleSettings,
    answers: Mapping[str, str],
    action: str,
    *,
    more: Markup | str = "",
) -> Markup:
    """The form with every question; ``answers`` are today's so far, ``more`` stands above its button.

    Where some are given, each that is missing is marked.
    """
    return render(
        "setup/checklist",
        texts,
        questions=QUESTIONS,
        answers=answers,
        in_file=dict(settings.checklist),
        action=action,
        more=more,
    )


def finished_html(texts: Texts, state: SetupState) -> Markup:
    return render("setup/finished", texts, stepper=_stepper(texts, state, STEPS[-1]), state=state)


def file_html(
    texts: Texts, found: Found | None, *, virtual: bool, notice: str = "", problem: str = ""
) -> Markup:
    """What would change in the patient file, and the button that does it."""
    nothing = ""
    if found is None or not found.edits:
        nothing = "file_virtual" if virtual else "file_unreadable" if found is None else "file_same"
    return render(
        "setup/file",
        texts,
        nothing=nothing and f"setup.{nothing}",
        digest="" if found is None else found.digest,
        edits=[] if found is None else [(_file_name(texts, edit.key), edit) for edit in found.edits],
        units=IDENTIFIED_UNITS,
        notice=notice,
        problem=problem,
    )


def _file_name(texts: Texts, key: str) -> str:
    table, _, name = key.rpartition(".")
    if table == "thresholds":
        return texts.get(f"setup.mark_{name.removesuffix('_ma')}")
    return texts.get("setup.file_ceiling" if key == CEILING else f"setup.found_{name}")
