"""Which program made a recording: versions, commit and host, in its head; and what is another now."""

from __future__ import annotations

import contextlib
import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from controller.untrusted import read_object

PACKAGES = ("dorsi", "bleak", "bumble", "vqf", "numpy", "mcap", "msgspec")


def program() -> dict[str, str]:
    """This program, as the head of a recording tells it."""
    return {
        "versions": json.dumps({name: version(name) for name in PACKAGES}),
        "commit": _commit(),
        "host": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
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
    return phrases


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
