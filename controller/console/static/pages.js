// The pages without live charts: the guard's state in the bar, how far a preview is, what was typed anew.
"use strict";
(() => {
  const ASK_MS = 300;
  const DEAF_MS = 1200; // beyond, the state itself is old
  const SHAPES = { off: "○", contact_test: "▲", armed: "▲", active: "●", ramp: "▼", tripped: "⬣", unknown: "–", waiting: "–" };
  const page = JSON.parse(document.getElementById("dorsi-page").textContent);
  const $ = (id) => document.getElementById(id);
  const texts = page.texts;
  const plain = (text) => page.phrases.reduce((said, [english, own]) => said.replaceAll(english, own), text);
  const hear = [];
  let heardMs = performance.now();
  let state = "";

  const showState = (name, scope = "", ma = undefined) => {
    $("state").className = `state-${name}`;
    $("state-shape").textContent = SHAPES[name];
    const tests = scope === "tests" && (name === "armed" || name === "active");
    const now = name === "active" && ma !== undefined ? (ma > 0 ? "flows" : "waits") : name;
    set("state-word", say(`state.${now}`, { ma: show(ma, 0) }));
    set("state-text", texts[`state_text.${tests ? "tests" : now}`]);
    if (["armed", "active"].includes(name) && name !== state) window.dorsiStop.ready();
    state = name;
  };

  const ask = async () => {
    try {
      const answer = await fetch("/now", { cache: "no-store" });
      if (answer.ok) {
        const now = await answer.json();
        heardMs = performance.now();
        showState(now.state, now.scope, "applied_ma" in now ? now.applied_ma ?? 0 : undefined);
        if (now.alarms) window.dorsiAlarms.showAlarms(now.alarms);
        for (const listener of hear) listener(now);
      }
    } catch {
      // the page says itself, below, that it hears nothing
    }
    if (performance.now() - heardMs > DEAF_MS) {
      showState("waiting");
      for (const listener of hear) listener(null);
    }
    setTimeout(ask, ASK_MS);
  };

  const progress = $("progress");
  const follow = async () => {
    try {
      const told = await (await fetch(progress.dataset.url, { cache: "no-store" })).json();
      if (told.progress !== null) progress.querySelector("progress").value = 100 * told.progress;
      if (told.words) set("progress-words", told.words);
      if (told.ready && $("ready")) {
        progress.hidden = true;
        $("ready").hidden = false;
        return;
      }
      if (told.done) {
        location.reload();
        return;
      }
    } catch {
      // asked again below
    }
    setTimeout(follow, ASK_MS);
  };

  for (const field of document.querySelectorAll("input[data-now]")) {
    const mark = () => field.closest(".knob").classList.toggle("changed", field.value.trim() !== field.dataset.now);
    field.addEventListener("input", mark);
    mark();
  }
  // --- set-up: what the rig says beside each step, and the button that arms ---

  const number = (digits) => new Intl.NumberFormat(page.language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const show = (value, digits) => (value === null || value === undefined ? "–" : number(digits).format(value));
  const set = (id, text) => {
    if ($(id) && $(id).textContent !== text) $(id).textContent = text;
  };
  const say = (key, values = {}) => (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  const post = (url, fields = {}) => fetch(url, { method: "POST", body: new URLSearchParams(fields) }).catch(() => null);

  const showSensor = (sensor) => {
    const row = $(`sensor-${sensor.name}`);
    if (!row) return;
    const link = sensor.link;
    const total = link ? link.received + link.lost : 0;
    const heard = sensor.age_ms !== null && sensor.age_ms < 300;
    row.querySelector(".live-age").textContent = sensor.age_ms === null ? texts["setup.live_unheard"] : `${show(sensor.age_ms, 0)} ms`;
    row.querySelector(".live-loss").textContent = total ? `${show((100 * link.received) / total, 1)} %` : "–";
    row.querySelector(".live-battery").textContent = link?.battery_percent ? `${link.battery_percent} %` : "–";
    row.querySelector(".live-axes").textContent = sensor.axes === null ? "–" : texts[sensor.axes ? "setup.live_axes" : "setup.live_no_axes"];
    const good = heard && sensor.axes !== false;
    row.className = good ? "good" : "poor";
    $(`spot-${sensor.name}`)?.classList.toggle("good", good);
  };

  const showArming = (now) => {
    const arm = $("arm");
    if (!arm) return;
    const on = ["armed", "active", "ramp"].includes(now.state);
    arm.hidden = on;
    $("disarm").hidden = !on;
    if (on) release();
    const all = now.refusals.filter(([key]) => key !== "current");
    const why = now.state === "tripped" ? all.filter(([key]) => key === "state") : all;
    const ready = why.length === 0 && now.state === "off";
    arm.setAttribute("aria-disabled", String(!ready));
    const waits = now.answered !== null;
    $("unlock").hidden = !(waits && now.answered >= now.needed);
    const testing = now.state === "contact_test"; // nothing to acknowledge, as a latched state has
    set("refusals", testing ? "" : waits && on ? say("unlock.stage", { answered: now.answered, needed: now.needed, mode: texts[`mode.${now.then}`] ?? "" }) : on ? "" : ready ? texts["arm.ready"] : why.map(([key, name]) => say(`refusal.${key}`, { name: texts[`question.${name}`] ?? name })).join(" "));
  };

  const showSetup = (now) => {
    if (now === null) {
      for (const id of ["pitch", "delivered", "assisted", "error", "strides-seen"]) set(id, "–");
      return;
    }
    now.sensors.forEach(showSensor);
    showArming(now);
    if ($("findings")) set("findings", now.findings.length ? plain(now.findings.join(" ")) : texts["setup.live_no_findings"]);
    set("strides-seen", show(now.strides, 0));
    set("assisted", show(now.assisted, 0));
    set("error", show(now.error_deg, 1));
    set("delivered", show(now.applied_ma, 1));
    set("stands", now.walking === null ? "" : texts[now.walking ? "setup.live_walking" : "setup.live_standing"]);
    $("stands")?.classList.toggle("bad", now.walking === true);
    set("pitch", show(now.moved_deg, 1));
    set("train", now.running ? texts["setup.live_running"] : texts["setup.live_ended"]);
  };
  if (document.querySelector(".step[data-step]")) hear.push(showSetup);

  const HOLD_MS = 1000;
  const HELD_MS = 100;
  const step = document.querySelector(".step")?.dataset.step ?? ""; // arming is for walking in the last one alone
  let holding = null;
  const hold = () => {
    if (holding !== null || $("arm").hidden) return;
    $("arm").classList.add("holding");
    set("arm-word", texts["arm.holding"]);
    post("/setup/hold", { what: "down", step });
    holding = setTimeout(held, HOLD_MS);
  };
  const held = () => { // until the guard arms or the person lets go: it arms between two supports only
    $("arm").classList.add("held");
    set("arm-word", texts["arm.waiting"]);
    post("/setup/hold", { what: "held", step, screen: window.dorsiStop.screen });
    holding = setTimeout(held, HELD_MS);
  };
  function release() {
    if (holding === null) return;
    clearTimeout(holding);
    holding = null;
    $("arm").classList.remove("held", "holding");
    set("arm-word", texts["arm.label"]);
    post("/setup/hold", { what: "up", step });
  }
  if ($("arm")) {
    const arm = $("arm");
    arm.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      arm.setPointerCapture(event.pointerId);
      hold();
    });
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) arm.addEventListener(kind, release);
    arm.addEventListener("contextmenu", (event) => event.preventDefault());
    arm.addEventListener("keydown", (event) => event.key === "Enter" && !event.repeat && hold());
    arm.addEventListener("keyup", (event) => event.key === "Enter" && release());
    $("unlock").addEventListener("click", () => post("/setup/guard/unlock"));
    $("disarm").addEventListener("click", () => post("/setup/guard/disarm"));
  }

  document.documentElement.lang = page.language;
  window.dorsiPages = { hear: (listener) => hear.push(listener), texts, language: page.language };
  if (progress) follow();
  if ($("waits")) setTimeout(() => location.reload(), 1000);
  showState("waiting");
  ask();
})();
