"""The console's words, by language, from files; the English words of a fault are those of the fault table.

Promises the same keys in every language. Refuses, when loading, a file that lacks one or has one too many.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from controller.errors import InputError
from controller.safety.judgement.faults import TABLE

WORDS = Path(__file__).parent / "locales"
FILES = ("", "live.", "exercise.", "home.")  # of each language
LANGUAGES = ("en", "de")  # the first is the one for everybody else
COOKIE = "dorsi_lang"
Therapy = Literal["walk", "exercise", "home"]  # what the pages are about; home: the service, no session
INSTEAD = "instead."  # of the words of a walk, in an exercise session


@dataclass(frozen=True, slots=True)
class Texts:
    """All texts of one language, by dotted key; ``phrases`` are those of English sentences from elsewhere."""

    language: str
    words: Mapping[str, str]
    phrases: Mapping[str, str] = field(default_factory=dict)  # the longest first
    therapy: Therapy = "walk"
    home_port: int | None = None  # of the service, where it started this session: its pages lead back

    def get(self, key: str) -> str:
        """Raises KeyError on a key that no file has: a mistake in the program."""
        return self.words[key]

    def figure(self, value: float, digits: int | None = None) -> str:
        """A number as this language writes it: ``digits`` after the point, or as many as it has."""
        text = f"{value:.10g}" if digits is None else f"{value:.{digits}f}"
        return text.replace(".", ",") if self.language == "de" else text

    def own(self, said: str) -> str:
        """An English sentence from elsewhere in this language, as far as its phrases are known."""
        for phrase, own in self.phrases.items():
            said = said.replace(phrase, own)
        return said


def load_texts(therapy: Therapy = "walk", *, home_port: int | None = None) -> dict[str, Texts]:
    """All languages, as this therapy's pages say it. Raises InputError where a file lacks a key."""
    found: dict[str, Texts] = {}
    for language in LANGUAGES:
        words = _fault_words()
        for name in FILES:
            words |= _file(f"{name}{language}.toml")
        instead = {
            key.removeprefix(INSTEAD): words.pop(key) for key in tuple(words) if key.startswith(INSTEAD)
        }
        for key in sorted(set(instead) - set(words)):
            raise InputError(
                f"locales/exercise.{language}.toml", key, "in place of nothing", "a key of the walk's"
            )
        if therapy == "exercise":
            words |= instead
        found[language] = Texts(language, words, _phrases(language), therapy, home_port)
    wanted = set(found[LANGUAGES[0]].words)
    for language, texts in found.items():
        for key in sorted(wanted ^ set(texts.words)):
            raise InputError(
                f"locales/{language}.toml", key, "missing or too much", "the keys of every language"
            )
    return found


def _file(name: str) -> dict[str, str]:
    return _flat(tomllib.loads((WORDS / name).read_text(encoding="utf-8")))


def _phrases(language: str) -> dict[str, str]:
    """What the controller says in English; the reason for a decision is recorded, so it has one language."""
    path = WORDS / f"phrases.{language}.toml"
    if not path.exists():
        return {}
    found: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))["phrases"]
    return {phrase: found[phrase] for phrase in sorted(found, key=len, reverse=True)}


def _fault_words() -> dict[str, str]:
    """The fault table's own words: better an alarm in English than none."""
    return {
        f"fault.{fault.id}.{part}": text
        for fault in TABLE
        for part, text in (
            ("condition", fault.condition),
            ("happened", fault.happened),
            ("done", fault.done),
            ("next", fault.next),
        )
    }


def language_of(head: bytes) -> str:
    """The language of a request: the cookie's, else the first known one the browser asks for."""
    text = head.decode("latin-1").lower()
    cookie = re.search(rf"\r\ncookie:[^\r]*\b{COOKIE}=([a-z]+)", text)
    asked = re.search(r"\r\naccept-language:([^\r]*)", text)
    return choose(cookie.group(1) if cookie else "", asked.group(1) if asked else "")


def choose(cookie: str, accept_language: str) -> str:
    """The language of cookie and Accept-Language header."""
    for wish in (cookie, *(part.strip()[:2].lower() for part in accept_language.split(","))):
        if wish in LANGUAGES:
            return wish
    return LANGUAGES[0]


def _flat(table: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat
