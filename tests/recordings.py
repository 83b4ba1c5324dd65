"""Recordings as the files a user would have: one sensor, one CSV, units in the column names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.data import DATA

HEMIPARETIC = ("E01", "E02", "E03", "E04", "E05", "S22", "S24", "S28")


def shank_csv(subject: str, side: str, path: Path, *, until_s: float | None = None) -> Path:
    """One shank of the hemiparetic data set (UNISS-UNIGE; g and deg/s) as a CSV file."""
    with np.load(DATA / "hemiparetic_shank_gaitrite" / f"{subject}.npz") as recording:
        time_s = recording["t"]
        acc_g, gyr_dps = recording[f"{side}_shank_acc_g"], recording[f"{side}_shank_gyr_dps"]
    keep = slice(None) if until_s is None else time_s <= until_s
    table = np.column_stack([time_s, acc_g, gyr_dps])[keep]
    header = "time_s,acc_x_g,acc_y_g,acc_z_g,gyr_x_dps,gyr_y_dps,gyr_z_dps"
    np.savetxt(path, table, delimiter=",", header=header, comments="", fmt="%.6f")
    return path
