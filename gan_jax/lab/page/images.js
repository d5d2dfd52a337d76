// The view of a GAN of images: what G draws beside real images, and what hangs on a sample that is picked.

// The real images as bytes; null as long as the kernel has sent none.
function readImages(model) {
  const run = model.get("scene")?.runs?.[0];
  if (!run?.real) return null;
  const bytes = new Uint8Array(run.real.buffer ?? run.real, run.real.byteOffset ?? 0, run.real.byteLength).slice();
  return { ...run, real: bytes };
}

function createImagesView(driver, model, el) {
  const base = createBase(driver, model);
  const { root, listen, say, shows, button, painted } = base;
  root.classList.add("gan-images");
  let scene = readImages(model);
  let picks = [];
  let charted = -Infinity;

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
    pick(i) {
      picks = imagePicks(picks, i);
      changed();
    },
    clear() {
      picks = [];
      changed();
    },
  };

  // pictures
  const samples = createSamples(view);
  const real = element("canvas", { class: "gan-images-canvas" });
  real.setAttribute("role", "img");
  const realTitle = element("div", { class: "gan-images-title gan-lab-key gan-lab-key-real" });
  const fakeTitle = element("div", { class: "gan-images-title gan-lab-key gan-lab-key-fake" });
  const hint = base.words("images.hint", "gan-images-note");
  const chart = element("canvas", { class: "gan-lab-chart" });
  chart.setAttribute("role", "img");

  // menus and dials
  const menus = createMenus(view, "game");
  const rules = createMenus(view, "rules");
  const dials = createDials(view);

  // the way back and the way out, as the lab of points has them, for one run
  const time = shows("time") ? [createTimebar({ ...view, shows: (name) => name === "share" && shows(name) })] : [];
  const saving = shows("share") ? [createSaving(view)] : [];
  const replay = shows("replay") ? [createReplayBar(view)] : [];

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

  function changed() {
    samples.mark();
    closer.hidden = !picks.length;
    if (!picks.length) asking.forEach((part) => part.forget());
    head();
    if (painted()) asking.forEach((part) => part.paint(painted()));
    asking.forEach((part) => part.follow(false));
    behind();
  }
  function behind() {
    asking.forEach((part) => mark(part.node, "behind", part.behind()));
  }
  function head() {
    if (picks.length) write(closerTitle, say("images.picked", { i: view.picked() + 1 }));
  }

  function titles() {
    if (!scene) return;
    const kind = scene.coded ? "images.fake_codes" : scene.classes.length ? "images.fake_classes" : "images.fake";
    write(fakeTitle, say(kind));
    fakeTitle.title = say(`help_${kind}`);
    write(realTitle, say("images.real", { name: scene.name, size: scene.size.toLocaleString("en") }));
    real.setAttribute("aria-label", say("images.real_words", { count: scene.shape[0], name: scene.name }));
  }

  for (const canvas of [samples.canvas, real, chart]) base.watch(canvas);
  return base.open(el, {
    title: "images.title",
    content: [
      ...replay.map(({ node }) => node),
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
      ...time.map(({ node }) => node),
      dials.node,
      ...saving.map(({ node }) => node),
    ],
    parts: [menus, rules, dials, ...replay, ...time, ...saving],
    scene: () => scene,
    changed() {
      scene = readImages(model);
      titles();
    },
    paint(frame, palette, now) {
      if (!scene) return;
      samples.paint(frame, scene);
      if (now) paintImages(real, scene.real, scene.shape, scene.columns);
      asking.forEach((part) => picks.length && part.paint(frame));
      asking.forEach((part) => part.follow());
      if (!now && performance.now() - charted < 200) return;
      charted = performance.now();
      const series = lossSeries(frame, palette);
      const steps = { from: frame.first, to: lastStep(frame, series), at: frame.step };
      paintChart(chart, { title: say("losses"), note: say("dotted_equilibrium"), series, ...steps, palette });
      const { curve } = frame.arrays;
      const n = curve.length;
      const last = n ? { d: brief(curve[n - 2]), g: brief(curve[n - 1]) } : { d: "–", g: "–" };
      chart.setAttribute("aria-label", say("describe_losses", { step: frame.step, ...last }));
    },
    relabel() {
      titles();
      head();
      for (const part of [samples, ...asking]) part.relabel();
    },
    told(message, buffers) {
      asking.forEach((part) => part.told(message, buffers));
      behind();
    },
    update(state) {
      if (!state.playing) asking.forEach((part) => part.follow());
      if (state.notice?.kind === "error") asking.forEach((part) => part.release());
    },
    says: ({ notice }) => (notice?.kind === "compiling" ? say("images.compiling") : undefined),
    stop: () => asking.forEach((part) => part.stop?.()),
  });
}
