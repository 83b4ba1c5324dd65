"""The loop of docs/control.md runs as it is printed, and lifts the foot."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def test_the_printed_loop_runs_and_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "control.md").read_text(), re.DOTALL)
    assert block is not None
    script = tmp_path / "loop.py"
    script.write_text(block.group(1))
    monkeypatch.chdir(ROOT)
    left = runpy.run_path(str(script))
    errors = [stride.swing_pitch_rmse_deg for stride in left["body"].strides()]
    assert len(errors) >= 15
    assert sum(errors[-5:]) / 5 < 3.0
    assert any("learned command" in reason for reason in left["reasons"])
    assert capsys.readouterr().out
