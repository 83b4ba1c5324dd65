"""axe-core, the program that holds a page against WCAG, and what it finds on one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

AXE = Path(__file__).resolve().parents[2] / ".build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
INSTALL_S = 120.0
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
RUN = """async (tags) => {
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags } });
  return found.violations.map((rule) => [rule.id, rule.nodes.slice(0, 4).map((n) => n.html.slice(0, 160))]);
}"""


def axe_program() -> str:
    """Installed at the first time; skips the test where that is not possible."""
    if shutil.which("npm") is None and not AXE.exists():
        pytest.skip("npm is not installed (Debian package npm)")
    script = Path(__file__).with_name("axe.sh")
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if not AXE.exists():
        pytest.skip(f"axe-core could not be installed from npm: {(done.stdout + done.stderr).strip()[-200:]}")
    return AXE.read_text(encoding="utf-8")


def violations(page: Page, axe: str) -> list[Any]:  # Any: what axe found, as JSON
    page.evaluate(axe)
    found: list[Any] = page.evaluate(RUN, WCAG)
    return found
