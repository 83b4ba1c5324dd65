"""A study whose persons take a moment, in a process of its own: python -m tests.studies.slow_study FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from controller.studies.engine import LocalEngine
from controller.studies.protocol import load_protocol
from controller.studies.store import Store
from controller.studies.study import plan, walk
from tests.studies import fakes

SAMPLE = Path(__file__).resolve().parents[2] / "configs" / "studies" / "laws.toml"
PERSONS, WORKERS = 30, 2


def main() -> None:
    store = Store(Path(sys.argv[1]), load_protocol(SAMPLE))
    walk(store, plan(store, PERSONS), LocalEngine(WORKERS, fakes.slowly), lambda _: None)


if __name__ == "__main__":
    main()
