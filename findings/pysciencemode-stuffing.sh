#!/bin/sh
# pysciencemode 1.1.5: asks a RehaStim2 with another command than it means, and five packet numbers are wrong.
#
# One would expect a byte of ScienceMode2 that may not stand in a packet to go out as 81 and the byte xor 55 (vendor's
# description, version 1.24: F0, 0F and 81 are such bytes). In data pysciencemode does so. Of packet number and command
# it sends the byte xor 55 without the 81: the device takes it as it is. GetStimulationMode (0A, which need not be
# changed at all) goes out as command 5F, which does not exist. The packets numbered 0F, 81 and F0, and 0A and 55, go out
# with another number; the count comes round every 256 packets, a watchdog in a second is about four minutes. The checksum fits,
# so nothing shows. Seen on 2026-11-30; bytes only, no device. Dorsi's codec follows the description.
#
# Prints number and command as a device reads them; ends with 0 where they still differ.
set -eu
PYTHON="${PYTHON:-python3}"
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
"$PYTHON" -m venv "$DIR/venv"
"$DIR/venv/bin/pip" install --quiet --disable-pip-version-check pysciencemode==1.1.5
"$DIR/venv/bin/python" - <<'PY'
import sys

from pysciencemode.utils import packet_construction


def read(packet):
    """Packet number and command behind the head (F0, 81 checksum, 81 length), before the end (0F)."""
    body, plain = iter(packet[5:-1]), []
    for byte in body:
        plain.append(next(body) ^ 0x55 if byte == 0x81 else byte)
    return tuple(plain[:2])


WATCHDOG, GET_MODE = 4, 10
wrong = []
for number in range(256):
    for name, command in (("Watchdog", WATCHDOG), ("GetStimulationMode", GET_MODE)):
        told = read(packet_construction(number, name))
        if told != (number, command):
            wrong.append((number, name))
            if name == "Watchdog" or number == 2:
                print(f"packet {number:02x} {name} ({command:02x}): read as packet {told[0]:02x}, command {told[1]:02x}")
numbers = [number for number, name in wrong if name == "Watchdog"]
modes = [number for number, name in wrong if name == "GetStimulationMode"]
print(f"of 256 numbers {len(numbers)} go out wrong; GetStimulationMode goes out as another command {len(modes)} times")
sys.exit(0 if numbers == [0x0A, 0x0F, 0x55, 0x81, 0xF0] and len(modes) == 256 else 1)
PY
