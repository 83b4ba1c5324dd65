"""The catalogue's stimulators; read them by :mod:`drivers.catalogue`. Only the guard opens one."""

from __future__ import annotations

from pathlib import Path

from drivers.devices import Advertised, BytesDevice, OnPulse, StimulatorDevice, StimulatorPeer
from drivers.interface import Quantity, Stimulator
from drivers.stimulators import sheets


def _decode_sm4(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.stimulators.sciencemode4_words import decode

    return decode(payload, channel)


def _open_p24(port: str, measure: Quantity | None = None) -> Stimulator:
    from drivers.stimulators.p24 import P24

    return P24(port, real_time=True, measure=measure)


def _emulate_p24(pulse_log: Path, on_pulse: OnPulse) -> StimulatorPeer:
    from drivers.emulated.p24 import EmulatedP24

    return EmulatedP24(pulse_log, on_pulse)


def _decode_sm2(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.stimulators.sciencemode2 import decode

    return decode(payload, channel)


def _open_rehastim2(port: str, measure: Quantity | None = None) -> Stimulator:
    """It measures nothing, so ``measure`` is always ``None``: the session's check refuses it."""
    from drivers.stimulators.rehastim2 import RehaStim2

    return RehaStim2(port, real_time=True)


def _emulate_rehastim2(pulse_log: Path, on_pulse: OnPulse) -> StimulatorPeer:
    from drivers.emulated.rehastim2 import EmulatedRehaStim2

    return EmulatedRehaStim2(pulse_log, on_pulse)


def _decode_openems(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.stimulators.openemsstim import decode

    return decode(payload, channel)


def _decode_motimove(payload: bytes, channel: str | None) -> dict[str, object]:
    from drivers.stimulators.motimove8 import decode

    return decode(payload, channel)


OPENED_BY_THE_GUARD: tuple[StimulatorDevice, ...] = (
    StimulatorDevice(
        name="hasomed-p24",
        protocol="hasomed-sm4",
        title="Hasomed P24 (ScienceMode4, low level)",
        what="stimulator, USB serial",
        verified="against bytes of the vendor's library; no hardware yet",
        short="P24",
        usb=(0x0483, 0x5740),  # STM32 virtual serial port
        capability=sheets.P24,
        decode=_decode_sm4,
        open=_open_p24,
        emulate=_emulate_p24,
    ),
    StimulatorDevice(
        name="hasomed-rehastim2",
        protocol="hasomed-rehastim2-sm2",
        title="Hasomed RehaStim2 (ScienceMode2, single pulses)",
        what="stimulator, USB serial",
        verified="against bytes made from the vendor's description; no hardware yet",
        short="RehaStim2",
        usb=(0x0403, 0x6001),  # the FTDI adapter within; other devices have one too (unverified which)
        capability=sheets.REHASTIM2,
        decode=_decode_sm2,
        open=_open_rehastim2,
        emulate=_emulate_rehastim2,
    ),
)
BY_BYTES_ALONE: tuple[BytesDevice, ...] = (
    BytesDevice(
        name="hasomed-rehamove3",
        protocol="hasomed-rehamove3-sm3",
        title="Hasomed RehaMove3 (ScienceMode3)",
        what="stimulator, USB serial, by its bytes alone",
        verified="framing and command numbers against the vendor's headers (smpt 3.2.5); data laid out as "
        "ScienceMode4's, from which those headers differ",
        refused="by the vendor's headers its points have a control mode and its answers do not name the "
        "pulse's channel; nobody publishes those bytes, so see them on hardware first",
        decode=_decode_sm4,
    ),
    BytesDevice(
        name="openemsstim",
        protocol="openemsstim",
        title="openEMSstim",
        what="modulator of an external unit, BLE, by its bytes alone",
        verified="against the public firmware; no hardware yet",
        refused="it lets through a share of an external unit's current, so no limit in mA can hold",
        decode=_decode_openems,
        uuid_base="454d{}-5374-6575-6572-756e672d4348",
        advertised=Advertised(services=("454d532d-5365-7276-6963-652d424c4531",)),
    ),
    BytesDevice(
        name="motimove8",
        protocol="motimove8",
        title="3F MotiMove 8",
        what="stimulator, USB serial, by its bytes alone",
        verified="against a user's public driver; no document of the vendor, no hardware yet",
        refused="what current it gives for a number is known from nobody but its users' table",
        decode=_decode_motimove,
    ),
)
