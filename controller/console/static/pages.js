// The pages without live charts: the guard's state in the bar, how far a preview is, what was typed anew.
"use strict";
(() => {
  const ASK_MS = 300;
  const DEAF_MS = 1200; // beyond, the state itself is old
  const SHAPES = { off: "○", armed: "▲", active: "●", ramp: "▼", tripped: "⬣", unknown: "–", waiting: "–" };
  const page = JSON.parse(document.getElementById("dorsi-page").textContent);
  const $ = (id) => document.getElementById(id);
  const texts = page.texts;
  const hear = [];
  let heardMs = performance.now();

  const showState = (name) => {
    if ($("state").className === `state-${name}`) return;
    $("state").className = `state-${name}`;
    $("state-shape").textContent = SHAPES[name];
    $("state-word").textContent = texts[`state.${name}`];
    $("state-text").textContent = texts[`state_text.${name}`];
  };

  const ask = async () => {
    try {
      const answer = await fetch("/now", { cache: "no-store" });
      if (answer.ok) {
        const now = await answer.json();
        heardMs = performance.now();
        showState(now.state);
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
      progress.querySelector("progress").value = 100 * told.progress;
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
  document.documentElement.lang = page.language;
  window.dorsiPages = { hear: (listener) => hear.push(listener), texts, language: page.language };
  if (progress) follow();
  showState("waiting");
  ask();
})();
