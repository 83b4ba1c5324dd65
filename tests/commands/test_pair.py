"""Pairing a tablet: private files that the console takes, an address with the token, refusals in words."""

from __future__ import annotations

import io
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from rich.console import Console

from controller.commands import pair as pairing
from controller.commands.console import _paired
from controller.commands.pair import draw, pair
from controller.config.console_settings import objections, read_token
from controller.errors import ConfigError, InputError

HOST = "192.0.2.7"


def paired(folder: Path, host: str = HOST, *, anew: bool = False) -> str:
    told = io.StringIO()
    assert pair(folder, host, 8470, Console(file=told, width=200), anew=anew) == 0
    return told.getvalue()


def test_the_files_are_private_and_the_console_takes_them(tmp_path: Path) -> None:
    folder = tmp_path / "pairing"
    said = paired(folder)
    token, certificate, key = (folder / name for name in ("token", "cert.pem", "key.pem"))
    assert f"https://{HOST}:8470/enter?token={read_token(token)}" in said
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in (token, certificate, key)} == {0o600}
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    assert objections("0.0.0.0", str(token), str(certificate), str(key)) == []
    made = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == [HOST, "127.0.0.1"]
    assert made.not_valid_after_utc - made.not_valid_before_utc <= timedelta(days=825)
    place = _paired(folder, "0.0.0.0", 8471, 8470)
    assert (place.token_file, place.home_port) == (str(token), 8470)


def test_a_second_tablet_gets_the_same_and_anew_shuts_the_first_out(tmp_path: Path) -> None:
    first = paired(tmp_path)
    assert paired(tmp_path) == first
    assert paired(tmp_path, anew=True) != first


def test_what_no_browser_would_take_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"cert\.pem: missing"):
        _paired(tmp_path, "0.0.0.0", 8471, 8470)
    paired(tmp_path)
    with pytest.raises(InputError, match=r"for 192\.0\.2\.7.*allowed: for rig\.example"):
        paired(tmp_path, "rig.example")
    (tmp_path / "key.pem").unlink()
    with pytest.raises(InputError, match="only token"):
        paired(tmp_path)
    monkeypatch.setattr(pairing, "DAYS", 0)
    with pytest.raises(InputError, match=f"valid until {datetime.now(UTC).year}"):
        paired(tmp_path, anew=True)


def test_the_code_says_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    segno = pytest.importorskip("segno", reason="segno is not installed (extra console)")
    told = io.StringIO()
    draw("https://192.0.2.7:8470/enter?token=abc", told)
    wanted = io.StringIO()
    segno.make("https://192.0.2.7:8470/enter?token=abc", micro=False).terminal(wanted, compact=True)
    assert told.getvalue() == wanted.getvalue() != ""
