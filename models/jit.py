"""One typed decorator for compiled functions.

Promises plain Python semantics at machine speed, cached on disk where one may write; refuses Python objects
inside.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def _digest() -> str:
    """Of all sources of the models.

    Numba notices a change of a function's own file only, not of the files of the functions it calls; with
    one folder for each state of the sources no stale machine code is ever run.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted(here.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _places() -> Iterator[Path]:
    """Where a user's machine code may lie, the best place first."""
    if (named := os.environ.get("XDG_CACHE_HOME", "")).startswith("/"):  # XDG: others are to be ignored
        yield Path(named) / "dorsi"
    else:
        with contextlib.suppress(RuntimeError):  # a user without a home
            yield Path.home() / ".cache" / "dorsi"
    yield Path(tempfile.gettempdir()) / f"dorsi-{os.getuid()}"


def cache_folder() -> Path | None:
    """A folder for this state of the sources that nobody else can write to; None where there is none.

    What lies in it is run: a folder of another user, or one open to others, is not taken.
    """
    for place in _places():
        folder = place / f"numba-{_digest()}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.parent.lstat()
        except OSError:
            continue
        own = found.st_uid == os.getuid() and not found.st_mode & 0o022
        if own and not folder.parent.is_symlink() and os.access(folder, os.W_OK | os.X_OK):
            return folder
    return None


_FOLDER = cache_folder()
if _FOLDER is not None:
    numba.config.CACHE_DIR = str(_FOLDER)


def compiled(function: F) -> F:
    """Compile with numba; the result keeps the signature, and the machine code is cached where it may be."""
    return cast(F, numba.njit(cache=_FOLDER is not None, error_model="numpy")(function))
