"""What `dorsi identify` does: three short tests, or test trains to a hanging foot, to a patient's numbers, a
picture of the fit, lines to copy.
Where a second channel was held too (``holds.csv``), its map beside them.

Nothing is written into a patient file by itself: a person reads the fit first.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from controller.analysis.foot_answers import read_answers
from controller.core.control.two_channels import identify_second
from models.foot_plate import WIDTH_US, Hold, perform_holds, perform_tests
from models.free_foot import NotFree, identify_free_foot
from models.identification import IdentificationRefused, IdentificationResult, MuscleNumbers, identify
from models.identification_picture import plot_free_foot, plot_identification
from models.intervals import Estimate
from models.patient_params import PatientParams
from models.plate_files import load_holds, load_tests, save_holds, save_tests

DONE, REPEAT = 0, 1
PICTURE, LINES = "identification.png", "identified.toml"


def run_identification(folder: Path | None, seed: int, out: Path, console: Console) -> int:
    """Identify from a folder of test files or, without one, from tests of the virtual patient.

    Returns the exit code: 1 where the fit is refused, with the test to repeat. Raises ValueError naming file
    and line for files that are no tests.
    """
    out.mkdir(parents=True, exist_ok=True)
    if folder is None:
        console.print("Virtual patient: intensity ramp, pseudo-random train, slow passive sweep, holds ...")
        tests = perform_tests(PatientParams(), seed)
        holds = perform_holds(PatientParams(), seed)
        save_tests(tests, out / "tests")
        save_holds(holds, out / "tests")
    else:
        tests, holds = load_tests(folder), load_holds(folder)
    try:
        with console.status("fitting"):
            result = identify(tests)
    except IdentificationRefused as refusal:
        console.print(f"[bold red]Not identified:[/bold red] {refusal}")
        return REPEAT
    picture = out / PICTURE
    plot_identification(result, picture)
    console.print(_table(result))
    lines = patient_lines(result) + (eversion_lines(result, holds) if holds else "")
    (out / LINES).write_text(lines, encoding="utf-8")
    console.print(
        f"Fit against data: {picture}. For the patient file ({out / LINES}):\n\n{lines}",
        markup=False,
    )
    return DONE


def run_free_foot(recording: Path, out: Path, console: Console) -> int:
    """Identify from the test trains of a recording, given to a hanging foot.

    Returns the exit code: 1 where the trains cannot tell. Raises InputError for a recording without trains.
    """
    test, foot = read_answers(recording)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with console.status(f"fitting {len(test.begins)} trains"):
            result = identify_free_foot(test, foot)
    except NotFree as refusal:
        console.print(f"[bold red]Not identified:[/bold red] {refusal}")
        return REPEAT
    picture = out / PICTURE
    plot_free_foot(result, test, picture)
    table = _numbers_table(result)
    table.add_row(f"fit of {len(test.begins)} trains", f"{result.fit_percent:.0f}", "", "%")
    console.print(table)
    lines = patient_lines(result)
    (out / LINES).write_text(lines, encoding="utf-8")
    console.print(
        f"From {result.currents} currents that moved the foot; the scale is the foot's weight, by body mass "
        f"and height. Fit against data: {picture}. For the patient file ({out / LINES}):\n\n{lines}",
        markup=False,
    )
    return DONE


def patient_lines(result: MuscleNumbers) -> str:
    """The ``[muscle]`` and ``[ankle]`` numbers of a patient file."""
    recruitment, lag = result.recruitment(), result.hammerstein()
    return (
        "[muscle]\n"
        f"i50_ma = {recruitment.i50_ma:.2f}\n"
        f"sigma = {recruitment.sigma:.4f}\n"
        f"chronaxie_us = {recruitment.chronaxie_us:.1f}\n"
        f"torque_max_nm = {result.torque_max_nm.value:.2f}\n"
        f"bandwidth_rps = {lag.wn_rad_per_s:.2f}\n"
        f"delay_ms = {lag.delay_s * 1e3:.1f}\n"
        "\n[ankle]\n"
        f"passive_factor = {result.stiffness.value:.3f}\n"
        f"neutral_deg = {result.neutral_shift_deg.value:.2f}\n"
    )


def eversion_lines(result: IdentificationResult, holds: tuple[Hold, ...]) -> str:
    """The ``[eversion]`` numbers of a patient file, from holds of both channels."""
    curve, response = identify_second(
        result.recruitment(), [h.current_ma for h in holds], [h.torque_nm for h in holds], WIDTH_US
    )
    return (
        "\n[eversion]\n"
        f"i50_ma = {curve.i50_ma:.2f}\n"
        f"sigma = {curve.sigma:.4f}\n"
        f"chronaxie_us = {curve.chronaxie_us:.1f}\n"
        f"current_max_ma = {max(hold.current_ma[1] for hold in holds):.1f}\n"
        f"first_dorsiflexion_nm = {response.dorsiflexion_nm[0]:.2f}\n"
        f"first_eversion_nm = {response.eversion_nm[0]:.2f}\n"
        f"second_dorsiflexion_nm = {response.dorsiflexion_nm[1]:.2f}\n"
        f"second_eversion_nm = {response.eversion_nm[1]:.2f}\n"
    )


def _table(result: IdentificationResult) -> Table:
    table = _numbers_table(result)
    for name, fitted in (("ramp", result.ramp), ("train", result.train), ("sweep", result.sweep)):
        table.add_row(f"fit of the {name}", f"{fitted.fit_percent:.0f}", "", "%")
    return table


def _numbers_table(result: MuscleNumbers) -> Table:
    table = Table("", "estimate", "95 % interval", "unit", title="Identified")
    rows: tuple[tuple[str, Estimate, float, str], ...] = (
        ("half of the fibres at", result.i50_ma, 1.0, "mA"),
        ("spread of the recruitment", result.sigma, 1.0, ""),
        ("largest torque", result.torque_max_nm, 1.0, "Nm"),
        ("delay", result.delay_s, 1e3, "ms"),
        ("bandwidth", result.bandwidth_rad_per_s, 1.0, "rad/s"),
        ("passive stiffness, normal = 1", result.stiffness, 1.0, ""),
        ("shift of the ankle's rest", result.neutral_shift_deg, 1.0, "deg"),
    )
    for name, estimate, scale, unit in rows:
        interval = f"{estimate.low * scale:.3g} to {estimate.high * scale:.3g}"
        table.add_row(name, f"{estimate.value * scale:.3g}", interval, unit)
    return table
