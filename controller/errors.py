"""Errors made for people: every one says what is wrong, where, and what would be right."""

from __future__ import annotations


class InputError(ValueError):
    """A file or value from outside is refused, before anything starts.

    The message names the file, the key, column or line, the value found and the values allowed.
    """

    def __init__(self, source: str, where: str, found: object, allowed: str) -> None:
        super().__init__(f"{source}: {where}: found {found!r}, allowed: {allowed}")
        self.source = source
        self.where = where
        self.found = found
        self.allowed = allowed


class ConfigError(ValueError):
    """A settings file is refused; each of ``problems`` names file, key, value and allowed range."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
