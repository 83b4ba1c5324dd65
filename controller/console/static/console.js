// The live page of a walk: keeps what the server sends as increments, and draws it.
"use strict";
(() => {
  const { page, texts, $, formats, show, say, set, element, hear } = window.dorsiRig;
  const steps = window.dorsiSteps;
  const details = document.querySelector("details.details");
  const SHOWN_S = 8;
  const DRAW_MS = 100; // the feed's own rate
  const TABLE_MS = 1000; // a table that changes faster can't be read
  const STRIDES = 10;
  const INK = { foot: "#0b57a4", reference: "#5b6570", ankle: "#00695c", set: "#5b6570", delivered: "#6a1b9a", older: "#7fa8d1" };
  const percent = (share) => (share === null || share === undefined ? null : 100 * share);

  let points = [];
  let events = [];
  let strides = [];
  let drawnMs = 0;
  let tabledMs = 0;
  let waiting = false;

  // --- values ---

  const showTiles = (now) => {
    const last = strides[strides.length - 1];
    const lost = (now.links ?? []).map((link) => (link.received + link.lost ? (100 * link.received) / (link.received + link.lost) : null));
    const batteries = (now.links ?? []).map((link) => link.battery_percent).filter((value) => value !== null);
    const known = lost.filter((value) => value !== null);
    const values = {
      current: [now.applied_ma, 1],
      strides: [now.stride_count, 0],
      unlifted: [now.unlifted_swings, 0],
      cadence: [last?.cadence_spm, 0],
      stride_time: [last?.duration_s, 2],
      symmetry: [last?.swing_percent ? (100 * last.swing_percent) / page.normal_swing_percent : null, 0],
      pitch_contact: [last?.landing_deg, 1],
      ankle_contact: [last?.ankle_contact_deg, 1],
      error: [last?.error_deg, 1],
      pace: [now.reference_speed_mps, 2],
      gain: [percent(now.believed_gain), 0],
      late: [now.believed_late_ms, 0],
      reflex: [now.believed_reflex_nms, 1],
      response: [percent(now.response_share), 0],
      charge: [last?.charge_uc, 0],
      dose: [now.dose_left_uc === null || now.dose_left_uc === undefined ? null : now.dose_left_uc / 1000, 1],
      load: [now.load_ohm, 0],
      delivered: [percent(now.delivered_share), 0],
      age: [now.sensor_age_ms, 0],
      latency: [now.latency_ms, 1],
      ticks: [now.missed_ticks, 0],
      signal: [known.length ? Math.min(...known) : null, 1],
      battery: [batteries.length ? Math.min(...batteries) : null, 0],
    };
    for (const [name, [value, digits]] of Object.entries(values)) set(`tile-${name}`, show(value, digits));
    set("streams", Object.entries(now.streams ?? {}).map(([name, words]) => `${name}: ${words}`).join(" · "));
    $("tile-battery").title = batteries.length ? "" : texts["tile.unreported"];
    const warming = now.then && now.mode === "trapezoid" && now.then !== now.mode;
    set("mode", now.paused ? texts["state.paused"] : warming ? say("mode.warm_up", { mode: texts[`mode.${now.then}`] }) : texts[`mode.${now.mode}`] ?? now.mode);
    steps.showWalked(now);
  };

  // --- charts ---

  // Drawn by hand, ten times a second: a chart library took half a core for it, and STOP shares it.
  const STRIPS = {
    pitch: { low: -80, high: 40, step: 40, marks: true, lines: [{ column: 2, ink: INK.reference, dash: [7, 5] }, { column: 1, ink: INK.foot }] },
    ankle: { low: -40, high: 20, step: 20, lines: [{ column: 3, ink: INK.ankle }] },
    current: { low: 0, high: 60, step: 20, lines: [{ column: 5, ink: INK.delivered, fill: true }, { column: 4, ink: INK.set, dash: [7, 5] }] },
    emg: { low: 0, high: 200, step: 100, lines: [{ column: 7, ink: INK.ankle, fill: true }] },
    phase: { low: 0, high: 100, step: 50, lines: [{ column: 6, ink: INK.foot }] },
  };
  const EDGE = { left: 40, right: 10, top: 8, bottom: 24 };
  const GAP_S = 0.2; // no line over a hole in the data

  const paper = (canvas) => { // its pen, in the screen's own dots; nothing while it is not shown
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return null;
    const scale = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "13px system-ui, sans-serif";
    return { pen, width, height };
  };
  const grid = (pen, width, y, { low, high, step }) => {
    pen.fillStyle = "#4a5661";
    pen.strokeStyle = "#dde3e8";
    pen.setLineDash([]);
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    pen.beginPath();
    for (let value = low; value <= high; value += step) {
      pen.fillText(formats[0].format(value), EDGE.left - 6, y(value));
      pen.moveTo(EDGE.left, y(value));
      pen.lineTo(width - EDGE.right, y(value));
    }
    pen.stroke();
    pen.textAlign = "center";
  };

  const drawStrip = (name) => {
    const canvas = $(`strip-${name}`);
    const sheet = canvas && paper(canvas); // none of what a blinded trial keeps back
    if (!sheet) return;
    const { pen, width, height } = sheet;
    const strip = STRIPS[name];
    const newest = points.length ? points[points.length - 1][0] : 0;
    const x = (t) => width - EDGE.right - ((newest - t) / SHOWN_S) * (width - EDGE.left - EDGE.right);
    const y = (value) => EDGE.top + ((strip.high - value) / (strip.high - strip.low)) * (height - EDGE.top - EDGE.bottom);
    grid(pen, width, y, strip);
    for (let ago = 0; ago <= SHOWN_S; ago += 2) {
      const place = x(newest - ago);
      pen.fillText(ago ? formats[0].format(-ago) : "0 s", Math.min(place, width - 14), height - 8);
    }
    if (strip.marks) {
      pen.strokeStyle = "#8a949d";
      for (const [t, kind] of events) {
        if (newest - t > SHOWN_S || (kind !== "initial_contact" && kind !== "toe_off")) continue;
        pen.setLineDash(kind === "toe_off" ? [3, 4] : []);
        pen.beginPath();
        pen.moveTo(x(t), EDGE.top);
        pen.lineTo(x(t), height - EDGE.bottom);
        pen.stroke();
      }
    }
    for (const line of strip.lines) {
      pen.setLineDash(line.dash ?? []);
      pen.strokeStyle = line.ink;
      pen.fillStyle = `${line.ink}2a`;
      pen.lineWidth = 2;
      let run = [];
      const finish = () => {
        if (run.length > 1) {
          pen.beginPath();
          for (const [t, value] of run) pen.lineTo(x(t), y(value));
          pen.stroke();
          if (line.fill) {
            pen.lineTo(x(run[run.length - 1][0]), y(0));
            pen.lineTo(x(run[0][0]), y(0));
            pen.fill();
          }
        }
        run = [];
      };
      for (const point of points) {
        if (newest - point[0] > SHOWN_S) continue;
        const value = point[line.column];
        const before = run[run.length - 1];
        if (value === null || (before && (point[0] - before[0] > GAP_S || (name === "phase" && value < before[1])))) finish();
        if (value !== null) run.push([point[0], value]);
      }
      finish();
    }
  };

  const drawStrips = () => {
    const highest = Math.max(0, ...points.map((point) => Math.max(point[4] ?? 0, point[5] ?? 0)));
    STRIPS.current.high = highest > 60 ? 140 : highest > 30 ? 60 : 30;
    STRIPS.current.step = STRIPS.current.high / 2;
    const strongest = Math.max(0, ...points.map((point) => point[7] ?? 0));
    STRIPS.emg.high = strongest > 1000 ? 5000 : strongest > 200 ? 1000 : 200;
    STRIPS.emg.step = STRIPS.emg.high / 2;
    for (const name of Object.keys(STRIPS)) drawStrip(name);
  };

  const OVERLAYS = { // the last strides over each other, on 0 to 100 %
    overlay: { key: "pitch_deg", ink: INK.foot, low: -80, high: 40, step: 40, reference: page.reference_pitch_deg },
    overlay_current: { key: "applied_ma", ink: INK.delivered, low: 0, high: 30, step: 15, reference: [] },
  };
  const UNDER = 38; // room for the axis and its name

  const drawOverlay = (name) => {
    const canvas = $(name);
    const sheet = canvas && paper(canvas);
    if (!sheet) return;
    const { pen, width, height } = sheet;
    const overlay = OVERLAYS[name];
    const x = (index, count) => EDGE.left + (index / (count - 1)) * (width - EDGE.left - EDGE.right);
    const y = (value) => EDGE.top + ((overlay.high - value) / (overlay.high - overlay.low)) * (height - EDGE.top - UNDER);
    grid(pen, width, y, overlay);
    for (let percent = 0; percent <= 100; percent += 20) pen.fillText(formats[0].format(percent), Math.min(x(percent, 101), width - 14), height - UNDER + 12);
    pen.fillText(texts["chart.percent"], (EDGE.left + width - EDGE.right) / 2, height - 8);
    const { reference } = overlay;
    if (reference.length) {
      const edge = (sign) => reference.map((deg, index) => [x(index, reference.length), y(deg + sign * page.band_deg)]);
      pen.fillStyle = "#c3ccd4b3";
      pen.beginPath();
      for (const [across, up] of [...edge(1), ...edge(-1).reverse()]) pen.lineTo(across, up);
      pen.fill();
    }
    pen.strokeStyle = overlay.ink;
    strides.forEach((stride, index) => {
      const age = strides.length - 1 - index;
      pen.lineWidth = age ? 1.5 : 3;
      pen.globalAlpha = age ? 0.25 + 0.04 * (STRIDES - 1 - age) : 1;
      pen.beginPath();
      let drawing = false; // no line over a hole in the data
      stride[overlay.key].forEach((value, at, all) => {
        if (value !== null) pen[drawing ? "lineTo" : "moveTo"](x(at, all.length), y(value));
        drawing = value !== null;
      });
      pen.stroke();
    });
    pen.globalAlpha = 1;
  };

  const drawStrides = () => {
    const highest = Math.max(0, ...strides.flatMap((stride) => stride.applied_ma));
    OVERLAYS.overlay_current.high = highest > 60 ? 140 : highest > 30 ? 60 : 30;
    OVERLAYS.overlay_current.step = OVERLAYS.overlay_current.high / 2;
    for (const name of Object.keys(OVERLAYS)) drawOverlay(name);
  };

  const row = (cells, tag = "td") => {
    const line = document.createElement("tr");
    line.append(...cells.map((text) => element(tag, text)));
    return line;
  };
  const table = (name, heads, rows) => {
    const twin = $(`twin-${name}`);
    if (!twin || !twin.open) return;
    const body = twin.querySelector("tbody");
    twin.querySelector("thead").replaceChildren(row(heads, "th"));
    body.replaceChildren(...rows.map((cells) => row(cells)));
  };
  const drawTables = (now = false) => {
    if (!now && performance.now() - tabledMs < TABLE_MS) return;
    tabledMs = performance.now();
    const newest = points.length ? points[points.length - 1][0] : 0;
    const sampled = [];
    for (let second = 0; second < SHOWN_S; second += 1) {
      const found = points.findLast((point) => newest - point[0] >= second);
      if (found) sampled.push([show(newest - found[0], 1), found]);
    }
    const strip = (...columns) => sampled.map(([ago, point]) => [ago, ...columns.map((index) => show(point[index], 1))]);
    const ago = texts["chart.seconds"];
    table("pitch", [ago, `${texts["chart.foot"]} °`, `${texts["chart.reference"]} °`], strip(1, 2));
    table("ankle", [ago, `${texts["chart.ankle_line"]} °`], strip(3));
    table("current", [ago, `${texts["chart.set"]} mA`, `${texts["chart.delivered"]} mA`], strip(4, 5));
    table("emg", [ago, "µV"], strip(7));
    table("phase", [ago, `${texts["chart.phase_line"]} %`, texts["chart.event"]], sampled.map(([seconds, point]) => {
      const kind = events.findLast(([t]) => t <= point[0])?.[1];
      return [seconds, show(point[6], 0), kind ? texts[`chart.${kind}`] : "–"];
    }));
    const newestFirst = [...strides].reverse();
    table("overlay", [texts["chart.stride"], `${texts["tile.pitch_contact"]} °`, `${texts["tile.ankle_contact"]} °`, `${texts["tile.error"]} °`, `${texts["tile.stride_time"]} s`],
      newestFirst.map((s) => [show(s.number, 0), show(s.landing_deg, 1), show(s.ankle_contact_deg, 1), show(s.error_deg, 1), show(s.duration_s, 2)]));
    table("overlay_current", [texts["chart.stride"], `${texts["tile.charge"]} µC`, "max mA"],
      newestFirst.map((s) => [show(s.number, 0), show(s.charge_uc, 0), show(Math.max(...s.applied_ma), 1)]));
  };

  const draw = () => {
    waiting = false;
    drawnMs = performance.now();
    drawStrips();
    drawTables();
  };
  const drawSoon = () => {
    if (waiting || document.hidden || !details.open) return; // nobody sees it
    waiting = true;
    setTimeout(() => requestAnimationFrame(draw), Math.max(0, DRAW_MS - (performance.now() - drawnMs)));
  };

  // --- what the server calls ---

  const push = (news) => {
    hear(news);
    steps.showClock(news);
    window.dorsiWalk.hear(news);
    const again = news.whole || (news.points?.length && points.length && news.points[0][0] < points[points.length - 1][0]);
    if (again) {
      points = [];
      events = [];
      strides = [];
    }
    if (news.points) {
      points.push(...news.points);
      while (points.length && points[points.length - 1][0] - points[0][0] > SHOWN_S + 2) points.shift();
      events.push(...(news.events ?? []));
      events = events.slice(-40);
    }
    if (news.mode !== undefined) showTiles(news);
    if (news.strides?.length || news.whole) {
      strides = [...strides, ...(news.strides ?? [])].slice(-STRIDES);
      steps.take(news.strides ?? [], Boolean(again));
      if (details.open) drawStrides();
    }
    drawSoon();
  };

  details.addEventListener("toggle", () => {
    if (!details.open) return;
    drawStrides();
    drawSoon();
  });
  for (const twin of document.querySelectorAll("details.twin")) twin.addEventListener("toggle", () => drawTables(true));
  window.dorsi = { push };
})();
