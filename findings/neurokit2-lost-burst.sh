#!/bin/sh
# NeuroKit2 0.2.13: emg_activation leaves a whole burst out where a short flicker comes just before it.
#
# One would expect duration_min (50 ms when left out) to drop what is too short, and nothing else. It also drops rests
# that are shorter, and then every burst that does not begin at the end of a rest that is left: a burst of one second
# with a flicker of 10 ms at 30 ms before it (a stimulation artefact, the ragged beginning of a weak burst) is in
# neither EMG_Onsets nor EMG_Activity, and no word says so. At 50 ms before it it is found. The same for all methods, as
# they share what follows. Bursts for each stride or contraction come out too few. Seen on 2026-11-30 with numpy 2.4.6,
# pandas 2.3.3 and scikit-learn 1.9.1. Of Dorsi's tables take the phases it tells itself, or count the onsets.
#
# Prints the onsets found of two bursts, by where the flicker is; ends with 0 where one is lost.
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

RATE_HZ, FLICKER_MS = 1000, 10
found = {}
for before_ms in (None, 200, 50, 30):
    amplitude = np.full(6 * RATE_HZ, 0.01)
    amplitude[2000:3000] = amplitude[4000:5000] = 1.0
    if before_ms is not None:
        amplitude[2000 - before_ms - FLICKER_MS : 2000 - before_ms] = 0.6
    _, told = neurokit2.emg_activation(amplitude, sampling_rate=RATE_HZ, method="threshold", threshold=0.5)
    found[before_ms] = [int(onset) for onset in told["EMG_Onsets"]]
    where = "no flicker" if before_ms is None else f"a flicker {before_ms} ms before the first"
    print(f"bursts at 2000 and 4000 ms, {where}: found at {found[before_ms]}")
sys.exit(0 if found[None] == found[200] == found[50] == [2000, 4000] and found[30] == [4000] else 1)
PY
