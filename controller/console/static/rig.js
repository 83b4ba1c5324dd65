// What every page with live data has: the guard's state, alarms, the button that arms, and how old the data are.
// The page's own script (console.js, exercise.js) draws the rest; it greys what is old by the body's class.
"use strict";
window.dorsiRig = (() => {
  const STALE_MS = 500; // beyond, a value is old and must not look new
  const DEAF_MS = 1000; // beyond, the state itself is old: the server speaks at least three times a second
  const HOLD_MS = 1000;
  const HELD_MS = 50; // how often a held button says so
  const SHAPES = { off: "ring", contact_test: "up", armed: "up", active: "disc", ramp: "down", tripped: "octagon", unknown: "dash", waiting: "dash" };

  const { page, texts, $, formats, show, set, drawn, element, say, plain, clock } = window.dorsiAlarms;

  let dataMs = null; // when the newest data was made, on this browser's clock
  let state = "";
  let heardMs = performance.now();
  let flowing; // mA, where it was told
  let paused = false;
  let looks = "";
  let cutMs = null; // since when the live connection is lost

  // --- state, alarms, arming ---

  const shown = (name, ma) => { // the words for a state: what flows, where that is known
    if (paused && (name === "armed" || name === "active")) return "paused";
    if (page.blinded && name === "armed") return "blinded";
    return name === "active" && ma !== undefined ? (ma > 0 ? "flows" : "waits") : name;
  };

  const showState = (name, scope = "", ma = undefined) => {
    const tests = scope === "tests" && (name === "armed" || name === "active");
    const now = shown(name, ma);
    set("state-text", texts[`state_text.${tests ? "tests" : now}`]);
    set("state-word", say(`state.${now}`, { ma: show(ma, 0) }));
    const look = now === "paused" ? "armed" : name;
    if (look !== looks) {
      looks = look;
      $("state").className = `state-${look}`;
      $("state-shape").replaceChildren(drawn(SHAPES[look]));
    }
    if (name === state) return;
    state = name;
    const on = ["armed", "active", "ramp"].includes(name);
    $("arm").hidden = on;
    $("disarm").hidden = !on;
    if (on) release();
    if (on) window.dorsiStop.ready();
  };

  const showRefusals = (all) => {
    const refusals = all.filter(([key]) => key !== "current"); // passes with every stride: holding waits for it
    const ready = refusals.length === 0 && state === "off";
    $("arm").setAttribute("aria-disabled", String(!ready));
    const first = state === "tripped" ? refusals.filter(([key]) => key === "state") : refusals;
    const words = first.map(([key, name]) => say(`refusal.${key}`, { name: texts[`question.${name}`] ?? name }));
    set("refusals", state === "off" || state === "tripped" ? (ready ? texts["arm.ready"] : words.join(" ")) : "");
  };

  const showStage = (answered, needed, then) => {
    if (!$("stage")) return;
    const open = answered !== null && answered !== undefined;
    $("stage").hidden = !open;
    if (!open) return;
    set("stage-words", say("unlock.stage", { answered, needed, mode: texts[`mode.${then}`] ?? "" }));
    $("unlock").hidden = answered < needed;
  };

  let holding = null;
  const hold = () => {
    if (holding !== null || $("arm").hidden) return;
    $("arm").classList.add("holding");
    set("arm-word", texts["arm.holding"]);
    window.dorsiSocket.tell("hold", { what: "down" });
    holding = setTimeout(held, HOLD_MS);
  };
  const held = () => { // until the guard arms or the person lets go: it arms between two supports only
    $("arm").classList.add("held");
    set("arm-word", texts["arm.waiting"]);
    window.dorsiSocket.tell("hold", { what: "held", screen: window.dorsiStop.screen });
    holding = setTimeout(held, HELD_MS);
  };
  const release = () => {
    if (holding === null) return;
    clearTimeout(holding);
    holding = null;
    $("arm").classList.remove("held");
    $("arm").classList.remove("holding");
    set("arm-word", texts["arm.label"]);
    window.dorsiSocket.tell("hold", { what: "up" });
  };

  const wire = () => {
    const arm = $("arm");
    arm.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      arm.setPointerCapture(event.pointerId); // a page that moves under the finger ends no hold
      hold();
    });
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) arm.addEventListener(kind, release);
    arm.addEventListener("contextmenu", (event) => event.preventDefault());
    arm.addEventListener("keydown", (event) => event.key === "Enter" && !event.repeat && hold());
    arm.addEventListener("keyup", (event) => event.key === "Enter" && release());
    $("unlock")?.addEventListener("click", () => window.dorsiSocket.tell("unlock"));
    $("disarm").addEventListener("click", () => window.dorsiSocket.tell("disarm"));
  };

  // --- values ---

  const showTelemetry = (link) => {
    $("telemetry").hidden = !link;
    if (!link) return;
    const waits = link.behind ? ` ${say("telemetry.behind", { count: show(link.behind, 0) })}` : "";
    const lost = link.dropped ? ` ${say("telemetry.dropped", { count: show(link.dropped, 0) })}` : "";
    const state = link.connected ? texts["telemetry.connected"] : texts[`telemetry.${link.kind || "connecting"}`] ?? link.why;
    set("telemetry", `${texts["telemetry.label"]}: ${state}${waits}${lost}`);
    $("telemetry").classList.toggle("cut", Boolean(link.kind));
  };

  const watch = () => {
    if (performance.now() - heardMs > DEAF_MS) {
      showState("waiting");
      $("arm").setAttribute("aria-disabled", "true");
      set("refusals", "");
    }
    const age = dataMs === null ? null : performance.now() - dataMs;
    const stale = age === null || age > STALE_MS;
    document.body.classList.toggle("stale", stale);
    $("stale").hidden = !stale;
    if (!stale) {
      set("stale-words", "");
      return;
    }
    const cut = window.dorsiSocket?.cut() ?? false;
    cutMs = cut ? cutMs ?? performance.now() : null;
    const since = age === null ? texts["data.never"] : say("data.none", { seconds: show(age / 1000, 1), clock: clock(Date.now() - age) });
    // only what a try since then has shown; where STOP's way is cut too, the bar says so
    const lost = !cut || window.dorsiStop.deaf() ? "" : texts[window.dorsiStop.provenSince(cutMs) ? "data.cut" : "data.cut_unproven"];
    set("stale-words", `${lost} ${since}`.trim());
  };

  // what the server has sent; the page's own script takes the rest of it
  const hear = (news) => {
    heardMs = performance.now();
    if ("applied_ma" in news) flowing = news.applied_ma ?? 0;
    if ("paused" in news) paused = news.paused === "yes";
    if (news.state) showState(news.state, news.scope, page.says_current ? flowing : undefined);
    if (news.refusals) showRefusals(news.refusals);
    if ("answered" in news) showStage(news.answered, news.needed, news.then);
    if ("left_over" in news && $("left-over")) $("left-over").hidden = !news.left_over;
    if (news.alarms) window.dorsiAlarms.showAlarms(news.alarms);
    if (news.data_age_ms !== undefined && news.data_age_ms !== null) dataMs = performance.now() - news.data_age_ms;
    if (news.reason !== undefined) set("reason", plain(news.reason));
    if ("telemetry" in news) showTelemetry(news.telemetry);
    watch();
  };

  document.documentElement.lang = page.language;
  wire();
  showState("waiting");
  setInterval(watch, 100);
  return { page, texts, $, formats, show, say, plain, set, element, drawn, hear, state: () => state };
})();
