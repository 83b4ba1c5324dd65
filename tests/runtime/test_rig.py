"""Processes of a rig: one that ends unasked is named with its last words; all end with the rig."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from controller.runtime.rig import ProcessFailedError, Rig


def test_a_process_that_ends_unasked_is_told_by_name_and_last_words(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.start("recorder", "json.tool", "/nowhere")
        deadline = time.monotonic() + 30.0
        while rig.alive("recorder") and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(
            ProcessFailedError, match=r"dorsi-recorder ended with code \d.*it said: .*nowhere"
        ):
            rig.check()


def test_a_process_is_ended_with_the_rig(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.start("broker", "controller.telemetry.broker")
        pid = rig.pid("broker")
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
