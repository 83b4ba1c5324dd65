"""What people type into the pages: every field as clean text, and the name they gave last.

Promises text that every reader of recordings and files can hold: half a surrogate pair and NUL are replaced.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from fastapi import Request
from fastapi.responses import Response

from controller.console.access import COOKIE_DAYS
from controller.runtime.tuning import BY_MAX
from controller.untrusted import clean

BY_COOKIE = "dorsi_by"


async def fields(request: Request) -> dict[str, str]:
    """The form's texts by name, without blanks around them; files are none."""
    form = await request.form()
    return {clean(key): clean(value).strip() for key, value in form.items() if isinstance(value, str)}


def remember(answer: Response, by: str) -> None:
    """Keep who signed, for the next form; percent-encoded, as a header holds no other script."""
    answer.set_cookie(BY_COOKIE, quote(by), max_age=86400 * COOKIE_DAYS, samesite="strict", httponly=True)


def remembered(request: Request) -> str:
    """Who signed last at this browser; empty where nobody has."""
    return clean(unquote(request.cookies.get(BY_COOKIE, "")))[:BY_MAX]
