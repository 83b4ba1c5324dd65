"""The ``[telemetry]`` table of a session file as the broker's settings."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from controller.config.session import load_session
from controller.errors import ConfigError
from controller.telemetry.mqtt import MqttSettings
from controller.telemetry.settings import check_lsl, mqtt_settings

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def settings(tmp_path: Path, table: str) -> MqttSettings | None:
    shutil.copytree(CONFIGS, tmp_path / "configs")
    file = tmp_path / "configs" / "sessions" / "demo.toml"
    file.write_text(f"{file.read_text()}\n{table}")
    return mqtt_settings(load_session(file))


def test_without_a_table_nothing_is_published(tmp_path: Path) -> None:
    assert settings(tmp_path, "") is None


def test_files_are_found_beside_the_session_and_ca_file_means_tls(tmp_path: Path) -> None:
    folder = tmp_path / "configs" / "sessions"
    (tmp_path / "pw").write_text("secret\n")
    table = (
        '[telemetry]\nhost = "broker"\nport = 8883\nusername = "rig"\npassword_file = "../../pw"\n'
        'ca_file = "ca.pem"\nclient_certificate_file = "rig.pem"\nclient_key_file = "rig.key"\n'
    )
    made = settings(tmp_path, table)
    assert made is not None
    assert made.tls
    assert made.password == "secret"
    assert made.ca_file == str(folder / "ca.pem")
    assert made.client_certificate_file == str(folder / "rig.pem")
    assert made.client_key_file == str(folder / "rig.key")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('password_file = "none"', "telemetry.password_file.*cannot be read"),
        ('tls = true\nclient_certificate_file = "a"', "both or neither"),
        ('client_certificate_file = "a"\nclient_key_file = "b"', "only with tls"),
        ('tls = "yes"', "telemetry.tls: found 'yes'"),
        ('certificate_file = "a"', "unknown key"),
    ],
)
def test_what_cannot_be_is_refused_by_file_and_key(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refusal:
        settings(tmp_path, f'[telemetry]\nhost = "broker"\nport = 8883\n{line}\n')
    assert "demo.toml" in str(refusal.value)


def test_lsl_is_off_without_its_table_and_stays_on_this_machine_without_a_scope(tmp_path: Path) -> None:
    assert load_session(CONFIGS / "sessions" / "demo.toml").file.lsl is None
    shutil.copytree(CONFIGS, tmp_path / "configs")
    file = tmp_path / "configs" / "sessions" / "demo.toml"
    before = file.read_text()
    file.write_text(before + "\n[lsl]\n")
    session = load_session(file)
    assert session.file.lsl is not None
    assert session.file.lsl.scope == "machine"
    if find_spec("pylsl") is None:
        with pytest.raises(ConfigError, match=r"dorsi\[lsl\]"):
            check_lsl(session)
    else:
        check_lsl(session)
    file.write_text(before + '\n[lsl]\nscope = "world"\n')
    with pytest.raises(ConfigError, match=r"lsl.scope"):
        load_session(file)
