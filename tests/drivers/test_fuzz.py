"""Broken bytes for every decoder: a few hundred each here, 100,000 by `make fuzz`."""

from __future__ import annotations

import random

import pytest

from drivers.catalogue import DECODERS, SENSORS, STIMULATORS
from drivers.interface import ZERO3, EmgFrame, ImuSample
from tests.drivers.fuzz import CODECS, CONTRACTS, FOLDER, FuzzError, Target, fuzz, judge, targets
from tests.drivers.fuzz import mutated as broken

TARGETS = targets()
INPUTS = 300


def test_no_decoder_of_the_catalogue_and_no_file_is_left_out() -> None:
    assert set(CODECS) == set(DECODERS)
    assert set(CONTRACTS) == {sensor.protocol for sensor in SENSORS.values() if sensor.decode is not None}
    names = [target.name for target in TARGETS]
    assert len(names) == len(set(names))
    assert {f"driver {name}" for name in (*CONTRACTS, *STIMULATORS)} <= set(names)
    files = {path.name for path in FOLDER.glob("*.toml")}
    assert {f"{kind} {name}" for kind in ("codec", "driver") for name in files} <= set(names)


@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
def test_broken_bytes_are_refused_or_finite(target: Target) -> None:
    fuzz(target, INPUTS, seed=25)


class Brittle(Target):
    """Fails at one input of ten thousand."""

    name = "brittle"

    def run(self, rng: random.Random, inputs: int, told: list[str]) -> None:
        for _ in range(inputs):
            data = broken(b"whole", b"other", rng)
            told.append(data.hex())
            if data[:2] == b"w\x80":
                raise KeyError("brittle")


def test_a_finding_says_what_came_in_and_is_found_again_by_its_line() -> None:
    with pytest.raises(FuzzError, match="brittle, seed 3, run ") as found:
        fuzz(Brittle(), 100_000, seed=3)
    words = str(found.value)
    assert "7780" in words
    run = int(words.split("--first ")[1])
    with pytest.raises(FuzzError) as again:
        fuzz(Brittle(), 100, seed=3, first=run)
    assert str(again.value) == words


@pytest.mark.parametrize(
    "sample",
    [
        ImuSample("foot", 5, 5, 0, (float("nan"), 0.0, 0.0), ZERO3),
        ImuSample("foot", 6, 5, 0, ZERO3, ZERO3),  # of a time to come
        ImuSample("foot", 5, 5, 0, ZERO3, ZERO3, valid=False),  # without a reason
        EmgFrame("arm", 5, 5, 0, 200.0, ((1.0,),), valid=False, reason="broken"),
    ],
)
def test_what_no_sample_may_be_is_a_finding(sample: ImuSample | EmgFrame) -> None:
    with pytest.raises(FuzzError):
        judge(sample, 5)
