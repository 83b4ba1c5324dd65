"""Every page of the console in both languages in a real browser: WCAG 2.1 A and AA by axe, and at three sizes
whether it fits (:mod:`tests.console.fit`).
"""

from __future__ import annotations

import msgspec
import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")

from playwright.sync_api import Browser, expect

from controller.analysis.report.page import write_report
from controller.analysis.summary import summarise
from controller.console import layout
from controller.console.i18n import LANGUAGES, load_texts
from controller.console.setup.progress import STEPS
from tests.console.axe import violations
from tests.console.browser import CHROMIUM, STEP_MS, TABLET, Rig, open_console
from tests.console.fit import misfits
from tests.record.walk import record_walk

WHOLE = "19990101-walk"  # a recording that is summed up and has a report
PAGES = (
    "/", "/walker", "/test", "/tuning", "/audit", "/profiles",
    *(f"/setup?step={step}" for step in STEPS), "/setup/file",
    "/sessions", "/sessions?q=nothing", f"/sessions/{WHOLE}", f"/sessions/compare?run={WHOLE}&run={WHOLE}",
    f"/sessions/{WHOLE}/report.html", "/sessions/unknown",
)  # fmt: skip

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def recorded(rig: Rig) -> None:
    folder = rig.folder.parent / WHOLE
    folder.mkdir()
    recording = record_walk(folder / "session.mcap", strides=2)
    (folder / "summary.json").write_bytes(msgspec.json.encode(summarise(recording)))
    write_report(recording, folder / "report.html")


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_every_page_fits_and_axe_finds_nothing_against_wcag_aa(
    browser: Browser, rig: Rig, axe: str, locale: str
) -> None:
    context = browser.new_context(viewport=TABLET, locale=locale)
    page = open_console(context, rig)  # before, the door shows STOP alone
    poor: dict[str, object] = {}
    for path in PAGES:
        page.set_viewport_size(TABLET)
        page.goto(f"{rig.url}{path}")
        page.wait_for_load_state("domcontentloaded")
        if not path.endswith("report.html"):  # the report is a document for researchers, in English
            assert page.evaluate("document.documentElement.lang") == locale[:2], path
            if path in ("/", "/walker"):
                expect(page.locator("#verdict.verdict-none")).to_have_count(0, timeout=STEP_MS)
            if unfit := misfits(page, locale[:2], path):
                poor[f"{path} fits"] = unfit
        if found := violations(page, axe):
            poor[path] = found
    context.close()
    assert poor == {}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("wrong", [False, True])
def test_axe_finds_nothing_on_the_page_that_asks_for_the_token(
    browser: Browser, rig: Rig, axe: str, language: str, wrong: bool
) -> None:
    """Stands in for an answer of this rig: its style sheet is the same."""
    page = browser.new_page(viewport=TABLET)
    html = layout.login_page(load_texts()[language], wrong=wrong)
    page.route(f"{rig.url}/login", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{rig.url}/login")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('#stop')).backgroundColor")
        == "rgb(184, 0, 28)"
    )
    assert violations(page, axe) == []
    assert misfits(page, language, "login") == []
    page.close()


BAD = """<html lang="de"><style>* { font: 16px sans-serif; margin: 0 } button { height: 44px }</style><main>
<p style="width: 60px">Unterschenkels</p><p style="width: 30px; overflow-wrap: anywhere">Unterschenkels</p>
<div><button style="width: 44px; height: 20px">klein</button>
<button style="margin-left: -34px">davor</button></div>
<p style="width: 2000px">weit</p><p>The foot is up</p><p style="margin-top: -18px">darüber</p></main>"""


def test_what_does_not_fit_is_found(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(BAD)
    kinds = {one.partition(", desktop: ")[2].partition(":")[0] for one in misfits(page, "de", "bad")}
    page.close()
    assert kinds - {""} == {
        "wider than the screen by 720 px", "cut or spilt", "broken", "control", "words", "another language",
        'button "klein" is 44 x 20',
    }  # fmt: skip


def test_axe_would_find_poor_contrast(browser: Browser, axe: str) -> None:
    page = browser.new_page()
    page.set_content('<html lang="en"><title>t</title><main><p style="color:#bbb">pale</p></main></html>')
    assert [rule for rule, _ in violations(page, axe)] == ["color-contrast"]
    page.close()
