// A recorded run comes in; a driver that plays it goes out, with the same handles as the one that asks a kernel.

const REPLAY_VERSION = 1; // as in replay.py
const REPLAY_PACE = 15; // frames a second at normal speed
const REPLAY_SPEEDS = [0.25, 0.5, 1, 2, 4];
const REPLAY_CALM = 250; // milliseconds between pictures where the reader has asked for less motion

// ---- a recording: one compressed block comes in, frames go out ----

const canInflate = () => typeof DecompressionStream === "function";

async function inflate(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const openRecording = async (packed) => readRecording(await inflate(packed));

// A block begins with the length of its index; the index says where each part of each frame lies in the rest.
function readRecording(whole) {
  const start = 4 + new DataView(whole.buffer, whole.byteOffset).getUint32(0, true);
  const index = JSON.parse(new TextDecoder().decode(whole.subarray(4, start)));
  if (index.version !== REPLAY_VERSION) throw new Error(`a recording of version ${index.version}`);
  const part = (i) => whole.subarray(start + index.places[i][0], start + index.places[i][0] + index.places[i][1]);
  const unpacked = (value) => {
    if (Array.isArray(value)) return value.map(unpacked);
    if (value === null || typeof value !== "object") return value;
    if ("bytes" in value && Object.keys(value).length === 1) {
      const bytes = part(value.bytes).slice();
      return new DataView(bytes.buffer);
    }
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, unpacked(inner)]));
  };
  return {
    setup: index.setup,
    scenes: unpacked(index.scenes),
    code: index.code,
    ended: index.ended,
    steps: index.shots.map(({ header }) => header.runs[header.active].step),
    last: index.shots.at(-1).header,
    // one picture as the kernel would have sent it: a header and one block, each array at a multiple of 4
    message(i) {
      const { header, parts, scene } = index.shots[i];
      const padded = (k) => 4 * Math.ceil(index.places[k][1] / 4);
      const block = new Uint8Array(parts.reduce((sum, k) => sum + padded(k), 0));
      let at = 0;
      for (const k of parts) {
        block.set(part(k), at);
        at += padded(k);
      }
      return { header, scene, block: new DataView(block.buffer) };
    },
  };
}

// ---- the driver: which frame when ----

// Where a run that has played for so many milliseconds stands, and whether that is its end.
function replayPlace(from, milliseconds, speed, count) {
  const place = Math.min(from + (milliseconds / 1000) * REPLAY_PACE * speed, count - 1);
  return { place, ended: place >= count - 1 };
}

function createReplayDriver(recording) {
  const views = new Set();
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const count = recording.steps.length;
  const shownLayers = new Set(["real", "heat", "fake", ...recording.setup.layers]);
  const missing = (recording.setup.all_layers ?? []).filter((name) => !shownLayers.has(name));
  const state = {
    playing: false,
    speed: 1,
    frame: null,
    fresh: false,
    stalled: false,
    notice: { kind: "replay.paused" },
    rate: null,
    replay: { index: 0, count, steps: recording.steps, ended: recording.ended },
  };
  let onScene = () => {};
  let scene = 0;
  let active = null;
  let tick;
  let from = null; // [time, place] at which this playing began, at this speed
  let shown = -Infinity;
  let serial = 0;

  const changed = () => {
    state.notice = { kind: state.playing ? "replay.playing" : "replay.paused" };
    views.forEach((view) => view.update(state));
  };

  function show(index) {
    state.replay.index = Math.min(Math.max(Math.round(index), 0), count - 1);
    const { header, block, scene: lies } = recording.message(state.replay.index);
    const runs = header.runs.map((run) => ({ ...run, off: { ...Object.fromEntries(missing.map((name) => [name, { key: "replay.no_layer" }])), ...run.off } }));
    if (lies !== scene) {
      scene = lies;
      onScene();
    }
    state.frame = decode({ ...header, runs, active: active ?? header.active, request: null, serial: ++serial }, block);
    changed();
    views.forEach((view) => view.paint(state.frame));
  }

  function onTick(now) {
    tick = requestAnimationFrame(onTick);
    from ??= { time: now, place: state.replay.index };
    const { place, ended } = replayPlace(from.place, now - from.time, state.speed, count);
    if (ended) {
      pause();
      return show(count - 1);
    }
    if (Math.floor(place) === state.replay.index || (calm.matches && now - shown < REPLAY_CALM)) return;
    shown = now;
    show(Math.floor(place));
  }

  function pause() {
    state.playing = false;
    from = null;
    cancelAnimationFrame(tick);
    tick = undefined;
    changed();
  }

  const scrub = (index) => {
    from = null;
    show(index);
  };
  const stepTo = (index) => {
    if (state.playing) pause();
    scrub(index);
  };
  // what needs a kernel is out of reach here; its controls are off, and nothing waits for an answer
  const nothing = () => {};

  return {
    id: "replay",
    live: false,
    state,
    // what the page reads of a model
    model: {
      get: (name) => ({ setup: replaySetup(recording.setup), scene: recording.scenes[scene] })[name],
      on: (event, callback) => event === "change:scene" && (onScene = callback),
      off: (event) => event === "change:scene" && (onScene = nothing),
    },
    add(view) {
      views.add(view);
      if (state.frame) {
        view.update(state);
        view.paint(state.frame);
      } else show(0);
    },
    remove(view) {
      views.delete(view);
      if (!views.size) pause();
    },
    play() {
      if (state.replay.index >= count - 1) scrub(0);
      from = null;
      state.playing = true;
      if (tick === undefined) tick = requestAnimationFrame(onTick);
      changed();
    },
    pause,
    once: () => stepTo(state.replay.index + 1),
    back: () => stepTo(state.replay.index - 1),
    reset: () => stepTo(0),
    scrub,
    setSpeed(speed) {
      from = null; // or what was played so far would count at the new speed
      state.speed = speed ?? 1;
    },
    ask(message) {
      if (message.type !== "activate") return;
      active = message.run;
      scrub(state.replay.index);
    },
    on: () => nothing,
    set: nothing,
    send: nothing,
    retry: nothing,
    look: nothing,
    say: nothing,
  };
}

// A recording's page shows what was recorded, and no button that only a kernel could answer.
const REPLAY_WITHOUT = ["presets", "seed", "speed", "overview", "time", "draw", "probe", "neighbours", "walk", "explore"];

function replaySetup(setup) {
  const controls = setup.controls.filter((name) => !REPLAY_WITHOUT.includes(name));
  const all_charts = Object.fromEntries(Object.entries(setup.all_charts ?? {}).filter(([name]) => name === "losses" || setup.charts.includes(name)));
  return { ...setup, all_charts, controls: [...controls, "replay"] };
}

// ---- the bar: play, back and on, a place to scrub to, the speed ----

function createReplayBar(view) {
  const { driver } = view;
  const { steps, count } = driver.state.replay;
  const number = (value) => value.toLocaleString("en");
  const button = (text, press, extra = "") => {
    const node = element("button", { type: "button", class: `gan-lab-button ${extra}` }, text);
    view.listen(node, "click", press);
    return node;
  };
  const play = button("", () => (driver.state.playing ? driver.pause() : driver.play()), "gan-lab-play");
  const back = button("◀\ufe0e", driver.back, "gan-lab-replay-step");
  const forth = button("▶\ufe0e", driver.once, "gan-lab-replay-step");
  const place = element("input", { type: "range", min: "0", max: String(count - 1), step: "1", value: "0", class: "gan-lab-replay-place" });
  const speed = element("select", {}, ...REPLAY_SPEEDS.map((value) => element("option", { value: String(value) }, `${value} ×`)));
  speed.value = "1";
  const early = element("div", { class: "gan-lab-replay-ended" });
  const why = element("div", { class: "gan-lab-replay-why" }); // the dials are off
  const live = view.setup.changeOver ? button("", view.setup.changeOver, "gan-lab-replay-live") : null;
  const group = element("div", { class: "gan-lab-replay-bar" }, play, back, forth, place, speed, ...(live ? [live] : []));
  group.setAttribute("role", "group");
  view.listen(place, "input", () => driver.scrub(Number(place.value)));
  view.listen(speed, "change", () => driver.setSpeed(Number(speed.value)));
  view.root.dataset.replay = "true"; // the live buttons make way

  const update = (state) => {
    write(play, state.playing ? `❚❚ ${view.say("replay.pause")}` : `▶ ${view.say("replay.play")}`);
    const { index, ended } = state.replay;
    if (place.value !== String(index)) place.value = String(index);
    place.style.setProperty("--place", count > 1 ? index / (count - 1) : 1);
    place.setAttribute("aria-valuetext", view.say("replay.at", { step: number(steps[index]), last: number(steps[count - 1]) }));
    back.disabled = index === 0;
    forth.disabled = index === count - 1;
    write(early, ended && index === count - 1 ? view.say("replay.ended", { reason: ended }) : "");
  };
  const relabel = () => {
    group.setAttribute("aria-label", view.say("replay.group"));
    for (const [control, key] of [[play, "play.help"], [back, "back"], [forth, "forth"], [place, "where"], [speed, "speed"]]) { // prettier-ignore
      control.title = view.say(`replay.${key}`);
      if (control !== play) control.setAttribute("aria-label", view.say(`replay.${key}`));
    }
    write(why, view.say(live ? "replay.fixed" : "replay.fixed.page"));
    if (live) {
      write(live, view.say("replay.live"));
      live.title = view.say("replay.live.help");
    }
    update(driver.state);
  };
  relabel();
  return { node: element("div", { class: "gan-lab-replay" }, group, early, why), update, relabel };
}

// ---- from the recording to the kernel and back ----

// In the live view of a laboratory that carries a recording: the way to it, and there by itself if no kernel answers.
function createReplayOffer(view) {
  let gone = false;
  const node = element("button", { type: "button", class: "gan-lab-button gan-lab-replay-watch" });
  const watch = () => {
    if (gone) return;
    gone = true;
    setTimeout(view.setup.changeOver); // not in the midst of an update of the view that it closes
  };
  view.listen(node, "click", watch);
  return {
    node,
    update: (state) => !state.frame && (state.stalled || state.notice?.kind === "error") && watch(),
    relabel() {
      write(node, view.say("replay.watch"));
      node.title = view.say("replay.watch.help");
    },
  };
}

// A model as the view reads it, with a part more and a way over to the other view.
function changingModel(model, part, changeOver) {
  const setup = () => {
    const given = model.get("setup");
    return { ...given, controls: part ? [...given.controls, part] : given.controls, changeOver };
  };
  return {
    get: (name) => (name === "setup" ? setup() : model.get(name)),
    on: (...what) => model.on(...what),
    off: (...what) => model.off(...what),
  };
}

// The view of a widget: live, unless it carries a recording and is to begin with it.
function openLab(driver, model, el) {
  const packed = model.get("recorded");
  if (!packed?.byteLength) return createView(driver, model, el);
  let close = () => {};
  let closed = false;
  let player = null;
  const show = (make) => {
    close();
    if (!closed) close = make();
  };
  const live = () => show(() => createView(driver, changingModel(model, "watch", replay), el));
  const replay = async () => {
    try {
      if (!canInflate()) return tell("replay.old");
      player ??= createReplayDriver(await openRecording(packed));
      show(() => createView(player, changingModel(player.model, null, live), el));
    } catch (error) {
      tell("replay.broken", { reason: error.message });
    }
  };
  const tell = (key, values) => {
    live();
    const { words, language } = model.get("setup");
    driver.say(fillIn(words[language ?? "en"], key, values), "error");
  };
  if (model.get("setup").begins === "replay") replay();
  else live();
  return () => {
    closed = true;
    close();
  };
}

// ---- a page of its own, as export.py writes it: no kernel, no network ----

async function openPage() {
  const [el, root] = [document.getElementById("lab"), document.documentElement];
  const text = document.getElementById("recording").textContent;
  const words = JSON.parse(document.getElementById("words").textContent);
  const tell = (key, values) => {
    el.textContent = fillIn(words[root.lang] ?? words.en, key, values);
    el.setAttribute("role", "alert");
  };
  const theme = document.getElementById("theme");
  const isLight = () => !isDark(document.body);
  theme.addEventListener("click", () => (root.dataset.theme = isLight() ? "dark" : "light"));
  try {
    if (!canInflate()) return tell("replay.old");
    const recording = await openRecording(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
    recording.setup = { ...recording.setup, language: root.lang };
    const driver = createReplayDriver(recording);
    const close = (recording.setup.images ? createImagesView : createView)(driver, driver.model, el);
    const relabel = () => {
      root.lang = el.querySelector(".gan-lab").lang;
      document.getElementById("code").textContent = fillIn(words[root.lang], "replay.code");
      theme.textContent = fillIn(words[root.lang], "replay.theme");
    };
    new MutationObserver(relabel).observe(el.querySelector(".gan-lab"), { attributeFilter: ["lang"] });
    relabel();
    return close;
  } catch (error) {
    tell("replay.broken", { reason: error.message });
  }
}

// ---- saving: a picture by the page alone, a replay by the kernel ----

function download(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Where boxes come to lie when the empty bands between them, from side to side, shrink to `gap`; the first is at `top`.
function closedUp(boxes, gap, top) {
  const order = boxes.map((_, i) => i).sort((i, j) => boxes[i].top - boxes[j].top);
  const places = [];
  let [shift, bottom] = [0, null];
  for (const i of order) {
    if (bottom === null) shift = top - boxes[i].top;
    else if (boxes[i].top + shift > bottom + gap) shift = bottom + gap - boxes[i].top;
    places[i] = boxes[i].top + shift;
    bottom = Math.max(bottom ?? -Infinity, boxes[i].bottom + shift);
  }
  return { places, bottom: bottom ?? top };
}

// What is seen as one picture: every canvas on the page's own ground, with a line of words above.
function pictureOf(root, words, palette) {
  const canvases = [...root.querySelectorAll("canvas")].filter((canvas) => canvas.width && canvas.getClientRects().length);
  const boxes = canvases.map((canvas) => canvas.getBoundingClientRect());
  const [margin, ratio] = [14, Math.max(window.devicePixelRatio || 1, 2)];
  const left = Math.min(...boxes.map((box) => box.left)) - margin;
  const width = Math.max(...boxes.map((box) => box.right)) + margin - left;
  const { places, bottom } = closedUp(boxes, margin, margin + 26);
  const picture = element("canvas", { width: Math.round(width * ratio), height: Math.round((bottom + margin) * ratio) });
  const context = picture.getContext("2d");
  const { backgroundColor, fontFamily } = getComputedStyle(root);
  context.scale(ratio, ratio);
  context.fillStyle = backgroundColor;
  context.fillRect(0, 0, width, bottom + margin);
  context.font = `600 14px ${fontFamily}`;
  context.textBaseline = "middle";
  let x = margin;
  for (const [text, colour] of words) {
    context.fillStyle = colour;
    context.fillText(text, x, 21);
    x += context.measureText(text).width + 14;
  }
  canvases.forEach((canvas, i) => {
    const at = boxes[i].left - left;
    context.drawImage(canvas, at, places[i], boxes[i].width, boxes[i].height);
    const name = canvas.closest(".gan-lab-tile")?.querySelector(".gan-lab-run")?.textContent;
    if (!name) return;
    context.lineWidth = 3;
    context.strokeStyle = palette.halo;
    context.strokeText(name, at + 6, places[i] + 12);
    context.fillStyle = palette.ink;
    context.fillText(name, at + 6, places[i] + 12);
  });
  return picture;
}

// The two buttons. A replay is made by the kernel, so a recording's own page has none.
function createSaving(view) {
  const { driver } = view;
  const picture = element("button", { type: "button", class: "gan-lab-button" });
  const replay = element("button", { type: "button", class: "gan-lab-button" });
  const step = () => driver.state.frame?.step ?? 0;
  view.listen(picture, "click", () => {
    const palette = view.palette();
    const title = view.say("save.words", { step: step().toLocaleString("en") });
    const words = [[title, palette.ink], [view.say("real"), palette.real], [view.say("fake"), palette.fake]]; // prettier-ignore
    pictureOf(view.root, words, palette).toBlob((blob) => blob && download(blob, `gan-step-${step()}.png`), "image/png");
  });
  view.listen(replay, "click", () => {
    driver.pause();
    driver.say(view.say("save.making"));
    driver.send({ type: "export", language: view.language(), theme: view.root.dataset.theme });
  });
  return {
    node: element("div", { class: "gan-lab-save" }, picture, ...(driver.live ? [replay] : [])),
    told({ type, name }, buffers) {
      if (type !== "exported") return;
      download(new Blob([buffers[0]], { type: "text/html" }), name);
      driver.say(view.say("save.made", { name }));
    },
    relabel() {
      for (const [node, key] of [[picture, "save.picture"], [replay, "save.replay"]]) { // prettier-ignore
        write(node, view.say(key));
        node.title = view.say(`${key}.help`);
      }
    },
  };
}
