"""Every broken programme and session of one is refused in words: which file, which key, what was found."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from controller.commands.config_check import load_startable
from controller.commands.exercise import CONFIGS, PROGRAMMES, virtual_session_text
from controller.commands.run import run_session
from controller.errors import ConfigError

EXERCISE = CONFIGS / "sessions" / "exercise.toml"
PROGRAMME, SESSION = "programme.toml", "session.toml"
CYCLIC, TRIGGERED, PAIR = (
    "wrist_extension",
    "wrist_extension_emg_triggered",
    "wrist_extension_emg_proportional",
)
BREAKS = {
    "not a number": (CYCLIC, PROGRAMME, "rate_hz =", "rate_hz = nan", "rate_hz"),
    "infinite": (CYCLIC, PROGRAMME, "hold_s =", "hold_s = inf", "hold_s"),
    "a text": (CYCLIC, PROGRAMME, "hold_s =", 'hold_s = "5"', "hold_s"),
    "half a repetition": (CYCLIC, PROGRAMME, "count =", "count = 1.5", "count"),
    "no such muscle": (CYCLIC, PROGRAMME, "muscle =", 'muscle = "biceps"', "muscle"),
    "a key nobody knows": (CYCLIC, PROGRAMME, "hold_s =", "hold_s = 5.0\nhlod_s = 5.0", "hlod_s"),
    "too quick at the end": (
        CYCLIC, PROGRAMME, "rate_hz =", "rate_hz = 40.0\nrate_end_hz = 60.0", "rate_end_hz",
    ),
    "a burst without carrier": (
        CYCLIC, PROGRAMME, "rate_hz =", "rate_hz = 40.0\nburst_ms = 2.0", "burst_ms",
    ),
    "a burst of another width": (
        CYCLIC, PROGRAMME, "rate_hz =", "rate_hz = 40.0\nburst_ms = 2.0\ncarrier_hz = 4000.0", "width_us",
    ),
    "a doublet no shorter than the rest": (
        CYCLIC, PROGRAMME, "rate_hz =", "rate_hz = 40.0\ndoublet_ms = 25.0", "doublet_ms",
    ),
    "no rest": (CYCLIC, PROGRAMME, "rest_s =", "rest_s = 0.0", "rests 0 s"),
    "longer than a session": (CYCLIC, PROGRAMME, "count =", "count = 1000", "repetitions"),
    "an output that is not there": (CYCLIC, SESSION, "output =", "output = 8", "output"),
    "more current than the person bears": (
        CYCLIC, SESSION, "current_ma =", "current_ma = 99.0", "current_ma",
    ),
    "an electrode too small": (
        CYCLIC, SESSION, "electrode_area_cm2 =", "electrode_area_cm2 = 1.0", "current_max_ma",
    ),
    "released above the threshold": (
        TRIGGERED, PROGRAMME, "release_percent =", "release_percent = 20.0", "release_percent",
    ),
    "no such EMG channel": (TRIGGERED, SESSION, "emg_channel =", "emg_channel = 8", "emg_channel"),
    "no such EMG sensor": (TRIGGERED, SESSION, "emg_sensor =", 'emg_sensor = "leg"', "emg_sensor"),
    "two muscles on one channel": (PAIR, SESSION, "emg_channel =", "emg_channel = 0", "emg_channel"),
    "floor above the ceiling": (
        PAIR, PROGRAMME, "ceiling_percent =", "ceiling_percent = 10.0\nfloor_percent = 20.0", "floor_percent",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BREAKS)
def test_a_broken_file_is_refused_by_file_key_and_what_is_allowed(tmp_path: Path, case: str) -> None:
    name, broken, key, wrong, named = BREAKS[case]
    programme, session = tmp_path / PROGRAMME, tmp_path / SESSION
    text = (PROGRAMMES / f"{name}.toml").read_text()
    programme.write_text(text)
    files = {PROGRAMME: text, SESSION: virtual_session_text(programme)}
    floors = [line for line in files[broken].splitlines() if not line.startswith("floor_percent")]
    lines = [wrong if line.startswith(key) else line for line in floors]
    assert wrong in lines
    files[broken] = "\n".join(lines)
    for file, content in files.items():
        (tmp_path / file).write_text(content)
    with pytest.raises(ConfigError) as refused:
        load_startable(session)
    (line, *_) = [line for line in refused.value.problems if named in line]
    assert str(tmp_path / broken) in line
    assert "allowed" in line
    assert "found" in line or "rests" in line or "lasts" in line or "unknown" in line


def test_an_exercise_is_not_rehearsed_from_the_recording_of_a_walk(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        run_session(EXERCISE, None, ["walk.csv"], tmp_path / "run", Console(), ask=False)
    assert "--recording: found a file, allowed: none in an exercise session" in str(refused.value)
    assert not (tmp_path / "run").exists()
