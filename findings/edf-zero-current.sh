#!/bin/sh
# edfio 0.4.18 and pyedflib 0.1.42: a current of 0 mA that they write as EDF reads as 0.00076 mA, so never as off.
#
# One would expect 0 in a range of -50 to 50 mA to come back as 0. Both writers' default digital range is -32768 to 32767,
# whose middle is no number that a file can hold: 0 becomes half a step. Of a signal in volts that is noise; of a
# stimulation current it is the difference between off and on: who asks `current > 0` finds stimulation all the time, and
# a charge summed over an hour of rest is not zero. With digital_min = -32767 zero is exact, which is what Dorsi writes.
# Seen on 2026-11-30 with numpy 2.4.6; pyedflib as the reader of both.
#
# Prints the share of time with current as written and as read; ends with 0 where they still differ.
set -eu
PYTHON="${PYTHON:-python3}"
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
"$PYTHON" -m venv "$DIR/venv"
"$DIR/venv/bin/pip" install --quiet --disable-pip-version-check edfio==0.4.18 pyedflib==0.1.42 numpy==2.4.6
cd "$DIR"
"$DIR/venv/bin/python" - <<'PY'
import sys

import numpy as np
import pyedflib
from edfio import Edf, EdfSignal
from pyedflib.highlevel import make_signal_header, write_edf

RATE_HZ, MOST_MA = 200, 50.0
current_ma = np.zeros(10 * RATE_HZ)
current_ma[500:1000] = 20.0


def by_edfio(name, **how):
    signal = EdfSignal(
        current_ma, RATE_HZ, label="CURRENT", physical_dimension="mA", physical_range=(-MOST_MA, MOST_MA), **how
    )
    Edf([signal]).write(name)


by_edfio("edfio.edf")
by_edfio("symmetric.edf", digital_range=(-32767, 32767))
write_edf("pyedflib.edf", [current_ma], [make_signal_header("CURRENT", "mA", RATE_HZ, -MOST_MA, MOST_MA)])
share = {"written": np.mean(current_ma > 0.0)}
for name in ("edfio", "pyedflib", "symmetric"):
    with pyedflib.EdfReader(f"{name}.edf") as reader:
        read_ma = reader.readSignal(0)
    share[name] = np.mean(read_ma > 0.0)
    print(f"{name}: 0 mA reads {read_ma[0]:.6f} mA; with current {share[name]:.0%} of the time, as written {share['written']:.0%}")
sys.exit(0 if share["edfio"] == share["pyedflib"] == 1.0 and share["symmetric"] == share["written"] == 0.25 else 1)
PY
