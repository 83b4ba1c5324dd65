"""What the console's two processes are told: where to listen, who may enter, whose session it is.

Promises a complete file, or an InputError that names the key; a file never opens a network address without
both a token and TLS.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from dataclasses import asdict, dataclass, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from controller.config.exercise_facts import ExerciseFacts, exercise_facts
from controller.errors import InputError

TOKEN, CERTIFICATE, KEY = "token", "cert.pem", "key.pem"  # files of `dorsi console pair`
TOKEN_MIN = 16  # characters: what nobody guesses over a network

STOP_PATH = "/stop"
SCREEN_MAX = 80  # characters of a screen's name, as many as the guard takes
SCREEN_PATH = "/stop/screen"  # a page tries STOP's way, and says that it is there
DOOR_PATH = "/stop/door"  # the door tries itself
PAGES_SOCKET = "pages.sock"  # in the rig's folder


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session's console listens and by what it lets in, as the service that starts the session says;
    ``home_port`` is the service's own, on the same host.
    """

    host: str
    port: int
    token_file: str
    cert_file: str | None
    key_file: str | None
    home_port: int


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """``port`` 0 takes a free one; ``reference_pitch_deg`` is one value a percent of the stride."""

    host: str
    port: int
    runs: str
    token_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    session: str = ""
    pseudonym: str = ""
    mode: str = ""
    virtual: bool = False
    reference_pitch_deg: tuple[float, ...] = ()
    speed_mps: float = 0.7  # whose foot pitch to follow, and how the preview walks
    side: str = "left"
    normal_swing_percent: float = 37.0  # of the stride, at that speed
    sensors: tuple[tuple[str, str, str], ...] = ()  # name, device, segment
    checklist: tuple[tuple[str, str], ...] = ()  # question, answer in the patient file
    patient_file: str = ""  # empty where the body is virtual: what is found then is not this person's
    exercise: ExerciseFacts | None = None  # of a programme; None in gait assist
    standard_model: bool = False  # muscle and ankle were not measured with this person
    blinded: bool = False  # a trial whose arms must not show
    home_port: int | None = None  # of `dorsi console`, where it started this session

    @property
    def scheme(self) -> str:
        return "https" if self.cert_file else "http"


def is_loopback(host: str) -> bool:
    """Whether only programs on this computer can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def objections(host: str, token_file: str | None, cert_file: str | None, key_file: str | None) -> list[str]:
    """Why the console may not listen there; empty where it may."""
    found: list[str] = []
    if (cert_file is None) != (key_file is None):
        found.append("cert_file and key_file: one without the other, allowed: both or none")
    if not is_loopback(host) and (token_file is None or cert_file is None or key_file is None):
        found.append(
            f"host: {host!r} can be reached from the network, allowed: 127.0.0.1, or an address with "
            "token_file, cert_file and key_file"
        )
    return found


def read_token(path: Path) -> str:
    """The token a browser has to show. Raises InputError on a missing or a short one."""
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), "token", str(error), "a readable file of ASCII text") from None
    if len(token) < TOKEN_MIN:
        raise InputError(str(path), "token", f"{len(token)} characters", f"at least {TOKEN_MIN}")
    return token


def cookie_name(host: str) -> str:
    """The cookie with the token, for the console at this ``Host`` header: cookies know no ports."""
    port = host.rpartition(":")[2]
    return f"dorsi_token_{port}" if port.isascii() and port.isdigit() else "dorsi_token"


def is_token(given: str, wanted: str) -> bool:
    """Compared in a time that tells nothing."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def shows_token(head: bytes, wanted: str | None) -> bool:
    """Whether a request's head has the token in its cookie; True where none is asked for."""
    if wanted is None:
        return True
    text = head.decode("latin-1")
    host = re.search(r"\r\nhost:[ \t]*([^\r]*)", text, re.IGNORECASE)
    name = cookie_name(host.group(1).strip() if host else "")
    cookie = re.search(rf"\r\ncookie:[^\r]*\b{name}=([^;\r]*)", text, re.IGNORECASE)
    return cookie is not None and is_token(cookie.group(1).strip(' "'), wanted)


def write_settings(path: Path, settings: ConsoleSettings | Place) -> None:
    _write_private(path, json.dumps(asdict(settings)))


def read_place(path: Path) -> Place:
    """Raises InputError where the file is not what :func:`write_settings` writes of a place."""
    try:
        place = Place(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(str(path), "console's place", repr(error), "what dorsi console writes") from None
    found = objections(place.host, place.token_file, place.cert_file, place.key_file)
    if found:
        raise InputError(str(path), "console", found[0], "loopback, or token and TLS")
    return place


def new_token(path: Path) -> str:
    """The token of one session, drawn anew; ``path`` keeps it for the console's processes."""
    token = secrets.token_urlsafe(16)
    _write_private(path, token)
    return token


def _write_private(path: Path, text: str) -> None:
    """For this user alone from its first byte on: others on this computer may not enter."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")


def read_settings(path: Path) -> ConsoleSettings:
    """Raises InputError where the file is not what :func:`write_settings` writes."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        told = {field.name: _frozen(values[field.name]) for field in fields(ConsoleSettings)}
        if told["exercise"] is not None:
            told["exercise"] = exercise_facts(told["exercise"])
        settings = ConsoleSettings(**told)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(str(path), "console settings", repr(error), "what the supervisor writes") from None
    found = objections(settings.host, settings.token_file, settings.cert_file, settings.key_file)
    if found:
        raise InputError(str(path), "console", found[0], "loopback, or token and TLS")
    return settings


def _frozen(value: Any) -> Any:  # Any: a JSON value
    """Lists as tuples, as they were before JSON."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
