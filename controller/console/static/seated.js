// The seated test: a button that is held. The server gives the trains, and ends them when it hears no more.
"use strict";
(() => {
  const HELD_MS = 100;
  const { hear, texts, language } = window.dorsiPages;
  const $ = (id) => document.getElementById(id);
  const button = $("test-hold");
  const tenths = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  let timer = null;

  const tell = (what) =>
    fetch("/test/hold", { method: "POST", body: new URLSearchParams({ what, screen: window.dorsiStop.screen }) }).catch(() => null);
  const press = () => {
    if (timer !== null) return;
    button.classList.add("held");
    tell("down");
    timer = setInterval(() => tell("held"), HELD_MS);
  };
  const release = () => {
    if (timer === null) return;
    clearInterval(timer);
    timer = null;
    button.classList.remove("held");
    tell("up");
  };

  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    press();
  });
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) button.addEventListener(kind, release);
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  button.addEventListener("keydown", (event) => event.key === "Enter" && !event.repeat && press());
  button.addEventListener("keyup", (event) => event.key === "Enter" && release());
  window.addEventListener("pagehide", release);

  const word = (now) => {
    if (!now?.seated) return "";
    if (now.seated.why) return texts[now.seated.why];
    if (now.seated.on) return texts["test.on"];
    if (now.state === "tripped") return texts["state_text.tripped"];
    const why = now.refusals.filter(([key]) => key !== "current"); // the walk's; while a leg rests there is none
    if (now.state === "off" && why.length) return why.map(([key, name]) => (texts[`refusal.${key}`] ?? key).replace("{name}", texts[`question.${name}`] ?? name)).join(" ");
    return timer === null ? "" : texts["test.waits"];
  };
  hear((now) => {
    $("test-word").textContent = word(now);
    if (now?.seated) $("level").textContent = tenths.format(now.seated.level_ma); // another screen may change it
    const lifted = now?.seated?.lifted_deg ?? null;
    $("lifted").textContent = lifted === null ? "–" : tenths.format(lifted);
    const hint = now?.seated?.hint;
    $("pad-hint").textContent = hint ? texts[hint].replace("{turn}", tenths.format(Math.abs(now.seated.inward_deg))) : "";
  });
})();
