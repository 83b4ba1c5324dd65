#!/bin/sh
# aiothingy 0.0.3: the Nordic Thingy:52's gyroscope reads an eighth of its rate.
#
# One would expect deg/s. The maker's firmware documentation gives the gyroscope of the raw characteristic (ef680406) as
# Q11.5, so that a count is 1/32 deg/s; aiothingy divides by 256, and a shank that swings at 240 deg/s reads 30. The
# acceleration beside it (Q6.10) is right, so nothing looks broken: angles integrated from it come out eight times too
# small, and a gait detector with thresholds in deg/s sees nobody walk. Seen on 2026-11-30; bytes made by the
# documentation, no device. Dorsi's codec divides by 32.
#
# Prints what the library reads of 240 deg/s; ends with 0 where it is an eighth.
set -eu
PYTHON="${PYTHON:-python3}"
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
"$PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --target "$DIR" aiothingy==0.0.3
PYTHONPATH="$DIR" "$PYTHON" - <<'PY'
import struct
import sys
from unittest.mock import MagicMock

for name in ("bleak", "bleak.exc", "aiobleak", "bluepy", "bluepy.btle"):
    sys.modules[name] = MagicMock()  # the radio, which a decoder does not need
import aiothingy

ACC_PER_G, GYR_PER_DPS, MAG_PER_UT = 1 << 10, 1 << 5, 1 << 4
raw = struct.pack("<9h", 0, 0, ACC_PER_G, 0, 240 * GYR_PER_DPS, 0, 20 * MAG_PER_UT, 0, 0)
told = aiothingy.Raw.decode(None, raw)
print(f"1 g reads {told['accelerometer']['z']:g} g, 240 deg/s reads {told['gyroscope']['y']:g} deg/s")
sys.exit(0 if told["accelerometer"]["z"] == 1.0 and told["gyroscope"]["y"] == 30.0 else 1)
PY
