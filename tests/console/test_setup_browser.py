"""The guided set-up in a real browser, on the real processes: from the person's name to assisted steps."""

from __future__ import annotations

import json
import re
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")

from playwright.sync_api import Page, expect

from controller.console.setup.progress import SetupState, say_effect
from controller.console.setup.seated_test import DEAF_S, OFF_S
from controller.record.reader import messages, raw_messages
from controller.record.records import Audit, GuardEvent, GuardVerdict
from tests.console.browser import CHROMIUM, STEP_MS, Rig, make_off, shot

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}"),
]

LET_GO_NS = 500_000_000  # to the console, the controller, the guard
TESTS_MS = 120_000  # three tests of the virtual patient and their fit, at low priority


TAPS_MOST, USUAL_MA = 50, 32.0  # of a whole set-up, for a person who accepts so much
COUNT = """addEventListener("pointerdown", () => {
  sessionStorage.taps = 1 + Number(sessionStorage.taps ?? 0);
}, { capture: true })"""


@pytest.fixture(scope="module")
def taps() -> list[int]:
    """Of every step as it is done without a detour."""
    return []


@contextmanager
def counted(page: Page, taps: list[int]) -> Iterator[None]:
    page.evaluate("sessionStorage.taps = 0")
    yield
    taps.append(int(page.evaluate("sessionStorage.taps")))


def taps_of_the_search(most_ma: float) -> int:
    """The first train, and what is said of each, up to what is enough."""
    state, said = SetupState("x"), 1
    while "comfort" not in state.thresholds:
        state.given_ma = state.level_ma
        effect = "nothing" if state.level_ma < 6.0 else "moved" if state.level_ma < most_ma else "enough"
        say_effect(state, effect, 50.0)
        said += 1
    return said


def at(page: Page, step: str) -> None:
    expect(page.locator(f"#step-{step}")).to_be_visible(timeout=STEP_MS)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def arm_by_holding(page: Page) -> None:
    expect(page.locator("#arm")).to_have_attribute("aria-disabled", "false", timeout=STEP_MS)
    page.locator("#arm").hover()
    page.mouse.down()
    expect(page.locator("#disarm")).to_be_visible(timeout=STEP_MS)
    page.mouse.up()


def armed_again(page: Page) -> None:
    """A machine that stalls has tripped the guard, as it should: a person acknowledges and arms anew."""
    page.wait_for_selector("#arm:visible, #disarm:visible", timeout=STEP_MS)
    if page.locator(".acknowledge").is_visible():
        page.click(".acknowledge")
    if not page.locator("#disarm").is_visible():
        arm_by_holding(page)


def train(page: Page, effect: str) -> None:
    """One tap a train: what is said of the last one gives the next."""
    if page.locator("#give").count():  # the first, and one after a stop
        armed_again(page)
        page.click("#give")
    expect(page.locator("#train")).to_have_text("The train is over.", timeout=STEP_MS)
    page.get_by_role("button", name=effect).click()


def answered(rig: Rig) -> list[tuple[int, str]]:
    """When the person answered the checklist, and what they said of the skin: the recording alone has it."""
    words = [
        json.loads(m.payload) for m in raw_messages(rig.folder / "session.mcap") if m.topic == "guard/event"
    ]
    return [
        (word["t_ns"], word["answers"]["skin"])
        for word in words
        if (word["kind"], word["by"]) == ("checklist", "AB")
    ]


def test_from_the_persons_name_to_the_sensors(page: Page, rig: Rig, taps: list[int]) -> None:
    page.add_init_script(COUNT)
    page.goto(rig.url)
    make_off(page)
    page.goto(f"{rig.url}/setup")
    at(page, "patient")
    expect(page.locator(".big")).to_contain_text("P000-virtual")
    page.fill("input[name=by]", "AB")
    with counted(page, taps):
        press(page, "Yes, this is the person")
        at(page, "checklist")
    for answer in page.locator("input[value=no]").all():
        answer.check()
    page.locator("input[name=skin][value=yes]").check()
    press(page, "All questions were asked")
    expect(page.locator("main [role=alert]")).to_contain_text("do not allow stimulation")
    page.goto(rig.url)
    expect(page.locator("#refusals")).to_contain_text(
        "The checklist does not allow it: Broken", timeout=STEP_MS
    )
    expect(page.locator("#arm")).to_have_attribute("aria-disabled", "true")
    page.goto(f"{rig.url}/setup")
    at(page, "checklist")  # left and taken up again
    with counted(page, taps):
        for answer in page.locator("input[value=no]").all():
            answer.check()
        press(page, "All questions were asked")
        at(page, "sensors")
    for name in ("foot", "shank"):
        expect(page.locator(f"#sensor-{name}")).to_contain_text("found", timeout=STEP_MS)
        expect(page.locator(f"#spot-{name}")).to_have_class(re.compile("good"))
    shot(page, "setup-sensors")
    with counted(page, taps):
        press(page, "All sensors sit where they should")
        at(page, "electrodes")


def test_where_a_pad_sits_is_marked_by_a_tap_or_a_key_and_shown_again(page: Page, rig: Rig) -> None:
    nerve = page.locator("[data-pad=nerve]")
    expect(nerve).to_have_attribute("data-y", "154")
    box = nerve.locator("circle").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 1.2 * box["height"])  # 0.7 of its width lower
    expect(nerve).to_have_attribute("data-y", re.compile("^17[0-4]$"), timeout=STEP_MS)
    lower = int(nerve.get_attribute("data-y") or 0)
    nerve.focus()
    page.keyboard.press("ArrowUp")
    expect(nerve).to_have_attribute("data-y", str(lower - 4), timeout=STEP_MS)
    page.goto(f"{rig.url}/test")
    expect(nerve).to_have_attribute("data-y", str(lower - 4))
    page.goto(f"{rig.url}/setup")


def test_the_electrodes_are_tested_and_armed_and_no_train_goes_to_a_leg_that_walks(
    page: Page, rig: Rig, taps: list[int]
) -> None:
    press(page, "The pads hold and the test was passed")
    expect(page.locator("main [role=alert]")).to_contain_text("Not armed")
    with counted(page, taps):
        arm_by_holding(page)
        expect(page.locator("#state-text")).to_contain_text("Test trains alone can be given", timeout=STEP_MS)
        press(page, "The pads hold and the test was passed")
        at(page, "thresholds")
    expect(page.locator("#stands")).to_contain_text("The leg walks", timeout=STEP_MS)
    page.click("#give")
    expect(page.locator("main [role=alert]")).to_contain_text("a leg that stands still")


def test_thresholds_are_found_step_by_step_and_every_train_passes_the_guard(
    page: Page, rig: Rig, taps: list[int]
) -> None:
    press(page, "stands")
    expect(page.locator("#stands")).to_contain_text("The leg stands still", timeout=STEP_MS)
    urllib.request.urlopen(rig.request("/setup/level", b"by_ma=20")).close()
    page.reload()
    expect(page.locator("#level")).to_have_text("4.0")  # upwards only by what a person says of a train
    for effect, next_ma in (
        ("Nothing", "6.0"),
        ("Felt", "7.0"),
        ("Foot moved", "8.0"),
        ("Too strong", "7.5"),
    ):
        train(page, effect)
        question = page.get_by_text(f"What happened at {next_ma} mA?")
        expect(question.or_(page.locator("#give"))).to_be_visible(timeout=STEP_MS)
    train(page, "Foot moved")
    expect(page.locator(".marks")).to_contain_text(re.compile(r"6\.0.*7\.0.*7\.5"))
    shot(page, "setup-thresholds")
    with counted(page, taps):
        press(page, "Keep these thresholds")
        at(page, "tests")
    make_off(page)  # where the machine has stalled meanwhile; it is off by itself


def test_what_was_found_binds_in_tuning_and_in_a_saved_profile(page: Page, rig: Rig) -> None:
    page.goto(f"{rig.url}/tuning")
    largest = page.locator("[name='limits.current_max_ma']")
    expect(largest).to_have_value("7.5", timeout=STEP_MS)
    page.goto(f"{rig.url}/profiles")
    page.fill("input[name=name]", "after-setup")
    page.fill("form.confirm input[name=by]", "AB")
    page.locator("form.confirm button").click()
    expect(page.locator("main table")).to_contain_text("after-setup")
    with urllib.request.urlopen(rig.request("/profiles/after-setup.toml")) as answer:
        saved = tomllib.loads(answer.read().decode())
    assert saved["limits"]["current_max_ma"] == 7.5
    assert saved["trapezoid"]["current_ma"] == 7.5
    page.goto(f"{rig.url}/setup")
    at(page, "tests")


def test_a_seated_test_is_one_hold_and_ends_when_it_is_let_go(page: Page, rig: Rig) -> None:
    page.goto(f"{rig.url}/test")
    expect(page.locator("#level")).to_have_text("7.5")
    page.get_by_role("button", name="1 mA more").click()
    expect(page.locator("#level")).to_have_text("7.5")  # no more than was accepted
    page.get_by_role("button", name="1 mA less").click()
    expect(page.locator("#level")).to_have_text("6.5")
    page.locator("#test-hold").hover()
    page.mouse.down()
    expect(page.locator("#test-word")).to_have_text("Current flows.", timeout=STEP_MS)
    rig.wait_for_pulses()
    page.mouse.up()
    let_go_ns = time.monotonic_ns()
    expect(page.locator("#test-word")).to_have_text("", timeout=STEP_MS)
    expect(page.locator("#lifted")).to_have_text(re.compile(r"^\d"))
    assert rig.last_pulse_ns() - let_go_ns < LET_GO_NS
    time.sleep(OFF_S)
    urllib.request.urlopen(rig.request("/test/hold", b"what=down")).close()
    heard_ns = time.monotonic_ns()
    rig.wait_for_pulses()  # of a browser that is then not heard any more
    expect(page.locator("#test-word")).to_have_text("", timeout=STEP_MS)
    assert rig.last_pulse_ns() - heard_ns < DEAF_S * 1e9 + LET_GO_NS
    page.goto(f"{rig.url}/setup?step=electrodes")
    make_off(page)
    page.goto(f"{rig.url}/setup")
    at(page, "tests")


def test_the_short_tests_identify_the_muscle(page: Page, taps: list[int]) -> None:
    with counted(page, taps):
        press(page, "At her foot plate")
        expect(page.locator("img.fit")).to_be_visible(timeout=TESTS_MS)
        expect(page.locator("main table")).to_contain_text("Half of the fibres at")
        press(page, "Keep these numbers")
        at(page, "walk")


def test_the_first_steps_are_assisted_and_the_set_up_is_done_in_fifty_taps(
    page: Page, taps: list[int]
) -> None:
    expect(page.get_by_role("button", name="ceiling")).to_have_count(0)
    press(page, "walks")
    press(page, "The first steps are good")
    expect(page.locator("main [role=alert]")).to_contain_text("No assisted stride was seen yet")
    page.wait_for_selector("#arm:visible", timeout=STEP_MS)
    if page.locator(".acknowledge").is_visible():
        page.click(".acknowledge")  # a machine that stalls has tripped the guard, as it should
    with counted(page, taps):
        arm_by_holding(page)
        expect(page.locator("#assisted")).to_have_text(re.compile(r"^[1-9]"), timeout=30_000)
        shot(page, "setup-walk")
        press(page, "The first steps are good")
        expect(page.locator("main")).to_contain_text("Set-up done")
    assert len(taps) == 7
    assert sum(taps) + taps_of_the_search(USUAL_MA) <= TAPS_MOST, taps


def test_every_step_is_in_the_recording(rig: Rig) -> None:
    recording = rig.folder / "session.mcap"
    trail = [m.record for m in messages(recording, ("audit",))]
    said = [entry.text for entry in trail if isinstance(entry, Audit) and entry.kind == "setup"]
    wanted = ("person confirmed: P", "checklist does not allow", "checklist: pacemaker no", "sensors found",
              "electrodes placed", "test train of 4 mA", "train of 4 mA: nothing", "thresholds: sensory 6 mA",
              "identified: ", "first steps: ")  # fmt: skip
    assert said[-1].endswith("assisted since this step was opened")
    places = [next(i for i, text in enumerate(said) if text.startswith(words)) for words in wanted]
    assert places == sorted(places)
    guard = [m.record for m in messages(recording, ("guard/event",)) if isinstance(m.record, GuardEvent)]
    assert [skin for _, skin in answered(rig)] == ["yes", "no"]  # judged by the guard itself
    (lowered,) = {(event.by, event.current_max_ma) for event in guard if event.kind == "tighten"}
    assert lowered == ("AB", 7.5)


def test_until_the_thresholds_were_kept_nothing_but_tests_was_given_and_then_no_more_than_found(
    rig: Rig,
) -> None:
    recording = rig.folder / "session.mcap"
    verdicts = [
        m.record for m in messages(recording, ("guard/verdict",)) if isinstance(m.record, GuardVerdict)
    ]
    events = [m.record for m in messages(recording, ("guard/event",)) if isinstance(m.record, GuardEvent)]
    kept_ns = next(event.t_ns for event in events if event.kind == "tighten")
    began_ns = next(t_ns for t_ns, skin in answered(rig) if skin == "no")
    tests = [v for v in verdicts if v.pulses and began_ns < v.received_ns < kept_ns]
    assert {v.scope for v in tests} == {"tests"}
    assert {v.purpose for v in tests if v.state != "contact test"} == {"test_train"}
    walked = [pulse.current_ma for v in verdicts if v.received_ns > kept_ns for pulse in v.pulses
              if v.state != "contact test"]  # fmt: skip
    assert walked
    assert max(walked) <= 7.5
    armings = [(e.t_ns > kept_ns, e.kind) for e in events if e.kind in ("arm", "disarm", "trip")]
    assert (False, "arm") in armings
    after = [kind for later, kind in armings if later]
    assert after[0] in ("disarm", "arm")  # "arm": it had tripped when the thresholds were kept
