"""What pages are made of: escaped by default, complete, and part of what is installed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from controller.templates import Templates

ROOT = Path(__file__).resolve().parents[2]


def made(folder: Path, source: str, **values: object) -> str:
    (folder / "page.html").write_text(source, encoding="utf-8")
    return Templates(folder).render("page.html", **values)


def test_a_text_is_escaped_and_what_another_template_made_is_not(tmp_path: Path) -> None:
    evil = "<script>\"'&"
    page = made(tmp_path, '<p title="{{ a }}">{{ a }}{{ b }}</p>', a=evil, b=Markup("<i>x</i>"))
    assert page == '<p title="&lt;script&gt;&#34;&#39;&amp;">&lt;script&gt;&#34;&#39;&amp;<i>x</i></p>'


def test_a_name_that_a_template_was_not_given_is_an_error_that_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError, match="nobody") as error:
        made(tmp_path, "<p>\n<b>x</b>\n\n  {% if 1 %}\n{{ nobody }}\n{% endif %}</p>")
    assert [entry.lineno + 1 for entry in error.traceback if str(entry.path).endswith("page.html")] == [5]


def test_a_line_break_between_tags_is_nothing_and_a_space_beside_words_stays(tmp_path: Path) -> None:
    assert made(tmp_path, "<ul>\n  <li>a b</li>\n\n  <li>{{ c }} <b>d</b>\n</li>\n</ul>", c="c") == (
        "<ul><li>a b</li><li>c <b>d</b></li></ul>"
    )


def test_every_template_can_be_read_and_is_installed() -> None:
    folders = sorted((ROOT / "controller").rglob("templates"))
    assert len(folders) > 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "*.html" in project["tool"]["setuptools"]["package-data"]["*"]
    for folder in folders:
        environment = Templates(folder).environment
        for name in environment.list_templates():
            environment.get_template(name)
