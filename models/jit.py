"""One typed decorator for compiled functions.

Promises plain Python semantics at machine speed, cached on disk; refuses Python objects inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile with numba; the result keeps the signature, and the machine code is cached on disk."""
    return cast(F, numba.njit(cache=True, error_model="numpy")(function))
