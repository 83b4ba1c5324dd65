"""One typed decorator for compiled functions.

Promises plain Python semantics at machine speed, cached on disk; refuses Python objects inside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def _cache_folder() -> Path:
    """A folder named after all sources of the models.

    Numba notices a change of a function's own file only, not of the files of the functions it calls; with
    one folder for each state of the sources no stale machine code is ever run.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted(here.rglob("*.py")):
        digest.update(source.read_bytes())
    return here / "__pycache__" / f"numba-{digest.hexdigest()[:12]}"


numba.config.CACHE_DIR = str(_cache_folder())


def compiled(function: F) -> F:
    """Compile with numba; the result keeps the signature, and the machine code is cached on disk."""
    return cast(F, numba.njit(cache=True, error_model="numpy")(function))
