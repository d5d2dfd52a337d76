// The view of a GAN of images: what G draws beside real images, and what hangs on a sample that is picked.

// The real images as bytes; null as long as the kernel has sent none.
function readImages(model) {
  const run = model.get("scene")?.runs?.[0];
  if (!run?.real) return null;
  const bytes = new Uint8Array(run.real.buffer ?? run.real, run.real.byteOffset ?? 0, run.real.byteLength).slice();
  return { ...run, real: bytes };
}

const imageCount = (value) => value.toLocaleString("en");

// Steps a second, with a decimal where there are few.
const imageRate = (rate) => (rate < 10 ? rate.toFixed(1) : imageCount(Math.round(rate)));

function createImagesView(driver, model, el) {
  const base = createBase(driver, model);
  const { root, listen, say, shows, button, seed, readSeed, speed } = base;
  root.classList.add("gan-images");
  let scene = readImages(model);
  let painted = null;
  let picks = [];
  let charted = -Infinity;
  let rated = -Infinity;
  const sizes = new ResizeObserver(() => {
    theme.look(); // only now is the widget in the page, on its background
    repaint();
  });

  const view = {
    ...base,
    name: unique("view"),
    scene: () => scene,
    everywhere: () => false,
    picks: () => picks,
    picked: () => picks[picks.length - 1] ?? null,
    // What the images depend on besides the samples picked.
    moment() {
      const { frame } = driver.state;
      return frame && [frame.step, frame.seed, frame.choices.samples];
    },
    watch: (canvas) => sizes.observe(canvas),
    pick(i) {
      picks = imagePicks(picks, i);
      changed();
    },
    clear() {
      picks = [];
      changed();
    },
  };

  // the bar
  const play = button("play", () => (driver.state.playing ? driver.pause() : driver.play()), "gan-lab-play");
  const once = button("step", () => driver.once());
  const reset = button("reset", () => driver.reset(readSeed()));
  const bar = element("div", { class: "gan-lab-bar" }, play, once, reset);
  const words = (key, extra = "") => {
    const node = element("span", { class: extra });
    node.dataset.key = key;
    return node;
  };
  if (shows("seed")) bar.append(element("label", { class: "gan-lab-inline" }, words("seed"), seed));
  if (shows("speed")) bar.append(element("label", { class: "gan-lab-inline" }, words("speed", "gan-lab-hidden"), speed));
  const languages = base.languages(() => {
    relabel();
    shown.update(driver.state);
    repaint();
  });
  if (shows("language")) bar.append(languages);
  const stepText = element("span", { class: "gan-lab-number" }, "0");
  const rateText = element("span", { class: "gan-lab-rate" });
  bar.append(element("div", { class: "gan-lab-counter" }, words("step_label"), " ", stepText, rateText));

  // pictures
  const samples = createSamples(view);
  const real = element("canvas", { class: "gan-images-canvas" });
  real.setAttribute("role", "img");
  const realTitle = element("div", { class: "gan-images-title gan-lab-key gan-lab-key-real" });
  const fakeTitle = element("div", { class: "gan-images-title gan-lab-key gan-lab-key-fake" });
  const hint = words("images.hint", "gan-images-note");
  const chart = element("canvas", { class: "gan-lab-chart" });
  chart.setAttribute("role", "img");

  // menus and dials
  const menus = createMenus(view, "game");
  const rules = createMenus(view, "rules");
  const dials = createDials(view);
  const parts = [menus, rules, dials];

  // what hangs on a picked sample
  const makers = { neighbours: createNearest, walk: createWalk, explore: createExplorer };
  const asking = Object.keys(makers).filter(shows).map((name) => makers[name](view));
  const close = button("images.close", () => {
    view.clear();
    samples.refocus();
  });
  const closerTitle = element("strong");
  const closer = element(
    "div",
    { class: "gan-images-closer", hidden: true },
    element("div", { class: "gan-images-head" }, closerTitle, close),
    element("div", { class: "gan-images-parts" }, ...asking.map(({ node }) => node)),
  );
  listen(closer, "keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    view.clear();
    samples.refocus();
  });

  const retry = button("retry", () => driver.retry(), "gan-lab-retry");
  retry.hidden = true;
  const statusText = element("span");
  const status = element("div", { class: "gan-lab-status" }, statusText, retry);
  status.setAttribute("role", "status");

  root.append(
    bar,
    ...(menus.empty ? [] : [menus.node]),
    ...(rules.empty ? [] : [rules.node]),
    element(
      "div",
      { class: "gan-images-pictures" },
      element("div", {}, fakeTitle, samples.node, ...(asking.length ? [hint] : [])),
      ...(asking.length ? [closer] : []),
      element("div", {}, realTitle, real),
      element("div", {}, chart),
    ),
    dials.node,
    status,
  );
  el.append(root);

  function changed() {
    samples.mark();
    closer.hidden = !picks.length;
    if (!picks.length) asking.forEach((part) => part.forget());
    head();
    if (painted) asking.forEach((part) => part.paint(painted));
    asking.forEach((part) => part.follow(false));
    behind();
  }
  function behind() {
    asking.forEach((part) => mark(part.node, "behind", part.behind()));
  }
  function head() {
    if (picks.length) write(closerTitle, say("images.picked", { i: view.picked() + 1 }));
  }

  function repaint() {
    if (painted && scene) paint(painted, true);
  }
  function paint(frame, now = !driver.state.playing) {
    const palette = view.palette();
    samples.paint(frame, scene);
    if (now) paintImages(real, scene.real, scene.shape, scene.columns);
    asking.forEach((part) => picks.length && part.paint(frame));
    asking.forEach((part) => part.follow());
    if (now || performance.now() - charted > 200) {
      charted = performance.now();
      paintChart(chart, { title: say("losses"), note: say("dotted_equilibrium"), series: lossSeries(frame, palette), from: frame.first, to: frame.step, palette });
      const { curve } = frame.arrays;
      const n = curve.length;
      const last = n ? { d: brief(curve[n - 2]), g: brief(curve[n - 1]) } : { d: "–", g: "–" };
      chart.setAttribute("aria-label", say("describe_losses", { step: frame.step, ...last }));
    }
    write(stepText, imageCount(frame.step));
    parts.forEach((part) => part.paint(frame, scene, palette));
    if (document.activeElement !== seed && seed.value !== String(frame.seed)) seed.value = frame.seed;
    root.dataset.step = frame.step;
    root.dataset.serial = frame.serial;
  }

  function relabel() {
    root.setAttribute("aria-label", say("images.title"));
    root.lang = view.language();
    for (const node of root.querySelectorAll("[data-key]")) {
      write(node, say(node.dataset.key));
      const help = `help_${node.dataset.key}`;
      if (view.has(help)) node.title = say(help);
    }
    titles();
    head();
    for (const part of [samples, ...parts, ...asking]) part.relabel();
  }
  function titles() {
    if (!scene) return;
    const kind = scene.coded ? "images.fake_codes" : scene.classes.length ? "images.fake_classes" : "images.fake";
    write(fakeTitle, say(kind));
    fakeTitle.title = say(`help_${kind}`);
    write(realTitle, say("images.real", { name: scene.name, size: imageCount(scene.size) }));
    real.setAttribute("aria-label", say("images.real_words", { count: scene.shape[0], name: scene.name }));
  }

  const shown = {
    paint(frame) {
      const first = !painted;
      painted = frame;
      if (scene) paint(frame, first || undefined);
      root.dispatchEvent(new CustomEvent("gan-lab-painted", { bubbles: true, detail: frame }));
    },
    told(message, buffers) {
      asking.forEach((part) => part.told(message, buffers));
      behind();
    },
    update(state) {
      write(play, state.playing ? `❚❚ ${say("pause")}` : `▶ ${say("play")}`);
      play.title = say(state.playing ? "help_pause" : "help_play");
      if (!state.playing) {
        write(rateText, "");
        if (root.dataset.playing === "true") repaint();
        asking.forEach((part) => part.follow());
      } else if (state.rate && performance.now() - rated > 250) {
        rated = performance.now();
        write(rateText, ` · ${say("rate", { rate: imageRate(state.rate) })}`);
      }
      mark(root, "playing", state.playing);
      const kind = state.notice?.kind ?? "plain";
      write(statusText, state.notice ? (kind === "compiling" ? say("images.compiling") : (state.notice.text ?? say(kind))) : resting(state));
      if (status.dataset.kind !== kind) {
        status.dataset.kind = kind;
        status.setAttribute("role", kind === "error" ? "alert" : "status");
      }
      if (kind === "error") asking.forEach((part) => part.release());
      if (retry.hidden !== (kind !== "stalled")) retry.hidden = kind !== "stalled";
      parts.forEach((part) => part.update(state));
    },
  };

  function resting({ playing, frame }) {
    if (!frame) return say("opening");
    if (playing) return say("training");
    return say(frame.step ? "paused" : "ready");
  }

  const onScene = () => {
    scene = readImages(model);
    titles();
    repaint();
  };
  model.on("change:scene", onScene);
  const theme = followTheme(root, el, listen, repaint);
  for (const canvas of [samples.canvas, real, chart]) sizes.observe(canvas);

  theme.look();
  relabel();
  driver.add(shown);

  return () => {
    driver.remove(shown);
    asking.forEach((part) => part.stop?.());
    model.off("change:scene", onScene);
    base.unlisten();
    theme.stop();
    sizes.disconnect();
    root.remove();
  };
}
