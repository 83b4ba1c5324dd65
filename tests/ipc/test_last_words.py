"""A process that dies of a group of errors says in its last line the one that began it."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.ipc.process import leaf
from controller.runtime.process_group import ProcessFailedError, Rig

DYING = """
import asyncio
from controller.ipc import process

async def child() -> None:
    raise RuntimeError("this machine has no\\nBluetooth service")

async def main() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(child())

process.begin("dorsi-dying")
asyncio.run(main())
"""


def test_the_message_is_the_leaf_of_the_group_and_no_line_of_box_drawing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dying.py").write_text(DYING)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).resolve().parents[2]}")
    with Rig(tmp_path / "logs") as rig:
        rig.start("dying", "dying")
        with pytest.raises(ProcessFailedError) as caught:
            rig.word("dying", 60.0)
    assert str(caught.value).endswith("it said: RuntimeError: this machine has no Bluetooth service")
    assert "Traceback" in (tmp_path / "logs" / "dying.log").read_text()


def test_the_leaf_is_the_first_error_that_is_no_group() -> None:
    first = ValueError("first")
    inner = ExceptionGroup("inner", [first, KeyError("second")])
    assert leaf(ExceptionGroup("outer", [inner, OSError("third")])) is first
    assert leaf(first) is first
