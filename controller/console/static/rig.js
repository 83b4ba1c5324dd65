// What every page with live data has: the guard's state, alarms, the button that arms, and how old the data are.
// The page's own script (console.js, exercise.js) draws the rest; it greys what is old by the body's class.
"use strict";
window.dorsiRig = (() => {
  const STALE_MS = 500; // beyond, a value is old and must not look new
  const DEAF_MS = 1000; // beyond, the state itself is old: the server speaks at least three times a second
  const HOLD_MS = 1000;
  const HELD_MS = 50; // how often a held button says so
  const DRAWN = { // drawn, as fonts differ; a box of 24
    ring: "M12 2a10 10 0 1 0 0 20a10 10 0 1 0 0-20zm0 4a6 6 0 1 1 0 12a6 6 0 1 1 0-12z",
    disc: "M12 2a10 10 0 1 0 0 20a10 10 0 1 0 0-20z",
    up: "M12 2L23 21H1z",
    down: "M12 22L1 3H23z",
    octagon: "M7.5 1h9L23 7.5v9L16.5 23h-9L1 16.5v-9z",
    diamond: "M12 1L23 12L12 23L1 12z",
    dash: "M2 9h20v6H2z",
    tick: "M3 12.5l3-3 4 4L18 5l3 3L10 19z",
    cross: "M5 2l7 7 7-7 3 3-7 7 7 7-3 3-7-7-7 7-3-3 7-7-7-7z",
  };
  const SHAPES = { off: "ring", contact_test: "up", armed: "up", active: "disc", ramp: "down", tripped: "octagon", unknown: "dash", waiting: "dash" };
  const SIGNALS = { high: "octagon", medium: "up", low: "diamond" };

  const page = JSON.parse(document.getElementById("dorsi-page").textContent);
  const texts = page.texts;
  const $ = (id) => document.getElementById(id);
  const number = (digits) => new Intl.NumberFormat(page.language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const formats = [number(0), number(1), number(2)];
  const show = (value, digits) => (value === null || value === undefined ? "–" : formats[digits].format(value));
  const say = (key, values = {}) => texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  const plain = (text) => page.phrases.reduce((said, [english, own]) => said.replaceAll(english, own), text); // in the reader's language
  const clock = (ms) => new Date(ms).toLocaleTimeString(page.language, { hour12: false });
  const set = (id, text) => {
    const element = $(id);
    if (element && element.textContent !== text) element.textContent = text;
  };

  let dataMs = null; // when the newest data was made, on this browser's clock
  let state = "";
  let alarmsShown = "";
  let heardMs = performance.now();
  let flowing; // mA, where it was told
  let paused = false;
  let looks = "";
  let cutMs = null; // since when the live connection is lost

  // --- state, alarms, arming ---

  const drawn = (shape) => {
    const [svg, path] = ["svg", "path"].map((name) => document.createElementNS("http://www.w3.org/2000/svg", name));
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", DRAWN[shape]);
    svg.append(path);
    return svg;
  };

  const shown = (name, ma) => { // the words for a state: what flows, where that is known
    if (paused && (name === "armed" || name === "active")) return "paused";
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

  const element = (name, text = "", cls = "") => Object.assign(document.createElement(name), { textContent: text, className: cls });

  const alarmCard = (alarm) => {
    const card = element("section", "", `alarm ${alarm.priority}`);
    const text = (part) => texts[`fault.${alarm.fault}.${part}`];
    const head = element("h2");
    const mark = element("span", "", "shape");
    mark.append(drawn(SIGNALS[alarm.priority]));
    head.append(mark, ` ${texts[`alarm.${alarm.priority}`]}: ${text("happened")}`);
    const parts = element("div", "", "parts");
    parts.append(element("p", `${text("done")}.`), element("p", `${text("next")}.`, "next"));
    const list = element("dl");
    const times = alarm.times > 1 ? `, ${say("alarm.times", { count: alarm.times })}` : "";
    const rows = {
      condition: `${alarm.fault}: ${text("condition")}${alarm.detail ? ` (${plain(alarm.detail)})` : ""}`,
      occurrence: clock(alarm.since_s * 1000) + times,
      signal: texts[`alarm.${alarm.priority}`],
      suppression: texts[alarm.latched ? "alarm.latched" : "alarm.passing"],
    };
    for (const [key, value] of Object.entries(rows)) list.append(element("dt", texts[`alarm.${key}`]), element("dd", value));
    card.append(head, parts, list);
    if (alarm.latched) {
      const button = element("button", texts["alarm.acknowledge"], "acknowledge");
      button.type = "button";
      button.addEventListener("click", () => emitEvent("dorsi_acknowledge"));
      card.append(button);
    }
    return card;
  };

  const showAlarms = (alarms) => {
    const key = JSON.stringify(alarms.map((a) => [a.fault, a.latched, a.times, a.detail]));
    if (key === alarmsShown) return;
    alarmsShown = key;
    const focused = document.activeElement?.classList.contains("acknowledge");
    $("alarms").replaceChildren(...alarms.map(alarmCard));
    if (focused) document.querySelector(".acknowledge")?.focus();
  };

  const showRefusals = (all) => {
    const refusals = all.filter(([key]) => key !== "current"); // passes with every stride: holding waits for it
    const ready = refusals.length === 0 && state === "off";
    $("arm").setAttribute("aria-disabled", String(!ready));
    const first = state === "tripped" ? refusals.filter(([key]) => key === "state") : refusals;
    const words = first.map(([key, name]) => say(`refusal.${key}`, { name: texts[`question.${name}`] ?? name }));
    set("refusals", state === "off" || state === "tripped" ? (ready ? texts["arm.ready"] : words.join(" ")) : "");
  };

  const showStage = (answered, needed) => {
    if (!$("stage")) return;
    const open = answered !== null && answered !== undefined;
    $("stage").hidden = !open;
    if (!open) return;
    set("stage-words", say("unlock.stage", { answered, needed }));
    $("unlock").hidden = answered < needed;
  };

  let holding = null;
  const hold = () => {
    if (holding !== null || $("arm").hidden) return;
    $("arm").classList.add("holding");
    set("arm-word", texts["arm.holding"]);
    emitEvent("dorsi_hold", { what: "down" });
    holding = setTimeout(held, HOLD_MS);
  };
  const held = () => { // until the guard arms or the person lets go: it arms between two supports only
    $("arm").classList.add("held");
    set("arm-word", texts["arm.waiting"]);
    emitEvent("dorsi_hold", { what: "held", screen: window.dorsiStop.screen });
    holding = setTimeout(held, HELD_MS);
  };
  const release = () => {
    if (holding === null) return;
    clearTimeout(holding);
    holding = null;
    $("arm").classList.remove("held");
    $("arm").classList.remove("holding");
    set("arm-word", texts["arm.label"]);
    emitEvent("dorsi_hold", { what: "up" });
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
    $("unlock")?.addEventListener("click", () => emitEvent("dorsi_unlock"));
    $("disarm").addEventListener("click", () => emitEvent("dorsi_disarm"));
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
    const cut = window.socket !== undefined && window.socket !== null && !window.socket.connected;
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
    if ("answered" in news) showStage(news.answered, news.needed);
    if ("left_over" in news && $("left-over")) $("left-over").hidden = !news.left_over;
    if (news.alarms) showAlarms(news.alarms);
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
