"""The tables of every session file, whatever its therapy: place, sensors, stimulator, telemetry, console."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from controller.config.person_schema import LimitsSection
from controller.config.section import HOST, NAME, TOPIC_LEVEL, Section
from drivers.catalogue import REFUSED, SENSORS, STIMULATORS
from drivers.catalogue_own import SUFFIX
from drivers.devices import BytesDevice
from drivers.interface import Quantity

TherapyKind = Literal["gait-assist", "exercise", "emg-assist"]


class RigSection(Section):
    """Where the session is, and by whose files."""

    site: str = Field(pattern=TOPIC_LEVEL)
    """Name of the place, a level of the MQTT topics."""
    rig: str = Field(pattern=TOPIC_LEVEL)
    """Name of the rig, a level of the MQTT topics."""
    patient_file: str
    """The patient file; a relative path is taken from the session file's folder."""
    clinic_file: str | None = None
    """The clinic file with its limits. Left out: the clinic sets none."""
    unlock: Literal["person", "strides"] = "person"
    """Who lets feedback begin after three strides have answered: a person, or the strides alone."""
    stop_button: str | None = Field(default=None, min_length=1)
    """Event device of a USB button that types a key, such as `/dev/input/by-id/...`; any key of it is
    STOP."""


def _one_of(
    devices: Iterable[str], refused: Mapping[str, BytesDevice] | None = None, *, files: bool = False
) -> AfterValidator:
    """A device of the catalogue; anything else is refused by naming them all, and a known one with why.

    ``files``: or the TOML file of one's own.
    """
    allowed = " | ".join(repr(device) for device in devices)

    def known(name: str) -> str:
        if files and name.endswith(SUFFIX):
            return name
        if repr(name) not in allowed.split(" | "):
            known_one = (refused or {}).get(name)
            raise ValueError(
                allowed if known_one is None else f"{allowed} (not {name!r}: {known_one.refused})"
            )
        return name

    return AfterValidator(known)


SensorName = Annotated[str, _one_of(SENSORS, REFUSED, files=True)]
StimulatorName = Annotated[str, _one_of(STIMULATORS, REFUSED)]


class SensorSection(Section):
    """One sensor: which device, by what name or address the radio finds it."""

    name: str = Field(pattern=NAME)
    """Name of the sensor in recordings and messages, one of its own for each."""
    device: SensorName
    """Which device it is, or a file `.toml` that describes one's own, from the session file's folder."""
    address: str = Field(min_length=1, max_length=60)
    """Bluetooth address, or the name that the sensor advertises."""
    required: bool = True
    """Whether stimulation ends when this sensor falls silent."""


class PortSection(Section):
    """Which stimulator, and where it is plugged in."""

    device: StimulatorName
    """Which device it is."""
    port: str = Field(min_length=1)
    """Its serial port."""
    measure: Quantity | None = None
    """What the device measures of each pulse, where it can: `current` tells the charge that arrives,
    `voltage` the load. Left out: nothing."""


class TelemetrySection(Section):
    """The MQTT broker; leave the table out to run without one."""

    host: str = Field(min_length=1, max_length=255, pattern=HOST)
    """Name or address of the broker, without scheme and port."""
    port: int = Field(ge=1, le=65535)
    """Its port; often 1883, and 8883 with TLS."""
    username: str | None = None
    """User at the broker."""
    password_file: str | None = None
    """File that holds the password alone."""
    tls: bool = False
    """Encrypt. It is on as well where `ca_file` is given."""
    unencrypted: bool = False
    """A person has decided that the network between is safe: no warning without TLS."""
    ca_file: str | None = None
    """Certificate of the broker's issuer. Left out: the system's issuers."""
    client_certificate_file: str | None = None
    """Certificate of this client."""
    client_key_file: str | None = None
    """Key of that certificate."""


class LslSection(Section):
    """Lab Streaming Layer outlets, and what is recorded of others'; leave the table out to run without. Needs
    the extra ``lsl``."""

    scope: Literal["machine", "link", "site"] = "machine"
    """How far streams are announced, and others' sought: this computer, the link's network, or the site."""
    markers: tuple[str, ...] = Field((), max_length=8, strict=False)
    """Names of others' marker streams, whose texts go into the recording."""
    shown: tuple[str, ...] = Field((), max_length=8, strict=False)
    """Names of others' streams of numbers (force plate, treadmill) that go into the recording and are shown.
    Nothing decides by them."""


class ConsoleSection(Section):
    """Where the therapist's console listens; an address on the network only with token and TLS files, which
    `dorsi console pair` makes. Where `dorsi console` starts the session, it decides instead."""

    host: str = Field("127.0.0.1", min_length=1, max_length=255, pattern=HOST)
    """Address to listen at. One that the network reaches needs all three files below."""
    port: int = Field(8470, ge=0, le=65535)
    """Port to listen at; 0 takes a free one."""
    token_file: str | None = None
    """File with the token that a browser must show, 16 characters or more."""
    cert_file: str | None = None
    """Certificate of the console, with `key_file`."""
    key_file: str | None = None
    """Key of that certificate."""


class RigFile(Section):
    """What every session file has."""

    session: RigSection
    sensors: tuple[SensorSection, ...] = Field((), max_length=8, strict=False)
    """One table a sensor."""
    stimulator: PortSection
    limits: LimitsSection = Field(default_factory=lambda: LimitsSection.model_validate({}))
    telemetry: TelemetrySection | None = None
    lsl: LslSection | None = None
    console: ConsoleSection = Field(default_factory=lambda: ConsoleSection.model_validate({}))
