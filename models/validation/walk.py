"""The limb beside Simbody, the normal gait beside measured walks, the virtual patient and its identification.

Refuses to pass with a reference missing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.interpolate import BPoly

from models.cohort import cohort
from models.foot_plate import perform_tests
from models.gait import SPEEDS_MPS, normal_ankle_deg, normal_knee_deg, normal_pitch_deg
from models.identification import (
    identify,
)
from models.limb.foot import FootBody, ankle_acceleration, swing_foot
from models.limb.passive import passive_moment_nm
from models.muscle import simulate
from models.muscle.ding import FORCE_100_HZ_N
from models.patient import VirtualPatient
from models.plate_model import equivalent_second_order
from models.validation.rows import Row, Section, png

Array = npt.NDArray[np.float64]
SPEED_FILES = ("VerySlow", "Slow", "Free", "Fast", "VeryFast")


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
