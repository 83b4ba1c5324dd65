"""Passwords, TLS and client certificates at a real Mosquitto: who gets in, what is said to who does not."""

from __future__ import annotations

import asyncio
import random
import shutil
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from controller.telemetry.broker import LOOPBACK, free_port
from controller.telemetry.client import Client
from controller.telemetry.mqtt import MqttSettings, MqttTelemetry
from tests.telemetry.certificates import Issuer
from tests.telemetry.conftest import Brokers

LOOKS = 3000  # for 30 s
GOES_ON = "the session goes on"
BUSY_S = 2.0  # a try takes 10 ms

# paho leaves the socket of a failed handshake to the garbage collector
pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket"),
]


class Tls12(MqttSettings):
    """A rig that cannot do TLS 1.3: the broker refuses it before the handshake ends, not after."""

    def tls_context(self) -> ssl.SSLContext | None:
        context = MqttSettings.tls_context(self)
        assert context is not None
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context


def outcome(settings: MqttSettings) -> str:
    """``in``, or what is said about the connection; its caller is never kept waiting."""

    async def scenario() -> str:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unexpected.append(context))
        telemetry = MqttTelemetry(settings, b"{}", random.Random(1))
        task = asyncio.create_task(telemetry.run())
        telemetry.event("e", b"{}")
        for _ in range(LOOKS):
            if telemetry.trouble or telemetry.connections:
                break
            await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return telemetry.trouble or "in"

    unexpected: list[dict[str, Any]] = []  # Any: asyncio's own, see set_exception_handler
    said = asyncio.run(scenario())
    assert unexpected == []
    return said


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(tmp_path_factory.mktemp("certificates"))


def tls(issuer: Issuer, name: str = "broker", *, expired: bool = False, address: str = LOOPBACK) -> str:
    """The settings of a broker that shows a certificate."""
    certificate, key = issuer.sign(name, expired=expired, address=address)
    return f"allow_anonymous true\ncafile {issuer.file}\ncertfile {certificate}\nkeyfile {key}\n"


def rig(
    port: int,
    issuer: Issuer,
    *,
    client: tuple[Path, Path] | None = None,
    kind: type[MqttSettings] = MqttSettings,
) -> MqttSettings:
    certificate, key = (str(client[0]), str(client[1])) if client else (None, None)
    return kind(
        LOOPBACK,
        port,
        tls=True,
        ca_file=str(issuer.file),
        client_certificate_file=certificate,
        client_key_file=key,
    )


def test_the_right_password_gets_in_and_a_wrong_or_missing_one_is_said(
    tmp_path: Path, brokers: Brokers
) -> None:
    passwords = tmp_path / "passwords"
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed (Debian package mosquitto)")
    subprocess.run([tool, "-b", "-c", str(passwords), "rig", "right"], check=True, capture_output=True)
    passwords.chmod(0o644)
    tmp_path.chmod(0o755)
    port = brokers(f"allow_anonymous false\npassword_file {passwords}\n").port
    assert outcome(MqttSettings(LOOPBACK, port, username="rig", password="right")) == "in"
    for wrong in (
        MqttSettings(LOOPBACK, port, username="rig", password="wrong"),
        MqttSettings(LOOPBACK, port),
    ):
        said = outcome(wrong)
        assert f"{LOOPBACK}:{port} refuses the user name or password" in said
        assert GOES_ON in said
        assert "password_file" in said
        assert "wrong" not in said


def test_a_trusted_certificate_is_enough(brokers: Brokers, issuer: Issuer) -> None:
    assert outcome(rig(brokers(tls(issuer)).port, issuer)) == "in"


async def test_a_socket_let_go_while_the_connecting_thread_hands_it_on_is_nothing_to_watch() -> None:
    unexpected: list[dict[str, Any]] = []  # Any: asyncio's own, see set_exception_handler
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unexpected.append(context))
    client = Client(LOOPBACK, free_port())
    await asyncio.to_thread(client._on_socket_register_write, client._client, None, None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert unexpected == []


def test_an_expired_certificate_of_the_broker_is_said(brokers: Brokers, issuer: Issuer) -> None:
    said = outcome(rig(brokers(tls(issuer, expired=True)).port, issuer))
    assert "shows a certificate that has expired" in said
    assert GOES_ON in said
    assert "renew" in said


def test_a_certificate_of_a_stranger_is_said(brokers: Brokers, issuer: Issuer, tmp_path: Path) -> None:
    stranger = Issuer(tmp_path, "stranger")
    said = outcome(rig(brokers(tls(stranger)).port, issuer))
    assert "issuer not trusted here" in said


def test_a_certificate_for_another_place_is_said(brokers: Brokers, issuer: Issuer) -> None:
    said = outcome(rig(brokers(tls(issuer, address="192.0.2.1")).port, issuer))
    assert "another address" in said


@pytest.mark.parametrize("kind", [Tls12, MqttSettings])
def test_a_client_certificate_gets_in_and_its_lack_or_end_is_said_at_once(
    brokers: Brokers, issuer: Issuer, kind: type[MqttSettings]
) -> None:
    port = brokers(tls(issuer) + "require_certificate true\n").port
    assert outcome(rig(port, issuer, client=issuer.sign("rig"), kind=kind)) == "in"
    old = issuer.sign("old", expired=True)
    # The refusal races with the writing of our first packet: many tries, to see both come first.
    # On a busy machine the connection's end may overtake the refusal, which then nobody can read: rarely.
    heard = 0
    for _ in range(10):
        begin_s = time.process_time()
        for one, words in (
            (outcome(rig(port, issuer, kind=kind)), "wants a client certificate"),
            (outcome(rig(port, issuer, client=old, kind=kind)), "client certificate has expired"),
        ):
            assert words in one or "eof occurred" in one
            assert GOES_ON in one
            heard += words in one
        assert time.process_time() - begin_s < BUSY_S  # nothing turns without end
    assert heard > 0


def test_tls_at_a_plain_port_nobody_there_and_missing_files_are_said(
    brokers: Brokers, issuer: Issuer
) -> None:
    port = brokers("allow_anonymous true\n").port
    assert GOES_ON in outcome(rig(port, issuer))
    assert "nobody listens" in outcome(MqttSettings(LOOPBACK, free_port()))
    assert "nowhere.pem cannot be read" in outcome(
        MqttSettings(LOOPBACK, port, tls=True, ca_file="nowhere.pem")
    )
    certificate, key = issuer.sign("rig")
    other = issuer.sign("other")[1]
    assert "do not belong together" in outcome(rig(port, issuer, client=(certificate, other)))
    assert key.exists()


def test_half_a_client_certificate_and_one_without_tls_are_refused() -> None:
    with pytest.raises(ValueError, match="both or neither"):
        MqttSettings(LOOPBACK, tls=True, client_certificate_file="a.pem")
    with pytest.raises(ValueError, match="only with tls"):
        MqttSettings(LOOPBACK, client_certificate_file="a.pem", client_key_file="a.key")
