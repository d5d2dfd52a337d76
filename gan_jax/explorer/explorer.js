// A scene comes in from the kernel and is drawn; moves of sliders, menus and grips go back as messages.
//
// One driver a model asks for scenes, one request in flight: of the moves made meanwhile the newest is sent when the
// answer is there. The views only paint. A page without a kernel paints the last scene, which is in the model's state.

const SLOW = 350; // milliseconds without an answer before the page says that it computes
const PATIENCE = 5000; // and before it says that the kernel is silent
const FIRST_PATIENCE = 1500; // where no kernel has answered at all yet
const SETTLED = 600; // milliseconds without a change before the words are read out
const CALM = 400; // milliseconds between pictures of a motion where the reader has asked for less of it
const PACE = 40; // milliseconds between two notches of a slider that plays, at least

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
  let model, timer, tick;
  let requests = 0;
  let flight = null; // { request, values, sent }: what has been asked for
  let pending = new Map(); // control -> value to ask for next
  let resetting = false;
  let gathering = false; // several moves are one request
  let again = false; // what was asked for is on its way: ask once more when this part is painted
  const state = { picture: null, notice: null, connected: false, waiting: false };

  function changed() {
    state.waiting = flight !== null || tick !== undefined; // until it is painted
    views.forEach((view) => view.update(state));
  }

  function send(content) {
    const request = `${id}-${++requests}`;
    model.send({ ...content, request });
    return request;
  }

  function pump() {
    if (flight || gathering || !(resetting || pending.size || (again && tick === undefined))) return;
    const values = resetting ? new Map() : pending;
    const content = resetting ? { type: "reset" } : { type: "set", values: Object.fromEntries(pending) };
    if (!resetting) pending = new Map();
    resetting = false;
    try {
      flight = { request: send(content), values, sent: performance.now() };
    } catch (error) {
      flight = null;
      state.notice = { kind: "error", text: `The page could not reach the kernel (${error.message}). Run this cell again.` };
    }
    changed();
  }

  function landed(request) {
    if (!flight || request !== flight.request) return false;
    flight = null;
    return true;
  }

  function onPicture() {
    const picture = decode(model.get("picture"));
    if (!picture) return;
    state.connected = true;
    const mine = landed(picture.request);
    if (mine) again = picture.again;
    if (mine || state.notice?.kind !== "error") state.notice = null;
    if (picture.serial > (state.picture?.serial ?? 0)) {
      state.picture = picture;
      schedule();
    }
    pump();
    changed();
  }

  function onMessage(message) {
    const mine = message.request == null || String(message.request).startsWith(id);
    if (!mine) return; // another page's
    state.connected = true;
    if (state.notice && state.notice.kind !== "error") state.notice = null;
    if (message.type === "here") again = again || Boolean(state.picture?.again && !flight);
    if (message.type === "error") {
      again = landed(message.request) ? false : again;
      state.notice = { kind: "error", text: message.text };
    }
    pump();
    changed();
  }

  function watch() {
    if (!flight) return;
    const silent = performance.now() - flight.sent;
    const kind = silent > (state.connected ? PATIENCE : FIRST_PATIENCE) ? "stalled" : silent > SLOW ? "busy" : null;
    if (!kind || kind === state.notice?.kind) return;
    const known =
      "The kernel has not answered for some seconds: it is busy, or has stopped. The picture follows when it answers. " +
      "If it was restarted, run this cell again.";
    const unknown =
      "Nothing is connected to this picture, or the kernel is busy with other cells: it is the last one that was drawn. " +
      "If no kernel is running, run this cell again.";
    state.notice = { kind, text: kind === "busy" ? "Computing …" : state.connected ? known : unknown };
    changed();
  }

  function schedule() {
    if (tick === undefined && views.size) tick = requestAnimationFrame(onTick);
  }

  function onTick() {
    tick = undefined;
    views.forEach((view) => view.paint(state.picture));
    pump();
    changed();
  }

  return {
    state,
    moved: (name) => pending.has(name) || resetting || Boolean(flight?.values.has(name)),
    connect(connected) {
      model = connected;
      state.picture = decode(model.get("picture"));
      model.on("change:picture", onPicture);
      model.on("msg:custom", onMessage);
      return () => {
        model.off("change:picture", onPicture);
        model.off("msg:custom", onMessage);
        clearInterval(timer);
        cancelAnimationFrame(tick);
      };
    },
    add(view) {
      views.add(view);
      if (state.picture) view.paint(state.picture);
      view.update(state);
      if (views.size > 1) return;
      timer = setInterval(watch, 150);
      try {
        send({ type: "hello" });
      } catch {
        // nothing is connected: the first move says so
      }
    },
    remove(view) {
      views.delete(view);
      if (views.size) return;
      clearInterval(timer);
      cancelAnimationFrame(tick);
      tick = undefined;
      pending.clear();
      flight = null;
      again = false;
    },
    want(name, value) {
      pending.set(name, value);
      pump();
    },
    together(moves) {
      gathering = true;
      moves();
      gathering = false;
      pump();
    },
    reset() {
      pending.clear();
      resetting = true;
      pump();
    },
    retry() {
      pending = new Map([...(flight?.values ?? []), ...pending]);
      flight = null;
      state.notice = null;
      if (!pending.size) resetting = false;
      try {
        send({ type: "hello" });
      } catch {
        // pump says it
      }
      pump();
      changed();
    },
  };
}

// The picture with its arrays: [start, ...shape] in one block of float32 becomes a view of that block.
function decode(picture) {
  if (!picture?.panels) return null;
  const { data } = picture;
  const bytes = new Uint8Array(data?.buffer ?? data ?? 0, data?.byteOffset ?? 0, data?.byteLength ?? 0).slice();
  const numbers = new Float32Array(bytes.buffer, 0, Math.floor(bytes.length / 4));
  const array = ([start, ...shape]) => numbers.subarray(start, start + shape.reduce((a, b) => a * b, 1));
  const panels = picture.panels.map((panel) => ({
    ...panel,
    marks: panel.marks.map((mark) => {
      const read = { ...mark };
      for (const [name, value] of Object.entries(mark)) {
        if (Array.isArray(value) && Number.isInteger(value[0]) && !["labels", "names", "texts"].includes(name)) {
          read[name] = array(value);
        }
      }
      if (mark.kind === "Motion") [, read.frames, read.count] = mark.x;
      if (mark.kind === "Surface") [, read.rows, read.columns] = mark.values;
      return read;
    }),
  }));
  return { ...picture, panels };
}

// ---- the view: what is seen ----

// p_g is p with an index: [["p", false], ["g", true]]. A name such as lr_g, of more than one letter, is left alone.
function parts(text) {
  const found = [];
  let from = 0;
  for (const match of text.matchAll(/(?<![\p{L}\p{N}_])(d?\p{L})_(?:(\p{L}|\p{N}+)(?![\p{L}\p{N}_])|\{([^}]*)\})/gu)) {
    found.push([text.slice(from, match.index) + match[1], false], [match[2] ?? match[3], true]);
    from = match.index + match[0].length;
  }
  return [...found, [text.slice(from), false]].filter(([part]) => part);
}

// As `write`, with indices set low.
const typeset = (node, text) => {
  if (node.dataset.text === text) return node;
  node.dataset.text = text;
  node.replaceChildren(...parts(text).map(([part, low]) => (low ? element("sub", {}, part) : part)));
  return node;
};

function createView(driver, model, el) {
  const setup = model.get("setup");
  const aborter = new AbortController();
  const listen = (target, event, handler) => target.addEventListener(event, handler, { signal: aborter.signal });
  const div = (name, ...children) => element("div", { class: `gan-explorer-${name}` }, ...children);

  const root = element("div", { class: "gan-page gan-explorer", role: "group", "aria-label": setup.title || "live picture" });

  const button = (text, title, press, extra = "") => {
    const node = element("button", { type: "button", class: `gan-explorer-button ${extra}`, title }, text);
    listen(node, "click", press);
    return node;
  };

  const controls = {};
  const pauseAll = () => Object.values(controls).forEach((control) => control.pause?.());
  for (const control of setup.controls) {
    const make = control.kind === "slider" ? createSlider : createChoice;
    const send = (value) => driver.want(control.name, value);
    const bySlider = (value) => {
      pauseAll(); // a hand takes over
      send(value);
    };
    controls[control.name] = make(control, bySlider, listen);
    if (control.play) addPlay(controls[control.name], send, pauseAll, listen);
  }
  const controlBox = div("controls", ...Object.values(controls).map((control) => control.node));
  const panelBox = div("panels");
  const panels = []; // each { node, paint }
  // plain boxes: JupyterLab has its own looks for lists, paragraphs and figures
  const numberBox = createNumberBox();
  const numbers = new Map();
  const remark = div("remark");
  const words = element("div", { class: "gan-explorer-hidden gan-explorer-words", "aria-live": "polite" });

  const reset = button("Reset", "Put every control where it stood at first", () => {
    pauseAll();
    driver.reset();
  });
  reset.hidden = !setup.controls.length;
  const retry = button("Try again", "Ask the kernel again", () => driver.retry());
  const statusText = element("span");
  const status = element("div", { class: "gan-explorer-status", role: "status" }, statusText);
  const bar = div("bar", reset, status, retry);

  const player = createPlayer(listen, () => paintPanels(true));
  if (setup.title) root.append(typeset(element("div", { class: "gan-explorer-title", role: "heading", "aria-level": "3" }), setup.title));
  if (setup.controls.length) root.append(controlBox);
  const body = div("body", div("pictures", panelBox, player.node), div("facts", numberBox, remark));
  root.append(body, bar, words);
  el.append(root);

  let picture = null;
  let tick;
  let settling;
  let reserved = [0, 0]; // the remark's height at this width: its length must not make the page jump

  function paintPanels(onlyMoving = false) {
    if (!picture) return;
    const palette = readPalette(root);
    const heights = new Map(); // one height a row
    const rows = panels.map((panel) => panel.node.offsetTop);
    picture.panels.forEach((panel, i) => {
      heights.set(rows[i], Math.max(heights.get(rows[i]) ?? 0, wantedHeight(panel, panels[i].width())));
    });
    picture.panels.forEach((panel, i) => {
      if (onlyMoving && !panel.marks.some((mark) => mark.kind === "Motion")) return;
      panels[i].paint(panel, palette, heights.get(rows[i]), player.place);
    });
  }

  function repaint() {
    if (tick !== undefined) return;
    tick = requestAnimationFrame(() => {
      tick = undefined;
      paintPanels();
      holdRemark();
    });
  }

  function holdRemark() {
    const width = root.clientWidth;
    if (reserved[0] !== width) {
      reserved = [width, 0];
      remark.style.minHeight = "";
    }
    reserved[1] = Math.max(reserved[1], remark.offsetHeight);
    remark.style.minHeight = `${reserved[1]}px`;
  }

  function showNumbers(list) {
    const key = (number) => `${number.panel}/${number.name}`;
    const names = new Set(list.map(key));
    for (const [name, entry] of numbers) {
      if (names.has(name)) continue;
      entry.node.remove();
      numbers.delete(name);
    }
    const boxes = new Map([[numberBox, 0], ...panels.map((panel) => [panel.numbers, 0])]); // with how many it holds
    for (const number of list) {
      if (!numbers.has(key(number))) numbers.set(key(number), createNumber(number.name));
      const entry = numbers.get(key(number));
      const box = panels[number.panel]?.numbers ?? numberBox;
      const place = boxes.get(box);
      entry.show(number);
      if (box.children[place] !== entry.node) box.insertBefore(entry.node, box.children[place] ?? null);
      boxes.set(box, place + 1);
    }
    for (const [box, count] of boxes) box.hidden = !count;
  }

  function describe() {
    const said = picture.words || picture.numbers.map(({ name, text }) => `${name} ${text}`).join(", ");
    write(words, said);
  }

  function settle(values) {
    for (const [name, control] of Object.entries(controls)) if (!driver.moved(name)) control.show(values[name]);
  }

  const view = {
    paint(next) {
      const first = picture === null;
      picture = next;
      while (panels.length > next.panels.length) panels.pop().node.remove();
      while (panels.length < next.panels.length) {
        panels.push(createPanel(controls, driver, listen));
        panelBox.append(panels.at(-1).node);
      }
      body.dataset.count = next.panels.length;
      for (const [name, control] of Object.entries(controls)) control.node.hidden = next.hidden.includes(name);
      player.follow(next.panels.flatMap((panel) => panel.marks).filter((mark) => mark.kind === "Motion"));
      settle(next.values);
      showNumbers(next.numbers);
      typeset(remark, next.remark);
      remark.hidden = !next.remark && !reserved[1];
      paintPanels();
      holdRemark();
      root.dataset.serial = next.serial;
      clearTimeout(settling);
      if (first) describe();
      else settling = setTimeout(describe, SETTLED);
      root.dispatchEvent(new CustomEvent("gan-explorer-painted", { bubbles: true, detail: { serial: next.serial } }));
    },
    update(state) {
      const kind = state.notice?.kind ?? "plain";
      if (picture) settle(state.picture.values); // the newest, which may not be painted yet
      write(statusText, state.notice?.text ?? "");
      if (status.dataset.kind !== kind) {
        status.dataset.kind = kind;
        status.setAttribute("role", kind === "error" ? "alert" : "status");
        if (["error", "stalled"].includes(kind)) pauseAll();
      }
      retry.hidden = kind !== "stalled";
      const arrived = !state.waiting && picture === state.picture;
      if (arrived) for (const [name, control] of Object.entries(controls)) control.follow?.(state.picture?.values[name]);
      root.dataset.waiting = state.waiting;
    },
  };

  const theme = followTheme(root, el, listen, repaint);
  let width = 0;
  const sizes = new ResizeObserver(() => {
    theme.look(); // only now is the widget in the page, on its background
    if (root.clientWidth !== width) repaint();
    width = root.clientWidth;
  });
  sizes.observe(root);

  theme.look();
  driver.add(view);

  return () => {
    driver.remove(view);
    player.close();
    pauseAll();
    aborter.abort();
    theme.stop();
    sizes.disconnect();
    clearTimeout(settling);
    cancelAnimationFrame(tick);
    root.remove();
  };
}

// The colours are written once, in the style sheet.
function readPalette(root) {
  const style = getComputedStyle(root);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim() || "#888";
  const roles = ["real", "fake", "discriminator", "ink", "quiet", "accent", "says-fake", "undecided", "says-real"];
  const palette = { surface: colour("surface"), grid: colour("grid"), axis: colour("axis"), text: {}, font: style.fontFamily };
  for (const role of roles) {
    palette[role] = colour(role);
    palette.text[role] = style.getPropertyValue(`--${role}-text`).trim() || palette[role];
  }
  palette.fill = Number(style.getPropertyValue("--fill")) || 0.18;
  return palette;
}

// ---- controls ----

function scaleOf({ low, high, notches, log, whole }) {
  const count = Math.max(whole && !log ? Math.min(notches - 1, high - low) : notches - 1, 1);
  const step = (high - low) / count;
  const at = (i) => {
    if (i <= 0) return low;
    if (i >= count) return high;
    const value = log ? low * (high / low) ** (i / count) : low + i * step;
    if (whole) return Math.round(value);
    if (!log && Math.abs(value) < step * 1e-6) return 0;
    return Number(value.toPrecision(log ? 4 : 6));
  };
  const place = (value) => {
    const p = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    return Math.round(count * Math.min(Math.max(p, 0), 1));
  };
  const digits = Math.min(Math.max(Math.ceil(-Math.log10(step) - 1e-9), 0), 4);
  const show = (value) => {
    const fixed = value.toFixed(whole ? 0 : digits);
    const exact = !log && Math.abs(Number(fixed) - value) < 1e-6 * (high - low);
    if (log && !whole) return minus(value.toPrecision(3));
    return minus(exact ? fixed : Number(value.toPrecision(4)).toString());
  };
  return { count, at, place, show };
}

const minus = (text) => text.replace("-", "−").replace("e-", "e−");

function createSlider(control, send, listen) {
  const scale = scaleOf(control);
  const slider = element("input", { type: "range", min: "0", max: String(scale.count), step: "1", id: unique(control.name) });
  slider.setAttribute("aria-label", control.label);
  const output = element("output", { class: "gan-explorer-value", htmlFor: slider.id });
  const node = element(
    "div",
    { class: "gan-explorer-control gan-explorer-slider" },
    typeset(element("label", { htmlFor: slider.id }), control.label),
    output,
    slider,
  );
  node.dataset.name = control.name;
  let current;
  const show = (value) => {
    if (value === current) return;
    current = value;
    const place = scale.place(value);
    if (Number(slider.value) !== place) slider.value = String(place);
    slider.style.setProperty("--place", place / scale.count);
    slider.setAttribute("aria-valuetext", scale.show(value));
    write(output, scale.show(value));
    node.dataset.value = value;
  };
  const move = (value) => {
    if (value === current) return;
    show(value);
    send(value);
  };
  listen(slider, "input", () => move(scale.at(Number(slider.value))));
  return {
    node,
    label: control.label,
    show(value) {
      show(value);
      // a refused value does not stay on the slider
      if (Number(slider.value) !== scale.place(value)) slider.value = String(scale.place(value));
    },
    scale,
    slider,
    // where a hand on the picture has put it
    pull: (value) => Number.isFinite(value) && move(scale.at(scale.place(value))),
  };
}

// A button that moves a slider forward, each notch as soon as the page shows what the one before has led to.
function addPlay(control, send, pauseOthers, listen) {
  const { scale, slider, node, label } = control;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const button = element("button", { type: "button", class: "gan-explorer-button gan-explorer-go" });
  node.classList.add("gan-explorer-plays");
  node.insertBefore(button, slider);
  let asked = null; // the value on its way, while it plays
  let timer, last;

  function show() {
    const ended = Number(slider.value) >= scale.count;
    const [sign, verb] = asked !== null ? ["❚❚", "Pause"] : ended ? ["↻", "Play again"] : ["▶", "Play"];
    write(button, sign);
    button.setAttribute("aria-label", `${verb}: ${label}`);
    button.title = verb;
    node.dataset.playing = asked !== null;
  }

  function pause() {
    clearTimeout(timer);
    asked = timer = null;
    show();
  }

  function go(place) {
    timer = null;
    if (place > scale.count) return pause();
    asked = scale.at(place);
    last = performance.now();
    control.show(asked);
    show();
    send(asked);
  }

  listen(button, "click", () => {
    if (asked !== null) return pause();
    const place = Number(slider.value);
    pauseOthers();
    go(place < scale.count ? place + 1 : 0);
  });

  control.pause = pause;
  control.follow = (value) => {
    if (asked === null) return show();
    if (value !== asked) return pause(); // somebody else has moved it
    const pace = calm.matches ? CALM : PACE;
    if (!timer) timer = setTimeout(() => go(Number(slider.value) + 1), Math.max(0, last + pace - performance.now()));
  };
  show();
}

function createChoice(control, send, listen) {
  const options = control.options.map(([value, label]) => element("option", { value }, label));
  const select = element("select", { id: unique(control.name) }, ...options);
  select.setAttribute("aria-label", control.label);
  const label = typeset(element("label", { htmlFor: select.id }), control.label);
  const node = element("div", { class: "gan-explorer-control gan-explorer-choice" }, label, select);
  node.dataset.name = control.name;
  listen(select, "change", () => {
    node.dataset.value = select.value;
    send(select.value);
  });
  return {
    node,
    show(value) {
      if (select.value !== value) select.value = value;
      node.dataset.value = value;
    },
  };
}

const createNumberBox = () => element("div", { class: "gan-explorer-numbers", role: "list", hidden: true });

function createNumber(name) {
  const value = element("div", { class: "gan-explorer-figure" });
  const note = element("div", { class: "gan-explorer-note" });
  const node = element(
    "div",
    { class: "gan-explorer-number", role: "listitem" },
    typeset(element("div", { class: "gan-explorer-name" }), name),
    value,
    note,
  );
  node.dataset.name = name;
  return {
    node,
    show(number) {
      write(value, number.text);
      typeset(note, number.note);
      node.dataset.value = number.value ?? number.text;
      node.dataset.colour = number.colour;
    },
  };
}

// ---- motion: one bar plays whatever moves in the scene ----

function createPlayer(listen, repaint) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const play = element("button", { type: "button", class: "gan-explorer-button gan-explorer-play" }, "▶ Play");
  const scrub = element("input", { type: "range", min: "0", max: "1", step: "1", value: "0", class: "gan-explorer-scrub" });
  scrub.setAttribute("aria-label", "moment of the motion");
  const count = element("span", { class: "gan-explorer-count" });
  const node = element("div", { class: "gan-explorer-player" }, play, scrub, count);
  node.hidden = true;
  let frames = 0;
  let place = 0; // from 0, the first frame, to 1, the last
  let playing = false;
  let tick, before, painted;

  function show() {
    const frame = Math.round(place * (frames - 1));
    if (Number(scrub.value) !== frame) scrub.value = String(frame);
    scrub.style.setProperty("--place", place);
    scrub.setAttribute("aria-valuetext", `${frame + 1} of ${frames}`);
    write(count, `${frame + 1} / ${frames}`);
    write(play, playing ? "❚❚ Pause" : place >= 1 ? "↻ Again" : "▶ Play");
    node.dataset.playing = playing;
    node.dataset.frame = frame;
  }

  function stop() {
    playing = false;
    cancelAnimationFrame(tick);
    show();
  }

  function run(now) {
    const seconds = Math.min(Math.max(frames / 24, 2), 8);
    const pace = calm.matches ? CALM : 0;
    if (now - painted >= pace) {
      place = Math.min(place + (now - before) / 1000 / seconds, 1);
      before = painted = now;
      show();
      repaint();
    }
    if (place >= 1) return stop();
    tick = requestAnimationFrame(run);
  }

  listen(play, "click", () => {
    if (playing) return stop();
    if (place >= 1) place = 0;
    playing = true;
    before = painted = performance.now();
    show();
    tick = requestAnimationFrame(run);
  });
  listen(scrub, "input", () => {
    playing = false;
    cancelAnimationFrame(tick);
    place = frames > 1 ? Number(scrub.value) / (frames - 1) : 0;
    show();
    repaint();
  });

  return {
    node,
    get place() {
      return place;
    },
    follow(motions) {
      frames = Math.max(0, ...motions.map((motion) => motion.frames));
      node.hidden = frames < 2;
      scrub.max = String(Math.max(frames - 1, 1));
      if (frames > 1) show();
      else if (playing) stop();
    },
    close: () => cancelAnimationFrame(tick),
  };
}

// ---- a panel: a canvas, and the grips on it ----

function createPanel(controls, driver, listen) {
  const title = element("div", { class: "gan-explorer-caption" });
  const canvas = element("canvas", { class: "gan-explorer-canvas", role: "img" });
  const stage = element("div", { class: "gan-explorer-stage" }, canvas);
  const numbers = createNumberBox();
  const node = element("div", { class: "gan-explorer-panel" }, title, stage, numbers);
  const grips = [];
  const memory = new Map(); // where each label was, so that it does not hop while a slider moves
  let geometry = null;

  function addGrip() {
    const grip = element("div", { class: "gan-explorer-grip", "aria-hidden": "true" }, element("span", {}, "◂▸"));
    const held = { node: grip, mark: null, offset: null, below: 0 };
    listen(grip, "pointerdown", (event) => {
      if (event.button > 0 || !geometry) return;
      event.preventDefault();
      grip.setPointerCapture(event.pointerId);
      const box = grip.getBoundingClientRect();
      held.offset = event.clientX - (box.left + box.width / 2);
      held.below = event.clientY - (box.top + box.height / 2);
      grip.dataset.held = "true";
    });
    listen(grip, "pointermove", (event) => {
      if (held.offset === null || !grip.hasPointerCapture(event.pointerId)) return;
      const { box, left, right, bottom, top } = geometry;
      const { control, vertical, offset, scale } = held.mark;
      const stage = canvas.getBoundingClientRect();
      const hand = Math.min(Math.max(event.clientX - held.offset - stage.left, box.left), box.right);
      const high = Math.min(Math.max(event.clientY - held.below - stage.top, box.top), box.bottom);
      grip.style.left = `${hand}px`;
      if (vertical) grip.style.top = `${high}px`;
      const x = left + ((hand - box.left) / (box.right - box.left)) * (right - left);
      const y = bottom + ((high - box.bottom) / (box.top - box.bottom)) * (top - bottom);
      driver.together(() => {
        controls[control]?.pull?.((x - offset) * scale);
        if (vertical) controls[vertical]?.pull?.(y);
      });
    });
    const release = () => {
      held.offset = null;
      delete grip.dataset.held;
      if (held.mark && ![held.mark.control, held.mark.vertical].some(driver.moved)) setGrip(held);
    };
    listen(grip, "pointerup", release);
    listen(grip, "pointercancel", release);
    stage.append(grip);
    grips.push(held);
  }

  function setGrip(held) {
    const { mark, node: grip } = held;
    grip.hidden = mark.x === null || mark.y === null;
    if (grip.hidden) return;
    const { box, x, y } = geometry;
    // what the hand holds stays under the hand
    if (held.offset === null) grip.style.left = `${Math.min(Math.max(x(mark.x), box.left), box.right)}px`;
    if (held.offset === null || !mark.vertical) grip.style.top = `${Math.min(Math.max(y(mark.y), box.top), box.bottom)}px`;
  }

  return {
    node,
    numbers,
    width: () => stage.clientWidth,
    paint(panel, palette, height, place) {
      typeset(title, panel.title);
      title.hidden = !panel.title;
      if (stage.style.height !== `${height}px`) stage.style.height = `${height}px`;
      geometry = drawPanel(canvas, panel, palette, place, memory);
      canvas.setAttribute("aria-label", describePanel(panel));
      const marks = panel.marks.filter((mark) => mark.kind === "Handle");
      while (grips.length > marks.length) grips.pop().node.remove();
      while (grips.length < marks.length) addGrip();
      if (!geometry) return;
      marks.forEach((mark, i) => {
        grips[i].mark = mark;
        grips[i].node.dataset.control = mark.control;
        grips[i].node.dataset.vertical = mark.vertical;
        write(grips[i].node.firstChild, mark.vertical ? "✥" : "◂▸");
        grips[i].node.title = [mark.control, mark.vertical].map((name) => controls[name]?.label).filter(Boolean).join(", ");
        grips[i].node.style.setProperty("--grip", palette[mark.colour]);
        setGrip(grips[i]);
      });
    },
  };
}

function describePanel(panel) {
  const names = panel.marks.flatMap((mark) => (mark.kind === "Bars" ? mark.names : mark.name ? [mark.name] : []));
  return [panel.title || "picture", names.join(", ")].filter(Boolean).join(": ");
}

const ROW = 30; // pixels of one bar

function wantedHeight(panel, width) {
  const rows = Math.max(0, ...panel.marks.map((mark) => (mark.kind === "Bars" ? mark.names.length : 0)));
  if (rows) return Math.round(Math.max(rows * ROW + 52, 150));
  if (!panel.square) return Math.round(Math.min(Math.max(0.64 * width, 210), 330));
  const shape = (panel.y[1] - panel.y[0]) / (panel.x[1] - panel.x[0]);
  const above = panel.y_label ? 26 : 8;
  const below = panel.x_label ? 38 : 22;
  return Math.round(Math.min(Math.max((width - 46) * shape + above + below, 210), 420));
}

// ---- painting ----

function ticks(low, high, count) {
  const rough = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= 0.8 * rough);
  const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
  const found = [];
  for (let i = Math.ceil(low / step - 1e-6); i * step <= high + 1e-6 * step; i++) {
    const value = i * step;
    const text = Math.abs(value) >= 1e5 || (value && step < 1e-6) ? value.toExponential(0) : value.toFixed(digits);
    found.push([value, minus(Number(text) === 0 ? "0" : text)]);
  }
  return found;
}

const FONT = 12;
const SMALL = 11;

// Text on a canvas, with indices set low.
function createPen(context, family) {
  let size, weight;
  const use = (low) => (context.font = `${weight} ${low ? 0.75 * size : size}px ${family}`.trim());
  const pen = {
    font(newSize, newWeight = "") {
      [size, weight] = [newSize, newWeight];
      use(false);
    },
    measure(text) {
      let total = 0;
      for (const [part, low] of parts(text)) {
        use(low);
        total += context.measureText(part).width;
      }
      use(false);
      return total;
    },
    // `align` 0 writes to the right of x, 0.5 about it, 1 to the left of it; y is the middle of the line
    write(text, x, y, align = 0, halo = null) {
      context.textAlign = "left";
      context.textBaseline = "middle";
      context.lineJoin = "round";
      const start = x - align * pen.measure(text);
      for (const how of halo ? ["strokeText", "fillText"] : ["fillText"]) {
        let at = start;
        if (how === "strokeText") [context.strokeStyle, context.lineWidth] = [halo, 4];
        for (const [part, low] of parts(text)) {
          use(low);
          context[how](part, at, y + (low ? 0.3 * size : 0));
          at += context.measureText(part).width;
        }
      }
      use(false);
    },
    shorten(text, room) {
      if (pen.measure(text) <= room) return text;
      let n = text.length;
      while (n > 1 && pen.measure(`${text.slice(0, n)}…`) > room) n--;
      return `${text.slice(0, n)}…`;
    },
  };
  return pen;
}

function drawPanel(canvas, panel, palette, place, memory) {
  const { context, width, height } = prepared(canvas, canvas.clientWidth, canvas.clientHeight);
  if (width < 40 || height < 40) return null;
  const pen = createPen(context, palette.font);
  const bars = panel.marks.filter((mark) => mark.kind === "Bars");
  const onlyBars = bars.length > 0 && panel.marks.every((mark) => ["Bars", "Level"].includes(mark.kind));

  pen.font(SMALL);
  const tall = height - 40;
  const rows = onlyBars || panel.bare ? [] : ticks(...panel.y, Math.min(5, Math.max(2, Math.floor(tall / 46))));
  const others = panel.right ? ticks(...panel.right, Math.min(5, Math.max(2, Math.floor(tall / 46)))) : [];
  const widest = (list) => Math.max(0, ...list.map(([, text]) => pen.measure(text)));
  pen.font(FONT, "600"); // as the chosen bar's name is written
  const named = Math.max(0, ...bars.flatMap((mark) => mark.names.map((name) => pen.measure(name))));
  const box = {
    left: Math.ceil(bars.length ? Math.min(named + 10, 0.45 * width) : widest(rows) + 10),
    right: Math.floor(width - (panel.right ? widest(others) + 10 : 10)),
    top: panel.y_label || panel.right_label ? 26 : 8,
    bottom: height - (panel.x_label ? 38 : 22),
  };
  if (panel.square) square(box, panel);
  const clamp = (value) => Math.min(Math.max(value, -1e4), 1e4);
  const between = (value, [low, high], from, to) => clamp(from + ((value - low) / (high - low)) * (to - from));
  const x = (value) => between(value, panel.x, box.left, box.right);
  const y = (value) => between(value, panel.y, box.bottom, box.top);
  const second = (value) => between(value, panel.right ?? panel.y, box.bottom, box.top);
  const canvasLine = (x0, y0, x1, y1) => {
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
  };

  // axes
  pen.font(SMALL);
  context.lineWidth = 1;
  for (const [value, text] of rows) {
    const at = Math.round(y(value)) + 0.5;
    context.strokeStyle = palette.grid;
    canvasLine(box.left, at, box.right, at);
    context.fillStyle = palette.quiet;
    pen.write(text, box.left - 6, at, 1);
  }
  context.fillStyle = palette.quiet;
  for (const [value, text] of others) pen.write(text, box.right + 6, second(value));
  const columns = panel.bare ? [] : ticks(...panel.x, Math.min(6, Math.max(2, Math.floor((box.right - box.left) / 62))));
  for (const [value, text] of columns) {
    const at = Math.round(x(value)) + 0.5;
    context.strokeStyle = bars.length ? palette.grid : palette.axis;
    canvasLine(at, bars.length ? box.top : box.bottom, at, box.bottom + 4);
    pen.write(text, Math.min(at, width - pen.measure(text) / 2 - 1), box.bottom + 12, 0.5);
  }
  context.strokeStyle = palette.axis;
  const lined = !onlyBars && !panel.bare;
  if (lined) canvasLine(box.left, box.bottom + 0.5, box.right, box.bottom + 0.5);
  const ground = Math.round(y(0)) + 0.5;
  if (lined && panel.y[0] < 0 && panel.y[1] > 0) canvasLine(box.left, ground, box.right, ground);
  context.fillStyle = palette.ink;
  pen.font(FONT);
  const below = pen.shorten(panel.x_label, width - 4);
  const half = pen.measure(below) / 2;
  pen.write(below, Math.min(Math.max((box.left + box.right) / 2, half + 2), width - half - 2), height - 9, 0.5);
  pen.write(panel.y_label, panel.square ? Math.max(box.left - 30, 2) : 2, box.top - 16);
  pen.write(panel.right_label, width - 2, 10, 1);

  // marks
  const scene = { context, palette, panel, box, x, y, second, place, pen, lines: [], discs: [], labels: [] };
  context.save();
  context.beginPath();
  context.rect(box.left - 1, box.top - 1, box.right - box.left + 2, box.bottom - box.top + 2);
  context.clip();
  context.lineJoin = context.lineCap = "round";
  for (const mark of panel.marks) if (mark.kind === "Surface") tint(scene, mark);
  for (const mark of panel.marks) if (mark.kind === "Curve" && mark.fill) shade(scene, mark);
  for (const mark of panel.marks) DRAW[mark.kind]?.(scene, mark);
  context.restore();
  for (const mark of panel.marks) LATER[mark.kind]?.(scene, mark);

  writeLabels(scene, memory);
  return { box, x, y, left: panel.x[0], right: panel.x[1], bottom: panel.y[0], top: panel.y[1] };
}

// A box in which a unit is equally long both ways: the largest in the one given, in its middle and at its bottom.
function square(box, panel) {
  const [wide, tall] = [panel.x[1] - panel.x[0], panel.y[1] - panel.y[0]];
  const unit = Math.min((box.right - box.left) / wide, (box.bottom - box.top) / tall);
  const spare = box.right - box.left - unit * wide;
  box.left += Math.floor(spare / 2);
  box.right = box.left + unit * wide;
  box.top = box.bottom - unit * tall;
}

// Runs of points without a gap, in pixels. What is infinite leaves by the panel's edge.
function runs({ x, y, second, box }, mark) {
  const up = mark.right ? second : y;
  const found = [];
  let run = [];
  for (let i = 0; i < mark.x.length; i++) {
    const [a, b] = [mark.x[i], mark.y[i]];
    if (Number.isNaN(b) || !Number.isFinite(a)) {
      if (run.length) found.push(run);
      run = [];
    } else run.push([x(a), b === Infinity ? box.top - 200 : b === -Infinity ? box.bottom + 200 : up(b)]);
  }
  if (run.length) found.push(run);
  return found;
}

// From the colour for fake over that for undecided to the one for real; the browser smooths between the cells.
function tint({ context, palette, box }, { values, rows, columns }) {
  if (!rows || !columns) return;
  const probe = element("canvas", { width: 1, height: 1 }).getContext("2d");
  const ramp = ["says-fake", "undecided", "says-real"].map((role) => {
    probe.fillStyle = palette[role];
    probe.fillRect(0, 0, 1, 1);
    return probe.getImageData(0, 0, 1, 1).data;
  });
  const small = element("canvas", { width: columns, height: rows });
  const image = new ImageData(columns, rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = values[(rows - 1 - row) * columns + column];
      if (Number.isNaN(value)) continue;
      const place = 2 * Math.min(Math.max(value, 0), 1);
      const [from, to] = place < 1 ? [ramp[0], ramp[1]] : [ramp[1], ramp[2]];
      const part = place < 1 ? place : place - 1;
      const at = 4 * (row * columns + column);
      for (let i = 0; i < 3; i++) image.data[at + i] = from[i] + part * (to[i] - from[i]);
      image.data[at + 3] = 255;
    }
  }
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, box.left, box.top, box.right - box.left, box.bottom - box.top);
}

function shade(scene, mark) {
  const { context, palette, box } = scene;
  const base = Math.min(Math.max((mark.right ? scene.second : scene.y)(0), box.top), box.bottom);
  context.globalAlpha = palette.fill;
  context.fillStyle = palette[mark.colour];
  for (const run of runs(scene, mark)) {
    context.beginPath();
    context.moveTo(run[0][0], base);
    for (const [a, b] of run) context.lineTo(a, b);
    context.lineTo(run.at(-1)[0], base);
    context.fill();
  }
  context.globalAlpha = 1;
}

// Points along a line, some 5 pixels apart and within the panel: what a label must not cover.
function trace(run, box) {
  const found = [];
  let last = null;
  for (const point of run) {
    if (last) {
      const [dx, dy] = [point[0] - last[0], point[1] - last[1]];
      const n = Math.min(Math.ceil(Math.hypot(dx, dy) / 5), 200);
      if (n < 1 || Math.hypot(dx, dy) < 4) continue;
      for (let k = 1; k <= n; k++) found.push([last[0] + (dx * k) / n, last[1] + (dy * k) / n]);
    } else found.push(point);
    last = point;
  }
  return found.filter(([a, b]) => a >= box.left - 1 && a <= box.right + 1 && b >= box.top - 1 && b <= box.bottom + 1);
}

function disc(context, x, y, radius, colour, halo) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  if (!halo) return;
  context.strokeStyle = halo;
  context.lineWidth = 1.25;
  context.stroke();
}

// A point outside the panel is shown hollow, at the edge where it left.
function spot({ context, palette, box }, x, y, radius, colour) {
  const [a, b] = [Math.min(Math.max(x, box.left), box.right), Math.min(Math.max(y, box.top), box.bottom)];
  if (Math.hypot(a - x, b - y) < radius) return disc(context, x, y, radius, colour, palette.surface);
  context.beginPath();
  context.arc(a, b, radius, 0, 2 * Math.PI);
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.stroke();
}

const DRAW = {
  Curve(scene, mark) {
    const { context, palette, box } = scene;
    const found = runs(scene, mark);
    context.strokeStyle = palette[mark.colour];
    context.lineWidth = mark.dashed ? 1.75 : 2.25;
    context.setLineDash(mark.dashed ? [6, 5] : []);
    for (const run of found) {
      context.beginPath();
      run.forEach(([a, b], i) => (i ? context.lineTo(a, b) : context.moveTo(a, b)));
      context.stroke();
    }
    context.setLineDash([]);
    const own = found.flatMap((run) => trace(run, box));
    own.heap = mark.fill;
    scene.lines.push(own);
    if (!mark.name) return;
    const all = found.flat();
    scene.labels.push({ text: mark.name, colour: mark.colour, own, heap: mark.fill, lost: own.length ? null : all });
  },

  Level(scene, mark) {
    const { context, palette, box, x } = scene;
    if (mark.at === null) return;
    const at = mark.upright ? x(mark.at) : (mark.right ? scene.second : scene.y)(mark.at);
    const ends = mark.upright ? [[at, box.top], [at, box.bottom]] : [[box.left, at], [box.right, at]]; // prettier-ignore
    context.strokeStyle = palette[mark.colour];
    context.lineWidth = 1.25;
    context.setLineDash([2, 4]);
    context.beginPath();
    context.moveTo(...ends[0]);
    context.lineTo(...ends[1]);
    context.stroke();
    context.setLineDash([]);
    const own = trace(ends, box);
    scene.lines.push(own);
    if (mark.name && own.length) scene.labels.push({ text: mark.name, colour: mark.colour, own, level: true, upright: mark.upright });
  },

  Arrows(scene, mark) {
    const { context, palette, box, x, y } = scene;
    const own = [];
    context.strokeStyle = context.fillStyle = palette[mark.colour];
    context.lineWidth = 1.75;
    for (let i = 0; i < mark.x.length; i++) {
      const values = [mark.x[i], mark.y[i], mark.dx[i], mark.dy[i]];
      if (!values.every(Number.isFinite)) continue;
      const [a, b] = [x(values[0]), y(values[1])];
      const [c, d] = [x(values[0] + values[2]), y(values[1] + values[3])];
      const length = Math.hypot(c - a, d - b);
      const head = Math.min(8, 0.5 * length);
      if (length < 1.5) {
        disc(context, a, b, 1.75, palette[mark.colour]);
        own.push([a, b]);
        continue;
      }
      const angle = Math.atan2(d - b, c - a);
      context.beginPath();
      context.moveTo(a, b);
      context.lineTo(c - 0.7 * head * Math.cos(angle), d - 0.7 * head * Math.sin(angle));
      context.stroke();
      context.beginPath();
      context.moveTo(c, d);
      for (const turn of [-0.45, 0.45]) context.lineTo(c - head * Math.cos(angle + turn), d - head * Math.sin(angle + turn));
      context.fill();
      own.push(...trace([[a, b], [c, d]], box)); // prettier-ignore
    }
    scene.lines.push(own);
    if (mark.name && own.length) scene.labels.push({ text: mark.name, colour: mark.colour, own, cloud: true, radius: 3 });
  },
};

// These may reach over the panel's edge.
const LATER = {
  Bars(scene, mark) {
    const { context, palette, panel, box, x, pen } = scene;
    const count = mark.names.length;
    const row = (box.bottom - box.top) / Math.max(count, 1);
    const zero = Math.min(Math.max(x(0), box.left), box.right);
    const thick = Math.min(0.62 * row, 18);
    mark.names.forEach((name, i) => {
      const value = mark.values[i];
      const chosen = i === mark.chosen;
      const middle = box.top + (i + 0.5) * row;
      pen.font(FONT, chosen ? "600" : "");
      context.fillStyle = chosen ? palette.text.accent : palette.ink;
      pen.write(pen.shorten(name, box.left - 10), box.left - 8, middle, 1);
      const far = Number.isNaN(value) ? panel.x[0] : value === Infinity ? panel.x[1] : value === -Infinity ? panel.x[0] : value;
      const end = Number.isNaN(value) ? zero : Math.min(Math.max(x(far), box.left), box.right);
      context.globalAlpha = chosen ? 1 : 0.75;
      context.fillStyle = palette[chosen ? "accent" : mark.colour];
      context.fillRect(Math.min(zero, end), middle - thick / 2, Math.max(Math.abs(end - zero), 1), thick);
      context.globalAlpha = 1;
      const text = mark.texts[i] ?? "";
      const wide = pen.measure(text);
      const left = value < 0;
      const room = left ? end - box.left : box.right - end;
      const inside = room < wide + 8 && Math.abs(end - zero) > wide + 10;
      context.fillStyle = inside ? palette.surface : chosen ? palette.text.accent : palette.ink;
      pen.write(text, end + (left !== inside ? -5 : 5), middle, left !== inside ? 1 : 0);
    });
    context.strokeStyle = palette.axis;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(Math.round(zero) + 0.5, box.top);
    context.lineTo(Math.round(zero) + 0.5, box.bottom);
    context.stroke();
  },

  Dots(scene, mark) {
    const up = mark.right ? scene.second : scene.y;
    const own = [];
    for (let i = 0; i < mark.x.length; i++) {
      if (Number.isNaN(mark.x[i]) || Number.isNaN(mark.y[i])) continue;
      const [a, b] = [scene.x(mark.x[i]), up(mark.y[i])];
      spot(scene, a, b, mark.size, scene.palette[mark.colour]);
      own.push([a, b]);
      if (mark.labels[i]) scene.labels.push({ text: mark.labels[i], colour: mark.colour, own: [[a, b]], cloud: true, radius: mark.size, key: i });
    }
    scene.discs.push(...own.map(([a, b]) => [a, b, mark.size]));
    if (mark.name && own.length) scene.labels.push({ text: mark.name, colour: mark.colour, own, cloud: true, radius: mark.size });
  },

  Motion(scene, mark) {
    const { context, palette, box, x, y } = scene;
    const { frames, count } = mark;
    if (!frames || !count) return;
    const now = Math.round(scene.place * (frames - 1));
    const at = (frame, i) => [x(mark.x[frame * count + i]), y(mark.y[frame * count + i])];
    const colour = (i) => palette[i === mark.chosen ? "accent" : mark.colour];
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
    context.clip();
    context.lineWidth = 1.5;
    context.globalAlpha = 0.5;
    for (let i = 0; i < count && count <= 64; i++) {
      context.strokeStyle = colour(i);
      context.beginPath();
      const path = [];
      for (let frame = 0; frame <= now; frame++) {
        const point = at(frame, i);
        if (point.some(Number.isNaN)) continue;
        path.length ? context.lineTo(...point) : context.moveTo(...point);
        path.push(point);
      }
      context.stroke();
      scene.lines.push(trace(path, box));
    }
    context.restore();
    for (let i = 0; i < count; i++) {
      const [a, b] = at(now, i);
      if (Number.isNaN(a) || Number.isNaN(b)) continue;
      const radius = count > 64 ? 3 : 5;
      spot(scene, a, b, radius, colour(i));
      scene.discs.push([a, b, radius]);
      if (mark.names[i]) {
        scene.labels.push({ text: mark.names[i], colour: i === mark.chosen ? "accent" : mark.colour, own: [[a, b]], cloud: true, radius, key: i });
      }
    }
  },

  Handle(scene, mark) {
    if (mark.x !== null && mark.y !== null) scene.discs.push([scene.x(mark.x), scene.y(mark.y), 11]);
  },
};

// ---- labels: beside what they name, where they cover least ----

const LINE = 15; // pixels of a line of text

function writeLabels(scene, memory) {
  const { context, palette, box, pen } = scene;
  pen.font(FONT, "600");
  const placed = [];
  const used = new Set();
  for (const label of scene.labels) {
    const width = pen.measure(label.text);
    let key = `${label.text}/${label.key ?? ""}`;
    while (used.has(key)) key += "'";
    used.add(key);
    const best = label.lost ? astray(label, width, scene) : bestPlace(label, width, scene, placed, memory.get(key));
    if (!best) continue;
    memory.set(key, best.way);
    placed.push({ ...best, text: best.text ?? label.text, colour: palette.text[label.colour] });
  }
  for (const key of memory.keys()) if (!used.has(key)) memory.delete(key);
  pushApart(placed, box);
  for (const label of placed) {
    context.fillStyle = label.colour;
    pen.write(label.text, label.x, label.y + LINE / 2, 0, palette.surface);
  }
}

// A curve that is nowhere in the panel is named at the edge where it is.
function astray({ text, lost }, width, { box }) {
  if (!lost.length) return null;
  const above = lost.filter(([, b]) => b < box.top).length >= lost.length / 2;
  const said = `${text} ${above ? "↑" : "↓"}`;
  const x = Math.min((box.left + box.right - width) / 2, box.right - width - 16);
  return { x, y: above ? box.top + 2 : box.bottom - LINE - 2, width: width + 16, text: said, way: "astray" };
}

function bestPlace(label, width, scene, placed, before) {
  const { box } = scene;
  let best = null;
  for (const way of ways(label, width, box)) {
    const spot = {
      way: way.way,
      width,
      x: Math.min(Math.max(way.x, box.left + 3), box.right - width - 2),
      y: Math.min(Math.max(way.y, box.top + 1), box.bottom - LINE - 1),
    };
    let cost = way.cost + 0.4 * (Math.abs(spot.x - way.x) + Math.abs(spot.y - way.y)) - (way.way === before ? 5 : 0);
    const [left, right, top, bottom] = [spot.x - 3, spot.x + width + 3, spot.y, spot.y + LINE];
    for (const line of scene.lines) {
      const near = line === label.own ? 0 : 5;
      if (line !== label.own && line.heap && within(line, spot.x + width / 2, spot.y + LINE / 2)) cost += 5;
      if (line !== label.own && way.at && line.some(([a, b]) => Math.hypot(a - way.at[0], b - way.at[1]) < 14)) cost += 4;
      for (const [a, b] of line) if (a > left - near && a < right + near && b > top - near && b < bottom + near) cost += 1.5;
    }
    for (const [a, b, radius] of scene.discs) {
      if (a > left - radius && a < right + radius && b > top - radius && b < bottom + radius) cost += 12;
    }
    for (const other of placed) {
      const overlap = Math.min(right, other.x + other.width + 3) - Math.max(left, other.x - 3);
      const tall = Math.min(bottom, other.y + LINE) - Math.max(top, other.y);
      if (overlap > 0 && tall > 0) cost += 25 + tall;
    }
    if (!best || cost < best.cost) best = { ...spot, cost };
  }
  return best;
}

// Is a point under a heap's line?
function within(line, x, y) {
  return line.some(([a, b]) => Math.abs(a - x) < 4 && b < y - 4);
}

// Places for a label, each with its own price.
function ways(label, width, box) {
  const { own } = label;
  const found = [];
  const add = (way, x, y, cost, at = null) => found.push({ way, x, y, cost, at });
  if (label.level && label.upright) {
    const at = own[0][0];
    for (const [k, y] of [0, 0.2, 0.4, 0.6, 0.85].map((p) => [p, box.top + 2 + p * (box.bottom - box.top - LINE)])) {
      add(`right ${k}`, at + 5, y, 4 * k);
      add(`left ${k}`, at - width - 5, y, 4 * k + 0.5);
    }
    return found;
  }
  if (label.level) {
    const at = own[0][1];
    for (const k of [1, 0, 0.5, 0.75, 0.25]) {
      const x = box.left + 4 + k * (box.right - box.left - width - 8);
      add(`over ${k}`, x, at - LINE - 1, 2 * (1 - k));
      add(`under ${k}`, x, at + 2, 2 * (1 - k) + 1);
    }
    return found;
  }
  if (label.cloud) {
    const gap = label.radius + 3;
    const some = own.length <= 24 ? own : own.filter((_, i) => i % Math.ceil(own.length / 24) === 0);
    some.forEach(([a, b], i) => {
      add(`right ${i}`, a + gap, b - LINE / 2, 0);
      add(`left ${i}`, a - gap - width, b - LINE / 2, 1);
      add(`over ${i}`, a - width / 2, b - gap - LINE + 2, 0.5);
      add(`under ${i}`, a - width / 2, b + gap - 2, 1.5);
    });
    return found;
  }
  const highest = own.reduce((top, point, i) => (point[1] < own[top][1] ? i : top), 0);
  const last = own.reduce((end, point, i) => (point[0] > own[end][0] ? i : end), 0);
  const some = new Map([["top", highest], ["end", last]]); // prettier-ignore
  for (let k = 0; k <= 22; k++) some.set(k, Math.round((k / 22) * (own.length - 1)));
  for (const [name, i] of some) {
    const [a, b] = own[i];
    const at = name === "end" ? a - width : a - width / 2;
    const x = Math.min(Math.max(at, box.left + 3), box.right - width - 2);
    const beside = own.filter(([c]) => c > x - 3 && c < x + width + 3).map(([, d]) => d);
    // a heap is best named at its summit, a line at its end
    const down = label.heap ? (12 * (b - own[highest][1])) / Math.max(box.bottom - own[highest][1], 1) : 0;
    const price = down + (name === "top" ? (label.heap ? -3 : 0) : name === "end" ? (label.heap ? 3 : -3) : 1);
    const far = (y) => 0.3 * Math.max(0, Math.abs(y + LINE / 2 - b) - LINE);
    const [over, under] = [Math.min(b, ...beside) - LINE - 2, Math.max(b, ...beside) + 3];
    add(`over ${name}`, x, over, price + far(over), own[i]);
    if (label.heap) add(`far over ${name}`, x, over - 11, price + far(over) + 1.5, own[i]); // a grip may sit there
    add(`under ${name}`, x, under, price + far(under) + (label.heap ? 2 : 0.5), own[i]);
    add(`right ${name}`, a + 7, b - LINE / 2, price + 1.5, own[i]);
    add(`left ${name}`, a - 7 - width, b - LINE / 2, price + 1.5, own[i]);
  }
  return found;
}

// What still overlaps is moved up or down, the upper label up.
function pushApart(placed, box) {
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < placed.length; i++) {
      for (let j = i + 1; j < placed.length; j++) {
        const [upper, lower] = placed[i].y <= placed[j].y ? [placed[i], placed[j]] : [placed[j], placed[i]];
        const across = Math.min(upper.x + upper.width, lower.x + lower.width) - Math.max(upper.x, lower.x);
        const overlap = upper.y + LINE - lower.y;
        if (across <= 0 || overlap <= 0) continue;
        const room = upper.y - overlap / 2 >= box.top ? overlap / 2 : 0;
        upper.y -= room;
        lower.y = Math.min(lower.y + overlap - room, box.bottom - LINE);
      }
    }
  }
}
