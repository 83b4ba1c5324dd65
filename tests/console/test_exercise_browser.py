"""An exercise at the console, in a real browser on the real rig: cue, one tap for 1 mA, pause, STOP, axe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")

from playwright.sync_api import Browser, Page, expect

from tests.console.axe import violations
from tests.console.browser import (
    CHROMIUM,
    CONTRAST,
    STEP_MS,
    Rig,
    chromium,
    demo_with_console,
    expect_state,
    open_console,
    shot,
)
from tests.console.fit import SIZES, misfits

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}"),
]
LANGUAGES = {"en": "en-GB", "de": "de-DE"}
PROGRAMME = """
[programme]
title = "Short grasp"
kind = "cyclic"
aim = "Two muscles after each other."
source = "This test"

[[contractions]]
muscle = "wrist-extensors"
width_us = 300.0
rate_hz = 35.0
ramp_up_s = 0.5
hold_s = 3.0
ramp_down_s = 0.5

[[contractions]]
muscle = "finger-flexors"
width_us = 300.0
rate_hz = 35.0
begin_s = 4.0
ramp_up_s = 0.5
hold_s = 1.0
ramp_down_s = 0.5

[repetitions]
count = 60
rest_s = 4.0
warm_up = 1

[prescription]
contractions_per_day = 60
"""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("exercise")
    (folder / "short.toml").write_text(PROGRAMME, encoding="utf-8")
    with demo_with_console(folder, "--programme", str(folder / "short.toml")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, rig: Rig) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 820, "height": 1180}, locale="en-GB")
    page = open_console(context, rig)
    yield page
    context.close()


def expect_cue(page: Page, *phases: str) -> None:
    cue = re.compile(rf"^cue-({'|'.join(phases)})$")
    expect(page.locator("#cue")).to_have_class(cue, timeout=STEP_MS)


def set_ma(page: Page) -> str:
    return page.locator("[data-muscle=wrist-extensors] .set-ma").inner_text()


def test_arm_see_the_cue_one_tap_pause_go_on_and_stop_with_the_keyboard_alone(page: Page, rig: Rig) -> None:
    expect_cue(page, "waiting")
    page.locator("#arm").focus()
    page.keyboard.down("Enter")
    expect(page.locator("#disarm")).to_be_visible(timeout=STEP_MS)
    page.keyboard.up("Enter")
    expect_cue(page, "ready", "on")
    expect_cue(page, "on")
    expect(page.locator("#cue-word")).to_have_text("Now!")
    expect(page.locator("#cue-number")).to_have_text("Warm-up 1 of 1")
    assert int(page.locator("#cue-seconds").inner_text()) <= 6
    expect(page.locator("#cue-more")).to_have_text("Lift the hand", timeout=STEP_MS)
    rig.wait_for_pulses()
    shot(page, "exercise-on")

    before = float(set_ma(page))
    page.get_by_role("button", name="1 mA more: Wrist extensors").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-muscle=wrist-extensors] .set-ma")).to_have_text(f"{before + 1:g}")
    page.get_by_role("button", name="1 mA less: Wrist extensors").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # two quick ones count both
    expect(page.locator("[data-muscle=wrist-extensors] .set-ma")).to_have_text(f"{before - 1:g}")

    page.locator("#pause").focus()
    page.keyboard.press("Enter")
    expect_cue(page, "paused")
    expect_state(page, "active")
    page.locator("#go-on").focus()
    page.keyboard.press("Enter")
    expect_cue(page, "ready")
    page.keyboard.press("Space")
    expect_state(page, "tripped")
    expect_cue(page, "waiting")
    expect(page.locator("[role=alert] .alarm.high")).to_contain_text("STOP was pressed")
    page.locator(".acknowledge").focus()
    page.keyboard.press("Enter")
    expect_state(page, "off")


def test_the_most_that_is_allowed_is_named_where_a_tap_wants_more(page: Page) -> None:
    row = page.locator("[data-muscle=finger-flexors]")
    most = float(row.get_attribute("data-most") or "0")
    more = row.get_by_role("button", name="1 mA more")
    while float(row.locator(".set-ma").inner_text()) < most:
        before = row.locator(".set-ma").inner_text()
        more.click()
        expect(row.locator(".set-ma")).not_to_have_text(before)
    more.click()
    expect(page.locator("#said")).to_have_text(
        f"Not more than {most:g} mA: comfort maximum of the session file.", timeout=STEP_MS
    )
    page.goto(page.url + "audit")
    expect(page.locator("tbody tr").first).to_contain_text("Intensity, Finger flexors")
    expect(page.locator("tbody tr .kind").first).to_have_text("refused")


def test_without_the_console_no_cue_and_no_value_looks_new(page: Page) -> None:
    page.evaluate("window.dorsiSocket.end()")
    expect_cue(page, "unknown")
    expect(page.locator("#stale-words")).to_contain_text("STOP still works", timeout=STEP_MS)
    page.context.set_offline(True)
    expect(page.locator("#stop-deaf")).not_to_be_empty(timeout=STEP_MS)
    page.locator("[data-taps='-1']").first.click()
    expect(page.locator("#said")).to_contain_text("did not reach the rig", timeout=STEP_MS)


EMG = {
    "muscle": "wrist-extensors", "activation": 0.42, "threshold": 0.2, "quality": "", "triggered": True,
    "own_share": 0.3,
}  # fmt: skip
VIEW = {
    "control": "emg-triggered", "phase": "attempt", "left_s": None, "repetition": 4, "repetitions": 61,
    "warming_up": False, "broken_off": 1, "missed": 2,
    "muscles": [{"muscle": "wrist-extensors", "current_ma": 0.0, "set_ma": 17.5, "contractions": 5}],
}  # fmt: skip


PUSH = """(news) => {
  window.realPush ??= window.dorsi.push;
  window.dorsi.push = () => {};
  clearInterval(window.pushing);
  window.pushing = setInterval(() => window.realPush(news), 100);
  window.realPush(news);
}"""


def push(page: Page, **changed: Any) -> None:  # Any: JSON values
    """These news again and again, as the rig's come, and in place of them."""
    page.evaluate(PUSH, {"state": "off", "data_age_ms": 0, "exercise": {**VIEW, **changed}})


def test_the_own_activity_shows_against_threshold_and_target_and_hides_where_there_is_none(
    page: Page,
) -> None:
    push(page, emg=[])
    expect(page.locator("#activity")).to_be_hidden()
    push(page, emg=[EMG])
    row = page.locator("[data-emg=wrist-extensors]")
    expect(row.locator(".own-words")).to_have_text(
        "42 % of the own maximum · starts at 20 % · own share of the movement 30 %"
    )
    expect(row.locator(".reached")).to_have_text("Try heard")
    row.get_by_role("button", name="Target 5 % lower").click()
    row.get_by_role("button", name="Target 5 % lower").click()
    expect(row.locator(".target-words")).to_have_text("Target 40 %")
    expect(row.locator(".reached")).to_have_text("Target reached")
    assert page.evaluate(CONTRAST) == []
    shot(page, "exercise-emg")
    push(page, emg=[{**EMG, "activation": None, "quality": "no EMG arrives", "triggered": False}])
    expect(row.locator(".own-words")).to_contain_text("No usable signal")
    expect(row.locator(".own-words")).to_contain_text("no EMG arrives")


def test_the_end_says_what_was_done(page: Page) -> None:
    push(page, phase="done", repetition=61)
    result = page.locator("#result")
    expect(result).to_contain_text("58 of 60 repetitions")  # two tries were missed
    expect(result).to_contain_text("1 broken off")
    expect(result).to_contain_text("Wrist extensors: 5 contractions, 17.5 mA set")
    for button in ("#pause", "#go-on", "#skip"):
        expect(page.locator(button)).to_be_hidden()
    page.context.set_offline(True)
    expect(page.locator("#stop-deaf")).to_contain_text("The programme was done", timeout=STEP_MS)
    expect_cue(page, "done")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_holds_wcag_aa_and_fits_its_screen(
    browser: Browser,
    rig: Rig,
    axe: str,
    language: str,
) -> None:
    context = browser.new_context(viewport=SIZES["tablet"], locale=LANGUAGES[language])
    page = open_console(context, rig)
    poor: dict[str, Any] = {}

    def look(name: str) -> None:
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.lang") == language
        expect(page.locator("#stop")).to_be_in_viewport()
        found = [*violations(page, axe), *misfits(page, language, f"exercise-{name}")]
        if found:
            poor[name] = found

    for phase in ("waiting", "ready", "attempt", "on", "rest", "set_rest", "paused", "done"):
        push(page, phase=phase, left_s=3.2 if phase in ("ready", "on", "rest") else None, emg=[EMG])
        look(phase)
    for path in ("/checklist", "/programmes", "/audit", "/sessions"):
        page.goto(f"{rig.url}{path}")
        look(path[1:])
    context.close()
    assert poor == {}
