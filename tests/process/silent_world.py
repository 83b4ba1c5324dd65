"""`dorsi` with a world whose sensors fall silent at SIGUSR1; everything else is the command's own."""

from __future__ import annotations

from pathlib import Path

from controller import cli
from controller.runtime import supervisor
from controller.runtime.process_group import Rig
from tests.chaos.rig import WORLD
from tests.chaos.world import CHAOS


class SilencedRig(Rig):
    """A rig with the chaos tests' world, which is told here what happens at the signal."""

    def __init__(self, logs: Path) -> None:
        super().__init__(logs)
        (self.path / CHAOS).write_text("silent")

    def start(self, name: str, module: str, *arguments: str) -> None:
        super().start(name, "tests.chaos.world" if module == WORLD else module, *arguments)


if __name__ == "__main__":
    supervisor.Rig = SilencedRig  # type: ignore[misc]
    cli.main()
