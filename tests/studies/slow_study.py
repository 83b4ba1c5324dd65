"""A study whose persons take a moment, for a process of its own that is killed."""

from __future__ import annotations

from pathlib import Path

from controller.studies.engine import LocalEngine
from controller.studies.protocol import load_protocol
from controller.studies.store import Store
from controller.studies.study import plan, walk
from tests.studies import fakes

SAMPLE = Path(__file__).resolve().parents[2] / "configs" / "studies" / "laws.toml"
PERSONS, WORKERS = 30, 2


def walk_slowly(folder: Path) -> None:
    store = Store(folder, load_protocol(SAMPLE))
    walk(store, plan(store, PERSONS), LocalEngine(WORKERS, fakes.slowly), lambda _: None)
