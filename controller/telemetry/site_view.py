"""A site's rigs in the terminal, from what they tell the broker.

Promises one line a rig with the age of its newest word, and to come back when the broker does. Refuses to
believe a payload: what is not of its shape is counted, not shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from controller.errors import InputError
from controller.telemetry.client import Client
from controller.telemetry.connection_trouble import explain
from controller.telemetry.mqtt import (
    BACKOFF_FIRST_S,
    BACKOFF_MAX_S,
    ROOT,
    MqttSettings,
)

RIGS_MAX = 500  # a site is smaller; more is a mistake or an attack
TEXT_MAX = 60
STALE_S = 2.0  # streams come at 10 Hz
REDRAW_S = 0.25
ONCE_S = 2.0
STYLES = {"active": "bold green", "ready": "green", "tripped": "bold red", "lost": "bold yellow"}


@dataclass(slots=True)
class Rig:
    """What is known of one rig."""

    state: str = "?"
    heard_s: float | None = None  # monotonic: the newest live word
    pitch_deg: float | None = None
    applied_ma: float | None = None
    strides: float | None = None
    cadence_spm: float | None = None
    contact_deg: float | None = None
    charge_uc: float | None = None
    session: str = ""
    seq: int = 0
    missed: int = 0
    said: str = ""


class _Gait(msgspec.Struct):
    foot_pitch_deg: float | None = None
    strides: float | None = None


class _Stimulation(msgspec.Struct):
    applied_ma: float | None = None


class _Event(msgspec.Struct):
    session: str = ""
    seq: int | None = None
    text: str = ""
    cadence_spm: float | None = None
    ankle_at_initial_contact_deg: float | None = None
    charge_uc: float | None = None
    phase: str = ""
    repetition: int = 0
    repetitions: int = 0


class Site:
    """The rigs of a site, gathered from messages."""

    def __init__(self) -> None:
        self.rigs: dict[str, Rig] = {}
        self.unread = 0
        self.trouble = ""  # why the broker cannot be reached

    def take(self, topic: str, payload: bytes, now_s: float, *, retained: bool) -> None:
        """Note one message under ``dorsi/1/``; ``now_s`` is monotonic."""
        parts = topic.removeprefix(ROOT + "/").split("/")
        if len(parts) < 3 or (len(self.rigs) >= RIGS_MAX and "/".join(parts[:2]) not in self.rigs):
            self.unread += 1
            return
        rig = self.rigs.setdefault("/".join(parts[:2]), Rig())
        if not retained:
            rig.heard_s = now_s
        try:
            self._take(rig, parts[2:], payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.unread += 1

    def _take(self, rig: Rig, what: list[str], payload: bytes) -> None:
        match what:
            case ["$state"]:
                rig.state = payload.decode()[:TEXT_MAX]
            case ["t", "gait"]:
                gait = msgspec.json.decode(payload, type=_Gait)
                rig.pitch_deg, rig.strides = gait.foot_pitch_deg, gait.strides
            case ["t", "stimulation"]:
                rig.applied_ma = msgspec.json.decode(payload, type=_Stimulation).applied_ma
            case ["event", kind]:
                self._take_event(rig, kind, msgspec.json.decode(payload, type=_Event))
            case _:
                pass

    def _take_event(self, rig: Rig, kind: str, event: _Event) -> None:
        if event.seq is not None:
            if event.session != rig.session:
                rig.session, rig.seq, rig.missed = event.session, event.seq, 0
            elif event.seq <= rig.seq:
                return  # told twice
            else:
                rig.missed += event.seq - rig.seq - 1
                rig.seq = event.seq
        if kind == "stride":
            rig.cadence_spm, rig.charge_uc = event.cadence_spm, event.charge_uc
            rig.contact_deg = event.ankle_at_initial_contact_deg
        elif kind == "exercise":
            rig.said = f"{event.phase[:TEXT_MAX]}, {event.repetition} of {event.repetitions}"
        elif event.text:
            rig.said = event.text[:TEXT_MAX]


def table(site: Site, now_s: float) -> Table:
    """The rigs as a table; a rig not heard for a while shows no numbers but since when."""
    made = Table(caption=site.trouble or None, caption_style="bold red", title=f"{len(site.rigs)} rigs")
    for column in ("rig", "state", "heard", "session"):
        made.add_column(column)
    for column in ("strides", "cadence /min", "ankle at contact deg", "foot pitch deg", "mA", "uC/stride"):
        made.add_column(column, justify="right")
    made.add_column("missed", justify="right")
    made.add_column("last word")
    for name, rig in sorted(site.rigs.items()):
        age_s = None if rig.heard_s is None else now_s - rig.heard_s
        fresh = age_s is not None and age_s <= STALE_S
        heard = "-" if age_s is None else ("now" if fresh else f"{age_s:.0f} s ago")
        numbers = (
            _shown(rig.strides, 0, fresh=fresh),
            _shown(rig.cadence_spm, 0, fresh=fresh),
            _shown(rig.contact_deg, 1, fresh=fresh),
            _shown(rig.pitch_deg, 1, fresh=fresh),
            _shown(rig.applied_ma, 1, fresh=fresh),
            _shown(rig.charge_uc, 0, fresh=fresh),
        )
        state = Text(_plain(rig.state), style=STYLES.get(rig.state, ""))
        words = (
            Text(_plain(rig.session)),
            *map(Text, numbers),
            Text(str(rig.missed)),
            Text(_plain(rig.said)),
        )
        made.add_row(Text(_plain(name)), state, Text(heard), *words)
    return made


async def watch(
    settings: MqttSettings, site_name: str | None, show: Callable[[Table], None], seconds: float | None
) -> Site:
    """Follow a site (every site for None) for ``seconds``, or until cancelled; ``show`` is called often."""
    site = Site()
    task = asyncio.create_task(_follow(settings, site_name, site))
    try:
        end_s = None if seconds is None else time.monotonic() + seconds
        while end_s is None or time.monotonic() < end_s:
            await asyncio.sleep(REDRAW_S)
            show(table(site, time.monotonic()))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return site


async def _follow(settings: MqttSettings, site_name: str | None, site: Site) -> None:
    backoff_s = BACKOFF_FIRST_S
    client: Client | None = None
    while True:
        try:
            client = settings.client()
            async with client:
                backoff_s, site.trouble = BACKOFF_FIRST_S, ""
                await client.subscribe(f"{ROOT}/{site_name or '+'}/#", qos=1)
                async for message in client.messages:
                    if isinstance(message.payload, bytes):
                        retained = bool(message.retain)
                        site.take(str(message.topic), message.payload, time.monotonic(), retained=retained)
        except (aiomqtt.MqttError, OSError) as error:
            if client is not None and client.too_large_bytes:
                site.unread += 1
                size_mb = client.too_large_bytes / 1e6
                site.trouble = f"the broker sent a message of {size_mb:.1f} MB; it was not taken; coming back"
                await asyncio.sleep(backoff_s)
                continue
            said = explain(error, settings.host, settings.port).text
            site.trouble = "; ".join(part for part in said.split("; ") if "session goes on" not in part)
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)


def _shown(value: float | None, digits: int, *, fresh: bool) -> str:
    return "-" if value is None or not fresh else f"{value:.{digits}f}"


def _password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), "password", str(error), "a readable file of text") from None


def _plain(text: str) -> str:
    """Without what would move a terminal's cursor."""
    return "".join(character if character.isprintable() else "?" for character in text)


def run_watch(
    console: Console,
    broker: tuple[str, int],
    site_name: str | None,
    user: tuple[str | None, Path | None],
    files: tuple[Path | None, Path | None, Path | None],
    *,
    seconds: float | None,
) -> None:
    """Watch in the terminal until Ctrl-C; where there is none, print the last table once.

    ``broker`` is host and port, ``user`` a name and a password file, ``files`` the issuer, our certificate
    and its key. Raises ValueError for settings that cannot be.
    """
    name, password_file = user
    ca_file, certificate_file, key_file = (None if file is None else str(file) for file in files)
    settings = MqttSettings(
        *broker,
        site=site_name or "site",
        username=name,
        password=None if password_file is None else _password(password_file),
        tls=ca_file is not None,
        ca_file=ca_file,
        client_certificate_file=certificate_file,
        client_key_file=key_file,
    )
    with contextlib.suppress(KeyboardInterrupt):
        if console.is_terminal:
            with Live(console=console, screen=True) as live:
                asyncio.run(watch(settings, site_name, live.update, seconds))
        else:
            site = asyncio.run(watch(settings, site_name, lambda _: None, seconds or ONCE_S))
            console.print(table(site, time.monotonic()))
