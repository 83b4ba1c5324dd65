// STOP without waiting for anything: sent when the button goes down, by Space and by Esc. Needs no other script;
// where this one did not load, the form posts by itself.
"use strict";
(() => {
  document.documentElement.classList.add("js");
  const button = document.getElementById("stop");
  const word = document.getElementById("stop-word");
  const texts = word.dataset;

  const press = async () => {
    button.classList.add("pressed");
    setTimeout(() => button.classList.remove("pressed"), 400);
    word.textContent = texts.pressed;
    try {
      const answer = await fetch("/stop", { method: "POST", keepalive: true, cache: "no-store" });
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
})();
