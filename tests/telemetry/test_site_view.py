"""What the watcher makes of a site's messages, and the two MQTT commands against a real broker."""

from __future__ import annotations

import asyncio
import io
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

from controller.cli import app
from controller.commands.line import CONFIGS
from controller.telemetry.broker import LOOPBACK
from controller.telemetry.mqtt import MqttSettings, MqttTelemetry
from controller.telemetry.site_view import RIGS_MAX, Site, table, watch
from tests.record.walk import record_walk

pytestmark = pytest.mark.real_time

if TYPE_CHECKING:
    from tests.telemetry.conftest import Mosquitto

RIG = "dorsi/1/lab/rig-1"


def shown(site: Site, now_s: float) -> str:
    out = io.StringIO()
    Console(file=out, width=240).print(table(site, now_s))
    return out.getvalue()


def event(seq: int, session: str = "s", **rest: object) -> bytes:
    return msgspec.json.encode({"session": session, "seq": seq, **rest})


def test_a_rig_shows_its_state_numbers_and_last_word() -> None:
    site = Site()
    site.take(f"{RIG}/$state", b"active", 9.0, retained=False)
    site.take(f"{RIG}/t/gait", b'{"foot_pitch_deg":-12.5,"strides":42.0}', 9.9, retained=False)
    site.take(f"{RIG}/event/stride", event(7, cadence_spm=96.0, charge_uc=310.0), 9.9, retained=False)
    site.take(f"{RIG}/event/guard_event", event(8, text="armed [bold]by[/bold] hand"), 9.9, retained=False)
    text = shown(site, 10.0)
    for word in ("lab/rig-1", "active", "now", "42", "96", "-12.5", "310", "armed [bold]by[/bold] hand"):
        assert word in text


def test_an_old_value_is_not_shown_as_new() -> None:
    site = Site()
    site.take(f"{RIG}/t/gait", b'{"foot_pitch_deg":-12.5,"strides":42.0}', 10.0, retained=False)
    assert "-12.5" in shown(site, 12.0)
    text = shown(site, 17.0)
    assert "-12.5" not in text
    assert "7 s ago" in text


def test_a_retained_state_is_no_sign_of_life() -> None:
    site = Site()
    site.take(f"{RIG}/$state", b"lost", 10.0, retained=True)
    assert site.rigs["lab/rig-1"].heard_s is None


def test_a_gap_in_the_numbers_is_counted_a_repetition_is_not() -> None:
    site = Site()
    for seq in (5, 6, 6, 5, 9):
        site.take(f"{RIG}/event/stride", event(seq), 0.0, retained=False)
    assert site.rigs["lab/rig-1"].missed == 2
    site.take(f"{RIG}/event/stride", event(1, session="t"), 0.0, retained=False)
    assert site.rigs["lab/rig-1"].missed == 0


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"[]", b'{"seq":"x"}', b'{"text":5}', b"{" * 99])
def test_nonsense_is_counted_and_moves_nothing(payload: bytes) -> None:
    site = Site()
    site.take(f"{RIG}/event/stride", payload, 0.0, retained=False)
    assert site.unread == 1
    site.take("dorsi/1/short", b"", 0.0, retained=False)
    assert site.unread == 2


def test_no_payload_moves_the_cursor_and_no_flood_of_rigs_fills_the_memory() -> None:
    site = Site()
    site.take(f"{RIG}/$state", b"\x1b[2J" * 1000, 0.0, retained=False)
    assert "\x1b" not in shown(site, 0.0)
    for k in range(2 * RIGS_MAX):
        site.take(f"dorsi/1/lab/r{k}/$state", b"ready", 0.0, retained=False)
    assert len(site.rigs) == RIGS_MAX


async def test_it_sees_a_rig_at_a_real_broker_and_says_when_the_broker_goes(mosquitto: Mosquitto) -> None:
    settings = MqttSettings(LOOPBACK, mosquitto.port, site="lab", rig="rig-1")
    telemetry = MqttTelemetry(settings, b"{}", random.Random(1))
    rig = asyncio.create_task(telemetry.run())
    telemetry.state("active")
    site = await watch(settings, "lab", lambda _: None, 1.5)
    assert site.rigs["lab/rig-1"].state == "active"
    mosquitto.stop()
    site = await watch(settings, "lab", lambda _: None, 1.0)
    assert "nobody listens" in site.trouble
    rig.cancel()
    await asyncio.gather(rig, return_exceptions=True)


def test_the_commands_watch_forward_and_refuse(mosquitto: Mosquitto, tmp_path: Path) -> None:
    run = CliRunner()
    recording = record_walk(tmp_path / "walk.mcap", strides=2)
    shutil.copytree(CONFIGS, tmp_path / "configs")
    session = tmp_path / "configs" / "sessions" / "demo.toml"
    done = run.invoke(app, ["mqtt", "forward", str(recording), str(session)])
    assert done.exit_code == 2
    assert "names the broker" in done.output
    session.write_text(f'{session.read_text()}\n[telemetry]\nhost = "{LOOPBACK}"\nport = {mosquitto.port}\n')
    done = run.invoke(app, ["mqtt", "forward", str(recording), str(session)])
    assert done.exit_code == 0
    assert "the broker has all of this session" in done.output
    seen = run.invoke(app, ["mqtt", "watch", "--port", str(mosquitto.port), "--seconds", "0.6"])
    assert seen.exit_code == 0
    assert "rigs" in seen.output
    assert run.invoke(app, ["mqtt", "watch", "--site", "Not/ok"]).exit_code == 2


def test_the_export_command_writes_and_refuses(tmp_path: Path) -> None:
    run = CliRunner()
    recording = record_walk(tmp_path / "walk.mcap", strides=2)
    done = run.invoke(app, ["export", str(recording), str(tmp_path / "out"), "--to", "csv"])
    assert done.exit_code == 0
    assert "strides.csv" in done.output
    assert run.invoke(app, ["export", str(recording), str(tmp_path), "--to", "xls"]).exit_code == 2
    assert run.invoke(app, ["export", str(tmp_path / "none"), str(tmp_path), "--to", "edf"]).exit_code == 2
