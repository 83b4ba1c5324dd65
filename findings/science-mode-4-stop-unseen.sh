#!/bin/sh
# science-mode-4 0.0.23: its search for packets finds no command without data, and STOP is one; the next is lost, too.
#
# One would expect Protocol.find_packet_in_buffer to find every packet that Protocol.packet_to_bytes makes. It looks
# for the end of a packet one byte too late for the shortest ones (12 bytes): PacketLowLevelStop, PacketMidLevelStop,
# PacketGeneralReset and the questions for number, version and state. Where another packet follows, both are taken for
# one, found invalid and passed over. The library's own reading of a device is not hurt, as every answer has a byte of
# data. Whoever listens to a line, or emulates a P24 with it, sees pulses asked for and never the STOP. Dorsi's emulated
# P24 has a reader of its own. Seen on 2026-11-30.
#
# Prints what is found of two packets one after the other; ends with 0 where STOP is lost.
set -eu
PYTHON="${PYTHON:-python3}"
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
"$PYTHON" -m venv "$DIR/venv"
"$DIR/venv/bin/pip" install --quiet --disable-pip-version-check science-mode-4==0.0.23
"$DIR/venv/bin/python" - <<'PY' 2>/dev/null
import sys

from science_mode_4.low_level.low_level_init import PacketLowLevelInit
from science_mode_4.low_level.low_level_stop import PacketLowLevelStop
from science_mode_4.protocol.protocol import Protocol


def found(*packets):
    """Numbers of the packets that the library finds in a stream of them."""
    stream, numbers = b"", []
    for number, packet in enumerate(packets, 1):
        packet.number = number
        stream += Protocol.packet_to_bytes(packet)
    while (span := Protocol.find_packet_in_buffer(stream)) is not None:
        numbers.append(Protocol.extract_packet_data(stream[span[0] : span[1] + 1])[1])
        stream = stream[span[1] + 1 :]
    return numbers


told = {
    "init, init": found(PacketLowLevelInit(), PacketLowLevelInit()),
    "init, stop": found(PacketLowLevelInit(), PacketLowLevelStop()),
    "stop, init": found(PacketLowLevelStop(), PacketLowLevelInit()),
}
for sent, numbers in told.items():
    print(f"sent {sent} as packets 1 and 2: found {numbers}")
sys.exit(0 if list(told.values()) == [[1, 2], [1], []] else 1)
PY
