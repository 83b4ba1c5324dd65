"""Every task has one outcome, whatever becomes of the workers."""

from __future__ import annotations

from pathlib import Path

import pytest
from distributed import KilledWorker
from distributed.client import FutureCancelledError

from controller.errors import InputError
from controller.studies.dask_engine import connect, outcome_of
from controller.studies.engine import DIED, LocalEngine
from tests.studies import fakes


def test_a_dead_worker_s_task_is_walked_once_more_and_then_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DORSI_TEST_MARK", str(tmp_path / "mark"))
    tasks = [fakes.task(number) for number in range(8)]
    outcomes = {o.task.number: o for o in LocalEngine(2, fakes.dying).outcomes(tasks)}
    assert sorted(outcomes) == list(range(8))
    assert outcomes[fakes.DIES_ONCE].retried
    for number, outcome in outcomes.items():
        if number == fakes.DIES:
            assert [(run.arm, run.done, run.why) for run in outcome.runs] == [
                (arm.name, False, DIED) for arm in outcome.task.arms
            ]
        else:
            assert outcome.runs == fakes.runs(outcome.task)


class Lost:
    """A future whose scheduler or workers are no more."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def result(self) -> object:
        raise self.error


@pytest.mark.parametrize("error", [FutureCancelledError("task", "lost connection"), OSError("closed")])
def test_a_scheduler_that_goes_away_is_told(error: Exception) -> None:
    with pytest.raises(InputError, match=r"it went away .*; every finished run is kept"):
        outcome_of(Lost(error), fakes.task(0))


def test_what_killed_two_dask_workers_is_recorded_as_failed() -> None:
    task = fakes.task(0)
    error = KilledWorker("task", None, 1)
    assert [run.why for run in outcome_of(Lost(error), task).runs] == [DIED] * len(task.arms)


@pytest.mark.parametrize(
    "address", ["", "tcp://127.0.0.1:9", "127.0.0.1:8786", "http://[broken", "tcp://127.0.0.1:99999"]
)
def test_a_scheduler_that_is_not_there_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.studies.dask_engine.CONNECT_S", 0.5)
    with pytest.raises(InputError) as refused:
        connect(address)
    assert "scheduler" in str(refused.value)
