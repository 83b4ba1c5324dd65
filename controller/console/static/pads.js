// Where the pads sit: a tap on the drawing moves the nearer one there, the arrow keys the one that has the focus.
"use strict";
(() => {
  const KEY_UNITS = 4;
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const leg = document.querySelector("#pads svg");
  const pads = [...leg.querySelectorAll("[data-pad]")].map((mark) => ({ mark, name: mark.dataset.pad, x: Number(mark.dataset.x), y: Number(mark.dataset.y) }));

  const move = async ({ name }, x, y) => {
    const answer = await fetch("/setup/pads", { method: "POST", body: new URLSearchParams({ pad: name, x, y }) }).catch(() => null);
    if (!answer?.ok) return;
    sessionStorage.dorsiPad = name; // the focus stays with it
    location.reload();
  };

  leg.addEventListener("click", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(leg.getScreenCTM().inverse());
    const far = (pad) => Math.hypot(pad.x - at.x, pad.y - at.y);
    move(pads.reduce((near, pad) => (far(pad) < far(near) ? pad : near)), at.x, at.y);
  });
  for (const pad of pads) {
    pad.mark.addEventListener("keydown", (event) => {
      const way = ARROWS[event.key];
      if (!way) return;
      event.preventDefault();
      move(pad, pad.x + KEY_UNITS * way[0], pad.y + KEY_UNITS * way[1]);
    });
  }
  pads.find((pad) => pad.name === sessionStorage.dorsiPad)?.mark.focus({ preventScroll: true });
  delete sessionStorage.dorsiPad;
})();
