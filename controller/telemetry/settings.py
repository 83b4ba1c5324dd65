"""What a session file says of telemetry: paths are relative to it, the password is read from its file.

Refuses, as a ConfigError naming file and key, a password file that cannot be read and settings that
contradict each other, and LSL streams without the package for them.
"""

from __future__ import annotations

from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

from controller.config.session import RigSession
from controller.errors import ConfigError
from controller.telemetry.mqtt import MqttSettings
from drivers.catalogue import sensor_device


def mqtt_settings(session: RigSession) -> MqttSettings | None:
    """Where to publish this session; None where its file has no ``[telemetry]`` table."""
    telemetry, names = session.file.telemetry, session.file.session
    if telemetry is None:
        return None
    folder = session.path.parent
    password: str | None = None
    if telemetry.password_file is not None:
        try:
            password = (folder / telemetry.password_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            where = f"{session.path}: telemetry.password_file: {telemetry.password_file!r}"
            raise ConfigError([f"{where} cannot be read ({error}), allowed: a readable file"]) from None
    try:
        return MqttSettings(
            telemetry.host,
            telemetry.port,
            site=names.site,
            rig=names.rig,
            username=telemetry.username,
            password=password,
            tls=telemetry.tls or telemetry.ca_file is not None,
            ca_file=_path(folder, telemetry.ca_file),
            client_certificate_file=_path(folder, telemetry.client_certificate_file),
            client_key_file=_path(folder, telemetry.client_key_file),
        )
    except ValueError as error:
        raise ConfigError([f"{session.path}: telemetry: {error}"]) from None


def unencrypted_warning(session: RigSession) -> str:
    """In words where anybody on the network can read along; empty where it is safe, or was decided so."""
    telemetry = session.file.telemetry
    if telemetry is None or telemetry.unencrypted or telemetry.tls or telemetry.ca_file is not None:
        return ""
    if _is_here(telemetry.host):
        return ""
    return (
        f"Warning: {telemetry.host}:{telemetry.port} is told this session without encryption. Everybody on "
        "the network between can read it, and its password; the session goes on. Set tls = true or ca_file "
        "under [telemetry], or unencrypted = true where that network is safe."
    )


def _is_here(host: str) -> bool:
    """Whether the broker is on this computer."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def check_lsl(session: RigSession) -> None:
    """Raises ConfigError where the session has to do with LSL and this installation cannot."""
    streams = [one.name for one in session.file.sensors if sensor_device(one.device).link == "lsl"]
    if (session.file.lsl is not None or streams) and find_spec("pylsl") is None:
        allowed = "with the extra, pip install 'dorsi[lsl]'"
        where = "lsl" if session.file.lsl is not None else f"sensors: {streams[0]}"
        raise ConfigError([f"{session.path}: {where}: pylsl is not installed, allowed: {allowed}"])


def _path(folder: Path, name: str | None) -> str | None:
    return None if name is None else str(folder / name)
