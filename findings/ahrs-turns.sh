#!/bin/sh
# AHRS 0.4.0: of the same motion AQUA gives the opposite turn, and Complementary none about the vertical.
#
# One would expect the filters of one package to differ in noise and drift, not in what a quaternion means. Madgwick,
# Mahony, EKF and AngularRate give the sensor's orientation in the world: a pitch of 40 deg reads 40, a turn of 90 deg
# 90. AQUA gives the inverse (the world seen from the sensor, as its paper has it): -40 and -90. Who tries another
# filter on a foot's sensor has dorsiflexion for plantarflexion. Complementary, without a magnetometer, sets the angle
# about the vertical to 0 at every sample, though the gyroscope tells it: a U-turn reads 0, and with the sensor's axis
# not along the leg a swing loses what turns about the vertical. Seen on 2026-11-30 with numpy 2.4.6.
#
# Prints what each filter says of a pitch and of a turn, both exact; ends with 0 where they still differ.
set -eu
PYTHON="${PYTHON:-python3}"
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
"$PYTHON" -m venv "$DIR/venv"
"$DIR/venv/bin/pip" install --quiet --disable-pip-version-check AHRS==0.4.0 numpy==2.4.6 scipy==1.17.1
"$DIR/venv/bin/python" - <<'PY'
import sys

import ahrs
import numpy as np
from scipy.spatial.transform import Rotation

RATE_HZ, GRAVITY_MPS2 = 100.0, 9.81
MOTIONS = {"pitch": (1, 40.0), "turn": (2, 90.0)}  # axis, degrees in a second


def told_deg(name, axis, whole_deg):
    t_s = np.arange(int(RATE_HZ) + 1) / RATE_HZ
    gyr_rps = np.zeros((t_s.size, 3))
    gyr_rps[:, axis] = np.radians(whole_deg)
    turned = np.zeros((t_s.size, 3))
    turned[:, axis] = np.radians(whole_deg) * t_s
    acc_mps2 = Rotation.from_rotvec(turned).inv().apply([0.0, 0.0, GRAVITY_MPS2])
    heard = {"gyr": gyr_rps, "frequency": RATE_HZ} | ({} if name == "AngularRate" else {"acc": acc_mps2})
    q = Rotation.from_quat(np.roll(getattr(ahrs.filters, name)(**heard).Q, -1, axis=1))
    return (q[0].inv() * q[-1]).as_rotvec(degrees=True)[axis]


found = {}
for name in ("AngularRate", "Madgwick", "Mahony", "EKF", "AQUA", "Complementary"):
    found[name] = [told_deg(name, *motion) for motion in MOTIONS.values()]
    print(f"{name:13} pitch of 40 deg: {found[name][0]:6.1f}   turn of 90 deg: {found[name][1]:6.1f}")
usual = all(np.allclose(found[name], [40.0, 90.0], atol=1.0) for name in ("AngularRate", "Madgwick", "Mahony", "EKF"))
inverse = np.allclose(found["AQUA"], [-40.0, -90.0], atol=1.0)
sys.exit(0 if usual and inverse and np.allclose(found["Complementary"], [40.0, 0.0], atol=1.0) else 1)
PY
