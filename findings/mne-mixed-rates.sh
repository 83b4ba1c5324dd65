#!/bin/sh
# MNE-Python 1.13.2: an EDF file with two rates reads otherwise whole than in pieces, and a step of current overshoots.
#
# One would expect the values that were written, and the same ones however much of the file is read at once. MNE
# brings every signal to the highest rate, by FFT over what is read: a stimulation current of 20 mA at 50 Hz beside
# EMG at 200 Hz reads up to 22.7 mA and down to -2.7 mA beside its edges. Without preload each piece is resampled by
# itself, so that a piece that begins at the step differs from the same samples of the preloaded file by as much. Who
# averages EMG or current over epochs around a pulse gets what the length of the epoch makes of it. A file for each
# rate has none of this. Seen on 2026-11-30 with pyedflib 0.1.42 as the writer.
#
# Prints what was written and both readings; ends with 0 where they still differ.
set -eu
PYTHON="${PYTHON:-python3}"
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
"$PYTHON" -m venv "$DIR/venv"
"$DIR/venv/bin/pip" install --quiet --disable-pip-version-check mne==1.13.2 pyedflib==0.1.42
cd "$DIR"
MNE_LOGGING_LEVEL=ERROR "$DIR/venv/bin/python" - <<'PY'
import sys

import mne
import numpy as np
import pyedflib

SECONDS, EMG_HZ, CURRENT_HZ = 20, 200, 50
emg_uv = np.random.default_rng(1).normal(0.0, 50.0, SECONDS * EMG_HZ)
at_s = np.arange(SECONDS * CURRENT_HZ) / CURRENT_HZ
current_ma = np.where((at_s >= 5.0) & (at_s < 10.0), 20.0, 0.0)


def head(label, unit, rate_hz, most):
    return {
        "label": label, "dimension": unit, "sample_frequency": rate_hz, "physical_min": -most, "physical_max": most,
        "digital_min": -32767, "digital_max": 32767, "transducer": "", "prefilter": "",
    }


with pyedflib.EdfWriter("two_rates.edf", 2, file_type=pyedflib.FILETYPE_EDFPLUS) as writer:
    writer.setSignalHeaders([head("EMG", "uV", EMG_HZ, 500), head("CURRENT", "mA", CURRENT_HZ, 50)])
    writer.writeSamples([emg_uv, current_ma])
with pyedflib.EdfReader("two_rates.edf") as reader:
    stored_ma = reader.readSignal(1)
print(f"stored: {stored_ma.min():.2f} to {stored_ma.max():.2f} mA")

in_pieces = mne.io.read_raw_edf("two_rates.edf", preload=False)
whole = mne.io.read_raw_edf("two_rates.edf", preload=True)
everything_ma = whole.get_data(picks="CURRENT")[0]
begin, end = 950, 1050  # 0.25 s to both sides of the step
piece_ma = in_pieces.get_data(picks="CURRENT", start=begin, stop=end)[0]
off_ma = np.abs(piece_ma - everything_ma[begin:end]).max()
print(f"read whole: {everything_ma.min():.2f} to {everything_ma.max():.2f} mA")
print(f"half a second around the step, read alone, is off the whole by up to {off_ma:.2f} mA")
sys.exit(0 if everything_ma.max() > 21.0 and off_ma > 1.0 else 1)
PY
