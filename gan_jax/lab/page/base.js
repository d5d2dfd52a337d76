// What every page of the lab has, whatever it shows: its texts in the chosen language, its listeners, the bar above the
// pictures, the line below them that says what is going on, and the way from a frame that comes in to what is painted.

const SPEEDS = [
  ["speed_full", null],
  ["speed_100", 100],
  ["speed_10", 10],
  ["speed_1", 1],
];

// The text of a key with its {parts} filled in; a key that no file knows is shown as it is, and a test finds it.
function fillIn(texts, key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function readScene(model) {
  const runs = model.get("scene")?.runs;
  if (!runs?.length) return null;
  return runs.map((run) => {
    const { real } = run;
    const bytes = new Uint8Array(real.buffer ?? real, real.byteOffset ?? 0, real.byteLength).slice();
    return { ...run, real: new Float32Array(bytes.buffer) };
  });
}

// Where a key moves the focus among `count` pictures in rows of `columns`; null for a key that moves nothing.
function gridMove(key, place, count, columns) {
  const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (!(key in moves)) return null;
  const to = place + moves[key];
  return to < 0 || to >= count ? place : to;
}

const LANGUAGE_NAMES = { en: "English", zh: "中文" };

// Steps a second, with a decimal where there are few.
const shownRate = (rate) => (rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString("en"));

// The seed goes by `seedKey`. A page puts itself together with what it finds here, and ends with `return base.open(el, page)`,
// where `page` has
//     title         key of its name
//     content       nodes between the bar and the line below
//     parts         each with relabel(), update(state), paint(frame, scene, palette), told(message, buffers), stop(), or some
//     scene()       what changes seldom; null as long as none has come
//     paint(frame, palette, now)    its own pictures; where `now` is false, what may wait waits
// and where they differ
//     relabel()     texts that no data-key writes
//     told, update, stop            as of a part
//     changed()     another scene has come
//     rest()        what Pause does
//     says(state)   the line below, where it is not the usual one
//     rate(rate)    how the rate is told
//     wants()       as of a driver's view
function createBase(driver, model, seedKey = "seed") {
  const setup = model.get("setup");
  const aborter = new AbortController();
  const root = element("div", { class: "gan-page gan-lab" });
  root.setAttribute("role", "group");
  const own = (navigator.language ?? "en").toLowerCase().startsWith("zh") ? "zh" : "en";
  let language = setup.language ?? own;
  let page, theme;
  let painted = null;
  let rated = -Infinity;

  const listen = (target, event, handler, options = {}) =>
    target.addEventListener(event, handler, { signal: aborter.signal, ...options });
  const shows = (name) => setup.controls.includes(name);
  const has = (key) => key in setup.words[language];
  const say = (key, values) => fillIn(setup.words[language], key, values);
  const palette = () => PALETTES[root.dataset.theme];
  const button = (key, press, extra = "") => {
    const node = element("button", { type: "button", class: `gan-lab-button ${extra}` });
    node.dataset.key = key;
    listen(node, "click", press);
    return node;
  };
  const words = (key, extra = "") => {
    const node = element("span", { class: extra });
    node.dataset.key = key;
    return node;
  };
  const labelled = (key, input, extra = "") => element("label", { class: "gan-lab-inline" }, words(key, extra), input);
  const sizes = new ResizeObserver(() => {
    theme.look(); // only now is the widget in the page, on its background
    repaint();
  });

  // the bar
  const play = button("play", () => (driver.state.playing ? (page.rest ?? driver.pause)() : driver.play()), "gan-lab-play");
  const once = button("step", () => driver.once());
  const reset = button("reset", () => driver.reset(shows("seed") && seed.value !== "" ? Number(seed.value) : null));
  const seed = element("input", { type: "number", min: "0", max: "2147483647", step: "1", value: "0", class: "gan-lab-seed" });
  listen(seed, "keydown", (event) => event.key === "Enter" && reset.click());
  const speed = element("select", {}, ...SPEEDS.map(([key]) => element("option", { value: key })));
  for (const option of speed.options) option.dataset.key = option.value;
  listen(speed, "change", () => driver.setSpeed(SPEEDS.find(([key]) => key === speed.value)[1]));
  const languages = element("select", {}, ...Object.entries(LANGUAGE_NAMES).map(([value, text]) => element("option", { value }, text)));
  languages.setAttribute("aria-label", "Language 语言");
  languages.value = language;
  listen(languages, "change", () => {
    language = languages.value;
    relabel();
    update(driver.state);
    repaint();
  });
  const stepText = element("span", { class: "gan-lab-number" }, "0");
  const rateText = element("span", { class: "gan-lab-rate" });
  const bar = element(
    "div",
    { class: "gan-lab-bar" },
    ...[play, once, reset],
    ...(shows("seed") ? [labelled(seedKey, seed)] : []),
    ...(shows("speed") ? [labelled("speed", speed, "gan-lab-hidden")] : []),
    ...(shows("language") ? [languages] : []),
    element("div", { class: "gan-lab-counter" }, words("step_label"), " ", stepText, rateText),
  );

  // the line below
  const retry = button("retry", () => driver.retry(), "gan-lab-retry");
  retry.hidden = true;
  const statusText = element("span");
  const status = element("div", { class: "gan-lab-status" }, statusText, retry);
  status.setAttribute("role", "status");

  function usual({ notice, playing, frame }) {
    if (notice) return notice.text ?? say(notice.kind);
    if (!frame) return say("opening");
    return say(playing ? "training" : frame.step ? "paused" : "ready");
  }

  function relabel() {
    root.setAttribute("aria-label", say(page.title));
    root.lang = language;
    for (const node of root.querySelectorAll("[data-key]")) {
      write(node, say(node.dataset.key));
      const help = `help_${node.dataset.key}`;
      node.title = has(help) ? say(help) : "";
    }
    page.relabel?.();
    page.parts.forEach((part) => part.relabel?.());
  }

  function show(now) {
    page.paint(painted, palette(), now);
    page.parts.forEach((part) => part.paint?.(painted, page.scene(), palette()));
  }
  function repaint() {
    if (painted) show(true);
  }

  function update(state) {
    write(play, state.playing ? `❚❚ ${say("pause")}` : `▶ ${say("play")}`);
    const help = say(state.playing ? "help_pause" : "help_play");
    if (play.title !== help) play.title = help;
    if (!state.playing) {
      write(rateText, "");
      if (root.dataset.playing === "true") repaint();
    } else if (state.rate && performance.now() - rated > 250) {
      rated = performance.now();
      write(rateText, ` · ${page.rate?.(state.rate) ?? say("rate", { rate: shownRate(state.rate) })}`);
    }
    mark(root, "playing", state.playing);
    const kind = state.notice?.kind ?? "plain";
    write(statusText, page.says?.(state) ?? usual(state));
    if (status.dataset.kind !== kind) {
      status.dataset.kind = kind;
      status.setAttribute("role", kind === "error" ? "alert" : "status");
    }
    if (retry.hidden !== (kind !== "stalled")) retry.hidden = kind !== "stalled";
    page.update?.(state);
    page.parts.forEach((part) => part.update?.(state));
  }

  const shown = {
    wants: () => page.wants?.() ?? {},
    paint(frame) {
      const now = !painted || !driver.state.playing;
      painted = frame;
      show(now);
      write(stepText, frame.step.toLocaleString("en"));
      if (document.activeElement !== seed && seed.value !== String(frame.seed)) seed.value = frame.seed;
      root.dataset.step = frame.step;
      root.dataset.serial = frame.serial;
      root.dispatchEvent(new CustomEvent("gan-lab-painted", { bubbles: true, detail: frame }));
    },
    told(message, buffers) {
      page.told?.(message, buffers);
      page.parts.forEach((part) => part.told?.(message, buffers));
    },
    update,
  };

  function open(el, given) {
    page = given;
    root.append(bar, ...page.content, status);
    el.append(root);
    const changed = () => {
      page.changed?.();
      repaint();
    };
    model.on("change:scene", changed);
    theme = followTheme(root, el, listen, repaint);
    theme.look();
    relabel();
    driver.add(shown);
    return () => {
      driver.remove(shown);
      page.stop?.();
      page.parts.forEach((part) => part.stop?.());
      model.off("change:scene", changed);
      aborter.abort();
      theme.stop();
      sizes.disconnect();
      root.remove();
    };
  }

  return {
    model,
    setup,
    driver,
    root,
    listen,
    shows,
    has,
    say,
    language: () => language,
    palette,
    button,
    words,
    painted: () => painted,
    repaint,
    // Paint anew where a node's size changes.
    watch: (node) => sizes.observe(node),
    unwatch: (node) => sizes.unobserve(node),
    // One more input in the bar, before the language.
    addToBar: (key, input) => bar.insertBefore(labelled(key, input), shows("language") ? languages : bar.lastChild),
    open,
  };
}
