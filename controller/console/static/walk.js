// The main screen's buttons: strength by taps, undo, pause and go on; and how far a schedule is.
"use strict";
window.dorsiWalk = (() => {
  const { page, texts, $, show, say, set } = window.dorsiRig;
  const SAID_MS = 12000; // how long an answer to a tap stands
  const UNITS = { "trapezoid.current_ma": " mA", "gait.assist_percent": " %", "trapezoid.extension_ms": " ms" };
  const rows = Object.fromEntries([...document.querySelectorAll("#strength li")].map((row) => [row.dataset.row, row]));
  let saidTimer = null;
  let keys = {};
  let why = ""; // the last tap came to nothing

  const tell = (words) => {
    clearTimeout(saidTimer);
    set("tapped", words);
    if (words) saidTimer = setTimeout(() => set("tapped", ""), SAID_MS);
  };

  const post = async (path, fields = {}) => {
    try {
      const answer = await fetch(path, { method: "POST", body: new URLSearchParams({ by: $("by").value.trim(), ...fields }) });
      const told = answer.ok ? await answer.json() : { said: texts["strength.not_heard"] };
      tell(told.said);
      if (told.code === "unsigned") $("by").focus();
    } catch {
      tell(texts["strength.not_heard"]);
    }
  };

  const put = (row, selector, text) => {
    const place = row.querySelector(selector);
    if (place.textContent !== text) place.textContent = text;
  };
  const value = (key, number) => `${show(number, number % 1 ? 1 : 0)}${UNITS[key]}`;

  const bound = (told) => {
    const own = texts[`strength.bound_${told.limit || "range"}`] ?? `${texts[`limit.${told.limit}`] ?? told.limit}, {who}`;
    return own.replace("{who}", texts[`who.${told.who}`] ?? told.who);
  };

  const showRow = (name, told) => {
    const row = rows[name];
    keys[name] = told.key;
    put(row, ".set-now", value(told.key, told.now));
    put(row, ".set-next", told.wanted === null ? "" : say("strength.next", { value: value(told.key, told.wanted) }));
    const most = say("strength.most_shown", { most: value(told.key, told.most), why: bound(told) });
    const asked = (page.lift_deg * ((told.wanted ?? told.now) - 100)) / 100;
    const parts = [most];
    if (told.key === "gait.assist_percent") {
      parts.unshift(asked ? say("strength.assist", { lift: `${asked > 0 ? "+" : ""}${show(asked, 1)}` }) : texts["strength.as_reference"]);
    }
    put(row, ".most", parts.join(" · "));
  };

  const showStrength = (told) => {
    $("strength").hidden = !told;
    if (!told) return;
    showRow("main", told.main);
    showRow("hold", told.hold);
    $("undo-tap").disabled = !told.can_undo;
    if (told.why && told.why !== why) tell(texts["strength.failed"]);
    why = told.why;
  };

  const showPause = (paused, state) => {
    const on = state === "armed" || state === "active";
    $("pause-walk").hidden = !on || Boolean(paused);
    $("go-on-walk").hidden = !paused;
    $("paused").hidden = !paused;
    if (paused) set("paused", texts[`pause.${paused}`]);
  };

  const showSchedule = (progress) => {
    $("schedule").hidden = !progress;
    if (!progress) return;
    const parts = progress.arms > 1 ? [say("schedule.arm", progress)] : [];
    if (progress.wash_out) parts.push(say("schedule.wash_out", { count: progress.wash_out }));
    if (progress.strides !== null) parts.push(say("schedule.strides", { count: progress.strides }));
    if (progress.seconds !== null) parts.push(say("schedule.seconds", { count: show(Math.ceil(progress.seconds), 0) }));
    set("schedule", parts.join(" · "));
  };

  const hear = (news) => {
    if ("strength" in news) showStrength(news.strength);
    if ("paused" in news) showPause(news.paused, news.state);
    if ("progress" in news) showSchedule(news.progress);
  };

  for (const [name, row] of Object.entries(rows)) {
    for (const button of row.querySelectorAll(".tap")) {
      button.addEventListener("click", () => post("/walk/tap", { key: keys[name] ?? "", taps: button.dataset.taps }));
    }
  }
  $("undo-tap").addEventListener("click", () => post("/walk/undo"));
  $("pause-walk").addEventListener("click", () => post("/walk/pause"));
  $("go-on-walk").addEventListener("click", () => post("/walk/go_on"));
  return { hear };
})();
