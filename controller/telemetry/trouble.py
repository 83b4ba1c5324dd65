"""Why the broker cannot be reached, in words: what happened, what goes on, what to do.

Promises one sentence for every error a connection can end with. Refuses to guess: an error it does not know
is quoted.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import aiomqtt

GOES_ON = "the session goes on, its events wait"

# MQTT 5, table 3-1: reason codes of a refused connection; paho gives them for MQTT 3.1.1 too
REFUSED = {
    132: ("speaks another MQTT version", "use a broker that speaks MQTT 3.1.1"),
    133: ("refuses the client's name", "look at the broker's settings for client names"),
    134: ("refuses the user name or password", "check username and password_file under [telemetry]"),
    135: ("refuses the user name or password", "check username and password_file under [telemetry]"),
    136: ("is up but not ready", "wait, or look at the broker"),
}
# OpenSSL, x509_vfy.h: results of checking the broker's certificate
VERIFY = {
    9: ("shows a certificate that is not valid yet", "check both clocks, or renew the broker's certificate"),
    10: ("shows a certificate that has expired", "renew the broker's certificate"),
    62: ("shows a certificate for another host name", "write the name the certificate is for into host"),
    64: ("shows a certificate for another address", "write the name the certificate is for into host"),
}
ISSUER = ("shows a certificate of an issuer not trusted here", "put the issuer's certificate into ca_file")
ISSUER_CODES = (18, 19, 20, 21)  # self-signed, self-signed in chain, issuer unknown, first not verified


def explain(error: BaseException, host: str, port: int) -> str:
    """One sentence for what ended the connection to ``host``."""
    happened, to_do = _meaning(tuple(_chain(error)), host)
    return f"MQTT broker {host}:{port} {happened}; {GOES_ON}; {to_do}"


def _meaning(chain: tuple[BaseException, ...], host: str) -> tuple[str, str]:
    for error in chain:
        match error:
            case aiomqtt.MqttCodeError() if (code := getattr(error.rc, "value", None)) in REFUSED:
                return REFUSED[code]
            case ssl.SSLCertVerificationError():
                if error.verify_code in ISSUER_CODES:
                    return ISSUER
                known = VERIFY.get(error.verify_code)
                return known or (
                    f"shows a certificate that does not hold: {error.verify_message}",
                    "look at the broker's certificate",
                )
            case ssl.SSLError():
                return _tls_meaning(error.reason or str(error))
            case socket.gaierror():
                return (
                    f"is not found: no address for {host!r}",
                    "check host and the network",
                )
            case ConnectionRefusedError():
                return "is not there: nobody listens", "start the broker, or check host and port"
            case FileNotFoundError() | PermissionError() if error.filename:
                return (
                    f"is not tried: {error.filename} cannot be read",
                    "check the certificate files under [telemetry]",
                )
            case TimeoutError():
                return "does not answer", "check the network and the broker"
            case _:
                continue
    text = str(chain[0])
    if "timed out" in text:
        return "does not answer", "check the network, the broker and whether the port wants TLS"
    return f"is gone: {text or type(chain[0]).__name__}", "look at the broker and the network"


def _tls_meaning(reason: str) -> tuple[str, str]:
    alert = reason.lower().replace("_", " ")
    if "certificate expired" in alert:
        return "says our client certificate has expired", "renew the certificate in client_certificate_file"
    if "certificate required" in alert or "handshake failure" in alert:
        return (
            "wants a client certificate",
            "set client_certificate_file and client_key_file under [telemetry]",
        )
    if "unknown ca" in alert or "bad certificate" in alert:
        return "does not trust our client certificate", "have it signed by the issuer the broker knows"
    if "wrong version number" in alert or "record layer failure" in alert:
        return "does not speak TLS at this port", "check port, or leave tls out"
    if "key values mismatch" in alert:
        return "is not tried: client key and certificate do not belong together", "check client_key_file"
    return f"and this rig found no common ground for TLS ({alert})", "look at the certificate files"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from; libraries wrap the telling one."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
