"""The set-up's page of the patient file: what would be written into it, and the writing once confirmed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from controller.config.console_settings import ConsoleSettings
from controller.console import layout
from controller.console.forms import fields
from controller.console.i18n import Texts
from controller.console.setup import setup_page
from controller.console.setup.patient_file import Found, look
from controller.console.setup.patient_file import write as write_file
from controller.console.setup.progress import SetupState
from controller.errors import ConfigError, InputError


class PatientFilePage:
    """``keep`` records what was written, in words."""

    def __init__(
        self,
        settings: ConsoleSettings,
        state: Callable[[], SetupState],
        keep: Callable[[str], None],
        *,
        texts_of: Callable[[Request], Texts],
    ) -> None:
        self._settings = settings
        self._state = state
        self._keep = keep
        self._texts_of = texts_of

    async def page(self, request: Request) -> Response:
        return self._page(request)

    def _page(self, request: Request, *, notice: str = "", problem: str = "", status: int = 200) -> Response:
        texts, found = self._texts_of(request), None
        if self._settings.patient_file:
            try:
                found = self._would_change()
            except InputError as error:
                problem = problem or str(error)
        virtual = self._settings.virtual
        body = setup_page.file_html(texts, found, virtual=virtual, notice=notice, problem=problem)
        page = layout.whole_page(texts, "/setup", texts.get("setup.file_title"), body, with_state=True)
        return HTMLResponse(page, status_code=status)

    def _would_change(self) -> Found:
        path = Path(self._settings.patient_file)
        return look(path, self._state().thresholds, self._state().identified)

    async def write(self, request: Request) -> Response:
        """Confirmed: what was looked at goes into the file, or nothing does."""
        texts, path = self._texts_of(request), self._settings.patient_file
        digest = (await fields(request)).get("digest", "")
        if not path or not self._state().by:
            key = "setup.who" if path else "setup.file_virtual"
            return self._page(request, problem=texts.get(key), status=409)
        try:
            found = self._would_change()
            kept = write_file(Path(path), Found(digest, found.edits))
        except (InputError, ConfigError, OSError) as error:
            problem = texts.get("setup.file_refused").format(why=error)
            return self._page(request, problem=problem, status=409)
        said = ", ".join(
            f"{edit.key} {'none' if edit.old is None else f'{edit.old:g}'} -> {edit.new:g}"
            for edit in found.edits
        )
        self._keep(f"patient file: {said}; the old one is kept as {kept.name}")
        return self._page(request, notice=texts.get("setup.file_written").format(kept=kept.name))
