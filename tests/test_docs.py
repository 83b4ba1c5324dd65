"""The docs are true of the code: generated parts are up to date; commands, targets, settings, paths exist."""

from __future__ import annotations

import re
import runpy
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer.main

from controller.cli import app
from controller.config import exercise_schema, person_schema
from controller.config import schema as config
from controller.studies.protocol import StudyFile
from controller.studies.search_file import SearchFile

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
GENERATE: dict[str, Any] = runpy.run_path(str(DOCS / "generate.py"), run_name="generate")
ROOMS = [room for room in ROOT.iterdir() if room.is_dir() and room.name != "runs" and room.name[0] != "."]
FILES = [
    str(file.relative_to(ROOT))
    for room in ROOMS
    for file in room.rglob("*")
    if file.is_file() and file.parent.name != "__pycache__"
]
FILES += [file.name for file in ROOT.iterdir() if file.is_file()]
TOP = {file.partition("/")[0] for file in FILES}
NAMES = {Path(file).name for file in FILES}
WRITTEN = {
    "report.html",
    "pulses.jsonl",
    "manifest.json",
    "protocol.toml",
    "runs.parquet",
    "strides.parquet",
    "persons.csv",
    "outcomes.csv",
    "study.html",
    "study.pdf",
    "study.toml",
    "session.mcap",
    "signals.mcap",
    "session.toml",
    ".dorsi-export.json",
}  # by commands; another page
FILE = re.compile(r"[\w.-]+\.(?:py|md|toml|json|txt|png|cff|html|mcap|jsonl)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
WORD = re.compile(r"[a-z][a-z-]*")
SETTING = re.compile(r"\[{1,2}([a-z_]+)\]{1,2}(?: ([a-z_]+)\b)?")


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code(text: str) -> list[str]:
    """Every line of the code blocks, without comments, and every piece of code within a line."""
    lines = [
        line.partition("#")[0].strip()
        for kind, block in FENCE.findall(text)
        if kind != "python"
        for line in block.splitlines()
    ]
    inline = re.findall(r"`([^`]+)`", FENCE.sub("", text))
    return [" ".join(piece.split()) for piece in (*lines, *inline) if piece]


def cases(pieces: Any) -> list[Any]:
    return [
        pytest.param(piece, id=f"{page.name}-{piece}")
        for page in PAGES
        for piece in sorted(set(pieces(read(page))))
    ]


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", read(page)), re.MULTILINE)}


def command(words: list[str]) -> Any:  # Any: click's commands, as typer brings them
    """The command that ``words`` begin with; None where there is none. Takes its words off the list."""
    found = typer.main.get_command(app)
    while (commands := getattr(found, "commands", None)) is not None:
        if not words or words[0] not in commands:
            return found if found.invoke_without_command else None
        found = commands[words.pop(0)]
    return found


def options(of: Any) -> set[str]:
    return {
        name for param in of.params for name in (*param.opts, *param.secondary_opts) if name.startswith("-")
    }


def all_options(of: Any) -> set[str]:
    inner = getattr(of, "commands", {}).values()
    return options(of).union(*(all_options(one) for one in inner))


def invocations(text: str) -> list[str]:
    return [piece for piece in code(text) if re.match(r"(?:\.venv/bin/)?dorsi [a-z]", piece)]


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_generated_parts_are_up_to_date(page: Path) -> None:
    assert GENERATE["filled"](read(page)) == read(page), "make docs writes them anew"


def test_every_generated_part_stands_in_a_page() -> None:
    pages = "".join(map(read, PAGES))
    assert [name for name in GENERATE["PARTS"] if f"<!-- generated: {name} -->" not in pages] == []


def test_every_setting_is_described() -> None:
    rows = [
        line for line in read(DOCS / "configuration.md").splitlines() if re.match(r"\| `.*(\|.*){6}", line)
    ]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_dependency_is_told() -> None:
    project = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]
    wanted = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    page = read(DOCS / "dependencies.md")
    names = [re.split(r"[\[<>=]", one)[0] for one in wanted]
    assert [
        name for name in names if not re.search(rf"\b{re.escape(name.removeprefix('pytest-'))}\b", page)
    ] == []


@pytest.mark.parametrize("piece", cases(invocations))
def test_a_command_exists_with_its_options(piece: str) -> None:
    words = piece.split()[1:]
    found = command(words)
    assert found is not None, piece
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert given - options(found) == set()


def test_an_option_told_alone_exists() -> None:
    known = all_options(typer.main.get_command(app))
    scripts = "".join(read(ROOT / file) for file in FILES if file.startswith("benchmarks/"))
    told = {piece.split()[0] for page in PAGES for piece in code(read(page)) if piece.startswith("--")}
    assert [name for name in told if name not in known and f'"{name}"' not in scripts] == []


def test_a_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    told = {
        piece.split()[1] for page in PAGES for piece in code(read(page)) if re.match(r"make [a-z]", piece)
    }
    assert told
    assert told - targets == set()


def test_a_module_that_is_run_exists() -> None:
    told = {
        found
        for page in PAGES
        for piece in code(read(page))
        for found in re.findall(r"python -m ([\w.]+)", piece)
    }
    assert told
    assert [name for name in told if find_spec(name) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", read(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def exists(word: str) -> bool:
    """A path from the top, the end of a module's path, or a file's name; anything else is no path."""
    if "/" in word and word.partition("/")[0] in TOP:
        return (ROOT / word).exists()
    if "/" in word and word.endswith(".py"):
        return any(file.endswith(f"/{word}") for file in FILES)
    return not FILE.fullmatch(word) or word.lower() in WRITTEN or word in NAMES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_path_exists(page: Path) -> None:
    words = {word for piece in code(read(page)) for word in re.split(r"[\s=:]+", piece)}
    assert [word for word in sorted(words) if not exists(word)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_setting_exists(page: Path) -> None:
    tables = {
        name: field
        for file in (
            exercise_schema.ProgrammeFile,
            config.SessionFile,
            person_schema.PatientFile,
            StudyFile,
            SearchFile,
        )
        for name, field in file.model_fields.items()
    }
    for piece in code(read(page)):
        found = SETTING.match(piece)
        if found is None:
            continue
        assert found[1] in tables, piece
        section = GENERATE["_section"](tables[found[1]].annotation)
        assert found[2] is None or found[2] in section.model_fields, piece
