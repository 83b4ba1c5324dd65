// The main screen of a walk: was the last step's foot lifted, the last ten as marks, how far the toes were up.
"use strict";
window.dorsiSteps = (() => {
  const { page, texts, $, show, say, set, drawn, element } = window.dorsiRig;
  const MARKS = 10;
  const CURVES = 3; // of the last steps
  const FROM_PERCENT = 50; // of the stride: its swing, and the push-off before it
  const LINK_GOOD_PERCENT = 97; // of the samples arrive
  const LINK_LATE_MS = 150; // as old as the guard lets a sample become
  const SHAPES = { lifted: "tick", low: "down", not_lifted: "cross", unseen: "dash", none: "dash" };
  const GAUGE = { low: -20, high: 40 }; // degrees
  const PITCH = { low: -80, high: 40, step: 40 };
  const INK = { newest: "#0b57a4", older: "#7fa8d1", band: "#c3ccd4", text: "#4a5661", grid: "#dde3e8" };

  let steps = [];

  const told = (step) => step.verdict ?? "unseen";

  const showVerdict = () => {
    const last = steps[steps.length - 1];
    const now = last ? told(last) : "none";
    if ($("verdict").dataset.now === now) return;
    $("verdict").dataset.now = now;
    $("verdict").className = `verdict verdict-${now}`;
    $("verdict-shape").replaceChildren(drawn(SHAPES[now]));
    set("verdict-word", texts[`verdict.${now}`]);
  };

  const showTally = () => {
    const seen = steps.filter((step) => step.verdict);
    const lifted = seen.filter((step) => step.verdict === "lifted").length;
    set("tally-words", seen.length ? say("main.tally_words", { lifted, count: seen.length }) : "–");
    const empty = MARKS - steps.length;
    [...$("tally").children].forEach((mark, index) => {
      const step = steps[index - empty];
      const kind = step ? told(step) : "none";
      if (mark.dataset.kind === kind) return;
      mark.dataset.kind = kind;
      mark.className = `mark-${kind}`;
      mark.replaceChildren(...(step ? [drawn(SHAPES[kind]), element("span", texts[`verdict.${kind}`], "unseen")] : []));
    });
  };

  const place = (deg) => `${Math.min(100, Math.max(0, (100 * (deg - GAUGE.low)) / (GAUGE.high - GAUGE.low)))}%`;

  const showToes = () => {
    const last = steps[steps.length - 1];
    const deg = last?.landing_deg ?? null;
    const sign = deg > 0 ? "+" : "";
    set("toes-now", deg === null ? "–" : `${sign}${show(deg, 0)}°`);
    const target = last?.target_deg ?? null;
    set("toes-target", target ? say("main.toes_target", { low: show(target[0], 0), high: show(target[1], 0) }) : "");
    $("gauge-now").hidden = deg === null;
    $("gauge-band").hidden = !target;
    if (deg !== null) $("gauge-now").style.left = place(deg);
    if (target) {
      $("gauge-band").style.left = place(target[0]);
      $("gauge-band").style.right = `calc(100% - ${place(target[1])})`;
    }
  };

  const pen = (canvas) => {
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const made = canvas.getContext("2d");
    made.setTransform(scale, 0, 0, scale, 0, 0);
    return { made, width, height };
  };

  const runs = (values) => { // pieces of a curve without holes, as [percent, value]
    const found = [[]];
    values.forEach((value, index) => {
      const percent = (100 * index) / (values.length - 1);
      if (percent < FROM_PERCENT) return;
      if (value === null) found.push([]);
      else found[found.length - 1].push([percent, value]);
    });
    return found.filter((run) => run.length > 1);
  };

  const drawCurves = () => {
    const canvas = $("swing-curves");
    if (!canvas?.clientWidth) return;
    const { made, width, height } = pen(canvas);
    const edge = { left: 44, right: 10, top: 8, bottom: 10 };
    const x = (percent) => edge.left + ((percent - FROM_PERCENT) / (100 - FROM_PERCENT)) * (width - edge.left - edge.right);
    const y = (deg) => edge.top + ((PITCH.high - deg) / (PITCH.high - PITCH.low)) * (height - edge.top - edge.bottom);
    made.font = "14px system-ui, sans-serif";
    made.fillStyle = INK.text;
    made.strokeStyle = INK.grid;
    made.textAlign = "right";
    made.textBaseline = "middle";
    made.beginPath();
    for (let deg = PITCH.low; deg <= PITCH.high; deg += PITCH.step) {
      made.fillText(`${show(deg, 0)}°`, edge.left - 6, y(deg));
      made.moveTo(edge.left, y(deg));
      made.lineTo(width - edge.right, y(deg));
    }
    made.stroke();
    const last = steps.slice(-CURVES);
    const half = page.band_deg;
    made.fillStyle = INK.band;
    for (const run of runs(last[last.length - 1]?.reference_deg ?? [])) {
      made.beginPath();
      for (const [percent, deg] of run) made.lineTo(x(percent), y(deg + half));
      for (const [percent, deg] of [...run].reverse()) made.lineTo(x(percent), y(deg - half));
      made.fill();
    }
    last.forEach((step, index) => {
      const newest = index === last.length - 1;
      made.strokeStyle = newest ? INK.newest : INK.older;
      made.lineWidth = newest ? 5 : 2;
      for (const run of runs(step.pitch_deg)) {
        made.beginPath();
        for (const [percent, deg] of run) made.lineTo(x(percent), y(deg));
        made.stroke();
      }
    });
  };

  // --- what the page's script calls ---

  const take = (more, whole) => {
    steps = [...(whole ? [] : steps), ...more].slice(-MARKS);
    showVerdict();
    showTally();
    showToes();
    drawCurves();
  };

  const showLink = (now) => {
    const shares = (now.links ?? []).filter((link) => link.received + link.lost).map((link) => (100 * link.received) / (link.received + link.lost));
    const least = shares.length ? Math.min(...shares) : null;
    const age = now.sensor_age_ms;
    if (least === null || age === null || age === undefined) set("walked-link", "–");
    else if (age > LINK_LATE_MS) set("walked-link", say("main.link_old", { age: show(age, 0) }));
    else if (least < LINK_GOOD_PERCENT) set("walked-link", say("main.link_poor", { signal: show(least, 0) }));
    else set("walked-link", texts["main.link_good"]);
  };

  const minutes = (seconds, round) => (seconds === null || seconds === undefined ? "–" : say("main.minutes", { count: show(round(seconds / 60), 0) }));

  const showWalked = (now) => {
    set("walked-strides", show(now.stride_count, 0));
    showLink(now);
  };

  const showClock = (news) => {
    set("walked-time", minutes(news.on_s, Math.floor));
    set("walked-rest", minutes(news.rest_in_s, Math.floor));
  };

  addEventListener("resize", drawCurves);
  take([], true);
  return { take, showWalked, showClock };
})();
