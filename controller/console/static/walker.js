// The walker's screen: last steps, toes, steps, time; a tone when the heel comes off. It tells the rig nothing.
"use strict";
window.dorsiRig = window.dorsiAlarms;
window.dorsi = (() => {
  const { texts, $, set } = window.dorsiAlarms;
  const STALE_MS = 1000; // beyond, what is shown is old and must not look new
  const GOING = { ramp: "armed", active: "armed", waiting: "unknown" }; // said as
  const LATE_MS = 250; // a tone later than this is for another instant
  const TONE = { hz: 587, long_s: 0.09, edge_s: 0.015 };
  const LOUDEST = 0.5;

  let dataMs = null; // when the newest data was made, on this browser's clock
  let heardMs = -Infinity;
  let going = "unknown";
  let over = false;

  // --- the tone: off until somebody presses, as browsers sound only after a touch

  let sound = null;
  const on = () => $("tone").getAttribute("aria-pressed") === "true";
  const beep = () => {
    const [tone, level] = [sound.createOscillator(), sound.createGain()];
    const [from, loud] = [sound.currentTime, LOUDEST * ($("volume").value / 100) ** 2]; // by ear, not by amplitude
    tone.frequency.value = TONE.hz;
    level.gain.setValueAtTime(0, from);
    level.gain.linearRampToValueAtTime(loud, from + TONE.edge_s);
    level.gain.setValueAtTime(loud, from + TONE.long_s - TONE.edge_s);
    level.gain.linearRampToValueAtTime(0, from + TONE.long_s);
    tone.connect(level).connect(sound.destination);
    tone.start(from);
    tone.stop(from + TONE.long_s);
  };
  $("tone").addEventListener("click", () => {
    $("tone").setAttribute("aria-pressed", String(!on()));
    set("tone", texts[on() ? "walker.on" : "walker.off_tone"]);
    if (!on()) return;
    sound ??= new AudioContext();
    sound.resume().then(beep); // how loud it is
  });
  $("volume").addEventListener("change", () => on() && beep());

  // --- what the server sends

  const show = () => {
    const deaf = performance.now() - heardMs > STALE_MS;
    const now = over ? "over" : deaf ? "unknown" : going;
    set("going", texts[`walker.${now}`]);
    $("going").className = `going-${now}`;
    document.body.classList.toggle("stale", deaf || dataMs === null || performance.now() - dataMs > STALE_MS);
  };

  const push = (news) => {
    over = Boolean(news.over);
    if (over) return show();
    heardMs = performance.now();
    if (news.state) {
      const said = GOING[news.state] ?? news.state;
      going = said !== "armed" ? said : news.scope === "tests" ? "tests" : news.paused === "yes" ? "paused" : "armed";
    }
    if (news.data_age_ms !== undefined && news.data_age_ms !== null) dataMs = heardMs - news.data_age_ms;
    if (news.strides?.length || news.whole) window.dorsiSteps.take(news.strides ?? [], Boolean(news.whole));
    if ("stride_count" in news) window.dorsiSteps.showWalked(news);
    if ("on_s" in news) window.dorsiSteps.showClock(news);
    if (going === "armed" && on() && news.heel_off_ms !== null && news.heel_off_ms < LATE_MS && !news.whole) beep();
    show();
  };

  // --- a screen that nobody touches stays on, where the browser allows it

  const wake = () => document.hidden || navigator.wakeLock?.request("screen").catch(() => null);
  document.addEventListener("visibilitychange", wake);
  wake();
  setInterval(show, 200);
  return { push };
})();
