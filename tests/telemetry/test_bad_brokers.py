"""Whatever the broker does, the recorder takes every tick; what did not get out is brought after, once."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import aiomqtt
import msgspec
import pytest

from controller.analysis.arms import read_arms
from controller.ipc import bus
from controller.record.live import LiveStatus
from controller.record.numbered_events import told
from controller.record.reader import header, messages, raw_messages
from controller.record.records import Process
from controller.record.telemetry_port import BrokerLink
from controller.telemetry.broker import LOOPBACK
from controller.telemetry.broker_position import Position
from controller.telemetry.forward import forward
from controller.telemetry.mqtt import MqttSettings
from tests.record.walk import record_walk
from tests.telemetry.certificates import Issuer
from tests.telemetry.conftest import Mosquitto

pytestmark = pytest.mark.real_time

if TYPE_CHECKING:
    from collections.abc import Sequence

STRIDES = 2
PATIENCE_S = 60.0
SUBSCRIBER = """
import asyncio, aiomqtt, sys
async def main():
    async with aiomqtt.Client("127.0.0.1", int(sys.argv[1])) as client:
        await client.subscribe("dorsi/#", qos=1)
        print("ready", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""
SHOWN = {
    "killed": "nobody",
    "wrong password": "login",
    "expired certificate": "expired",
    "slow subscriber": "",
}
# what the broker does, and what the recording says of it; None where it is no trouble of the rig's
BAD = {
    "killed": "nobody listens",
    "wrong password": "refuses the user name or password",
    "expired certificate": "shows a certificate that has expired",
    "slow subscriber": None,
}


@dataclass
class Rig:
    """A real recorder and the folder of its rig."""

    folder: Path
    settings: MqttSettings
    process: subprocess.Popen[bytes]
    said: BrokerLink | None = None  # in the live feed, when all was handed over

    @property
    def recording(self) -> Path:
        return self.folder / "walk.mcap"

    def feed(self, records: Sequence[tuple[str, int, bytes]]) -> int:
        """Hand over records as the controller does; returns how many were dropped."""
        sender = bus.Sender(bus.connect(self.folder, "recorder"), keep_bytes=bus.KEEP_RECORDS_BYTES)
        for topic, t_ns, payload in records:
            sender.send(bus.pack_record(topic, t_ns, payload))
            if sender.behind:  # this walk goes as fast as the machine can: no faster than the recorder reads
                time.sleep(0.005)
        sender.close(wait_s=PATIENCE_S)
        return sender.dropped

    def glance(self) -> BrokerLink | None:
        """What the console would be told of the broker now."""
        live = bus.connect(self.folder, "live")
        live.setblocking(True)
        live.settimeout(PATIENCE_S)
        with live:
            return msgspec.json.decode(live.recv(bus.MAX_MESSAGE_BYTES), type=LiveStatus).telemetry


def start(folder: Path, settings: MqttSettings) -> Rig:
    folder.mkdir()
    (folder / "header.json").write_bytes(b'{"session":"walk"}')
    (folder / "mqtt.json").write_bytes(msgspec.json.encode(settings))
    command = [sys.executable, "-m", "controller.runtime.recorder", "--rig", str(folder)]
    command += ["--out", str(folder / "walk.mcap"), "--header", str(folder / "header.json")]
    return Rig(folder, settings, subprocess.Popen([*command, "--mqtt", str(folder / "mqtt.json")]))


def brokers(folder: Path) -> dict[str, Mosquitto]:
    """A broker for each trouble, all running."""
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed (Debian package mosquitto)")
    passwords = folder / "passwords"
    subprocess.run([tool, "-b", "-c", str(passwords), "rig", "right"], check=True, capture_output=True)
    passwords.chmod(0o644)
    issuer = Issuer(folder)
    certificate, key = issuer.sign("old", expired=True)
    open_to_all = "allow_anonymous true\n"
    lines = {
        "killed": open_to_all,
        "wrong password": f"allow_anonymous false\npassword_file {passwords}\n",
        "expired certificate": f"{open_to_all}cafile {issuer.file}\ncertfile {certificate}\nkeyfile {key}\n",
        "slow subscriber": open_to_all,
    }
    made = {}
    for name, text in lines.items():
        place = folder / f"broker {name}"
        place.mkdir()
        made[name] = Mosquitto(place, text)
        made[name].start()
    return made


@pytest.fixture(scope="module")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Rig]]:
    """Four rigs walked through, each with its bad broker, all at the same time; no tick was dropped."""
    folder = tmp_path_factory.mktemp("brokers")
    walk = record_walk(folder / "walk.mcap", strides=STRIDES)
    records = [(m.topic, m.t_ns, m.payload) for m in raw_messages(walk)]
    servers = brokers(folder)
    slow = subprocess.Popen(
        [sys.executable, "-c", SUBSCRIBER, str(servers["slow subscriber"].port)], stdout=subprocess.PIPE
    )
    made: dict[str, Rig] = {}
    try:
        assert slow.stdout is not None
        slow.stdout.readline()
        slow.send_signal(signal.SIGSTOP)
        for name, server in servers.items():
            settings = MqttSettings(LOOPBACK, server.port, site="lab", rig="rig-1")
            if name == "wrong password":
                settings = replace(settings, username="rig", password="wrong")
            if name == "expired certificate":
                settings = replace(settings, tls=True, ca_file=str(folder / "test-issuer.pem"))
            made[name] = start(folder / name.replace(" ", "-"), settings)
        half = len(records) // 2
        assert [rig.feed(records[:half]) for rig in made.values()] == [0] * len(made)
        servers["killed"].stop()
        assert [rig.feed(records[half:]) for rig in made.values()] == [0] * len(made)
        time.sleep(1.5)  # what is wrong is noted once a second
        for rig in made.values():
            rig.said = rig.glance()
            rig.process.send_signal(signal.SIGTERM)
        assert [rig.process.wait(PATIENCE_S) for rig in made.values()] == [0] * len(made)
        yield made
    finally:
        for process in (slow, *(rig.process for rig in made.values())):
            process.kill()
            process.wait()
        assert slow.stdout is not None
        slow.stdout.close()
        for server in servers.values():
            server.stop()


@pytest.mark.parametrize("name", BAD)
def test_no_tick_is_missing_from_the_recording(rigs: dict[str, Rig], name: str, tmp_path: Path) -> None:
    walk = record_walk(tmp_path / "walk.mcap", strides=STRIDES)
    recorded = [m.payload for m in raw_messages(rigs[name].recording) if m.topic == "tick"]
    assert recorded == [m.payload for m in raw_messages(walk) if m.topic == "tick"]
    assert [arm.missed_ticks for arm in read_arms(rigs[name].recording)] == [0, 0]


@pytest.mark.parametrize("name", BAD)
def test_the_recording_says_what_was_wrong_with_the_broker(rigs: dict[str, Rig], name: str) -> None:
    said = " ".join(
        message.record.text
        for message in messages(rigs[name].recording, ("process",))
        if isinstance(message.record, Process) and message.record.kind == "telemetry"
    )
    if (expected := BAD[name]) is None:
        assert said == ""
    else:
        assert expected in said


@pytest.mark.parametrize("name", BAD)
def test_the_live_feed_says_how_the_broker_is_and_how_much_waits(rigs: dict[str, Rig], name: str) -> None:
    said = rigs[name].said
    assert said is not None
    assert (said.connected, said.kind) == (name == "slow subscriber", SHOWN[name])
    assert (said.behind > 0) is (name != "slow subscriber")
    assert said.dropped == 0


@pytest.mark.parametrize("name", BAD)
async def test_every_stride_is_with_a_broker_in_the_end_and_once(
    rigs: dict[str, Rig], name: str, mosquitto: Mosquitto
) -> None:
    """A broker that was not there gets the whole; what the bad one acknowledged stays its own."""
    recording = rigs[name].recording
    events = list(told(recording))
    before = Position.beside(recording, header(recording), rigs[name].settings.address).sent
    strides: list[int] = []

    async with aiomqtt.Client(LOOPBACK, mosquitto.port) as client:
        await client.subscribe("dorsi/1/lab/rig-1/event/#", qos=1)
        settings = MqttSettings(LOOPBACK, mosquitto.port, site="lab", rig="rig-1")
        sent = await forward(recording, settings, patience_s=PATIENCE_S, progress=lambda _: None)
        assert sent == len(events)
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(sent):
                message = await anext(aiter(client.messages))
                assert isinstance(message.payload, bytes)
                if str(message.topic).endswith("/stride"):
                    strides.append(msgspec.json.decode(message.payload)["seq"])
    assert strides == [event.seq for event in events if event.kind == "stride"]
    assert Position.beside(recording, header(recording), rigs[name].settings.address).sent == before
    if name == "slow subscriber":
        assert before == len(events)  # another's slowness is not ours
    elif name != "killed":
        assert before == 0
