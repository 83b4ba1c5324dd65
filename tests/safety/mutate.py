"""Mutation test of the guard: every small change to its decisions has to make a test fail.

``python -m tests.safety.mutate [CHILDREN [MODULE ...]]`` checks that the sound code passes, mutates the
modules that decide, prints each survivor and why it may live; ends with 1 where it may not. Needs mutmut.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MUTATED = ("envelope", "limits", "states", "pulses")  # what judges; frames and react by name
LEFT_OUT = (
    "test_process.py",  # real time
    "test_oracle.py",
    "test_planted.py",
    "test_hazards.py",
    "test_settings.py",
    "test_machine.py",  # random: it would kill mutants on one day and not on the next
)

KILLED = ("killed", "timeout")  # an endless loop is noticed: the guard under test never came back

# Survivors that were looked at, by the changed code itself: what was removed, what was put in its place, why.
REVIEWED: tuple[tuple[str, str, str], ...] = (
    (r"1e9", r"1000000001\.0", "a billionth of a second more: no test can tell, no person feels"),
    (r"strict=True", r".*", "lengths are equal by the check for F7; strict is a second lock"),
    (r"link=False", r"link=None", "both are false"),
    (r"\(?known\.frame_ns or 0\)?", r".*or 1.*", "a nanosecond, and only where there is no frame"),
    (r"valid_ns or 0", r".*or 1.*", "a nanosecond, and only where there is no sample"),
    (r"ages\(0, setup, known\)", r"ages\(1, setup, known\)", "the limit does not depend on the time"),
    (r"value < values\[name\]:", r".*<= values\[name\]:", "no default equals its cap"),
    (r"_CHANNEL\.pack\(False", r"_CHANNEL\.pack\(None", "packs the same byte"),
    (r"_CRC\.size:", r".*- _CRC\.size:", "too short a message fails its checksum all the same"),
    (r'source: str = "limits"', r".*", "a default name for messages"),
    (r'^return "", ""$', r".*", "what was found is looked at only where a limit is named"),
    (r"charge = 0\.0 if channel is None", r".*", "from off the current binds before the charge"),
    (r"Level\(begin_ns, 0\.0, 0\.0\)", r"0\.0, 1\.0", "from off the current binds before the charge"),
    (r"ceiling_ma\[index\] < allowed_ma", r"<= allowed_ma", "where both are equal either name is right"),
    (r'"F11", f"by \{request\.by\}", setup', r"None, known", "STOP looks at no setting"),
)

SETTINGS = """
[project]
name = "mutated"
version = "0"
[tool.mutmut]
source_paths = ["controller"]
only_mutate = ["controller/safety/{module}.py"]
also_copy = ["drivers", "models", "tests"]
pytest_add_cli_args_test_selection = ["tests/safety/test_{module}.py"]
[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = "-q -p no:cacheprovider"
"""


def is_prose(removed: str, added: str) -> bool:
    """Only the words of a message were changed: in a string of several words, or by mutmut's XX marks."""
    letters = added.replace("XX", "")
    return " " in removed and '"' in removed and letters.lower() == removed.lower()


def review(removed: str, added: str) -> str:
    """Why this survivor may live; empty where it may not."""
    if is_prose(removed, added):
        return "only the words of a message"
    for before, after, why in REVIEWED:
        if re.search(before, removed) and re.search(after, added):
            return why
    return ""


def copied(copy: Path, module: str) -> None:
    ignore = shutil.ignore_patterns("__pycache__", *LEFT_OUT)
    for part in ("controller", "drivers", "models"):
        shutil.copytree(ROOT / part, copy / part, ignore=ignore)
    shutil.copytree(ROOT / "tests/safety", copy / "tests/safety", ignore=ignore)
    for name in ("__init__.py", "data.py"):
        shutil.copy(ROOT / "tests" / name, copy / "tests" / name)
    (copy / "pyproject.toml").write_text(SETTINGS.format(module=module))


def mutmut(copy: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    return done.stdout


def changed(copy: Path, mutant: str) -> tuple[str, str]:
    lines = mutmut(copy, "show", mutant).splitlines()
    removed = " ".join(line[1:].strip() for line in lines if re.match(r"-(?!--)", line))
    added = " ".join(line[1:].strip() for line in lines if re.match(r"\+(?!\+\+)", line))
    return removed, added


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of one module's mutants."""

    module: str
    mutants: int
    lived: int
    unreviewed: int
    minutes: float

    def __str__(self) -> str:
        killed = self.mutants - self.lived
        return (
            f"{self.module:10}{self.mutants:5} mutants{killed:6} killed"
            f"{self.lived - self.unreviewed:4} reviewed{self.unreviewed:4} SURVIVED{self.minutes:6.1f} min"
        )


def tried(module: str, children: str) -> Figures | None:
    """Every mutant of a module against that module's tests; ``None`` where the sound code fails them."""
    begin_s = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        copied(copy, module)
        test = f"tests/safety/test_{module}.py"
        if subprocess.run([sys.executable, "-m", "pytest", "-x", test], cwd=copy, check=False).returncode:
            print(f"{module}: the sound code does not pass: no mutant says anything")
            return None
        mutmut(copy, "run", "--max-children", children)
        results = [line.split(": ") for line in mutmut(copy, "results", "--all", "true").splitlines()]
        words = {mutant.strip(): word.strip() for mutant, word in (one for one in results if len(one) == 2)}
        lived = [mutant for mutant, word in words.items() if word not in KILLED]
        unreviewed = 0
        for mutant in lived:
            removed, added = changed(copy, mutant)
            why = review(removed, added)
            unreviewed += not why
            if not why:
                print(f"SURVIVED ({words[mutant]}): {mutant}\n  - {removed}\n  + {added}", flush=True)
    return Figures(module, len(words), len(lived), unreviewed, (time.monotonic() - begin_s) / 60)


def main() -> int:
    children = sys.argv[1] if len(sys.argv) > 1 else str(os.cpu_count() or 1)
    all_figures = []
    for module in sys.argv[2:] or MUTATED:
        figures = tried(module, children)
        if figures is None or figures.mutants == 0:
            return 1
        print(figures, flush=True)
        all_figures.append(figures)
    unreviewed = sum(figures.unreviewed for figures in all_figures)
    print(
        f"{sum(f.mutants for f in all_figures)} mutants, {sum(f.lived for f in all_figures)} survivors, "
        f"{unreviewed} of them not reviewed, {sum(f.minutes for f in all_figures):.1f} min"
    )
    return 1 if unreviewed else 0


if __name__ == "__main__":
    sys.exit(main())
