"""Packages of the Capture2Go: their headers, names and fields (vendor's protocol document, little-endian)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

FRAME = struct.Struct("<BIB")  # start byte, CRC-32 of header and payload, length of the payload
GYR_SCALE = math.radians(2000.0) / 32768.0  # rad/s
ACC_SCALE = 16.0 * 9.81 / 32768.0  # m/s2; the device takes g for 9.81
MAG_SCALE = 1.0 / 16.0  # uT
DELTA_SCALE = math.pi / 32768.0  # rad
_ROOT_HALF = math.sqrt(0.5)
_COMPONENT_MAX = 0xFFFFF  # of a quaternion's 20-bit component, at 1/sqrt(2)

Fields = dict[str, object]

START_REAL_TIME, DATA_REAL_TIME_MODE = 0x0160, 0x0162
STOP_REAL_TIME, STOPPED_REAL_TIME = 0x0163, 0x0164
SET_TIME, DATA_TIME, CLOCK_ROUND_TRIP = 0x0170, 0x0171, 0x0172
GET_STATUS, DATA_STATUS = 0x0200, 0x0201
DATA_FULL_RT, DATA_QUAT_RT = 0x0247, 0x0287
SENSOR_ERROR = 0xFFFF

NAMES = {
    0x0070: "CmdGetDeviceInfo",
    0x0071: "DataDeviceInfo",
    0x0110: "CmdSleep",
    0x0111: "AckSleep",
    0x0112: "CmdDeepSleep",
    0x0113: "AckDeepSleep",
    0x0120: "CmdSetMeasurementMode",
    0x0121: "CmdGetMeasurementMode",
    0x0122: "DataMeasurementMode",
    0x0150: "CmdStartStreaming",
    0x0151: "AckStartStreaming",
    0x0152: "CmdStopStreaming",
    0x0153: "AckStopStreaming",
    0x0154: "CmdStartRecording",
    0x0155: "AckStartRecording",
    0x0156: "CmdStopRecording",
    0x0157: "AckStopRecording",
    0x0158: "CmdStopStreamingAndClearBuffer",
    0x0159: "AckStopStreamingAndClearBuffer",
    START_REAL_TIME: "CmdStartRealTimeStreaming",
    0x0161: "CmdGetRealTimeStreamingMode",
    DATA_REAL_TIME_MODE: "DataRealTimeStreamingMode",
    STOP_REAL_TIME: "CmdStopRealTimeStreaming",
    STOPPED_REAL_TIME: "AckStopRealTimeStreaming",
    SET_TIME: "CmdSetAbsoluteTime",
    DATA_TIME: "DataAbsoluteTime",
    CLOCK_ROUND_TRIP: "DataClockRoundtrip",
    0x0186: "CmdSetSyncOutputMode",
    0x0187: "DataSyncOutputMode",
    GET_STATUS: "CmdGetStatus",
    DATA_STATUS: "DataStatus",
    DATA_FULL_RT: "DataFullFixedRt",
    DATA_QUAT_RT: "DataQuatFixedRt",
    0x0261: "DataFullFloat200Hz",
    0x0400: "DataSyncTrigger",
    SENSOR_ERROR: "SensorError",
}
_RATES_HZ = (200, 100, 50, 25, 10, 1)  # of the six headers of every kind of sample
_KINDS = {
    0x0220: "DataFullPacked",
    0x0230: "DataFull6DPacked",
    0x0240: "DataFullFixed",
    0x0250: "DataFull6DFixed",
    0x0270: "DataQuatPacked",
    0x0280: "DataQuatFixed",
    0x0290: "DataQuatFloat",
}
NAMES |= {
    kind + number: f"{name}{rate}Hz"
    for kind, name in _KINDS.items()
    for number, rate in enumerate(_RATES_HZ, 1)
}
_ERRORS = {0xFB: "wrong state", 0xFC: "broken package", 0xFD: "unknown command", 0xFE: "buffer full"}


def error_words(code: int) -> str:
    return _ERRORS.get(code, f"error {code:#04x}")


def unpack_quat(packed: int) -> tuple[tuple[float, ...], bool, bool]:
    """Quaternion (w first) of its three smallest components, whether at rest, whether disturbed."""
    largest = packed >> 60 & 3
    components = [0.0] * 4
    for place in (3, 2, 1):
        value = (packed & _COMPONENT_MAX) / (_COMPONENT_MAX * _ROOT_HALF) - _ROOT_HALF
        components[(largest + place) % 4] = value
        packed >>= 20
    squares = math.fsum(value * value for value in components)
    if squares > 1.0:
        raise ValueError(f"quaternion: three components of length {math.sqrt(squares):.3f}, 1 is the most")
    components[largest] = math.sqrt(1.0 - squares)
    return tuple(components), bool(packed >> 2 & 1), bool(packed >> 3 & 1)


def _vectors(counts: tuple[int, ...], scale: float) -> list[object]:
    """Three values, or a list of three for every sample."""
    rows: list[object] = [[n * scale for n in counts[at : at + 3]] for at in range(0, len(counts), 3)]
    return rows if len(rows) > 1 else list(rows[0]) if isinstance(rows[0], list) else rows


def _orientation(packed: int, delta: int) -> Fields:
    quat, rest, disturbed = unpack_quat(packed)
    return {"quat_wxyz": list(quat), "delta_rad": delta * DELTA_SCALE, "rest": rest, "magDist": disturbed}


def _full(samples: int, *, magnetic: bool) -> tuple[str, Callable[..., Fields]]:
    width = 3 * samples

    def fields(stamp_ns: int, *values: int) -> Fields:
        *counts, packed, delta, flags = values
        told: Fields = {
            "ns": stamp_ns,
            "gyr_rads": _vectors(tuple(counts[:width]), GYR_SCALE),
            "acc_ms2": _vectors(tuple(counts[width : 2 * width]), ACC_SCALE),
        }
        if magnetic:
            told["mag_uT"] = _vectors(tuple(counts[2 * width :]), MAG_SCALE)
        return told | _orientation(packed, delta) | {"errorFlags": flags}

    return f"<q{width * (3 if magnetic else 2)}hQhB", fields


def _quat(stamp_ns: int, packed: int, delta: int, flags: int) -> Fields:
    return {"ns": stamp_ns} | _orientation(packed, delta) | {"errorFlags": flags}


def _quats(stamp_ns: int, *values: int) -> Fields:
    quats = [unpack_quat(packed) for packed in values[:20]]
    return {
        "ns": stamp_ns,
        "quat_wxyz": [list(quat) for quat, _, _ in quats],
        "delta_rad": [delta * DELTA_SCALE for delta in values[20:40]],
        "rest": [rest for _, rest, _ in quats],
        "magDist": [disturbed for _, _, disturbed in quats],
        "errorFlags": list(values[40:]),
    }


def _float_quat(stamp_ns: int, *values: float) -> Fields:
    *quat, delta, rest, disturbed, flags = values
    told: Fields = {"ns": stamp_ns, "quat_wxyz": quat, "delta_rad": delta}
    return told | {"rest": bool(rest), "magDist": bool(disturbed), "errorFlags": flags}


def _float_full(stamp_ns: int, *values: float) -> Fields:
    measured: Fields = {
        "gyr_rads": list(values[:3]),
        "acc_ms2": list(values[3:6]),
        "mag_uT": list(values[6:9]),
    }
    return _float_quat(stamp_ns, *values[9:]) | measured


def _status(stamp_ns: int, *values: int) -> Fields:
    state, link, x, y, z, synced, bat, free = values
    return {
        "ns": stamp_ns,
        "sensorState": state,
        "connectionState": link,
        "gyrBias_raw": [x, y, z],
        "synchronized": bool(synced),
        "battery": bat & 0x7F,
        "charging": bool(bat & 0x80),
        "freeStorage": free,
    }


def _mode(*values: int) -> Fields:
    at_ns, float_200, full, packed, quat_float, quat, quat_packed, status, calib, extension, *rest = values
    sync, sync_id, no_bias, no_disturbance, no_mag = rest
    return {
        "applyAt_ns": at_ns,
        "fullFloat200Hz": bool(float_200),
        "fullFixed": full,
        "fullPacked": packed,
        "quatFloat": quat_float,
        "quatFixed": quat,
        "quatPacked": quat_packed,
        "status": status,
        "calibration": calib,
        "extension": extension,
        "syncMode": sync,
        "syncId": f"0x{sync_id:016x}",
        "disableBiasEstimation": bool(no_bias),
        "disableMagDistRejection": bool(no_disturbance),
        "disableMagData": bool(no_mag),
    }


def _text(data: bytes) -> str:
    return data.split(b"\0")[0].decode("ascii", "replace").strip()


def _info(version: int, *texts: bytes) -> Fields:
    names = ("serial", "hardwareRevision", "firmwareRevision", "firmwareVersion", "firmwareDate")
    return {"protocolVersion": version} | dict(zip(names, map(_text, texts), strict=True))


def _error(code: int, command: int) -> Fields:
    return {"errorCode": code, "error": error_words(code), "command": f"{command:#x}"}


def _round_trip(*stamps_ns: int) -> Fields:
    names = ("hostSend_ns", "sensorReceive_ns", "sensorSend_ns", "hostReceive_ns")
    return dict(zip(names, stamps_ns, strict=True))


_MODE_LAYOUT = "<q?7BHBQ3?"
_LAYOUTS: dict[int, tuple[str, Callable[..., Fields]]] = {
    0x0071: ("<H6s8s8s12s11s", _info),
    0x0120: (_MODE_LAYOUT, _mode),
    0x0122: (_MODE_LAYOUT, _mode),
    START_REAL_TIME: ("<BB", lambda mode, limit: {"mode": mode, "rateLimit": limit}),
    DATA_REAL_TIME_MODE: ("<BB", lambda mode, limit: {"mode": mode, "rateLimit": limit}),
    SET_TIME: ("<q", lambda ns: {"ns": ns}),
    DATA_TIME: ("<q", lambda ns: {"ns": ns}),
    CLOCK_ROUND_TRIP: ("<4q", _round_trip),
    DATA_STATUS: ("<qBB3h?BB", _status),
    DATA_FULL_RT: _full(1, magnetic=True),
    DATA_QUAT_RT: ("<qQhB", _quat),
    0x0261: ("<q14f2?B", _float_full),
    0x0400: ("<qB", lambda ns, value: {"ns": ns, "value": value}),
    SENSOR_ERROR: ("<BH", _error),
}
_KIND_LAYOUTS: dict[int, tuple[str, Callable[..., Fields]]] = {
    0x0220: _full(8, magnetic=True),
    0x0230: _full(8, magnetic=False),
    0x0240: _full(1, magnetic=True),
    0x0250: _full(1, magnetic=False),
    0x0270: ("<q20Q20h20B", _quats),
    0x0280: ("<qQhB", _quat),
    0x0290: ("<q5f2?B", _float_quat),
}
_LAYOUTS |= {kind + number: layout for kind, layout in _KIND_LAYOUTS.items() for number in range(1, 7)}


def decode_payload(header: int, payload: bytes) -> Fields:
    """Fields of a package; ``ValueError`` where its length is not that of its kind, or a number is none."""
    name = NAMES.get(header, f"{header:#06x}")
    if header not in _LAYOUTS:
        if header in NAMES and payload:
            raise ValueError(f"{name}: {len(payload)} bytes, must be 0")
        return {"payload": payload.hex()} if payload else {}
    layout, fields = _LAYOUTS[header]
    if len(payload) != struct.calcsize(layout):
        raise ValueError(f"{name}: {len(payload)} bytes, must be {struct.calcsize(layout)}")
    values = struct.unpack(layout, payload)
    if not all(math.isfinite(value) for value in values if isinstance(value, float)):
        raise ValueError(f"{name}: a field is not finite")
    return fields(*values)
