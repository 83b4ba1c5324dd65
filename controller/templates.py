"""HTML from Jinja2 templates: every text is escaped, but for what another template made (``Markup``).

A line break between two tags is nothing on the page, as the tags' own spaces can matter: what wants a space
says so on one line. A name that a template was not given is an error. Imported where pages are drawn alone.
"""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup

BREAK = re.compile(r"(?<=[>}])[ \t]*((?:\n[ \t]*)+)(?=[<{])")


class _NoBreaks(Extension):
    """Takes the line breaks between tags away, and leaves the lines their numbers."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return BREAK.sub(lambda found: "{#" + "\n" * found[0].count("\n") + "#}", source)


class Templates:
    """The templates of one folder; each is read when it is first asked for, and once."""

    def __init__(self, folder: Path) -> None:
        self.environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=[_NoBreaks],
        )
        self.environment.policies["json.dumps_kwargs"] = {}  # keys in the order they were given in

    def render(self, name: str, /, **values: object) -> Markup:
        """The template's HTML. Raises jinja2.TemplateError on a name it was not given: a mistake in it."""
        return Markup(self.environment.get_template(name).render(**values))
