"""A protocol is refused in words before anything walks, and its hash covers every number that decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import ConfigError
from controller.studies.protocol import load_protocol

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "configs" / "studies" / "laws.toml"
SESSION = ROOT / "configs" / "sessions" / "demo.toml"
TEXT = SAMPLE.read_text(encoding="utf-8").replace("../sessions/demo.toml", str(SESSION))


def written(folder: Path, *changes: tuple[str, str], more: str = "") -> Path:
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "study.toml"
    path.write_text(text + more, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        load_protocol(path)
    return str(refused.value)


def test_the_sample_is_a_protocol() -> None:
    protocol = load_protocol(SAMPLE)
    assert [arm.name for arm in protocol.file.arms] == ["off", "trapezoid", "learning"]
    assert protocol.walked_strides == 60


SECOND = '\n[[cohorts]]\nname = "second"\nseed = {seed}\nfirst = {first}\npatients = 10\n'


@pytest.mark.parametrize(
    ("change", "more", "words"),
    [
        (('arm = "learning"', 'arm = "lerning"'), "", "'lerning', which is no arm, allowed: off, trapezoid"),
        (('against = "off"', 'against = "learning"'), "", "against itself"),
        (('mode = "learning"', 'mode = "magic"'), "", "arms number 3.mode: found 'magic'"),
        (('measure = "charge_uc"', 'measure = "charge"'), "", "outcomes number 2.measure: found 'charge'"),
        (('role = "secondary"', 'role = "primary"'), "", "found 2 primary, allowed: exactly one"),
        (('role = "primary"', 'role = "secondary"'), "", "found 0 primary, allowed: exactly one"),
        (('name = "trapezoid"', 'name = "off"'), "", "arms number 2.name: found 'off' again"),
        (("seed = 2 ", "seed = 2\n"), SECOND.format(seed=2, first=999), "share persons 999 to 999 of seed 2"),
        (('current = "titrated"', 'current = "best"'), "", "found 'best'"),
        (('name = "learning"\n', 'name = "learning"\ncurrent = "titrated"\n'), "", "found 'titrated'"),
        (
            ("# sensors", 'gains = { "learning.step" = 2.0 }\n#'),
            "",
            "learning.step: found 2, allowed: 0 to 1",
        ),
        (("# sensors", 'gains = { "learning.stpe" = 0.2 }\n#'), "", "learning.stpe: no setting"),
        (("# sensors", 'sensors = ["thigh"]\n#'), "", "found 'thigh'"),
        (("# sensors", "faults = { samples_lost_share = 0.6 }\n#"), "", "0 to 0.5"),
        (("strides = 50", "strides = 1"), "", "study.strides: found 1"),
        (("patients = 1000", "patients = nan"), "", "patients"),
        (("seed = 2", "sead = 2"), "", "did you mean 'seed'"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, change: tuple[str, str], more: str, words: str) -> None:
    said = refusal(written(tmp_path, change, more=more))
    assert words in said
    assert str(tmp_path / "study.toml") in said


@pytest.mark.parametrize(("seed", "first"), [(2, 1000), (3, 0)])
def test_cohorts_that_share_nobody_are_taken(tmp_path: Path, seed: int, first: int) -> None:
    path = written(tmp_path, more=SECOND.format(seed=seed, first=first))
    assert len(load_protocol(path).file.cohorts) == 2


def test_a_session_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "nowhere.toml" in refusal(written(tmp_path, (str(SESSION), "nowhere.toml")))


def test_the_hash_covers_what_decides_and_nothing_else(tmp_path: Path) -> None:
    base = load_protocol(written(tmp_path)).sha256
    assert load_protocol(SAMPLE).sha256 == base  # another path and place
    assert load_protocol(written(tmp_path, ("# registered before", "# Registered before"))).sha256 == base
    for change in (("seed = 2", "seed = 3"), ("strides = 50", "strides = 51"), ('"median"', '"mean"')):
        assert load_protocol(written(tmp_path, change)).sha256 != base
    session = SESSION.read_text(encoding="utf-8").replace("ti_s = 0.3", "ti_s = 0.4")
    other = tmp_path / "session.toml"
    other.write_text(session.replace("../patients", str(ROOT / "configs" / "patients")), encoding="utf-8")
    assert load_protocol(written(tmp_path, (str(SESSION), "session.toml"))).sha256 != base
