"""The Grafana dashboard names only what is published; the Node-RED flow runs, in a real Node-RED."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from controller.record.numbered_events import Told, told
from controller.telemetry.broker import LOOPBACK
from controller.telemetry.mqtt import MqttSettings, MqttTelemetry
from controller.telemetry.payload_schemas import documents
from tests.record.walk import record_walk

pytestmark = pytest.mark.real_time

if TYPE_CHECKING:
    from tests.telemetry.conftest import Mosquitto

REPOSITORY = Path(__file__).resolve().parents[2]
DASHBOARDS = REPOSITORY / "configs" / "dashboards"
RED = REPOSITORY / ".build" / "node-red" / "node_modules" / "node-red" / "red.js"
INSTALL_S = 200.0
PATIENCE_S = 60.0


def test_every_panel_asks_for_a_topic_and_fields_that_are_published() -> None:
    dashboard = json.loads((DASHBOARDS / "grafana.json").read_text())
    asked = 0
    for panel in dashboard["panels"]:
        (target,) = panel["targets"]
        topic = target["topic"].replace("$site", "lab").replace("$rig", "rig-1")
        (document,) = (made for made in documents().values() if re.fullmatch(made["title"], topic))
        for transformation in panel["transformations"]:
            names = set(transformation["options"]["include"]["names"]) - {"Time"}
            assert names <= document["properties"].keys(), panel["title"]
            asked += len(names)
    assert asked > 10
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


@pytest.fixture(scope="module")
def node_red() -> Path:
    """The program; installed at the first time."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("npm is not installed (Debian package npm)")
    script = Path(__file__).with_name("node_red.sh")
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if not RED.exists():
        pytest.skip(f"node-red could not be installed from npm: {(done.stdout + done.stderr).strip()[-200:]}")
    return RED


@contextmanager
def running(red: Path, folder: Path, port: int) -> Iterator[Path]:
    """Node-RED with the flow, without its editor; yields the file of strides."""
    strides = folder / "out" / "strides.csv"
    (folder / "settings.js").write_text(
        "module.exports = {uiPort: 0, uiHost: '127.0.0.1', httpAdminRoot: false, httpNodeRoot: false,"
        " telemetry: {enabled: false, updateNotification: false},"
        " logging: {console: {level: 'info'}}}\n"
    )
    shutil.copy(DASHBOARDS / "node-red.json", folder / "flow.json")
    command = ["node", str(red), "--userDir", str(folder), "--settings", str(folder / "settings.js")]
    command.append(str(folder / "flow.json"))
    environment = {
        **os.environ,
        "DORSI_BROKER": LOOPBACK,
        "DORSI_PORT": str(port),
        "DORSI_STRIDES": str(strides),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(folder / "flow.json")], env=environment, stdout=log, stderr=log
        )
        try:
            yield strides
        finally:
            process.kill()
            process.wait()


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def until(path: Path, words: str) -> str:
    """The file's text once it has the words."""
    for _ in range(int(PATIENCE_S / 0.05)):
        text = await asyncio.to_thread(_text, path)
        if words in text:
            return text
        await asyncio.sleep(0.05)
    raise AssertionError(f"{words!r} did not come to {path.name}: {text[-2000:]}")


async def test_the_flow_writes_each_stride_once_and_raises_the_alarm(
    node_red: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    strides = [
        event for event in told(record_walk(tmp_path / "walk.mcap", strides=3)) if event.kind == "stride"
    ]

    async def publish(events: list[Told]) -> None:
        settings = MqttSettings(LOOPBACK, mosquitto.port, site="lab", rig="rig-1")
        telemetry = MqttTelemetry(settings, b"{}", random.Random(1))
        for event in events:
            telemetry.event(event.kind, event.payload_json, event.seq)
        task = asyncio.create_task(telemetry.run())
        await telemetry.finish(PATIENCE_S)
        await task

    with running(node_red, tmp_path, mosquitto.port) as file:
        await until(tmp_path / "log", "Connected to broker")
        async with aiomqtt.Client(LOOPBACK, mosquitto.port) as client:
            await client.subscribe("dorsi-alarm/#", qos=1)
            await publish(strides[:4])
            await until(file, f",{strides[3].seq},")
            await publish(strides[2:])  # two of them once more
            text = await until(file, f",{strides[-1].seq},")
            rows = [line.split(",") for line in text.splitlines()]
            assert [int(row[3]) for row in rows] == [stride.seq for stride in strides]
            assert rows[0][:3] == ['"lab"', '"rig-1"', '"walk"']
            assert float(rows[0][9]) == pytest.approx(1.2)  # stride_s
            await client.publish("dorsi/1/lab/rig-1/$state", b"tripped", qos=1)
            async with asyncio.timeout(PATIENCE_S):
                message = await anext(aiter(client.messages))
            assert (str(message.topic), message.payload) == ("dorsi-alarm/lab/rig-1", b"tripped")
