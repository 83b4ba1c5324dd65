"""ScienceMode4 packets in words, for `dorsi decode`: command, result, channel, pulse points, trains.

Data that does not add up to its command is told under ``problem``; a packet whose length, stuffing or
checksum is wrong is refused with ``ValueError``. Layouts: ScienceMode4 C library @0cb1201 (vendor code).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.stimulators import sciencemode4 as sm4
from drivers.stimulators.framing import Frame
from drivers.stimulators.sciencemode4 import Command

NAMES: Mapping[int, str] = {  # as the vendor's library calls them
    0: "LlInit",
    2: "LlChannelConfig",
    4: "LlStop",
    30: "MlInit",
    32: "MlUpdate",
    34: "MlStop",
    36: "MlGetCurrentData",
    50: "GetVersionMain",
    52: "GetDeviceId",
    54: "GetBatteryStatus",
    58: "Reset",
    60: "GetVersionStim",
    62: "GetStimStatus",
    64: "GetMainStatus",
    68: "GetExtendedVersion",
    100: "DlInit",
    102: "DlStart",
    104: "DlStop",
    109: "DlGet",
    111: "DlPowerModule",
}
UNASKED: Mapping[int, str] = {
    66: "GeneralError",
    67: "UnknownCmd",
    106: "DlSendLiveData",
    107: "DlSendFile",
    108: "DlSendMmi",
    113: "DlSendFileAck",
    114: "DlSys",
    115: "DlSysAck",
}
LEVELS = ("no level initialised", "low level initialised", "mid level initialised", "mid level running")
SUPPLIES = ("default", "off", "30 V", "60 V", "90 V", "120 V", "150 V")
MEASUREMENTS = ("none", "current", "voltage", "high voltage")
CHANNEL_STATES = ("ok", "electrode error", "timeout", "low current")
HASHES = ("uninitialised", "git", "MD5 of the program", "SHA-256 of the program")
SELECTIONS = {2: "stimulation, four channels", 3: "stimulation, eight channels", 4: "each channel's state"}


def command_name(command: int) -> str:
    """The vendor's name of a command or answer; an unknown one says so."""
    if command in UNASKED:
        return UNASKED[command]
    if command in NAMES:
        return NAMES[command]
    if command - 1 in NAMES:
        return f"{NAMES[command - 1]}Ack"
    return f"unknown command {command}"


def _word(words: tuple[str, ...], index: int) -> str:
    return words[index] if index < len(words) else f"unknown ({index})"


def _points(packed: bytes) -> list[dict[str, object]]:
    points: list[dict[str, object]] = []
    for at in range(0, len(packed), 4):
        one = sm4.unpack_point(packed[at : at + 4])
        points.append({"time_us": one.time_us, "current_ma": one.current_ma})
        if one.interpolation:
            points[-1]["interpolation"] = one.interpolation
    return points


def _exactly(data: bytes, size: int) -> None:
    if len(data) != size:
        raise ValueError(f"{len(data)} bytes of data, must be {size}")


def _nothing(data: bytes) -> dict[str, object]:
    _exactly(data, 0)
    return {}


def _ll_init(data: bytes) -> dict[str, object]:
    _exactly(data, 1)
    return {
        "measurement": _word(MEASUREMENTS, data[0] >> 4 & 7),
        "high_voltage": _word(SUPPLIES, data[0] >> 1 & 7),
    }


def _ll_channel_config(data: bytes) -> dict[str, object]:
    if not data:
        raise ValueError("no data")
    execute, count = bool(data[0] >> 7), (data[0] & 15) + 1
    channel = 4 * (data[0] >> 4 & 1) + (data[0] >> 5 & 3)
    told: dict[str, object] = {"channel": sm4.channel_name(channel), "execute": execute, "n_points": count}
    _exactly(data, 1 + 4 * count * execute)
    return told | ({"points": _points(data[1:])} if execute else {})


def _ml_init(data: bytes) -> dict[str, object]:
    _exactly(data, 1)
    return {"stop_all_on_error": bool(data[0])}


def _ml_update(data: bytes) -> dict[str, object]:
    if not data:
        raise ValueError("no data")
    trains: list[dict[str, object]] = []
    at = 1
    for channel in range(sm4.CHANNELS):
        if not data[0] >> channel & 1:
            continue
        if len(data) < at + 3:
            raise ValueError(f"data ends before channel {channel + 1}")
        count, ramp = (data[at] >> 4) + 1, data[at] & 15
        units, fine = divmod(data[at + 1] << 8 | data[at + 2], 2)
        end = at + 3 + 4 * count
        if len(data) < end:
            raise ValueError(f"data ends within the points of channel {channel + 1}")
        trains.append(
            {
                "channel": sm4.channel_name(channel),
                "ramp_pulses": ramp,
                "period_ms": units * (0.25 if fine else 0.5),
                "points": _points(data[at + 3 : end]),
            }
        )
        at = end
    _exactly(data, at)
    return {"channels": trains}


def _ml_get_current_data(data: bytes) -> dict[str, object]:
    _exactly(data, 1)
    return {"selection": SELECTIONS.get(data[0], f"unknown ({data[0]})")}


def _ml_get_current_data_ack(data: bytes) -> dict[str, object]:
    selection = data[1]
    told: dict[str, object] = {"selection": SELECTIONS.get(selection, f"unknown ({selection})")}
    if selection in (2, 3):
        flags = data[2] & 15 | ((data[3] & 15) << 4 if selection == 3 else 0)
        loose = [sm4.channel_name(n) for n in range(sm4.CHANNELS) if flags >> n & 1]
        return told | {"running": bool(data[2] >> 4 & 1), "electrode_errors": loose}
    if selection == 4:
        states = [_word(CHANNEL_STATES, data[3 + n // 2] >> 4 * (n % 2) & 15) for n in range(sm4.CHANNELS)]
        running = [sm4.channel_name(n) for n in range(sm4.CHANNELS) if data[2] >> n & 1]
        return told | {"running": running, "channel_states": states}
    return told


def _ll_channel_config_ack(data: bytes) -> dict[str, object]:
    told: dict[str, object] = {
        "channel": sm4.channel_name(4 * (data[1] >> 4 & 1) + (data[1] & 3)),
        "measurement": _word(MEASUREMENTS, data[2]),
    }
    if data[2]:
        _exactly(data, 5 + 2 * 128)
        told["sampling_us"] = data[3] << 8 | data[4]
        told["samples"] = [(data[5 + 2 * n] << 8 | data[6 + 2 * n]) / 100.0 for n in range(128)]
    return told


def _battery_ack(data: bytes) -> dict[str, object]:
    return {"level_percent": data[1], "battery_mv": data[2] << 8 | data[3]}


def _stim_status_ack(data: bytes) -> dict[str, object]:
    return {"level": _word(LEVELS, data[1]), "high_voltage": _word(SUPPLIES, data[2])}


def _device_id_ack(data: bytes) -> dict[str, object]:
    _exactly(data, 11)
    return {"device_id": data[1:].decode("ascii", "replace")}


def _extended_version_ack(data: bytes) -> dict[str, object]:
    _exactly(data, 13)
    return {
        "firmware": ".".join(map(str, data[1:4])),
        "science_mode": ".".join(map(str, data[4:7])),
        "hash": data[7:11].hex(),
        "hash_type": _word(HASHES, data[11]),
        "hash_valid": data[12] == 1,
    }


_REQUESTS: Mapping[int, Callable[[bytes], dict[str, object]]] = {
    Command.LL_INIT: _ll_init,
    Command.LL_CHANNEL_CONFIG: _ll_channel_config,
    Command.LL_STOP: _nothing,
    Command.ML_INIT: _ml_init,
    Command.ML_UPDATE: _ml_update,
    Command.ML_STOP: _nothing,
    Command.ML_GET_CURRENT_DATA: _ml_get_current_data,
}
_ANSWERS: Mapping[int, Callable[[bytes], dict[str, object]]] = {
    Command.LL_CHANNEL_CONFIG: _ll_channel_config_ack,
    Command.ML_GET_CURRENT_DATA: _ml_get_current_data_ack,
    Command.BATTERY: _battery_ack,
    Command.STIM_STATUS: _stim_status_ack,
    Command.DEVICE_ID: _device_id_ack,
    Command.EXT_VERSION: _extended_version_ack,
}


def _answered(frame: Frame) -> dict[str, object]:
    if not frame.data:
        raise ValueError("no result")
    result = frame.data[0]
    told: dict[str, object] = {"result": result, "result_text": sm4.result_text(result)}
    read = _ANSWERS.get(frame.command - 1)
    if read is None or frame.command in UNASKED:
        return told
    try:
        return told | read(frame.data)
    except (IndexError, ValueError):
        if result:  # an error may be all that the answer says
            return told
        raise


def meaning(frame: Frame) -> dict[str, object]:
    """Name of the command, and what its data says; ``problem`` where the data does not fit the command."""
    told: dict[str, object] = {"name": command_name(frame.command)}
    try:
        if frame.command in (sm4.GENERAL_ERROR, sm4.UNKNOWN_COMMAND) or frame.command - 1 in NAMES:
            return told | _answered(frame)
        read = _REQUESTS.get(frame.command)
        return told if read is None else told | read(frame.data)
    except (IndexError, ValueError) as error:
        why = str(error) if isinstance(error, ValueError) else f"{len(frame.data)} bytes of data are too few"
        return told | {"problem": why}


def decode(data: bytes, channel: str | None) -> dict[str, object]:
    """One packet: number, command, data (hex), and all of it in words; ``channel`` means nothing here."""
    frame = sm4.decode_frame(data)
    numbers = {"packet_number": frame.packet_number, "command": frame.command, "data": frame.data.hex()}
    return numbers | meaning(frame)
