"""The main screen on a real rig that walks a blinded trial: taps counted, both views, both sizes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")

from playwright.sync_api import Browser, Page, expect

from controller.commands.run import DEMO_SESSION
from controller.record.reader import messages
from controller.record.records import Audit
from tests.console.axe import violations
from tests.console.browser import (
    CHROMIUM,
    CONTRAST,
    STEP_MS,
    TABLET,
    Rig,
    arm,
    demo_with_console,
    open_console,
    shot,
)
from tests.console.fit import SIZES, misfits
from tests.process.rigs import pulse_log

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}"),
]

FAR_PX = 64  # at three metres: a capital of 9 mm on a tablet of 10 inches, 10 minutes of arc
LEGIBLE_PX = 44  # at two metres: a capital of 6 mm on a tablet of 10 inches, 10 minutes of arc
QUIET_S = 2.5  # two strides
COUNTED = """() => {
  window.taps = 0;
  window.tones = 0;
  addEventListener("click", () => { window.taps += 1; }, { capture: true });
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...given) {
    window.tones += 1;
    return start.apply(this, given);
  };
}"""


@pytest.fixture(scope="module")
def blinded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Two hundred strides of trapezoid, then an arm without current."""
    folder = tmp_path_factory.mktemp("blinded")
    text = DEMO_SESSION.read_text(encoding="utf-8").partition("[[schedule]]")[0]
    patient = re.search(r'patient_file = "(.*?)"', text)
    assert patient is not None
    text = text.replace(patient.group(1), str((DEMO_SESSION.parent / patient.group(1)).resolve()))
    text = text.replace('labels = "open"', 'labels = "blinded"')
    arms = '[[schedule]]\narm = "trapezoid"\nstrides = 200\n[[schedule]]\narm = "off"\nstrides = 20\n'
    session = folder / "session.toml"
    session.write_text(text + arms, encoding="utf-8")
    with demo_with_console(folder, "--session", str(session)) as running:
        yield running


@pytest.fixture(scope="module")
def walker(browser: Browser, blinded: Rig) -> Iterator[Page]:
    """The second device, by its own address and the usual way in."""
    context = browser.new_context(viewport=TABLET, locale="de-DE")
    context.add_init_script(f"({COUNTED})()")
    page = context.new_page()
    page.goto(f"{blinded.url}/walker")
    page.fill("input[name=token]", blinded.entry.rpartition("=")[2])
    page.get_by_role("button", name="Weiter").click()
    page.wait_for_url(f"{blinded.url}/walker")
    yield page
    context.close()


@pytest.fixture(scope="module")
def screen(browser: Browser, blinded: Rig) -> Iterator[Page]:
    """Of a therapist, in German: the assessor's view until a test opens the whole one."""
    context = browser.new_context(viewport=SIZES["tablet"], locale="de-DE")
    context.add_init_script(f"({COUNTED})()")
    page = open_console(context, blinded)
    arm(page, blinded)
    yield page
    context.close()


def tap(page: Page, selector: str) -> int:
    """How many taps it took, since this page was opened."""
    page.locator(selector).click()
    return int(page.evaluate("window.taps"))


def expect_fit(page: Page, name: str) -> None:
    assert misfits(page, "de", name) == []
    assert page.evaluate(CONTRAST) == []


def test_whether_the_foot_is_lifted_is_answered_without_a_tap(screen: Page) -> None:
    taps = screen.evaluate("window.taps")
    verdict = screen.locator("#verdict-word")
    expect(verdict).to_have_text("Fuß gehoben", timeout=STEP_MS)
    expect(verdict).to_be_in_viewport(ratio=1)
    assert float(verdict.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")) >= LEGIBLE_PX
    expect(screen.locator("#tally .mark-lifted svg").first).to_be_visible()
    expect(screen.locator("#tally .mark-lifted").first).to_have_text("Fuß gehoben")  # to those who hear it
    expect(screen.locator("#toes-now")).to_have_text(re.compile(r"^\+\d+°$"))
    expect(screen.locator("#toes-target")).to_have_text(re.compile(r"^Ziel \d+ bis \d+°$"))
    expect(screen.locator("#schedule")).to_have_text(re.compile(r"^Arm 1 von 2 · noch \d+ Schritte$"))
    assert screen.evaluate("window.taps") == taps


def test_the_walkers_screen_shows_the_last_steps_at_three_metres_and_sounds_where_asked(
    screen: Page, walker: Page, blinded: Rig, axe: str
) -> None:
    if not screen.locator("#disarm").is_visible():
        arm(screen, blinded)  # a machine that stalls has tripped the guard, as it should
    expect(walker.locator("#going")).to_have_text("Sie können gehen", timeout=STEP_MS)
    expect(walker.locator("#verdict-word")).to_have_text("Fuß gehoben", timeout=STEP_MS)
    expect(walker.locator("#tally .mark-lifted").nth(1)).to_be_visible(timeout=STEP_MS)
    expect(walker.locator("#walked-strides")).to_have_text(re.compile(r"^\d+$"))
    for number in ("#verdict-word", "#toes-now", "#walked-strides", "#walked-time"):
        shown = walker.locator(number)
        expect(shown).to_be_in_viewport(ratio=1)
        assert shown.evaluate("e => parseFloat(getComputedStyle(e).fontSize)") >= FAR_PX
    assert not re.search(r"mA|Trapez|Arm", walker.locator("body").inner_text())
    assert violations(walker, axe) == []
    expect_fit(walker, "walker")
    walker.set_viewport_size(TABLET)
    shot(walker, "walker-tablet")
    assert walker.evaluate("window.tones") == 0
    walker.locator("#tone").click()
    walker.wait_for_function("window.tones >= 3", timeout=STEP_MS)  # the first tells how loud it is
    walker.locator("#tone").click()
    expect(screen.locator("#disarm")).to_be_visible()


def test_the_assessor_sees_neither_current_nor_strength_nor_tuning(screen: Page, blinded: Rig) -> None:
    blinded.wait_for_pulses()
    screen.locator("details.details > summary").click()
    expect(screen.locator("#strip-pitch")).to_be_visible()
    assert not re.search(r"mA|µC|µV|Trapez|Stimulation an", screen.locator("body").inner_text())
    expect(screen.locator("#mode")).to_have_text(re.compile("^[AB]$"))
    expect(screen.locator("#state-text")).to_contain_text("Verblindet")
    expect(screen.locator("#strength")).to_be_hidden()
    assert screen.request.get(f"{blinded.url}/tuning").status == 403
    assert screen.request.get(f"{blinded.url}/now").json()["applied_ma"] is None
    screen.locator("details.details > summary").click()
    expect_fit(screen, "assessor")


def test_the_whole_view_opens_with_the_token_and_initials(screen: Page, blinded: Rig) -> None:
    screen.get_by_role("link", name="Ansicht für die Sicherheit").click()
    screen.fill("input[name=token]", blinded.entry.rpartition("=")[2])
    screen.fill("input[name=by]", "AB")
    screen.get_by_role("button", name="Alles zeigen").click()
    expect(screen.locator("#strength")).to_be_visible(timeout=STEP_MS)


def test_one_milliampere_more_is_one_tap_and_holds_from_the_next_step_on(screen: Page, blinded: Rig) -> None:
    strength = screen.locator("[data-row=main] .set-now")
    expect(strength).to_have_text("32 mA", timeout=STEP_MS)
    tapped_ns = time.monotonic_ns()
    assert tap(screen, "[data-row=main] .more") == 1
    expect(strength).to_have_text("33 mA", timeout=STEP_MS)
    deadline = time.monotonic() + STEP_MS / 1e3
    while largest_ma(blinded, tapped_ns) < 33.0:
        assert time.monotonic() < deadline, "no pulse of 33 mA"
        time.sleep(0.1)
    assert largest_ma(blinded, tapped_ns) == 33.0
    expect_fit(screen, "whole-view")
    assert tap(screen, "#undo-tap") == 2
    expect(strength).to_have_text("32 mA", timeout=STEP_MS)


def largest_ma(rig: Rig, since_ns: int) -> float:
    """Of the pulses that the stimulator has given since."""
    given = [pulse for pulse in pulse_log(rig.folder) if pulse.t_ns > since_ns]
    return max((ma for pulse in given for _, ma in pulse.points), default=0.0)


def test_a_pause_is_one_tap_and_one_tap_goes_on(screen: Page, blinded: Rig) -> None:
    before = int(screen.evaluate("window.taps"))
    assert tap(screen, "#pause-walk") == before + 1
    expect(screen.locator("#paused")).to_contain_text("es fließt kein Strom", timeout=STEP_MS)
    expect(screen.locator("#state-word")).to_have_text("Pause")
    rested_ns = time.monotonic_ns()
    time.sleep(QUIET_S)
    assert blinded.last_pulse_ns() <= rested_ns
    expect(screen.locator("#disarm")).to_be_visible()  # the guard stays armed
    assert screen.evaluate(CONTRAST) == []
    assert tap(screen, "#go-on-walk") == before + 2
    blinded.wait_for_pulses()
    expect(screen.locator("#paused")).to_be_hidden()


def test_an_alarm_is_on_every_page_with_its_cause_and_a_tone_that_can_be_paused(
    screen: Page, walker: Page, blinded: Rig
) -> None:
    screen.evaluate("window.tones = 0")
    walker.locator("#stop").click()
    expect(walker.locator("#going")).to_have_text("Gestoppt. Bitte stehen bleiben.", timeout=STEP_MS)
    expect(screen.locator(".alarm.high")).to_contain_text("STOP wurde gedrückt", timeout=STEP_MS)
    screen.wait_for_function("window.tones === 10")  # the burst of a high priority
    for path in ("/sessions", "/setup", "/tuning"):
        screen.goto(f"{blinded.url}{path}")
        card = screen.locator("#alarms .alarm.high")
        expect(card).to_contain_text("STOP wurde gedrückt", timeout=STEP_MS)
        expect(card).to_contain_text("quittieren und neu scharf schalten")
    screen.get_by_role("button", name="Ton 2 min aus").click()
    expect(screen.locator(".tone-line")).to_contain_text(re.compile(r"Ton aus bis \d\d:\d\d:\d\d"))
    screen.locator("#alarms .acknowledge").click()
    expect(screen.locator("#alarms")).to_be_empty(timeout=STEP_MS)
    assert (blinded.folder / "logs" / "console.log").read_text() == ""


def test_the_recording_names_who_opened_the_whole_view_tapped_and_paused(blinded: Rig) -> None:
    trail = [m.record for m in messages(blinded.folder / "session.mcap", ("audit",))]
    assert [(one.by, one.kind, one.text or one.reason) for one in trail if isinstance(one, Audit)] == [
        ("AB", "setup", "whole view of a blinded trial opened"),
        ("AB", "change", "tap"),
        ("AB", "undo", "tap taken back"),
        ("AB", "setup", "stimulation paused"),
        ("AB", "setup", "stimulation goes on"),
    ]
