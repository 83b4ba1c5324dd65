"""A screen says the truth about its STOP, and one that is gone ends what it armed: in real browsers (F26)."""

from __future__ import annotations

import re
import time

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")

from playwright.sync_api import Browser, Page, Route, expect

from tests.console.browser import (
    CHROMIUM,
    CONTRAST,
    STEP_MS,
    TABLET,
    Rig,
    arm,
    expect_state,
    make_off,
    open_console,
    shot,
)

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}"),
]

DEAF = "This screen cannot stop. Use SPACE at the rig or the button."
STILL = "STOP still works"
GONE_S = 10.0
SLACK_S = (
    10.0  # a browser that closes, on a machine with other work: what is held to the millisecond is the guard
)


def expect_deaf(page: Page, *, deaf: bool) -> None:
    expect(page.locator("#stop-deaf")).to_have_text(DEAF if deaf else "", timeout=STEP_MS)
    look = re.compile(r"\bdeaf\b")
    stop = expect(page.locator("#stop"))
    if deaf:
        stop.to_have_class(look)
        expect(page.locator("#stop small")).to_have_text("not from this screen")
    else:
        stop.not_to_have_class(look)
        expect(page.locator("#stop small")).to_have_text("Space or Esc")


@pytest.mark.parametrize("path", ["/", "/tuning", "/sessions", "/setup", "/profiles", "/audit"])
def test_without_the_network_every_page_says_that_it_cannot_stop(page: Page, rig: Rig, path: str) -> None:
    page.goto(f"{rig.url}{path}")
    expect_deaf(page, deaf=False)
    before = page.locator("#stop").evaluate("element => getComputedStyle(element).borderStyle")
    page.context.set_offline(True)
    try:
        expect_deaf(page, deaf=True)
        assert page.locator("#stop-deaf").get_attribute("role") == "alert"
        assert page.locator("#stop").evaluate("element => getComputedStyle(element).borderStyle") != before
        expect(page.locator("#stop-deaf")).to_be_in_viewport()
        assert page.evaluate(CONTRAST) == []
        assert STILL not in page.locator("body").inner_text()
        shot(page, f"deaf{path.replace('/', '-')}")
    finally:
        page.context.set_offline(False)
    expect_deaf(page, deaf=False)


def test_the_page_that_asks_for_the_token_tries_stop_too(browser: Browser, rig: Rig) -> None:
    context = browser.new_context(viewport=TABLET, locale="de-DE")
    page = context.new_page()
    answer = page.goto(rig.url)
    assert answer is not None
    assert answer.status == 401
    expect(page.locator("#stop-deaf")).to_be_empty()
    context.set_offline(True)
    expect(page.locator("#stop-deaf")).to_contain_text("kann nicht stoppen", timeout=STEP_MS)
    context.close()


def test_a_door_that_hears_and_a_guard_that_does_not_is_no_stop(page: Page, rig: Rig) -> None:
    page.goto(rig.url)
    make_off(page)
    with rig.paused("dorsi-guard"):
        expect_deaf(page, deaf=True)
    expect_deaf(page, deaf=False)


def test_it_says_that_stop_still_works_only_where_a_try_has_shown_it(page: Page, rig: Rig) -> None:
    page.goto(rig.url)
    expect(page.locator("#stale")).to_be_hidden(timeout=STEP_MS)  # words stand there until data come
    page.evaluate("window.dorsiSocket.end()")  # the live data alone are lost
    expect(page.locator("#stale-words")).to_contain_text(STILL, timeout=STEP_MS)
    expect_deaf(page, deaf=False)
    page.reload()
    expect(page.locator("#stale")).to_be_hidden(timeout=STEP_MS)  # words stand there until data come
    held: list[Route] = []

    def hang(route: Route) -> None:
        held.append(route)

    page.route("**/stop/screen*", hang)
    page.wait_for_timeout(1500)
    page.evaluate("window.dorsiSocket.end()")
    said = set()
    for _ in range(30):
        said.add(page.locator("#stale-words").inner_text())
        page.wait_for_timeout(100)
    assert not any(STILL in words for words in said), said
    expect_deaf(page, deaf=True)
    page.unroute("**/stop/screen*")
    page.reload()
    expect_deaf(page, deaf=False)


def test_stimulation_ends_when_the_screen_that_armed_is_closed_and_the_next_one_is_told_why(
    browser: Browser, page: Page, rig: Rig
) -> None:
    page.goto(rig.url)
    make_off(page)
    context = browser.new_context(viewport=TABLET, locale="en-GB")
    armed = open_console(context, rig)
    arm(armed, rig)
    expect(page.locator("#stop-watch")).to_contain_text("Armed from another screen", timeout=STEP_MS)
    closed_ns = time.monotonic_ns()
    context.close()
    expect(page.locator("#stop-watch")).to_contain_text("has not been heard", timeout=STEP_MS)
    assert page.evaluate(CONTRAST) == []
    shot(page, "screen-gone")
    expect(page.locator("#state")).to_have_class("state-tripped", timeout=(GONE_S + SLACK_S) * 1e3)
    expect(page.locator("[role=alert] .alarm.high")).to_contain_text(
        "The screen from which stimulation was armed is gone"
    )
    after_s = (rig.last_pulse_ns() - closed_ns) / 1e9
    assert GONE_S / 2 < after_s < GONE_S + SLACK_S
    expect(page.locator("#stop-watch")).to_be_hidden()
    make_off(page)


def test_another_screen_takes_over_and_stimulation_goes_on(browser: Browser, page: Page, rig: Rig) -> None:
    page.goto(rig.url)
    make_off(page)
    context = browser.new_context(viewport=TABLET, locale="en-GB")
    armed = open_console(context, rig)
    arm(armed, rig)
    page.get_by_role("button", name="Take over here").click(timeout=STEP_MS)
    expect(page.locator("#stop-watch")).to_be_hidden(timeout=STEP_MS)
    expect(armed.locator("#stop-watch")).to_be_visible(timeout=STEP_MS)
    context.close()
    page.wait_for_timeout(1.5 * GONE_S * 1e3)
    expect_state(page, "active")
    make_off(page)


def test_the_address_without_its_token_opens_nothing_but_stop(browser: Browser, rig: Rig) -> None:
    context = browser.new_context(viewport=TABLET, locale="en-GB")
    page = context.new_page()
    for path in ("/", "/setup", "/sessions", "/enter?token=guessed"):
        answer = page.goto(f"{rig.url}{path}")
        assert answer is not None
        assert answer.status in (401, 403)
        expect(page.locator("input[name=token]")).to_be_visible()
        expect(page.locator("#stop")).to_be_in_viewport()
    page.goto(rig.entry)
    page.wait_for_url(f"{rig.url}/")  # the token is out of sight
    expect(page.locator("#arm")).to_be_visible(timeout=STEP_MS)
    cookies = context.cookies()
    assert [(cookie["httpOnly"], cookie["sameSite"]) for cookie in cookies if "token" in cookie["name"]] == [
        (True, "Strict")
    ]
    context.close()


def test_the_token_is_in_no_log_and_not_in_the_recording(rig: Rig) -> None:
    token = rig.entry.rpartition("=")[2].encode()
    assert len(token) >= 16
    files = [path for path in rig.folder.rglob("*") if path.is_file()]
    assert any(path.name == "session.mcap" for path in files)
    assert not [path for path in files if token in path.read_bytes()]
