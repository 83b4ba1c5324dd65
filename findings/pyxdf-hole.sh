#!/bin/sh
# pyxdf 1.17.5: a hole of two seconds in a 200 Hz stream vanishes, and its stamps move by up to a second.
#
# One would expect that a pause of a radio sensor in a Lab Streaming Layer recording stays where it was. load_xdf
# replaces the stamps of a stream with a nominal rate by a straight line, and breaks the line only where a pause is
# longer than one second and than 500 samples: at 200 Hz, than 2.5 s. EMG after a shorter one is then stamped a second
# early, before it a second late, as its largest gap is 5 ms; a stride of a neighbouring IMU stream lies elsewhere. A
# stream that declares its rate as irregular keeps its stamps; so does dejitter_timestamps=False. Seen on 2026-11-30.
#
# Prints how far the stamps moved, for both ways to declare the rate; ends with 0 where they still do.
set -eu
PYTHON="${PYTHON:-python3}"
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
"$PYTHON" -m venv "$DIR/venv"
"$DIR/venv/bin/pip" install --quiet --disable-pip-version-check pyxdf==1.17.5
cd "$DIR"
"$DIR/venv/bin/python" - <<'PY'
import logging
import struct
import sys

import numpy as np
import pyxdf

logging.disable(logging.CRITICAL)
RATE_HZ, BEFORE, AFTER, HOLE_S = 200.0, 6000, 6000, 2.0
stamps_s = 1000.0 + np.concatenate(
    [np.arange(BEFORE) / RATE_HZ, (BEFORE + np.arange(AFTER)) / RATE_HZ + HOLE_S]
)


def length(count):
    return struct.pack("<BI", 4, count)


def chunk(tag, content):
    return length(len(content) + 2) + struct.pack("<H", tag) + content


def xdf(rate_hz):
    """One stream of one float channel, every sample with its own stamp, as the format's description has it."""
    stream = struct.pack("<I", 1)
    head = (
        "<?xml version='1.0'?><info><name>EMG</name><type>EMG</type><channel_count>1</channel_count>"
        f"<nominal_srate>{rate_hz:g}</nominal_srate><channel_format>float32</channel_format></info>"
    )
    foot = (
        f"<?xml version='1.0'?><info><first_timestamp>{stamps_s[0]}</first_timestamp>"
        f"<last_timestamp>{stamps_s[-1]}</last_timestamp><sample_count>{len(stamps_s)}</sample_count></info>"
    )
    samples = b"".join(struct.pack("<Bdf", 8, at_s, number) for number, at_s in enumerate(stamps_s))
    return (
        b"XDF:"
        + chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")
        + chunk(2, stream + head.encode())
        + chunk(3, stream + length(len(stamps_s)) + samples)
        + chunk(6, stream + foot.encode())
    )


moved_s = {}
for name, rate_hz in (("200 Hz", RATE_HZ), ("irregular", 0.0)):
    with open("emg.xdf", "wb") as file:
        file.write(xdf(rate_hz))
    (stream,), _ = pyxdf.load_xdf("emg.xdf")
    read_s = stream["time_stamps"]
    moved_s[name] = np.abs(read_s - stamps_s).max()
    print(
        f"declared {name}: a hole of {np.diff(stamps_s).max():.3f} s reads as {np.diff(read_s).max():.3f} s, "
        f"stamps moved by up to {moved_s[name]:.3f} s"
    )
sys.exit(0 if moved_s["200 Hz"] > 0.9 and moved_s["irregular"] < 1e-6 else 1)
PY
