"""A clinic's folders looked at together: which person comes with which settings, after which sessions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from controller.console.home import persons
from controller.console.home.persons import Person, Settings
from controller.console.recordings import recorded
from controller.console.recordings.recorded import Recorded
from controller.console.recordings.session_figures import last_walk
from controller.console.setup.last_answers import last_answers, setup_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """Read anew at each question; a rehearsal's recordings are no person's, and in one no others are."""

    runs: Path
    patients: Path
    sessions: Path
    rehearse: bool

    def sessions_by_person(self, live: str = "") -> dict[str, list[Recorded]]:
        """By pseudonym, the newest first, without the one called ``live``."""
        found: dict[str, list[Recorded]] = {}
        for item in recorded.found(self.runs):
            if item.virtual == self.rehearse and item.name != live:
                found.setdefault(item.pseudonym, []).append(item)
        return found

    def person_and_settings(
        self, pseudonym: str, name: str = ""
    ) -> tuple[Person, Settings, list[Settings]] | None:
        """A person, the session file called ``name`` or else that of last time, and all there are."""
        who = persons.person(self.patients, pseudonym)
        choices = persons.all_settings(self.sessions)
        if who is None or not choices:
            return None
        named = next((one for one in choices if one.name == name), None)
        chosen = named or persons.last_settings(who, self.sessions_by_person().get(pseudonym, []), choices)
        return None if chosen is None else (who, chosen, choices)

    def last_answers(self, who: Person) -> dict[str, str]:
        """Of the last session; before the first one, of the patient file."""
        return last_answers(setup_file(self.runs, who.pseudonym)) or dict(who.checklist)

    def before(self, item: Recorded | None) -> Recorded | None:
        """The walk before that one, of the same person."""
        if item is None or item.begun is None:
            return None
        earlier = [
            one
            for one in recorded.found(self.runs)
            if (one.pseudonym, one.virtual) == (item.pseudonym, item.virtual)
            and one.begun is not None
            and one.begun < item.begun
        ]
        return last_walk(earlier)[0]
