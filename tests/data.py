"""Where the recordings and reference traces live, and the one line a test skips with when they are absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("DORSI_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
REFERENCE = DATA.parent / "reference"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no recordings at {DATA} (set DORSI_DATA)")
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"no reference traces at {REFERENCE}")
