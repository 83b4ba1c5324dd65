"""``dorsi console``: the service with the home page, told where it listens and whose files it shows."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from rich.console import Console

from controller.commands.line import CONFIGS
from controller.config.console_settings import (
    CERTIFICATE,
    KEY,
    TOKEN,
    Place,
    is_loopback,
    new_token,
    objections,
)
from controller.errors import ConfigError

LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"


def serve(
    runs: Path,
    patients: Path,
    sessions: Path,
    console: Console,
    *,
    port: int,
    pairing: Path | None,
    rehearse: bool,
) -> int:
    """Until ended; returns the exit code. Raises InputError and ConfigError before it listens."""
    installed()
    from controller.console.home import serving  # it loads the web server
    from controller.console.home.service import ServiceSettings

    host = LOOPBACK if pairing is None else EVERYWHERE
    with serving.own_folder() as folder:
        sock = serving.listen(host, port)
        home_port = int(sock.getsockname()[1])
        with serving.listen(host, home_port + 1 if port else 0) as beside:  # a session's console comes there
            rig_port = int(beside.getsockname()[1])
        enter = ""
        if pairing is None:
            token_file = folder / TOKEN
            enter = f"/enter?token={new_token(token_file)}"
            place = Place(host, rig_port, str(token_file), None, None, home_port)
        else:
            place = _paired(pairing.resolve(), host, rig_port, home_port)
        scheme = "https" if place.cert_file else "http"
        address = "this computer's address" if not is_loopback(host) else host
        console.print(f"Home page: {scheme}://{address}:{home_port}{enter}", markup=False, soft_wrap=True)
        console.print("Ctrl-C ends it, and a session that is still on.", markup=False)
        training = CONFIGS / "sessions" / "training.toml"
        settings = ServiceSettings(place, runs, patients, sessions, training, rehearse=rehearse)
        serving.serve(settings, sock, folder)
    return 0


def installed() -> None:
    """Raises ConfigError where the extra is not installed."""
    for name in ("fastapi", "cryptography"):
        if importlib.util.find_spec(name) is None:
            raise ConfigError([f"console: {name} is not installed, allowed: pip install 'dorsi[console]'"])


def _paired(folder: Path, host: str, port: int, home_port: int) -> Place:
    """By the files that ``dorsi console pair`` made. Raises ConfigError where they are not there."""
    paths = [folder / name for name in (TOKEN, CERTIFICATE, KEY)]
    if missing := [path for path in paths if not path.is_file()]:
        raise ConfigError([f"{path}: missing, allowed: what dorsi console pair makes" for path in missing])
    token, certificate, key = map(str, paths)
    if found := objections(host, token, certificate, key):
        raise ConfigError(found)
    return Place(host, port, token, certificate, key, home_port)
