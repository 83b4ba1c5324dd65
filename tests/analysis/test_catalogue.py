"""The catalogue of sessions: figures worked out by hand, what is kept, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import msgspec
import pytest
from typer.testing import CliRunner

from controller.analysis.catalogue import KEPT, opened
from controller.analysis.summary import ArmSummary, Spread, Summary
from controller.cli import app
from controller.commands.catalogue import Filter, comparison, progress, rows
from controller.errors import InputError
from tests.record.made import tick, write

ARM = ArmSummary(
    mode="feedback", label="feedback", seed=None, seconds=60.0,
    strides=50, counted_strides=40, true_strides=None, unlifted_swings=2,
    ankle_at_initial_contact_deg=None, foot_pitch_at_initial_contact_deg=Spread(8.0, 9.0),
    peak_swing_dorsiflexion_deg=Spread(3.0, 4.0), swing_pitch_rmse_deg=Spread(4.0, 5.0),
    charge_per_stride_uc=200.0, current_ma=Spread(30.0, 31.0), cadence_spm=Spread(90.0, 91.0),
    sensor_to_pulse_ms=None, tick_ms=None, missed_ticks=0, samples_lost=0, trips=0,
)  # fmt: skip
OFF = replace(ARM, mode="off", label="off", swing_pitch_rmse_deg=Spread(9.0, 9.0), charge_per_stride_uc=0.0)


def session(runs: Path, name: str, *arms: ArmSummary, pseudonym: str = "P-01") -> Path:
    """A recording of one tick with its summary."""
    folder = runs / name
    folder.mkdir(parents=True)
    write(folder / "session.mcap", ("tick", 0, tick(0)), session={"session": name, "pseudonym": pseudonym})
    (folder / "summary.json").write_bytes(msgspec.json.encode(Summary(arms)))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two sessions in one week, of 40 and 10 strides that count, one in the next; and another person's."""
    runs = tmp_path / "runs"
    session(runs, "20261102T100000Z", OFF, ARM)  # a Monday
    fewer = replace(ARM, counted_strides=10, swing_pitch_rmse_deg=Spread(9.0, 9.0), charge_per_stride_uc=None)
    session(runs, "20261108T100000Z", fewer)  # the Sunday after it
    session(runs / "more", "20261109T100000Z", replace(ARM, trips=2, unlifted_swings=0))
    session(runs, "20261110T100000Z", replace(ARM, mode="A", label="A", blinded=True), pseudonym="P-02")
    return runs


def names(database: duckdb.DuckDBPyConnection, **wanted: object) -> list[str]:
    """The folders and arms that fit, without what stands before the session's name."""
    found = rows(database, Filter(**wanted), ("folder", "arm"))  # type: ignore[arg-type]
    return [f"{Path(str(folder)).name[6:8]} {arm}" for folder, arm in found]


def test_arms_are_listed_the_newest_session_first_and_by_every_filter(runs: Path) -> None:
    database = opened([runs])
    assert names(database) == ["10 A", "09 feedback", "08 feedback", "02 feedback", "02 off"]
    assert names(database, pseudonym="P-02") == ["10 A"]
    assert names(database, since="2026-11-09") == ["10 A", "09 feedback"]
    assert names(database, until="2026-11-02", mode="off") == ["02 off"]
    assert names(database, arm="A") == ["10 A"]
    assert names(database, error_above_deg=8.9, mode="feedback") == ["08 feedback"]
    assert names(database, trips_from=1) == ["09 feedback"]
    assert names(database, problems=True) == []


def test_weeks_are_means_weighted_by_the_strides_that_count_of_the_arms_with_stimulation(runs: Path) -> None:
    told = progress(opened([runs]), "P-01")
    assert [(monday, sessions) for monday, sessions, _ in told.weeks] == [
        ("2026-11-02", 2),
        ("2026-11-09", 1),
    ]
    first, second = (figures for _, _, figures in told.weeks)
    assert first["swing_error_deg"] == pytest.approx((40 * 4.0 + 10 * 9.0) / 50)
    assert first["charge_per_stride_uc"] == pytest.approx(200.0)  # the other is not known
    assert (first["strides"], first["unlifted_swings"]) == (100.0, 4.0)
    assert (second["swing_error_deg"], second["unlifted_swings"]) == (4.0, 0.0)
    assert [day for day, _ in told.sessions] == ["2026-11-02", "2026-11-08", "2026-11-09"]
    with pytest.raises(InputError, match="P-99"):
        progress(opened([runs]), "P-99")


def test_two_sessions_stand_side_by_side_arm_by_arm(runs: Path) -> None:
    database = opened([runs])
    heads, table = comparison(database, "20261102T100000Z", str(runs / "more" / "20261109T100000Z"))
    assert [head[6:] for head in heads[1:]] == [
        "02T100000Z: off", "02T100000Z: feedback", "09T100000Z: feedback",
    ]  # fmt: skip
    figures = {row[0]: dict(zip(heads[1:], row[1:], strict=True)) for row in table}
    assert figures["trips"]["20261109T100000Z: feedback"] == "2"
    assert figures["swing_error_deg deg"]["20261102T100000Z: off"] == "9.0"
    with pytest.raises(InputError, match="no such session"):
        comparison(database, "20261102T100000Z", "20261103")


def test_only_what_changed_is_read_again_and_what_is_gone_is_forgotten(runs: Path) -> None:
    read: list[str] = []
    opened([runs], read.append)
    assert len(read) == 4
    assert (runs / KEPT).stat().st_mode & 0o077 == 0
    read.clear()
    changed = runs / "20261108T100000Z" / "summary.json"
    changed.write_bytes(msgspec.json.encode(Summary((replace(ARM, trips=9),))))
    (runs / "20261110T100000Z" / "session.mcap").unlink()
    database = opened([runs], read.append)
    assert read == ["20261108T100000Z"]
    assert names(database, trips_from=9) == ["08 feedback"]
    assert names(database, pseudonym="P-02") == []
    (runs / KEPT).write_bytes(b"PAR1 and no more")
    assert names(opened([runs], read.append), trips_from=9) == ["08 feedback"]
    assert len(read) == 1 + 3


def test_a_session_without_a_summary_is_summed_up_and_what_is_no_recording_says_so(tmp_path: Path) -> None:
    (session(tmp_path, "plain") / "summary.json").unlink()
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "session.mcap").write_bytes(b"nonsense")
    database = opened([tmp_path])
    (found,) = rows(database, Filter(problems=True), ("folder", "problem"))
    assert str(found[0]).endswith("bad")
    assert "MCAP" in str(found[1])
    assert len(rows(database, Filter())) == 2
    with pytest.raises(InputError, match="a folder of sessions"):
        opened([tmp_path / "nowhere"])


def test_the_commands_list_and_draw(runs: Path, tmp_path: Path) -> None:
    run = CliRunner()
    listed = run.invoke(app, ["catalogue", "list", "--in", str(runs), "--mode", "feedback", "--json"])
    assert [json.loads(line)["swing_error_deg"] for line in listed.stdout.splitlines()] == [4.0, 9.0, 4.0]
    out = tmp_path / "weeks.png"
    drawn = run.invoke(app, ["catalogue", "progress", "P-01", "--in", str(runs), "--out", str(out)])
    assert "2026-11-09" in drawn.stdout
    assert out.read_bytes().startswith(b"\x89PNG")
    refused = run.invoke(app, ["catalogue", "list", "--in", str(runs), "--since", "yesterday"])
    assert refused.exit_code == 2
