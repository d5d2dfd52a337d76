// Frames come in from the kernel and are painted; presses, choices and slider moves go back as messages.
//
// One driver a model asks for steps, two requests in flight, as long as a view is there; the views only paint.

const IN_FLIGHT = 2;
const PATIENCE = 6000; // milliseconds without an answer before the page says so
const COMPILE_PATIENCE = 120000;
const CALM = 250; // milliseconds between pictures where the reader has asked for less motion

export default () => {
  const driver = createDriver();
  return {
    initialize: ({ model }) => driver.connect(model),
    render: ({ model, el }) => createView(driver, model, el),
  };
};

// ---- the driver: when to ask ----

function createDriver() {
  const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  const views = new Set();
  const waiting = new Map(); // request -> time at which it was sent
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let model, timer, tick;
  let requests = 0;
  let compiling = false;
  let lastPaint = -Infinity;
  const state = { playing: false, speed: null, frame: null, fresh: false, stalled: false, notice: null, rate: null };
  const marks = []; // [time, step] of late, for the steps a second

  const changed = () => views.forEach((view) => view.update(state));

  function send(content, expectsAnswer = false) {
    const message = expectsAnswer ? { ...content, request: ++requests } : content;
    if (expectsAnswer) waiting.set(requests, performance.now());
    try {
      model.send(message);
    } catch (error) {
      fail(`The page could not reach the kernel (${error.message}). Run this cell again.`);
    }
  }

  function fail(text) {
    state.playing = false;
    state.notice = { kind: "error", text };
    waiting.clear();
    changed();
  }

  function ask() {
    while (state.playing && !state.stalled && waiting.size < IN_FLIGHT) {
      send({ type: "step", driver: id, steps: state.speed }, true);
    }
  }

  function onMessage(message, buffers) {
    const request = message.request;
    if (waiting.delete(request) || message.type !== "frame") state.stalled = false;
    if (message.type === "frame") {
      compiling = false;
      if (["compiling", "stalled", "asking"].includes(state.notice?.kind)) state.notice = null;
      const frame = decode(message, buffers?.[0]);
      if (frame && frame.serial > (state.frame?.serial ?? 0)) accept(frame);
    } else if (message.type === "compiling") {
      compiling = true;
      state.notice = { kind: "compiling", text: message.text };
      changed();
    } else if (message.type === "driver") {
      if (message.driver !== id && state.playing) pause();
    } else if (message.type === "stopped") {
      if (state.playing && message.driver !== id) {
        pause();
        state.notice = { kind: "info", text: message.text };
      }
      changed();
    } else if (message.type === "diverged" || message.type === "error") {
      compiling = false;
      // a refused value is told and training goes on; a failed step ends it
      if (request != null) return fail(message.text);
      state.notice = { kind: "error", text: message.text };
      changed();
    }
    schedule();
  }

  function accept(frame) {
    const now = performance.now();
    if (state.frame && frame.step < state.frame.step) marks.length = 0;
    marks.push([now, frame.step]);
    while (marks.length > 2 && now - marks[0][0] > 1500) marks.shift();
    const [[t0, s0], [t1, s1]] = [marks[0], marks[marks.length - 1]];
    state.rate = state.playing && t1 - t0 > 200 ? (1000 * (s1 - s0)) / (t1 - t0) : state.rate;
    state.frame = frame;
    state.fresh = true;
  }

  function schedule() {
    if (tick === undefined && views.size) tick = requestAnimationFrame(onTick);
  }

  function onTick(now) {
    tick = undefined;
    ask();
    if (!state.fresh) return;
    if (calm.matches && state.playing && now - lastPaint < CALM) return schedule();
    lastPaint = now;
    state.fresh = false;
    changed();
    views.forEach((view) => view.paint(state.frame));
  }

  function watch() {
    if (!waiting.size || state.stalled) return;
    const oldest = Math.min(...waiting.values());
    if (performance.now() - oldest < (compiling ? COMPILE_PATIENCE : PATIENCE)) return;
    state.stalled = true;
    state.notice = {
      kind: "stalled",
      text:
        "The kernel has not answered for some seconds: it is busy with another cell, or has stopped. Training goes " +
        "on when it answers. If it was restarted, run this cell again.",
    };
    changed();
  }

  function pause() {
    state.playing = false;
    state.rate = null;
    marks.length = 0;
    changed();
  }

  return {
    state,
    connect(connected) {
      model = connected;
      model.on("msg:custom", onMessage);
      return () => {
        pause();
        model.off("msg:custom", onMessage);
        clearInterval(timer);
      };
    },
    add(view) {
      views.add(view);
      view.update(state);
      if (state.frame) view.paint(state.frame);
      if (views.size > 1) return;
      timer = setInterval(watch, 500);
      send({ type: "hello" }, true);
      send({ type: "warm" }, true);
    },
    remove(view) {
      views.delete(view);
      if (views.size) return;
      pause();
      waiting.clear();
      clearInterval(timer);
      cancelAnimationFrame(tick);
      tick = undefined;
    },
    play() {
      state.playing = true;
      if (!compiling) state.notice = null;
      marks.length = 0;
      send({ type: "play", driver: id });
      ask();
      changed();
    },
    pause,
    once() {
      if (!compiling) state.notice = null;
      pause();
      send({ type: "once", steps: 1 }, true);
    },
    set(name, value) {
      if (state.notice?.kind === "error") state.notice = null;
      send({ type: "set", name, value });
      changed();
    },
    reset(seed) {
      state.notice = null;
      send({ type: "reset", seed });
      changed();
    },
    retry() {
      waiting.clear();
      state.stalled = false;
      state.notice = { kind: "asking", text: "Asking the kernel again …" };
      send({ type: "hello" }, true);
      changed();
      schedule();
    },
    setSpeed(steps) {
      state.speed = steps;
    },
  };
}

const SIDE = 64; // pixels a side of the heat map, as in lab.py

// A frame's bytes: the heat map, then the fake samples, then both losses' curves.
function decode(header, buffer) {
  if (!buffer) return null;
  const bytes = new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength).slice();
  const pixels = SIDE * SIDE;
  const curve = bytes.length - 8 * header.bins;
  if (curve < pixels) return null;
  return {
    ...header,
    surface: bytes.subarray(0, pixels),
    fake: new Float32Array(bytes.buffer, pixels, (curve - pixels) / 4),
    curve: new Float32Array(bytes.buffer, curve, 2 * header.bins),
  };
}

// ---- the view: what is seen ----

// Okabe and Ito's colours: blue for real, vermilion for fake and the generator, green for the discriminator.
const PALETTES = {
  light: {
    belief: ["#f2a36b", "#fbdcc6", "#ffffff", "#c8e1f2", "#6fb3dc"],
    real: "#0072b2",
    fake: "#d55e00",
    halo: "rgba(255,255,255,0.85)",
    contour: "rgba(40,40,40,0.55)",
    discriminator: "#00795a",
    generator: "#c85200",
    ink: "#333333",
    quiet: "#767676",
    grid: "rgba(0,0,0,0.09)",
  },
  dark: {
    belief: ["#7a3a10", "#4a2c1c", "#1d2026", "#17364d", "#175a87"],
    real: "#6cc0f0",
    fake: "#ff9d4d",
    halo: "rgba(10,12,16,0.8)",
    contour: "rgba(235,235,235,0.5)",
    discriminator: "#35c99c",
    generator: "#ff9d4d",
    ink: "#dddddd",
    quiet: "#9a9a9a",
    grid: "rgba(255,255,255,0.10)",
  },
};

const MENU_LABELS = {
  target: "Target",
  loss: "Loss",
  penalty: "Penalty on D",
  optimizer: "Optimizer",
  update: "Updates",
  samples: "Samples of G",
};
const SPEEDS = [
  ["full", "Full speed", null],
  ["100", "100 steps a picture", 100],
  ["10", "10 steps a picture", 10],
  ["1", "1 step a picture", 1],
];

function createView(driver, model, el) {
  const setup = model.get("setup");
  const aborter = new AbortController();
  const listen = (target, event, handler) => target.addEventListener(event, handler, { signal: aborter.signal });
  const shows = (name) => setup.controls.includes(name);

  const root = element("div", { class: "gan-page gan-lab" });
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "GAN laboratory");

  // buttons
  const button = (text, title, press, extra = "") => {
    const node = element("button", { type: "button", class: `gan-lab-button ${extra}`, title }, text);
    listen(node, "click", press);
    return node;
  };
  const play = button("▶ Play", "Train until paused", () => (driver.state.playing ? driver.pause() : driver.play()), "gan-lab-play");
  const once = button("Step", "Take one step of the game", () => driver.once());
  const reset = button("Reset", "Begin again at step 0, from the seed", () => driver.reset(readSeed()));
  const bar = element("div", { class: "gan-lab-bar" }, play, once, reset);
  const seed = element("input", { type: "number", min: "0", max: "2147483647", step: "1", value: "0", class: "gan-lab-seed" });
  const readSeed = () => (shows("seed") && seed.value !== "" ? Number(seed.value) : null);
  if (shows("seed")) {
    bar.append(element("label", { class: "gan-lab-inline" }, "Seed ", seed));
    listen(seed, "keydown", (event) => event.key === "Enter" && driver.reset(readSeed()));
  }
  if (shows("speed")) {
    const speed = element("select", {}, ...SPEEDS.map(([value, label]) => element("option", { value }, label)));
    listen(speed, "change", () => driver.setSpeed(SPEEDS.find(([value]) => value === speed.value)[2]));
    bar.append(element("label", { class: "gan-lab-inline" }, element("span", { class: "gan-lab-hidden" }, "Speed"), speed));
  }
  const stepText = element("span", { class: "gan-lab-number" }, "0");
  const rateText = element("span", { class: "gan-lab-rate" });
  bar.append(element("div", { class: "gan-lab-counter" }, "step ", stepText, rateText));

  // pictures
  const stage = element("canvas", { class: "gan-lab-stage" });
  stage.setAttribute("role", "img");
  stage.setAttribute("aria-label", "Real and fake samples on the discriminator's answer");
  const chart = element("canvas", { class: "gan-lab-chart" });
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", "Losses of both players");
  const low = element("span", {}, "fake 0");
  const high = element("span", {}, "1 real");
  const legend = element(
    "div",
    { class: "gan-lab-legend" },
    element("span", { class: "gan-lab-key gan-lab-key-real" }, "real"),
    element("span", { class: "gan-lab-key gan-lab-key-fake" }, "fake"),
    element("span", { class: "gan-lab-scale" }, "D says ", low, element("i", { class: "gan-lab-ramp" }), high),
  );
  const score = element("div", { class: "gan-lab-score" });

  // menus
  const menus = {};
  const menuBox = element("div", { class: "gan-lab-menus" });
  for (const kind of Object.keys(MENU_LABELS).filter(shows)) {
    const select = element(
      "select",
      { id: unique(kind) },
      ...setup.menus[kind].map(([value, label]) => element("option", { value }, label)),
    );
    listen(select, "change", () => driver.set(kind, select.value));
    menuBox.append(element("div", {}, element("label", { htmlFor: select.id }, MENU_LABELS[kind]), select));
    menus[kind] = select;
  }

  // dials
  const dials = {};
  const dialBox = element("div", { class: "gan-lab-dials" });
  for (const [name, dial] of Object.entries(setup.dials).filter(([name]) => shows(name))) {
    dials[name] = createDial(name, dial, (value) => driver.set(name, value), listen);
    dialBox.append(dials[name].node);
  }

  const retry = button("Try again", "Ask the kernel again", () => driver.retry(), "gan-lab-retry");
  retry.hidden = true;
  const statusText = element("span", {}, "Opening …");
  const status = element("div", { class: "gan-lab-status" }, statusText, retry);
  status.setAttribute("role", "status");

  const side = element("div", { class: "gan-lab-side" }, chart);
  if (dialBox.children.length) side.append(dialBox);
  root.append(
    bar,
    ...(menuBox.children.length ? [menuBox] : []),
    element("div", { class: "gan-lab-body" }, element("div", { class: "gan-lab-picture" }, stage, legend, score), side),
    status,
  );
  el.append(root);

  const stagePainter = createStage(stage);
  const chartPainter = createChart(chart);
  let scene = readScene(model);
  let painted = null;
  let described = -Infinity;
  let charted = -Infinity;
  let rated = -Infinity;

  const repaint = () => {
    const palette = PALETTES[root.dataset.theme];
    if (painted && scene) stagePainter(painted, scene, palette);
    if (painted) chartPainter(painted, palette);
  };

  const view = {
    paint(frame) {
      painted = frame;
      const palette = PALETTES[root.dataset.theme];
      if (scene) stagePainter(frame, scene, palette);
      // the losses move slowly: a tenth of a second is soon enough, and leaves the time to training
      if (!driver.state.playing || performance.now() - charted > 100) {
        charted = performance.now();
        chartPainter(frame, palette);
      }
      write(stepText, frame.step.toLocaleString("en"));
      write(low, frame.probability ? "fake 0" : `fake ${brief(frame.ends[0])}`);
      write(high, frame.probability ? "1 real" : `${brief(frame.ends[1])} real`);
      const quality = `${Math.round(100 * frame.quality)} % of high quality (perfect: 99 %)`;
      write(score, frame.modes === null ? "" : `${frame.modes} of ${scene?.modes ?? "?"} modes · ${quality}`);
      for (const [name, dial] of Object.entries(dials)) dial.show(frame.dials[name], frame.idle[name]);
      for (const [kind, select] of Object.entries(menus)) {
        if (document.activeElement !== select || !driver.state.playing) select.value = frame.choices[kind];
      }
      if (document.activeElement !== seed) seed.value = frame.seed;
      root.dataset.step = frame.step;
      root.dataset.serial = frame.serial;
      if (performance.now() - described > 1000 || !driver.state.playing) {
        described = performance.now();
        stage.setAttribute("aria-label", describe(frame, scene));
        chart.setAttribute("aria-label", describeLosses(frame));
      }
      root.dispatchEvent(new CustomEvent("gan-lab-painted", { bubbles: true, detail: frame }));
    },
    update(state) {
      write(play, state.playing ? "❚❚ Pause" : "▶ Play");
      play.title = state.playing ? "Hold the game where it is" : "Train until paused";
      if (!state.playing) {
        write(rateText, "");
        if (root.dataset.playing === "true") repaint();
      } else if (state.rate && performance.now() - rated > 250) {
        rated = performance.now();
        rateText.textContent = ` · ${Math.round(state.rate).toLocaleString("en")} steps/s`;
      }
      root.dataset.playing = state.playing;
      const resting = state.frame?.step ? "Paused. Press Play to go on." : "Ready. Press Play.";
      const plain = state.frame ? (state.playing ? "Training. Move a dial and watch." : resting) : "Opening …";
      const text = state.notice?.text ?? plain;
      const kind = state.notice?.kind ?? "plain";
      if (kind === "error") Object.values(dials).forEach((dial) => dial.release());
      write(statusText, text);
      if (status.dataset.kind !== kind) {
        status.dataset.kind = kind;
        status.setAttribute("role", kind === "error" ? "alert" : "status");
      }
      retry.hidden = kind !== "stalled";
    },
  };

  const onScene = () => {
    scene = readScene(model);
    repaint();
  };
  model.on("change:scene", onScene);

  const onTheme = () => {
    const theme = isDark(el) ? "dark" : "light";
    if (theme === root.dataset.theme) return;
    root.dataset.theme = theme;
    repaint();
  };
  const themes = new MutationObserver(onTheme);
  for (const node of [document.documentElement, document.body]) themes.observe(node, { attributes: true });
  listen(matchMedia("(prefers-color-scheme: dark)"), "change", onTheme);
  const sizes = new ResizeObserver(() => {
    onTheme(); // only now is the widget in the page, on its background
    repaint();
  });
  sizes.observe(stage);
  sizes.observe(chart);

  onTheme();
  driver.add(view);

  return () => {
    driver.remove(view);
    model.off("change:scene", onScene);
    aborter.abort();
    themes.disconnect();
    sizes.disconnect();
    root.remove();
  };
}

function readScene(model) {
  const { window, real, modes } = model.get("scene") ?? {};
  if (!window || !real) return null;
  const bytes = new Uint8Array(real.buffer ?? real, real.byteOffset ?? 0, real.byteLength).slice();
  return { window, modes, real: new Float32Array(bytes.buffer) };
}

const brief = (value) => Number(value.toPrecision(3)).toString().replace("-", "−");

function describe(frame, scene) {
  const quality = frame.modes === null ? "" : `, reaching ${frame.modes} of ${scene?.modes} modes`;
  return `Step ${frame.step}: real and fake samples on the discriminator's answer${quality}.`;
}

function describeLosses(frame) {
  const n = frame.curve.length / 2;
  if (!n) return "Losses of both players: none yet.";
  const [d, g] = [frame.curve[2 * n - 2], frame.curve[2 * n - 1]];
  return `Losses at step ${frame.step}: discriminator ${brief(d)}, generator ${brief(g)}.`;
}

// ---- a dial: a slider and the number it stands for, which can be typed too ----

const NOTCHES = 240;

function scaleOf({ scale, low, high }) {
  const power = (p) => low * (high / low) ** p;
  const root = (value) => Math.log(value / low) / Math.log(high / low);
  const rounded = (value) => Number(value.toPrecision(3));
  const first = 1 / NOTCHES;
  switch (scale) {
    case "log":
      return { value: (p) => rounded(power(p)), place: root };
    case "log or 0":
      return {
        value: (p) => (p < first ? 0 : rounded(power((p - first) / (1 - first)))),
        place: (value) => (value <= 0 ? 0 : Math.max(first, first + (1 - first) * root(value))),
      };
    case "log or none":
      return {
        value: (p) => (p > 1 - first / 2 ? null : rounded(power(p / (1 - first)))),
        place: (value) => (value === null ? 1 : Math.min((1 - first) * root(value), 1 - first)),
      };
    case "near 1":
      return {
        value: (p) => Number((1 - rounded((1 - high) ** p)).toPrecision(6)),
        place: (value) => (value >= 1 ? 1 : Math.log(1 - value) / Math.log(1 - high)),
      };
    default:
      return { value: (p) => rounded(low + p * (high - low)), place: (value) => (value - low) / (high - low) };
  }
}

function show(value) {
  if (value === null) return "none";
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential().replace("e-", "e−");
  return Number(value.toPrecision(6)).toString();
}

function createDial(name, dial, send, listen) {
  const scale = scaleOf(dial);
  const slider = element("input", { type: "range", min: "0", max: String(NOTCHES), step: "1", id: unique(name) });
  const number = element("input", { type: "text", inputMode: "decimal", class: "gan-lab-value" });
  number.setAttribute("aria-label", `${dial.label}, typed`);
  number.spellcheck = false;
  const node = element(
    "div",
    { class: "gan-lab-dial", title: dial.help },
    element("label", { htmlFor: slider.id }, dial.label),
    number,
    slider,
  );
  node.dataset.name = name;
  let touched = -Infinity;
  let editing = false;
  let current;

  const write = (value) => {
    current = value;
    number.value = show(value);
    slider.setAttribute("aria-valuetext", show(value));
    slider.style.setProperty("--place", slider.value / NOTCHES);
  };
  listen(slider, "input", () => {
    touched = performance.now();
    const value = scale.value(slider.value / NOTCHES);
    write(value);
    send(value);
  });
  const typed = () => {
    editing = false;
    const text = number.value.trim().replace("−", "-");
    const none = dial.scale === "log or none" && /^(none|inf|infinity|∞)$/i.test(text);
    if (text === show(current).replace("−", "-") || text === "") return write(current);
    send(none ? null : text !== "" && Number.isFinite(Number(text)) ? Number(text) : text);
  };
  listen(number, "input", () => (editing = true));
  listen(number, "change", typed);
  listen(number, "keydown", (event) => {
    if (event.key !== "Escape") return;
    editing = false;
    write(current);
    number.blur();
  });

  return {
    node,
    release: () => (touched = -Infinity), // a refused value does not stay on the slider
    show(value, idle) {
      node.dataset.idle = Boolean(idle);
      const title = idle ? `${dial.help} Now: ${idle}.` : dial.help;
      if (node.title !== title) node.title = title;
      // what the hand holds stays where the hand is until the kernel has had time to answer
      if (editing || performance.now() - touched < 400) return;
      if (value === current && number.value === show(value)) return;
      slider.value = String(Math.round(NOTCHES * Math.min(Math.max(scale.place(value), 0), 1)));
      write(value);
    },
  };
}

// ---- painting ----

function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

function ramp(stops) {
  const rgb = stops.map((stop) => [1, 3, 5].map((i) => parseInt(stop.slice(i, i + 2), 16)));
  const table = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (rgb.length - 1);
    const k = Math.min(Math.floor(at), rgb.length - 2);
    for (let c = 0; c < 3; c++) table[4 * i + c] = rgb[k][c] + (at - k) * (rgb[k + 1][c] - rgb[k][c]);
    table[4 * i + 3] = 255;
  }
  return table;
}

function createStage(canvas) {
  const side = SIDE;
  const small = element("canvas", { width: side, height: side });
  const pixels = small.getContext("2d").createImageData(side, side);
  const colours = new Map();

  return (frame, scene, palette) => {
    const { context, width, height } = fit(canvas);
    if (!width || !height) return;
    if (!colours.has(palette)) colours.set(palette, ramp(palette.belief));
    const table = colours.get(palette);
    for (let i = 0; i < side * side; i++) {
      const at = 4 * frame.surface[i];
      for (let c = 0; c < 4; c++) pixels.data[4 * i + c] = table[at + c];
    }
    small.getContext("2d").putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, width, height);
    contour(context, frame.surface, side, width, height, palette.contour);

    const [left, right, bottom, top] = scene.window;
    const x = (value) => ((value - left) / (right - left)) * width;
    const y = (value) => ((top - value) / (top - bottom)) * height;
    const radius = Math.max(1.5, width / 230);
    context.globalAlpha = 0.6; // real ones larger and lighter, so that a fake one on top hides none
    dots(context, scene.real, x, y, stamp(radius * 1.35, palette.real, null));
    context.globalAlpha = 1;
    dots(context, frame.fake, x, y, stamp(radius, palette.fake, palette.halo));
  };
}

// One dot, drawn once and stamped a thousand times: a third of the time that a path of as many circles takes.
const stamps = new Map();

function stamp(radius, colour, halo) {
  const ratio = window.devicePixelRatio || 1;
  const name = `${radius} ${colour} ${ratio}`;
  if (!stamps.has(name)) {
    if (stamps.size > 50) stamps.clear();
    const half = Math.ceil((radius + 1.5) * ratio);
    const canvas = element("canvas", { width: 2 * half, height: 2 * half });
    const context = canvas.getContext("2d");
    const disc = (size, fill) => {
      context.beginPath();
      context.arc(half, half, size * ratio, 0, 2 * Math.PI);
      context.fillStyle = fill;
      context.fill();
    };
    if (halo) disc(radius + 0.6, halo);
    disc(radius, colour);
    stamps.set(name, { canvas, half: half / ratio });
  }
  return stamps.get(name);
}

function dots(context, points, x, y, { canvas, half }) {
  for (let i = 0; i < points.length; i += 2) {
    context.drawImage(canvas, x(points[i]) - half, y(points[i + 1]) - half, 2 * half, 2 * half);
  }
}

// Where D cannot decide: the line on which the heat map passes its middle, by marching squares.
function contour(context, surface, side, width, height, colour) {
  const level = 127.5;
  const place = (i) => (i + 0.5) / side;
  const path = new Path2D();
  for (let row = 0; row < side - 1; row++) {
    for (let column = 0; column < side - 1; column++) {
      const at = row * side + column;
      const corners = [surface[at], surface[at + 1], surface[at + side + 1], surface[at + side]];
      const cuts = [];
      for (let e = 0; e < 4; e++) {
        const [a, b] = [corners[e] - level, corners[(e + 1) % 4] - level];
        if (a > 0 === b > 0) continue;
        const t = a / (a - b);
        cuts.push([column + [t, 1, 1 - t, 0][e], row + [0, t, 1, 1 - t][e]]);
      }
      for (let k = 0; k + 1 < cuts.length; k += 2) {
        path.moveTo(place(cuts[k][0]) * width, place(cuts[k][1]) * height);
        path.lineTo(place(cuts[k + 1][0]) * width, place(cuts[k + 1][1]) * height);
      }
    }
  }
  context.strokeStyle = colour;
  context.lineWidth = 1.1;
  context.stroke(path);
}

function createChart(canvas) {
  return (frame, palette) => {
    const { context, width, height } = fit(canvas);
    if (!width || !height) return;
    const font = getComputedStyle(canvas).fontFamily;
    const box = { left: 34, right: width - 74, top: 12, bottom: height - 20 };
    const { curve, references } = frame;
    const n = curve.length / 2;
    const [floor, ceiling] = range(curve, references);
    const y = (value) => box.bottom - ((value - floor) / (ceiling - floor)) * (box.bottom - box.top);
    const x = (bin) => box.left + ((bin + 0.5) / Math.max(n, 2)) * (box.right - box.left);
    context.font = `11px ${font}`;
    context.textBaseline = "middle";
    context.lineWidth = 1;

    // grid and its numbers
    context.textAlign = "right";
    for (const tick of ticks(floor, ceiling, 4)) {
      context.strokeStyle = palette.grid;
      line(context, box.left, y(tick), box.right, y(tick));
      context.fillStyle = palette.quiet;
      context.fillText(brief(tick), box.left - 6, y(tick));
    }
    context.textAlign = "left";
    context.fillText(`step ${frame.first.toLocaleString("en")}`, box.left, height - 7);
    context.textAlign = "right";
    context.fillText(frame.step.toLocaleString("en"), box.right, height - 7);

    const players = [
      { name: "D", colour: palette.discriminator, reference: references[0] },
      { name: "G", colour: palette.generator, reference: references[1] },
    ];
    context.save();
    context.beginPath();
    context.rect(box.left, box.top - 4, box.right - box.left, box.bottom - box.top + 8);
    context.clip();
    players.forEach((player, which) => {
      context.strokeStyle = player.colour;
      if (player.reference) {
        context.globalAlpha = 0.8;
        context.lineWidth = 1;
        context.setLineDash([2, 4]);
        line(context, box.left, y(player.reference[0]), box.right, y(player.reference[0]));
        context.setLineDash([]);
      }
      context.globalAlpha = 0.3;
      trace(context, n, x, (i) => y(curve[2 * i + which]));
      context.globalAlpha = 1;
      context.lineWidth = 1.8;
      const smooth = smoothed(curve, n, which);
      trace(context, n, x, (i) => y(smooth[i]));
      player.last = n ? smooth[n - 1] : null;
    });
    context.restore();

    // names at the right ends, pushed apart
    context.textAlign = "left";
    const marks = [];
    for (const player of players) {
      if (player.last !== null) marks.push({ at: y(player.last), text: `${player.name} ${player.last.toFixed(2)}`, colour: player.colour, bold: true });
      if (player.reference) marks.push({ at: y(player.reference[0]), text: player.reference[1], colour: player.colour });
    }
    for (const mark of apart(marks, box.top, box.bottom)) {
      context.font = `${mark.bold ? "600 12px" : "11px"} ${font}`;
      context.fillStyle = mark.colour;
      context.fillText(mark.text, box.right + 8, mark.at);
    }
    context.font = `600 11px ${font}`;
    context.fillStyle = palette.ink;
    context.fillText("Losses", box.left, 5);
    context.font = `11px ${font}`;
    context.fillStyle = palette.quiet;
    context.fillText("dotted: at equilibrium", box.left + 46, 5);
  };
}

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

function trace(context, n, x, y) {
  context.beginPath();
  for (let i = 0; i < n; i++) context.lineTo(x(i), y(i));
  context.stroke();
}

function smoothed(curve, n, which) {
  const half = Math.max(1, Math.round(n / 60));
  const result = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const [from, to] = [Math.max(0, i - half), Math.min(n - 1, i + half)];
    let sum = 0;
    for (let j = from; j <= to; j++) sum += curve[2 * j + which];
    result[i] = sum / (to - from + 1);
  }
  return result;
}

// All but the wildest hundredth of the curves, and the reference values.
function range(curve, references) {
  const values = Float32Array.from(curve).filter(Number.isFinite).sort();
  const marks = references.filter(Boolean).map(([value]) => value);
  const inner = values.length ? [values[Math.floor(0.01 * values.length)], values[Math.ceil(0.99 * (values.length - 1))]] : [];
  const [low, high] = [Math.min(...inner, ...marks, Infinity), Math.max(...inner, ...marks, -Infinity)];
  if (!Number.isFinite(low)) return [0, 2];
  const margin = 0.12 * Math.max(high - low, 0.5);
  return [low - margin, high + margin];
}

function ticks(low, high, about) {
  const raw = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const unit = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const result = [];
  for (let i = Math.ceil(low / unit); i * unit <= high; i++) result.push(i * unit);
  return result;
}

function apart(marks, top, bottom) {
  const gap = 14;
  const sorted = [...marks].sort((a, b) => a.at - b.at);
  sorted.forEach((mark, i) => (mark.at = Math.max(mark.at, i ? sorted[i - 1].at + gap : top)));
  for (let i = sorted.length - 1; i >= 0; i--) {
    sorted[i].at = Math.min(sorted[i].at, i === sorted.length - 1 ? bottom : sorted[i + 1].at - gap);
  }
  return sorted;
}
