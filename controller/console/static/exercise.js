// The exercise page: the patient's cue with its countdown, intensity by muscle, own activity, goal and result.
"use strict";
(() => {
  const { page, texts, $, show, say, plain, set, element, hear } = window.dorsiRig;
  const SAID_MS = 8000; // how long an answer to a tap stands
  const TARGET = 0.5; // of the own maximum, until a person chooses
  const ABLE = { // which buttons each phase has
    ready: ["pause"], attempt: ["pause", "skip"], on: ["pause"], rest: ["pause", "skip"],
    set_rest: ["pause", "skip"], paused: ["go-on"],
  };
  const cue = $("cue");
  let now = null; // the programme as told last
  let endsMs = null; // when this phase ends, on this browser's clock
  let wholeS = 0; // the longest that was left in this phase
  let shown = "";
  let saidTimer = null;

  const rows = (name) => Object.fromEntries([...document.querySelectorAll(`li[data-${name}]`)].map((row) => [row.dataset[name], row]));
  const muscles = rows("muscle");
  const activities = rows("emg");
  const put = (row, selector, text) => {
    const place = row.querySelector(selector);
    if (place.textContent !== text) place.textContent = text;
  };

  // --- the cue ---

  const showCue = () => {
    const old = now === null || (now.phase !== "done" && document.body.classList.contains("stale"));
    const phase = old ? "unknown" : now.phase;
    if (phase !== shown) {
      shown = phase;
      cue.className = `cue-${phase}`;
      set("cue-word", texts[`cue.${phase}`]);
    }
    const working = old ? [] : now.muscles.filter((m) => m.current_ma > 0).map((m) => texts[`action.${m.muscle}`]);
    set("cue-more", phase === "on" && working.length ? [...new Set(working)].join(" · ") : texts[`cue_more.${phase}`]);
    const left = phase === "unknown" || endsMs === null ? null : Math.max(0, endsMs - performance.now()) / 1000;
    set("cue-seconds", left === null ? "" : show(Math.ceil(left), 0));
    $("cue-left").hidden = left === null;
    $("ring").style.strokeDashoffset = left === null || !wholeS ? page.ring : page.ring * (1 - left / wholeS);
    set("cue-number", old ? "" : number());
  };

  const number = () => {
    const behind = now.repetition;
    const at = ["rest", "set_rest", "paused", "done"].includes(now.phase) ? behind : behind + 1;
    if (at === 0) return say("exercise.repetition", { number: 0, whole: page.repetitions });
    if (at <= page.warm_up) return say("exercise.warm_up", { number: at, whole: page.warm_up });
    const worked = Math.min(at - page.warm_up, page.repetitions);
    const words = say("exercise.repetition", { number: worked, whole: page.repetitions });
    if (!page.set_of) return words;
    const sets = { number: Math.ceil(worked / page.set_of), whole: Math.ceil(page.repetitions / page.set_of) };
    return `${words} · ${say("exercise.set", sets)}`;
  };

  const takePhase = (exercise, ageMs) => {
    if (now === null || exercise.phase !== now.phase || exercise.repetition !== now.repetition) wholeS = 0;
    wholeS = Math.max(wholeS, exercise.left_s ?? 0);
    endsMs = exercise.left_s === null ? null : performance.now() - (ageMs ?? 0) + exercise.left_s * 1000;
    now = exercise;
  };

  // --- buttons ---

  const showButtons = () => {
    const able = ABLE[now.phase] ?? [];
    const waits = now.phase === "set_rest" && now.left_s === null; // a person goes on
    $("pause").hidden = !able.includes("pause");
    $("skip").hidden = !able.includes("skip") || waits;
    $("go-on").hidden = !(able.includes("go-on") || waits);
    set("skip", texts[now.phase === "attempt" ? "exercise.skip_attempt" : "exercise.skip_rest"]);
  };

  const tell = (words) => {
    clearTimeout(saidTimer);
    set("said", words);
    if (words) saidTimer = setTimeout(() => set("said", ""), SAID_MS);
  };

  const post = async (path, fields = {}) => {
    try {
      const answer = await fetch(path, { method: "POST", body: new URLSearchParams(fields) });
      tell(answer.ok ? (await answer.json()).said : texts["exercise.not_heard"]);
    } catch {
      tell(texts["exercise.not_heard"]);
    }
  };

  // --- muscles ---

  const showMuscle = (muscle) => {
    const row = muscles[muscle.muscle];
    if (!row) return;
    const most = Number(row.dataset.most);
    put(row, ".set-ma", show(muscle.set_ma, muscle.set_ma % 1 ? 1 : 0));
    put(row, ".now-ma", show(muscle.current_ma, muscle.current_ma % 1 ? 1 : 0));
    row.querySelector(".level-set").style.width = `${Math.min(100, (100 * muscle.set_ma) / most)}%`;
    row.querySelector(".level-now").style.width = `${Math.min(100, (100 * muscle.current_ma) / most)}%`;
  };

  const targetOf = (muscle) => {
    try {
      return Number(localStorage[`dorsiTarget.${muscle}`] ?? TARGET);
    } catch {
      return TARGET;
    }
  };

  const showActivity = (emg) => {
    const row = activities[emg.muscle];
    if (!row) return;
    const target = targetOf(emg.muscle);
    const share = emg.activation;
    const percent = (value) => show(100 * value, 0);
    row.hidden = false;
    row.querySelector(".own").style.width = `${Math.min(100, 100 * (share ?? 0))}%`;
    row.querySelector(".threshold").hidden = emg.threshold === null || emg.threshold === undefined;
    row.querySelector(".threshold").style.left = `${100 * (emg.threshold ?? 0)}%`;
    row.querySelector(".target").style.left = `${100 * target}%`;
    const heard = share === null || share === undefined ? texts["emg.unheard"] : say("emg.of_maximum", { value: percent(share) });
    const parts = [heard];
    if (emg.threshold !== null && emg.threshold !== undefined) parts.push(say("emg.threshold", { value: percent(emg.threshold) }));
    if (emg.own_share !== null && emg.own_share !== undefined) parts.push(say("emg.own_share", { value: percent(emg.own_share) }));
    if (emg.quality && emg.quality !== "good") parts.push(texts[`emg_quality.${emg.quality}`] ?? plain(emg.quality));
    put(row, ".own-words", parts.join(" · "));
    put(row, ".target-words", say("emg.target", { value: percent(target) }));
    const good = share !== null && share !== undefined && share >= target;
    put(row, ".reached", good ? texts["emg.reached"] : emg.triggered ? texts["emg.triggered"] : "");
    row.classList.toggle("good", good);
  };

  // --- goal and result ---

  const worked = () => { // given whole after the warm-up
    const missed = now.missed - (now.missed_warm_up ?? 0);
    return Math.max(0, Math.min(page.repetitions, now.repetition - page.warm_up) - missed);
  };
  const lost = () => [["broken_off", now.broken_off], ["missed", now.missed]]
    .filter(([, count]) => count > 0).map(([key, count]) => say(`exercise.${key}`, { count }));

  const showGoal = () => {
    $("goal-bar").value = worked() / page.repetitions;
    set("goal-words", say("exercise.goal_repetitions", { done: worked(), whole: page.repetitions }));
    const parts = lost();
    if (page.contractions_per_day) { // is of each muscle: the one that has had least
      const counts = now.muscles.map((m) => [m.contractions, Number(muscles[m.muscle]?.dataset.today ?? 0)]);
      const [done, earlier] = counts.reduce((least, one) => (one[0] + one[1] < least[0] + least[1] ? one : least));
      parts.push(say("exercise.goal_day", { done, earlier, day: page.contractions_per_day }));
    }
    if (page.minutes_per_day) parts.push(say("exercise.goal_minutes", { day: show(page.minutes_per_day, 0) }));
    if (page.days_per_week) parts.push(say("exercise.goal_week", { days: page.days_per_week }));
    set("goal-more", parts.join(" · "));
  };

  const showResult = () => {
    const box = $("result");
    box.hidden = now.phase !== "done";
    if (box.hidden || box.childElementCount) return;
    window.dorsiStop.over();
    const more = [page.warm_up ? say("exercise.result_warm_up", { count: page.warm_up }) : "", ...lost()].filter(Boolean);
    box.append(
      element("h2", texts["exercise.result_whole"]),
      element("p", say("exercise.result", { done: worked(), whole: page.repetitions }), "big"),
      element("p", more.join(" · ")),
      ...now.muscles.map((m) => element("p", say("exercise.result_muscle", {
        muscle: texts[`muscle.${m.muscle}`], count: m.contractions, set: show(m.set_ma, m.set_ma % 1 ? 1 : 0),
      }))),
      element("p", texts["exercise.over"], "quiet"),
    );
  };

  const push = (news) => {
    hear(news);
    if (!news.exercise) return;
    takePhase(news.exercise, news.data_age_ms);
    showCue();
    showButtons();
    now.muscles.forEach(showMuscle);
    const heard = now.emg ?? [];
    $("activity").hidden = heard.length === 0;
    heard.forEach(showActivity);
    $("held").hidden = !now.held;
    showGoal();
    showResult();
  };

  for (const button of document.querySelectorAll(".tap")) {
    const { muscle } = button.closest("li").dataset;
    button.addEventListener("click", () => post("/exercise/tap", { muscle, taps: button.dataset.taps }));
  }
  for (const [id, op] of [["pause", "pause"], ["go-on", "go_on"], ["skip", "skip"]]) {
    $(id).addEventListener("click", () => post(`/exercise/ask/${op}`));
  }
  for (const button of document.querySelectorAll("[data-target]")) {
    const muscle = button.closest("li").dataset.emg;
    button.addEventListener("click", () => {
      const wanted = targetOf(muscle) + Number(button.dataset.target);
      try {
        localStorage[`dorsiTarget.${muscle}`] = Math.round(20 * Math.min(1, Math.max(0.05, wanted))) / 20;
      } catch {
        // a browser that keeps nothing keeps the usual target
      }
      (now?.emg ?? []).forEach(showActivity);
    });
  }
  window.dorsi = { push };
  setInterval(showCue, 100);
})();
