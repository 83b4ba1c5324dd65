// STOP without waiting for anything: sent when the button goes down, by Space and by Esc. Needs no other script;
// where this one did not load, the form posts by itself. Once a second it tries STOP's own way by itself: what it
// says about STOP is what that try has shown, and the guard hears by it that this screen is there (F26).
"use strict";
(() => {
  const TRIES = 3; // of one press: a connection that was kept for later may be closed just then
  const AGAIN_MS = 150;
  const BEAT_MS = 1000; // a hidden page may do no more often
  const RETRY_MS = 300;
  const ANSWER_MS = 1500;
  const DEAF_MS = 2000; // since the last try that came through: two have failed
  const SILENT_MS = 2500; // of the screen that armed: more than one beat of it is missing

  document.documentElement.classList.add("js");
  const button = document.getElementById("stop");
  const hint = button.querySelector("small");
  const word = document.getElementById("stop-word");
  const alarm = document.getElementById("stop-deaf");
  const watch = document.getElementById("stop-watch"); // not on a screen that only looks on
  const texts = word.dataset;

  // --- pressed ---

  const post = async () => {
    for (let left = TRIES - 1; ; left -= 1) {
      try {
        return await fetch("/stop", { method: "POST", keepalive: true, cache: "no-store" });
      } catch (error) {
        if (left === 0) throw error;
        await new Promise((go) => setTimeout(go, AGAIN_MS));
      }
    }
  };

  const press = async () => {
    button.classList.add("pressed");
    setTimeout(() => button.classList.remove("pressed"), 400);
    word.textContent = texts.pressed;
    try {
      const answer = await post();
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      word.textContent = page.body.textContent;
      word.classList.toggle("bad", !answer.ok);
    } catch {
      word.textContent = texts.unreachable;
      word.classList.add("bad");
    }
  };

  button.addEventListener("pointerdown", (event) => {
    if (event.button === 0) press();
  });
  document.addEventListener(
    "keydown",
    (event) => {
      const typing = event.target.closest?.("input, textarea, select");
      const space = event.code === "Space" && !typing;
      if (event.key !== "Escape" && !space) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!event.repeat) press();
    },
    { capture: true },
  );

  // --- tried by itself ---

  const drawn = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const screenName = (() => { // of this browser, all its pages
    try {
      return (localStorage.dorsiScreen ??= drawn());
    } catch {
      return drawn();
    }
  })();
  let provenMs = -Infinity; // when the last try began that came through
  let tried = false;
  let waiting = null;
  let over = false; // the page was told that the session's work is done

  const deaf = () => tried && performance.now() - provenMs > DEAF_MS;

  const show = () => {
    const now = deaf();
    if (button.classList.contains("deaf") === now) return;
    button.classList.toggle("deaf", now);
    hint.textContent = now ? texts.deaf_hint : texts.hint;
    alarm.textContent = now ? (over ? texts.deaf_over : texts.deaf) : ""; // an alert is read out when its words come
    if (now && watch) watch.hidden = true;
  };

  const showWatch = (told) => {
    if (!watch) return;
    watch.hidden = told.watch !== "other";
    if (watch.hidden) return;
    const silent = told.silent_ms > SILENT_MS;
    watch.classList.toggle("silent", silent);
    const said = silent ? texts.silent.replace("{seconds}", Math.round(told.silent_ms / 1000)) : texts.other;
    const line = watch.querySelector("span");
    if (line.textContent !== said) line.textContent = said;
  };

  const beat = async () => {
    clearTimeout(waiting);
    const begunMs = performance.now();
    let told = null;
    try {
      const answer = await fetch(`/stop/screen?name=${screenName}`, {
        method: "POST", cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS),
      });
      told = await answer.json();
    } catch {
      // not through; what that means is shown below
    }
    tried = true;
    const through = told?.stop === true;
    if (through) {
      provenMs = Math.max(provenMs, begunMs);
      showWatch(told);
    }
    show();
    clearTimeout(waiting);
    waiting = setTimeout(beat, through ? BEAT_MS : RETRY_MS);
  };

  watch?.querySelector("button").addEventListener("click", async () => {
    await fetch("/watch", { method: "POST", body: new URLSearchParams({ screen: screenName }) }).catch(() => null);
    beat();
  });
  document.addEventListener("visibilitychange", () => document.hidden || beat());
  addEventListener("online", beat);
  addEventListener("offline", beat);
  setInterval(show, 200);
  const ready = () => { // armed again: what was said of the last STOP is over
    if (!word.classList.contains("bad")) word.textContent = texts.ready;
  };
  window.dorsiStop = { ready, screen: screenName, provenSince: (ms) => provenMs > ms, deaf, over: () => (over = true) };
  beat();
})();
