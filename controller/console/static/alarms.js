// What every page has for alarms: the card with cause and next step, a tone that can be paused, drawn shapes.
"use strict";
window.dorsiAlarms = ((page) => {
  const { texts } = page;
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
  const SIGNALS = { high: "octagon", medium: "up", low: "diamond" };
  const $ = (id) => document.getElementById(id);
  const number = (digits) => new Intl.NumberFormat(page.language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const formats = [number(0), number(1), number(2)];
  const show = (value, digits) => (value === null || value === undefined ? "–" : formats[digits].format(value));
  const set = (id, text) => {
    const element = $(id);
    if (element && element.textContent !== text) element.textContent = text;
  };
  const say = (key, values = {}) => texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  const plain = (text) => page.phrases.reduce((said, [english, own]) => said.replaceAll(english, own), text); // in the reader's language
  const clock = (ms) => new Date(ms).toLocaleTimeString(page.language, { hour12: false });
  const element = (name, text = "", cls = "") => Object.assign(document.createElement(name), { textContent: text, className: cls });
  const drawn = (shape) => {
    const [svg, path] = ["svg", "path"].map((name) => document.createElementNS("http://www.w3.org/2000/svg", name));
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", DRAWN[shape]);
    svg.append(path);
    return svg;
  };

  // --- tone: bursts by priority in the manner of IEC 60601-1-8 (from memory, unverified); its pitches are our own

  const BURSTS = { // beginning of each pulse in s, its length, pitch in Hz, and after how long it comes again
    high: { at: [0, 0.25, 0.5, 1.0, 1.25, 2.1, 2.35, 2.6, 3.1, 3.35], pulse_s: 0.15, hz: 784, again_s: 10 },
    medium: { at: [0, 0.4, 0.8], pulse_s: 0.2, hz: 587, again_s: 15 },
    low: { at: [0, 0.4], pulse_s: 0.2, hz: 440, again_s: null },
  };
  const HARMONICS = [0, 1, 0.7, 0.5, 0.4, 0.3]; // of the pitch; a sound of several is found by ear
  const LOUD = 0.25;
  const EDGE_S = 0.02; // rise and fall of a pulse: no click
  const PAUSE_MS = 120_000;
  const ONCE = ["F11"]; // whoever pressed STOP knows; the others in the room hear it once
  const PAUSED = "dorsiTonePausedMs";
  let sound = null;
  let sounding = ""; // the alarms that it sounds for
  let timer = null;

  const pausedMs = () => {
    try {
      return Number(localStorage[PAUSED] ?? 0);
    } catch {
      return 0;
    }
  };
  const setPaused = (ms) => {
    try {
      localStorage[PAUSED] = ms;
    } catch {
      // a browser that keeps nothing pauses this page alone: no tone is worse than a tone too many
    }
  };

  const burst = ({ at, pulse_s, hz }) => {
    if (!sound || sound.state !== "running") return;
    const wave = sound.createPeriodicWave(new Float32Array(HARMONICS.length), new Float32Array(HARMONICS));
    for (const begin of at) {
      const [tone, level] = [sound.createOscillator(), sound.createGain()];
      const from = sound.currentTime + 0.05 + begin;
      tone.setPeriodicWave(wave);
      tone.frequency.value = hz;
      level.gain.setValueAtTime(0, from);
      level.gain.linearRampToValueAtTime(LOUD, from + EDGE_S);
      level.gain.setValueAtTime(LOUD, from + pulse_s - EDGE_S);
      level.gain.linearRampToValueAtTime(0, from + pulse_s);
      tone.connect(level).connect(sound.destination);
      tone.start(from);
      tone.stop(from + pulse_s);
    }
  };

  const play = (priority, once) => {
    clearTimeout(timer);
    if (Date.now() >= pausedMs()) burst(BURSTS[priority]);
    const again = once ? null : BURSTS[priority].again_s;
    if (again) timer = setTimeout(() => play(priority, once), again * 1000);
  };

  const wake = () => { // browsers let a page sound only once a person has touched it
    sound ??= window.AudioContext ? new AudioContext() : null;
    const quiet = sound?.state === "suspended";
    if (quiet) sound.resume().then(showTone);
  };

  const soundFor = (alarms) => {
    const key = alarms.map((alarm) => `${alarm.fault}${alarm.since_s}`).join();
    if (key === sounding) return;
    const known = sounding.split(",");
    const fresh = alarms.filter((alarm) => !known.includes(`${alarm.fault}${alarm.since_s}`));
    sounding = key;
    if (fresh.length && pausedMs()) setPaused(0); // a pause was for the alarms that were there
    clearTimeout(timer);
    if (alarms.length && fresh.length) play(alarms[0].priority, ONCE.includes(alarms[0].fault));
    else if (alarms.length) timer = setTimeout(() => play(alarms[0].priority, ONCE.includes(alarms[0].fault)), 1000);
  };

  const toneButton = element("button", "", "button second small tone");
  const toneWords = element("span", "", "quiet");
  toneButton.type = "button";
  toneButton.addEventListener("click", () => {
    setPaused(Date.now() < pausedMs() ? 0 : Date.now() + PAUSE_MS);
    showTone();
  });
  const showTone = () => {
    const paused = Date.now() < pausedMs();
    const silent = !sound || sound.state !== "running";
    toneButton.textContent = texts[paused ? "tone.on" : "tone.pause"];
    toneWords.textContent = silent ? texts["tone.untouched"] : paused ? say("tone.paused", { clock: clock(pausedMs()) }) : "";
  };
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, wake, { capture: true, passive: true });
  if (navigator.userActivation?.hasBeenActive) wake();

  // --- the card

  const acknowledge = () => fetch("/alarms/acknowledge", { method: "POST" }).catch(() => null);

  const card = (alarm) => {
    const made = element("section", "", `alarm ${alarm.priority}`);
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
    made.append(head, parts, list);
    if (alarm.latched) {
      const button = element("button", texts["alarm.acknowledge"], "acknowledge");
      button.type = "button";
      button.addEventListener("click", acknowledge);
      made.append(button);
    }
    return made;
  };

  let shown = "[]";
  const showAlarms = (alarms) => {
    const key = JSON.stringify(alarms.map((a) => [a.fault, a.latched, a.times, a.detail]));
    showTone();
    if (key === shown) return;
    shown = key;
    const place = document.getElementById("alarms");
    const focused = document.activeElement?.classList.contains("acknowledge");
    const tone = element("p", "", "tone-line");
    tone.append(toneButton, " ", toneWords);
    place.replaceChildren(...alarms.map(card), ...(alarms.length ? [tone] : []));
    if (focused) document.querySelector(".acknowledge")?.focus();
    soundFor(alarms);
  };

  return { page, texts, showAlarms, $, formats, show, set, drawn, element, say, plain, clock };
})(JSON.parse(document.getElementById("dorsi-page").textContent));
