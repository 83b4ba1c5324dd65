#!/bin/sh
# NeuroKit2 0.2.13: emg_clean takes most of a muscle's signal away, the more the more it tires, and refuses 200 Hz.
#
# One would expect cleaning to leave surface EMG, most of which lies between 20 and 150 Hz, as it is. The only method
# (after BioSPPy) is a high pass at 100 Hz, run forth and back: of a signal of constant size around 107 Hz two thirds of
# the amplitude are left, of the same size around 58 Hz, as in a tired muscle, a sixth. The envelope of emg_process so
# falls with fatigue where the muscle's signal does not. At the 200 Hz of a Myo or a Ganglion it ends in a filter's
# ValueError. Seen on 2026-11-30 with numpy 2.4.6, pandas 2.3.3, scikit-learn 1.9.1. emg_clean(method="none") after a
# filter of one's own, from 20 Hz, keeps it.
#
# Prints what is left of two signals of one size, and what is said at 200 Hz; ends with 0 where it is still so.
set -eu
PYTHON="${PYTHON:-python3}"
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
"$PYTHON" -m venv "$DIR/venv"
"$DIR/venv/bin/pip" install --quiet --disable-pip-version-check neurokit2==0.2.13 numpy==2.4.6 pandas==2.3.3 \
    scikit-learn==1.9.1
"$DIR/venv/bin/python" - <<'PY'
import sys

import neurokit2
import numpy as np
from scipy.signal import butter, sosfiltfilt, welch

RATE_HZ, SECONDS = 1000, 60
noise = np.random.default_rng(1).normal(size=RATE_HZ * SECONDS)


def muscle(low_hz, high_hz):
    signal = sosfiltfilt(butter(2, (low_hz, high_hz), "bandpass", fs=RATE_HZ, output="sos"), noise)
    return signal / signal.std()


left = {}
for state, band_hz in {"fresh": (30, 200), "tired": (25, 95)}.items():
    signal = muscle(*band_hz)
    hertz, power = welch(signal, RATE_HZ, nperseg=1024)
    median_hz = hertz[np.searchsorted(np.cumsum(power), power.sum() / 2.0)]
    left[state] = float(np.std(neurokit2.emg_clean(signal, RATE_HZ)))
    print(f"{state}: r.m.s. 1.00 around {median_hz:.0f} Hz, cleaned {left[state]:.2f}")
try:
    neurokit2.emg_clean(noise[:2000], 200)
    said = ""
except ValueError as error:
    said = str(error)
print(f"at 200 Hz: {said or 'no error'}")
sys.exit(0 if 0.6 < left["fresh"] < 0.75 and 0.1 < left["tired"] < 0.25 and said else 1)
PY
