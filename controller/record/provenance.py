"""Which program made a recording: versions, commit and host, in its head; and what is another now."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy

from controller.untrusted import read_object

PACKAGES = ("dorsi", "bleak", "bumble", "vqf", "numpy", "mcap", "msgspec")


def program() -> dict[str, str]:
    """This program, as the head of a recording tells it."""
    return {
        "versions": json.dumps({name: version(name) for name in PACKAGES}),
        "commit": _commit(),
        "host": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "arithmetic": _arithmetic(),
    }


def changed(head: Mapping[str, str]) -> list[str]:
    """What is another than when the recording with this ``head`` was made, a phrase each."""
    now = program()
    phrases = []
    if (made := head.get("commit", "")) != now["commit"]:
        phrases.append(f"commit {made or 'not told'}, now {now['commit'] or 'not known'}")
    then: Mapping[str, object] = {}
    with contextlib.suppress(ValueError):  # a head may come from anywhere
        then = read_object(head.get("versions", "{}"))
    for name in PACKAGES:
        if (had := then.get(name, "not told")) != version(name):
            phrases.append(f"{name} {had}, now {version(name)}")
    if (host := head.get("host", "not told")) != now["host"]:
        phrases.append(f"{host}, now {now['host']}")
    if (rounds := head.get("arithmetic", "")) and rounds != now["arithmetic"]:
        phrases.append(f"processor and BLAS {rounds}, now {now['arithmetic']}")
    return phrases


@cache
def _arithmetic() -> str:
    """What last bits hang on: the processor's vector instructions, and the BLAS with its kernel."""
    shown = numpy.show_config(mode="dicts")
    try:
        vectors = ", ".join(shown["SIMD Extensions"]["found"]) or "no vectors beyond the baseline"
        blas = shown["Build Dependencies"]["blas"]
        told = os.environ.get("OPENBLAS_CORETYPE", "")
        kernel = f" as {told}" if told else ""
        return f"{platform.machine()} with {vectors}; {blas['name']} {blas['version']}{kernel}"
    except (KeyError, TypeError):  # another numpy tells it otherwise
        return platform.machine()


def _commit() -> str:
    """The commit this runs from, where it is a checkout."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return "unknown"
    return answer.stdout.strip() or "unknown"
