#!/bin/sh
# OpenBCI Ganglion, firmware 2: two Python drivers read its compressed differences otherwise than the board writes them.
#
# The board keeps the sign of a difference in its lowest bit (OpenBCI_Ganglion_Library, compressData19: bitWrite of
# bit 31 to bit 0). OpenBCI_NodeJS_Ganglion and its tests read it so. OpenBCI's pyOpenBCI 0.13 takes the highest bit
# for the sign and subtracts 1 where the lowest is set: steps beyond half the range change their sign; ganglion-biosensing 0.1.7 gives -(v - 1) for v with that bit set, where
# v - 2^19 is right: a fall of 3 counts becomes one of 524284 (0.98 mV). BrainFlow's cast_ganglion_bits_to_int32
# (custom_cast.h; read, not run) takes the highest bit, too.
#
# Prints each driver's reading of the maker's test packets; ends with 0 where the disagreement is there.
set -eu
PYTHON="${PYTHON:-python3}"
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
"$PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --target "$DIR" \
    ganglion-biosensing==0.1.7 pyOpenBCI==0.13 "bitstring<4.3" bitarray
PYTHONPATH="$DIR" "$PYTHON" - <<'PY'
import sys
from unittest.mock import MagicMock

for name in ("bluepy", "bluepy.btle", "requests", "xmltodict", "serial", "serial.tools"):
    sys.modules[name] = MagicMock()  # what they need beside the decoder
sys.modules["bluepy.btle"].DefaultDelegate = object
sys.modules["bluepy.btle"].Peripheral = object

from bitstring import BitArray
from ganglion_biosensing.util.bluetooth import decompress_signed
from pyOpenBCI.ganglion import GanglionDelegate

# the tests of OpenBCI_NodeJS_Ganglion, decompressDeltas19Bit
PACKETS = {
    "65000000000800050000480009f001b000300008": [0, 2, 10, 4, 262148, 507910, 393222, 8],
    "65ffffbfffeffffcffff58000b3e38e0003ff001": [-3, -5, -7, -11, -262139, -198429, -262137, -4095],
}
wrong = set()
for packet, maker in PACKETS.items():
    bits = BitArray(hex=packet[2:])
    biosensing = [int(n) for sample in decompress_signed(0x65, bits) for n in sample]
    py = [GanglionDelegate.decompress_signed(None, one) for one in bits.cut(19)]
    print(f"packet {packet}\n  board and its tests       {maker}")
    for name, values in (("ganglion-biosensing 0.1.7", biosensing), ("pyOpenBCI 0.13           ", py)):
        print(f"  {name} {values}")
        if values != maker:
            wrong.add(name)
sys.exit(0 if len(wrong) == 2 else 1)
PY
