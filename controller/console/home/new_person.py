"""The form that makes a patient file: who somebody is, what may be given at most, the checklist."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from controller.config.loader import bounds_of, check_patient
from controller.config.person_schema import LimitsSection, PatientSection, ReferenceSection
from controller.config.section import NAME, Section
from controller.config.standard_person import NewPerson, patient_text
from controller.console.i18n import Texts
from controller.console.render import render
from controller.console.tuning.tuning_page import read_number
from controller.errors import ConfigError
from controller.safety.judgement.contraindications import ANSWERS, QUESTION, QUESTIONS

NUMBERS: dict[str, tuple[str, type[Section]]] = {  # of the form: unit, and where its range stands
    "body_mass_kg": ("kg", PatientSection),
    "body_height_m": ("m", PatientSection),
    "current_max_ma": ("mA", LimitsSection),
    "speed_mps": ("m/s", ReferenceSection),
}
SIDES = ("left", "right")


def make(folder: Path, form: Mapping[str, str]) -> Path:
    """Write the patient file, for this user alone. Raises ConfigError with a line for each fault, and OSError
    where the disk says no; an earlier file is never touched.
    """
    problems = []
    numbers: dict[str, float] = {}
    for key, (_, section) in NUMBERS.items():
        value = read_number(form.get(key, ""))
        bounds = bounds_of(section.model_fields[key])
        if value is None or not bounds["ge"] <= value <= bounds["le"]:
            allowed = f"{bounds['ge']:g} to {bounds['le']:g}"
            problems.append(f"{key}: found {form.get(key, '')!r}, allowed: {allowed}")
        else:
            numbers[key] = value
    answers = {key: form[key] for key in QUESTION if form.get(key) in ANSWERS}
    problems += [f"checklist.{key}: not answered" for key in QUESTION if key not in answers]
    if problems:
        raise ConfigError(problems)
    who = NewPerson(
        pseudonym=form.get("pseudonym", ""), side=form.get("side", ""), checklist=answers, **numbers
    )
    path = folder / f"{who.pseudonym}.toml"
    text = patient_text(who)
    check_patient(path, text)  # the pseudonym too, before it is a file's name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigError([f"{path}: is there already, allowed: a pseudonym of its own"]) from None
    return path


def form_html(texts: Texts, typed: Mapping[str, str], *, problem: str = "") -> Markup:
    """The form with what was typed; nothing is preset."""
    bounds = {key: bounds_of(section.model_fields[key]) for key, (_, section) in NUMBERS.items()}
    return render(
        "home/new_person",
        texts,
        typed=typed,
        problem=problem,
        sides=SIDES,
        numbers=[
            (key, unit, f"{bounds[key]['ge']:g}", f"{bounds[key]['le']:g}")
            for key, (unit, _) in NUMBERS.items()
        ],
        questions=QUESTIONS,
        name_pattern=NAME.strip("^$"),
    )
