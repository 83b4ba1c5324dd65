"""``dorsi events``: one JSON object a line, causal, the same for CSV and Parquet, bad input refused first."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gait import Leg, hemiparetic
from controller.commands.events import run_events
from controller.errors import InputError
from tests.data import needs_data

COLUMNS = "time_s,acc_x_mps2,acc_y_mps2,acc_z_mps2,gyr_x_rps,gyr_y_rps,gyr_z_rps"


def save(leg: Leg, path: Path, samples: int) -> Path:
    table = np.column_stack([leg.time_s, leg.acc_mps2, leg.gyr_rps])[:samples]
    np.savetxt(path, table, delimiter=",", header=COLUMNS, comments="", fmt="%.9g")
    return path


def lines(path: Path, *, as_json: bool = True, axes: str = "auto") -> list[str]:
    out = io.StringIO()
    run_events(path, "shank", "left", axes, as_json=as_json, out=out)
    return out.getvalue().splitlines()


@needs_data
def test_a_prefix_of_the_file_gives_a_prefix_of_the_lines(tmp_path: Path) -> None:
    leg = next(hemiparetic())
    whole = lines(save(leg, tmp_path / "whole.csv", 3000))
    part = lines(save(leg, tmp_path / "part.csv", 1500))
    assert part == whole[: len(part)]
    end_s = leg.time_s[1499]
    assert all(json.loads(line)["emitted_s"] > end_s for line in whole[len(part) :])


@needs_data
def test_lines_carry_event_time_and_emission_in_order(tmp_path: Path) -> None:
    events = [json.loads(line) for line in lines(save(next(hemiparetic()), tmp_path / "a.csv", 3000))]
    assert {event["event"] for event in events} == {"initial_contact", "foot_flat", "heel_off", "toe_off"}
    emitted = [event["emitted_s"] for event in events]
    assert emitted == sorted(emitted)
    assert all(abs(event["time_s"] - event["emitted_s"]) < 0.2 for event in events)


@needs_data
def test_given_axes_find_the_same_contacts(tmp_path: Path) -> None:
    path = save(next(hemiparetic()), tmp_path / "a.csv", 3000)

    def contacts(axes: str) -> int:
        return sum(json.loads(line)["event"] == "initial_contact" for line in lines(path, axes=axes))

    assert contacts("+y") == contacts("auto")


@needs_data
def test_the_table_has_a_row_per_event(tmp_path: Path) -> None:
    path = save(next(hemiparetic()), tmp_path / "a.csv", 3000)
    assert len(lines(path, as_json=False)) == len(lines(path)) + 1


def test_unknown_axes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--axes.*'y'.*auto"):
        run_events(tmp_path / "absent.csv", "foot", "left", "y", as_json=True)


@needs_data
def test_a_person_who_stands_gives_no_line_and_a_word_about_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leg = next(hemiparetic())
    still = np.tile(leg.acc_mps2[:1], (1000, 1)) + np.random.default_rng(1).normal(0.0, 0.02, (1000, 3))
    standing = replace(leg, time_s=leg.time_s[:1000], acc_mps2=still, gyr_rps=np.zeros((1000, 3)))
    assert lines(save(standing, tmp_path / "a.csv", 1000)) == []
    assert "No step found" in capsys.readouterr().err


@needs_data
def test_stimulation_would_follow_the_events_of_straight_walking(tmp_path: Path) -> None:
    leg = next(hemiparetic())
    start_s, end_s = leg.windows[1]
    found = [json.loads(line) for line in lines(save(leg, tmp_path / "a.csv", 3000))]
    inside = [event for event in found if start_s < event["emitted_s"] < min(end_s, leg.time_s[2999])]
    assert len(inside) > 8
    assert all(event["walking"] for event in inside)
