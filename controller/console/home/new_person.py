"""The form that makes a patient file: who somebody is, what may be given at most, the checklist."""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path

from controller.config.loader import bounds_of, check_patient
from controller.config.person_schema import LimitsSection, PatientSection, ReferenceSection
from controller.config.section import NAME, RULES, Section
from controller.config.standard_person import NewPerson, patient_text
from controller.console.i18n import Texts
from controller.console.setup.setup_page import answer_radios
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


def form_html(texts: Texts, typed: Mapping[str, str], *, problem: str = "") -> str:
    """The form with what was typed; nothing is preset."""
    t = texts.get
    fault = f'<pre class="bad box" role="alert">{escape(problem)}</pre>' if problem else ""
    sides = "".join(
        f'<label><input type="radio" name="side" value="{side}" required'
        f"{' checked' if typed.get('side') == side else ''}>{escape(t(f'setup.side_{side}'))}</label>"
        for side in SIDES
    )
    numbers = "".join(_number(texts, key, unit, typed) for key, (unit, _) in NUMBERS.items())
    rows = "".join(
        f"<fieldset><legend>{escape(t(f'question.{question.key}'))}</legend>"
        + answer_radios(texts, question, typed.get(question.key))
        + "</fieldset>"
        for question in QUESTIONS
    )
    return (
        f'{fault}<form method="post" action="/new-person"><section class="card"><div class="fields">'
        f"<label>{escape(t('sessions.patient'))} <small>{escape(t('newperson.pseudonym_rule'))}</small>"
        f'<input name="pseudonym" value="{escape(typed.get("pseudonym", ""), quote=True)}" required '
        f'maxlength="40" pattern="{escape(NAME.strip("^$"), quote=True)}" '
        f'title="{escape(RULES[NAME], quote=True)}" '
        f'autocomplete="off"></label><fieldset><legend>{escape(t("newperson.side"))}</legend>{sides}</fieldset>'
        f'{numbers}</div><p class="standard">{escape(t("newperson.model"))}</p></section>'
        f'<section class="card"><h2>{escape(t("setup.checklist"))}</h2><div class="questions">{rows}</div>'
        f'<p class="tools"><button class="button">{escape(t("newperson.make"))}</button>'
        f'<a class="button second" href="/">{escape(t("page.home"))}</a></p></section></form>'
    )


def _number(texts: Texts, key: str, unit: str, typed: Mapping[str, str]) -> str:
    bounds = bounds_of(NUMBERS[key][1].model_fields[key])
    low, high = (f"{bounds[end]:g}" for end in ("ge", "le"))
    rule = escape(texts.get(f"newperson.{key}_rule"))
    return (
        f"<label>{escape(texts.get(f'newperson.{key}'))}, {unit} <small>{low}–{high}. {rule}</small>"
        f'<input name="{key}" value="{escape(typed.get(key, ""), quote=True)}" required inputmode="decimal" '
        'autocomplete="off"></label>'
    )
