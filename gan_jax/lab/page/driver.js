// Presses and moves go out as messages, frames come in: when to ask the kernel for the next steps. It knows no page.
//
// One driver a model asks for steps, three requests in flight, as long as a view is there; the views only paint.

const IN_FLIGHT = 3;
const SLOW = 150; // milliseconds between answers from which one request is enough: more would only delay what a hand does
const PATIENCE = 6000; // milliseconds without an answer before the page says so
const COMPILE_PATIENCE = 120000;
const CALM = 250; // milliseconds between pictures where the reader has asked for less motion

function createDriver() {
  const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  const views = new Set();
  const waiting = new Map(); // request -> time at which it was sent
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let model, timer, tick, askAgain;
  let requests = 0;
  let compiling = false;
  let lastPaint = -Infinity;
  let lastAnswer = null; // time of the last frame while playing
  let pace = 0; // milliseconds between frames of late
  let looked = "";
  const state = { playing: false, speed: null, frame: null, fresh: false, stalled: false, notice: null, rate: null };
  const marks = []; // [time, step] of late, for the steps a second

  const changed = () => views.forEach((view) => view.update(state));

  function send(content, expectsAnswer = false, buffers = undefined) {
    const message = expectsAnswer ? { ...content, request: ++requests } : content;
    if (expectsAnswer) waiting.set(requests, performance.now());
    try {
      model.send(message, undefined, buffers);
    } catch (error) {
      fail(`The page could not reach the kernel (${error.message}). Run this cell again.`);
    }
    return message.request;
  }

  function fail(text) {
    state.playing = false;
    state.notice = { kind: "error", text };
    waiting.clear();
    changed();
  }

  function ask() {
    while (state.playing && !state.stalled && waiting.size < (pace > SLOW ? 1 : IN_FLIGHT)) {
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
      lastAnswer = null;
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
      if (request != null) fail(message.text);
      else {
        state.notice = { kind: "error", text: message.text };
        changed();
      }
    } else {
      views.forEach((view) => view.told?.(message, buffers)); // what only a part of the page understands
    }
    if (!document.hidden) ask(); // at once, not at the next picture; a page that nobody sees does not train
    schedule();
  }

  function accept(frame) {
    const now = performance.now();
    if (state.frame && (frame.step < state.frame.step || frame.active !== state.frame.active)) marks.length = 0;
    if (state.playing && lastAnswer !== null) pace += 0.5 * (now - lastAnswer - pace);
    lastAnswer = state.playing ? now : null;
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
    const now = performance.now();
    if (state.stalled) {
      // answers may be lost with a connection: ask again, ever more seldom, since a busy kernel will answer them all
      if (now < askAgain.at) return;
      askAgain = { at: now + 2 * askAgain.wait, wait: 2 * askAgain.wait };
      waiting.clear();
      send({ type: "hello" }, true);
      return;
    }
    if (!waiting.size) return;
    const oldest = Math.min(...waiting.values());
    if (now - oldest < (compiling ? COMPILE_PATIENCE : Math.max(PATIENCE, 5 * pace))) return;
    state.stalled = true;
    lastAnswer = null;
    askAgain = { at: now + PATIENCE, wait: PATIENCE };
    state.notice = { kind: "stalled" };
    changed();
  }

  function pause() {
    state.playing = false;
    state.rate = lastAnswer = null;
    marks.length = 0;
    changed();
  }

  return {
    id,
    live: true,
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
    set(name, value, everywhere = false) {
      if (state.notice?.kind === "error") state.notice = null;
      send({ type: "set", name, value, everywhere });
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
      state.notice = { kind: "asking" };
      send({ type: "hello" }, true);
      changed();
      schedule();
    },
    setSpeed(steps) {
      state.speed = steps;
    },
    // What any of the views shows is what the kernel is asked for.
    look() {
      const wanted = { layers: new Set(), charts: new Set() };
      for (const view of views) for (const kind in wanted) view.wants?.()[kind]?.forEach((name) => wanted[kind].add(name));
      const message = { type: "look", layers: [...wanted.layers].sort(), charts: [...wanted.charts].sort() };
      if (JSON.stringify(message) === looked) return;
      looked = JSON.stringify(message);
      send(message, true);
    },
    say(text, kind = "info") {
      state.notice = text ? { kind, text } : null;
      changed();
    },
    send: (content, buffers) => send(content, false, buffers),
    ask: (content, buffers) => send(content, true, buffers),
  };
}

// ---- a frame's bytes: all arrays of all runs, one after the other, each padded to 4 bytes ----

const KINDS = { f4: Float32Array, u1: Uint8Array, i4: Int32Array };

function decode(header, buffer) {
  if (!buffer || !header.runs?.length) return null;
  const bytes = new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength).slice();
  let at = 0;
  const all = [];
  for (const run of header.runs) {
    const arrays = {};
    const shapes = {};
    for (const [name, kind, shape] of run.arrays) {
      const count = shape.reduce((product, n) => product * n, 1);
      const size = count * KINDS[kind].BYTES_PER_ELEMENT;
      if (at + size > bytes.length) return null; // a message cut short is no picture
      arrays[name] = new KINDS[kind](bytes.buffer, at, count);
      shapes[name] = shape;
      at += Math.ceil(size / 4) * 4;
    }
    all.push({ ...run, arrays, shapes });
  }
  const { request, serial, driver, active } = header;
  return { ...all[active], request, serial, driver, active, all };
}
