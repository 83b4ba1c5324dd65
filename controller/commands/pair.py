"""``dorsi console pair``: token and certificate for tablets on the network, as an address and its code."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import TextIO

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from rich.console import Console

from controller.config.console_settings import CERTIFICATE, KEY, TOKEN, new_token, read_token
from controller.errors import InputError

DAYS = 825  # the longest that Apple's browsers take of a certificate somebody installs
NOWHERE = ("192.0.2.1", 9)  # RFC 5737; nothing is sent, the system only picks its own address
YOUNG = datetime.timedelta(hours=1)  # a tablet's clock may be behind


def pair(folder: Path, host: str | None, port: int, console: Console, *, anew: bool = False) -> int:
    """Make what is missing, or all ``anew``, and show how a tablet gets in; returns the exit code.

    Raises InputError where the address is not known, or what lies there cannot be used.
    """
    name = host or own_address()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    token, certificate, key = (folder / one for one in (TOKEN, CERTIFICATE, KEY))
    there = [one for one in (token, certificate, key) if one.exists()]
    if anew or not there:
        new_token(token)
        _certify(certificate, key, name)
    elif len(there) < 3:
        raise InputError(str(folder), "files", f"only {there[0].name}", "all three, or --anew for new ones")
    found = _read(certificate)
    _look(certificate, found, name)
    address = f"https://{_in_address(name)}:{port}/enter?token={read_token(token)}"
    until = found.not_valid_after_utc
    fingerprint = found.fingerprint(hashes.SHA256()).hex(":").upper()
    draw(address, sys.stdout)
    console.print(f"Address: {address}", markup=False, soft_wrap=True)
    console.print("It holds the token: for the clinic's own tablets alone.", markup=False)
    console.print(
        "At the first visit the browser warns of a certificate it does not know. Look at it there, and go on "
        f"only where its SHA-256 fingerprint is this one (valid until {until:%Y-%m-%d}):\n{fingerprint}",
        markup=False,
    )
    console.print(f"Then: dorsi console --pairing {folder} --port {port}", markup=False, soft_wrap=True)
    return 0


def own_address() -> str:
    """By which the network reaches this computer. Raises InputError where it has none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(NOWHERE)
        return str(sock.getsockname()[0])
    raise InputError("network", "address", "none", "a network, or --host with this computer's address")


def draw(address: str, out: TextIO) -> None:
    """The address as a code for a tablet's camera; nothing where the library is not installed."""
    with contextlib.suppress(ImportError):
        import segno

        segno.make(address, micro=False).terminal(out, compact=True)


def _certify(certificate: Path, key: Path, name: str) -> None:
    """A key, and a certificate signed by itself, for that name, this computer's own and loopback."""
    private = ec.generate_private_key(ec.SECP256R1())
    others = dict.fromkeys((name, "localhost", "127.0.0.1", socket.gethostname()))
    names = [_general_name(one) for one in others]
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Dorsi console")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - YOUNG)
        .not_valid_after(now + datetime.timedelta(days=DAYS) - YOUNG)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for path, text in ((key, secret), (certificate, made.public_bytes(serialization.Encoding.PEM))):
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)


def _read(certificate: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        allowed = "a PEM file; --anew makes one"
        raise InputError(str(certificate), "certificate", str(error), allowed) from None


def _look(certificate: Path, found: x509.Certificate, name: str) -> None:
    """Raises InputError where the browsers would not take it for that name now."""
    if found.not_valid_after_utc <= datetime.datetime.now(datetime.UTC):
        until = f"valid until {found.not_valid_after_utc:%Y-%m-%d}"
        raise InputError(str(certificate), "certificate", until, "one that is valid; --anew makes one")
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    if _general_name(name) not in names:
        told = ", ".join(str(one.value) for one in names) or "no name"
        raise InputError(str(certificate), "certificate", f"for {told}", f"for {name}; --anew makes one")


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _in_address(name: str) -> str:
    return f"[{name}]" if ":" in name else name
