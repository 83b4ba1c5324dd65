"""One demo with its console and one browser for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")

from playwright.sync_api import Browser, BrowserContext, Page

from tests.console.axe import axe_program
from tests.console.browser import TABLET, Rig, chromium, demo_with_console, open_console


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Exercise, blinded trial and service have rigs of their own, gone before the walk's comes up; the
    set-up comes last, as it lowers the largest current of that one for good.
    """
    first = ("test_exercise_browser.py", "test_main_screen_browser.py", "test_home_browser.py")
    order = {**dict.fromkeys(first, -1), "test_setup_browser.py": 1}
    items.sort(key=lambda item: order.get(item.path.name, 0))


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with demo_with_console(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def axe() -> str:
    """The program of axe-core; installed at the first time."""
    return axe_program()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=TABLET, locale="en-GB")
    yield context
    context.close()


@pytest.fixture(scope="module")
def page(context: BrowserContext, rig: Rig) -> Iterator[Page]:
    page = open_console(context, rig)
    yield page
    page.close()
