"""A search for gains: what is refused, what is proposed, and that a stopped one goes on as if it had not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.commands import trial_search
from controller.console.tuning import profiles
from controller.errors import ConfigError, InputError
from controller.studies import search as searching
from controller.studies.measures import NAMES
from controller.studies.search import Sample, compromise, figures_of, front
from controller.studies.search_file import Search, load_search
from controller.studies.search_walks import CHARGE, ERROR, Served, person, serve

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SAMPLE = CONFIGS / "studies" / "search.toml"
SESSION = 'session_file = "../sessions/demo.toml"'


def file_with(folder: Path, *changes: tuple[str, str]) -> Path:
    text = SAMPLE.read_text(encoding="utf-8")
    for old, new in ((SESSION, f'session_file = "{CONFIGS / "sessions" / "demo.toml"}"'), *changes):
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "search.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"learning.step"', '"learning.stop"', ("gains number 1.key", "'learning.stop'", "learning.step")),
        ('"learning.step"', '"feedback.ti_s"', ("gains number 1.key", "'feedback.ti_s'", "mode 'learning'")),
        ("low = 0.2", "low = -0.2", ("gains number 1.low", "-0.2")),
        ("low = 0.2", "low = 0.6", ("gains number 1.low", "0.6 to 0.9", "session's own 0.5")),
        ("high = 0.9", "high = 0.1", ("gains number 1.high", "0.1", "more than low")),
        ('"learning.kp_nm_per_rad"', '"learning.step"', ("gains number 3.key", "again")),
        ("high = 12.0", "high = 12.0\nlog = true", ("gains number 3.low", "with log", "more than 0")),
        ('"toe_clearance_mm"', '"grace"', ("constraints number 1.measure", "'grace'", "charge_uc")),
        ("most = 6.0", "most = 6.0\nleast = 1.0", ("constraints number 2.measure", "both", "least or most")),
        ("most = 6.0", "", ("constraints number 2.measure", "neither", "least or most")),
        ("samples = 40", "samples = 1", ("search.samples", "1")),
        ('mode = "learning"', 'mode = "off"', ("search.mode", "'off'")),
    ],
)
def test_what_a_search_got_wrong_is_named_before_anything_walks(
    tmp_path: Path, old: str, new: str, named: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as error:
        load_search(file_with(tmp_path, (old, new)))
    said = str(error.value)
    assert all(word in said for word in named), said


def test_more_samples_are_the_same_search_and_other_persons_another(tmp_path: Path) -> None:
    one = load_search(SAMPLE).sha256
    assert load_search(file_with(tmp_path, ("samples = 40", "samples = 80"))).sha256 == one
    assert load_search(file_with(tmp_path, ("seed = 5", "seed = 6"))).sha256 != one


# --- what is proposed


def sample(number: int, *figures: float, missed: float = 0.0) -> Sample:
    return Sample(number, {"learning.step": 0.1 * number}, figures, (0.0, missed))


def test_nothing_on_the_front_is_bettered_in_every_figure_and_nothing_misses_a_constraint() -> None:
    samples = [
        sample(0, 2.0, 200.0, 4.0),
        sample(1, 1.9, 190.0, 3.9),
        sample(2, 1.5, 260.0, 4.5),
        sample(3, 1.0, 100.0, 1.0, missed=0.1),
        sample(4, 2.0, 190.0, 3.9),
    ]
    assert [one.number for one in front(samples)] == [2, 1]
    chosen = compromise(samples)
    assert chosen is not None
    assert chosen.number == 1  # the other takes more charge than the session's own gains by too much


def test_the_sessions_own_gains_are_proposed_where_nothing_betters_them_and_nothing_where_all_miss() -> None:
    own = sample(0, 2.0, 200.0, 4.0)
    assert compromise([own, sample(1, 1.8, 230.0, 4.0)]) is own
    assert compromise([sample(0, 2.0, 200.0, 4.0, missed=1.0)]) is None
    assert compromise([]) is None
    other = sample(1, 3.0, 300.0, 9.0)  # worse, but the own ones may not be used
    assert compromise([sample(0, 2.0, 200.0, 4.0, missed=1.0), other]) is other


def served(**values: float) -> Served:
    means = [values.get(name, 1.0) for name in NAMES]
    return Served(tuple(means), values.get("disturbed", 3.0))


def test_a_constraint_is_missed_where_one_person_misses_it() -> None:
    search = load_search(SAMPLE)
    kept = served(toe_clearance_mm=5.0, swing_pitch_rmse_deg=2.0, charge_uc=100.0)
    low = served(toe_clearance_mm=-2.0, swing_pitch_rmse_deg=4.0, charge_uc=200.0, disturbed=7.0)
    figures, missed = figures_of(search, [kept, low])
    assert figures == (3.0, 150.0, 7.0)
    assert missed == (0.0, 2.0, -2.0)
    _, missed = figures_of(search, [kept, Served(why="fell")])
    assert min(missed) > 0.0
    assert not Sample(1, {}, figures, missed).allowed


# --- walked


class Inline:
    """A pool whose work is done here and now."""

    def map(self, function: Any, *columns: Any) -> Iterator[Any]:
        return map(function, *columns)


def pretended(search: Search, who: int, gains: dict[str, float]) -> Served:
    step, change, kp = gains.values()
    error = abs(step - 0.6) + 0.1 * who + abs(math.log10(change) + 3.0)
    return served(swing_pitch_rmse_deg=error, charge_uc=100.0 + kp, toe_clearance_mm=5.0, disturbed=2 * error)


@pytest.fixture
def pretending(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def pool(_: int) -> Iterator[Inline]:
        yield Inline()

    monkeypatch.setattr(searching, "pool_of", pool)
    monkeypatch.setattr(searching, "person", lambda _, number: number)
    monkeypatch.setattr(searching, "serve", pretended)


def test_a_stopped_search_goes_on_as_if_it_had_not_been_and_ends_in_a_profile_that_changes_nothing(
    tmp_path: Path, pretending: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    path = file_with(tmp_path, ("samples = 40", "samples = 16"))
    search = load_search(path)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        folder.mkdir()
    searching.Searching(search, whole).walk(1, lambda _: None)

    def stops(one: Sample) -> None:
        if one.number == 11:
            raise KeyboardInterrupt

    def killed(*_: object) -> Served:
        raise KeyboardInterrupt

    for serve_, came in ((killed, print), (pretended, stops), (killed, print)):  # amid a set, after one
        monkeypatch.setattr(searching, "serve", serve_)
        with pytest.raises(KeyboardInterrupt):
            searching.Searching(search, parts).walk(1, came)
    monkeypatch.setattr(searching, "serve", pretended)
    searching.Searching(search, parts).walk(1, lambda _: None)
    table = (whole / searching.TABLE).read_bytes()
    assert (parts / searching.TABLE).read_bytes() == table
    assert table.count(b"\n") == 17
    samples = searching.Searching(search, whole).samples
    assert samples[0].gains == search.present

    other = dataclasses.replace(search, sha256="0" * 64)
    with pytest.raises(InputError, match="another search"):
        searching.Searching(other, whole)

    written = trial_search.stage(path, 0, whole, tmp_path / "runs")
    profile = profiles.read(written)
    assert profile.values == search.present
    assert (profile.pseudonym, profile.by) == (search.pseudonym, trial_search.BY)
    with pytest.raises(InputError, match="sample"):
        trial_search.stage(path, 99, whole, tmp_path / "runs")


def test_a_body_drawn_about_the_sessions_person_walks_and_the_core_is_told_what_was_identified(
    tmp_path: Path,
) -> None:
    path = file_with(
        tmp_path,
        ('of = "cohort" ', 'of = "patient"'),
        ("strides = 20", "strides = 5"),
        ("_strides = 6", "_strides = 2"),
    )
    search = load_search(path)
    one, other = person(search, 0), person(search, 1)
    assert one.known is search.base
    assert one.member.params != other.member.params
    assert person(search, 0) == one
    found = serve(search, one, {"learning.step": 0.5})
    assert found.why == ""
    assert 0.5 < (found.means[ERROR] or 0.0) < 8.0
    assert (found.means[CHARGE] or 0.0) > 10.0
    assert math.isfinite(found.disturbed_deg)


def test_feedback_gains_without_margins_are_not_walked_at_all(tmp_path: Path) -> None:
    path = file_with(
        tmp_path,
        ('mode = "learning"', 'mode = "feedback"'),
        (
            'key = "learning.step"\nlow = 0.2\nhigh = 0.9',
            'key = "feedback.kp_nm_per_rad"\nlow = 0.1\nhigh = 30.0',
        ),
        ('key = "learning.change"\nlow = 1e-5\nhigh = 1e-2', 'key = "feedback.ti_s"\nlow = 0.05\nhigh = 5.0'),
        (
            'key = "learning.kp_nm_per_rad"\nlow = 0.0\nhigh = 12.0',
            'key = "feedback.td_s"\nlow = 0.0\nhigh = 0.3',
        ),
        ('of = "cohort" ', 'of = "patient"'),
    )
    search = load_search(path)
    found = serve(search, person(search, 0), {"feedback.kp_nm_per_rad": 30.0, "feedback.ti_s": 0.05})
    assert "margins" in found.why
