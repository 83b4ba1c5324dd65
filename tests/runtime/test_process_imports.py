"""A process loads what it uses: compilers of bodies and drawing stay out of the processes of a session."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"numba", "scipy", "matplotlib", "fastapi", "pyarrow", "jinja2"}
LOOK = "import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"


@pytest.mark.parametrize(
    "module",
    [
        "controller.commands.run",
        "controller.runtime.controller",
        "controller.runtime.recorder",
        "controller.runtime.supervisor",
        "controller.safety.guard",
        "controller.console.door",
        "controller.telemetry.forward",
    ],
)
def test_a_process_of_a_session_loads_no_compiler_of_bodies_no_drawing_and_no_templates(module: str) -> None:
    look = LOOK.format(module=module, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
