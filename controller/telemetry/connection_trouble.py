"""Why the broker cannot be reached, in words: what happened, what goes on, what to do.

Promises one sentence for every error a connection can end with, and the kind of it for whoever has words of
their own. Refuses to guess: an error it does not know is quoted.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import aiomqtt

GOES_ON = "the session goes on, its events wait"

Kind = Literal[
    "version", "name", "login", "not_ready", "early", "expired", "wrong_host", "issuer", "certificate",
    "our_expired", "our_missing", "our_unknown", "no_tls", "tls", "our_files", "no_address", "nobody",
    "no_answer", "gone",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
Meaning = tuple[Kind, str, str]  # its kind, what happened, what to do

# MQTT 5, table 3-1: reason codes of a refused connection; paho gives them for MQTT 3.1.1 too
LOGIN: Meaning = (
    "login", "refuses the user name or password", "check username and password_file under [telemetry]",
)  # fmt: skip
REFUSED: dict[int, Meaning] = {
    132: ("version", "speaks another MQTT version", "use a broker that speaks MQTT 3.1.1"),
    133: ("name", "refuses the client's name", "look at the broker's settings for client names"),
    134: LOGIN,
    135: LOGIN,
    136: ("not_ready", "is up but not ready", "wait, or look at the broker"),
}
# OpenSSL, x509_vfy.h: results of checking the broker's certificate
WRITE_NAME = "write the name the certificate is for into host"
VERIFY: dict[int, Meaning] = {
    9: (
        "early", "shows a certificate that is not valid yet",
        "check both clocks, or renew the broker's certificate",
    ),
    10: ("expired", "shows a certificate that has expired", "renew the broker's certificate"),
    62: ("wrong_host", "shows a certificate for another host name", WRITE_NAME),
    64: ("wrong_host", "shows a certificate for another address", WRITE_NAME),
}  # fmt: skip
ISSUER: Meaning = (
    "issuer", "shows a certificate of an issuer not trusted here",
    "put the issuer's certificate into ca_file",
)  # fmt: skip
ISSUER_CODES = (18, 19, 20, 21)  # self-signed, self-signed in chain, issuer unknown, first not verified


@dataclass(frozen=True, slots=True)
class Trouble:
    """One end of a connection: its kind, and a sentence for the user."""

    kind: Kind
    text: str


def explain(error: BaseException, host: str, port: int) -> Trouble:
    """What ended the connection to ``host``."""
    kind, happened, to_do = _meaning(tuple(_chain(error)), host)
    return Trouble(kind, f"MQTT broker {host}:{port} {happened}; {GOES_ON}; {to_do}")


def _meaning(chain: tuple[BaseException, ...], host: str) -> Meaning:
    for error in chain:
        match error:
            case aiomqtt.MqttCodeError() if (code := getattr(error.rc, "value", None)) in REFUSED:
                return REFUSED[code]
            case ssl.SSLCertVerificationError():
                if error.verify_code in ISSUER_CODES:
                    return ISSUER
                known = VERIFY.get(error.verify_code)
                return known or (
                    "certificate",
                    f"shows a certificate that does not hold: {error.verify_message}",
                    "look at the broker's certificate",
                )
            case ssl.SSLError():
                return _tls_meaning(error.reason or str(error))
            case socket.gaierror():
                return "no_address", f"is not found: no address for {host!r}", "check host and the network"
            case ConnectionRefusedError():
                return "nobody", "is not there: nobody listens", "start the broker, or check host and port"
            case FileNotFoundError() | PermissionError() if error.filename:
                return (
                    "our_files",
                    f"is not tried: {error.filename} cannot be read",
                    "check the certificate files under [telemetry]",
                )
            case TimeoutError():
                return "no_answer", "does not answer", "check the network and the broker"
            case _:
                continue
    text = str(chain[0])
    if "timed out" in text:
        to_do = "check the network, the broker and whether the port wants TLS"
        return "no_answer", "does not answer", to_do
    return "gone", f"is gone: {text or type(chain[0]).__name__}", "look at the broker and the network"


def _tls_meaning(reason: str) -> Meaning:
    alert = reason.lower().replace("_", " ")
    if "certificate expired" in alert:
        to_do = "renew the certificate in client_certificate_file"
        return "our_expired", "says our client certificate has expired", to_do
    if "certificate required" in alert or "handshake failure" in alert:
        to_do = "set client_certificate_file and client_key_file under [telemetry]"
        return "our_missing", "wants a client certificate", to_do
    if "unknown ca" in alert or "bad certificate" in alert:
        to_do = "have it signed by the issuer the broker knows"
        return "our_unknown", "does not trust our client certificate", to_do
    if "wrong version number" in alert or "record layer failure" in alert:
        return "no_tls", "does not speak TLS at this port", "check port, or leave tls out"
    if "key values mismatch" in alert:
        happened = "is not tried: client key and certificate do not belong together"
        return "our_files", happened, "check client_key_file"
    happened = f"and this rig found no common ground for TLS ({alert})"
    return "tls", happened, "look at the certificate files"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from; libraries wrap the telling one."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
