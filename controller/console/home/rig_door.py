"""The console of the session that the service has started, as the service reaches it: by its door.

It asks whether it is there, and gives today's answers to the set-up's pages; it never arms and never stops.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Literal

import httpx

from controller.config.console_settings import DOOR_PATH, Place
from controller.console.layout import STATIC

ANSWER_S = 3.0  # as the door itself waits for the pages
PAGE = f"{STATIC}/stop.js"  # what the pages' process answers quickest

Presence = Literal["up", "busy", "gone"]


class RigDoor:
    """``place`` is where it listens."""

    def __init__(self, place: Place, token: str) -> None:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(place.host, place.host)
        host = f"[{host}]" if ":" in host else host
        scheme = "https" if place.cert_file else "http"
        self._client = httpx.AsyncClient(
            base_url=f"{scheme}://{host}:{place.port}",
            headers={"Authorization": f"Bearer {token}"},
            verify=False,  # it only asks itself
            trust_env=False,
            timeout=ANSWER_S,
        )

    async def pages(self) -> bool:
        """Whether the pages answer."""
        with contextlib.suppress(httpx.HTTPError):
            return (await self._client.get(PAGE)).status_code == 200
        return False

    async def door(self) -> Presence:
        """Whether the door is there: only a refused connection says that it is not."""
        try:
            answer = await self._client.get(DOOR_PATH)
        except httpx.ConnectError:
            return "gone"
        except httpx.HTTPError:
            return "busy"
        return "up" if answer.status_code == 204 else "busy"

    async def answer(self, answers: Mapping[str, str], by: str) -> bool:
        """Today's checklist, as a person gives it on the set-up's first two pages; whether it was taken."""
        with contextlib.suppress(httpx.HTTPError):
            for path, form in (("/setup/patient", {"by": by}), ("/setup/checklist", dict(answers))):
                if (await self._client.post(path, data=form)).status_code != 303:
                    return False
            return True
        return False

    async def close(self) -> None:
        await self._client.aclose()
