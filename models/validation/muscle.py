"""Muscle force, recruitment and geometry beside other people's code and closed forms.

Refuses to pass with a reference missing.
"""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.optimize import least_squares

from models import gait2392
from models.identification import (
    fit_recruitment,
)
from models.muscle import MuscleTrace, hill, simulate
from models.muscle.fatigue import FatigueParams, settled_fitness
from models.muscle.hammerstein import zero_order_hold
from models.recruitment import Ding2007Params, RecruitmentParams, fraction, inverse
from models.validation.rows import Row, Section, png

Array = npt.NDArray[np.float64]
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
