// The parts of the page are put together: buttons, pictures, dials, and what else a lesson shows.

export default () => {
  const driver = createDriver();
  return {
    initialize: ({ model }) => driver.connect(model),
    render({ model, el }) {
      const { wall, images } = model.get("setup");
      return (wall ? createWallView : images ? createImagesView : openLab)(driver, model, el);
    },
  };
};

function createView(driver, model, el) {
  const base = createBase(driver, model);
  const { setup, listen, say, shows, painted, repaint } = base;
  let scenes = readScene(model);

  const view = {
    ...base,
    scene: (run = painted()?.active ?? 0) => scenes?.[run] ?? scenes?.[0] ?? null,
    everywhere: () => everywhere.checked && (painted()?.all.length ?? 1) > 1,
    layers: new Set([...setup.layers, "real"]),
    charts: new Set(setup.charts),
    stage: {
      canvas: null,
      place: null, // where the plane lies on it
      toPixels: (x, y) => [view.stage.place.x(x), view.stage.place.y(y)],
      toPlane: (px, py) => view.stage.place.plane(px, py),
    },
  };

  // pictures: the active run's large, and where there are several, all of them side by side
  const stage = element("canvas", { class: "gan-lab-stage" });
  stage.setAttribute("role", "img");
  const stageBox = element("div", { class: "gan-lab-stage-box" }, stage);
  Object.assign(view.stage, { canvas: stage, box: stageBox });
  const everywhere = element("input", { type: "checkbox", checked: true, id: unique("everywhere") });
  const everywhereLabel = element("label", { htmlFor: everywhere.id });
  everywhereLabel.dataset.key = "everywhere";
  const everywhereBox = element("div", { class: "gan-lab-everywhere" }, everywhere, everywhereLabel);
  const row = element("div", { class: "gan-lab-runs-row" });
  const runs = element("div", { class: "gan-lab-runs", hidden: true }, row, everywhereBox);
  const tiles = [];
  const makeTile = (i) => {
    const canvas = element("canvas", { class: "gan-lab-stage" });
    const name = element("span", { class: "gan-lab-run" });
    const state = element("span", { class: "gan-lab-run-state" });
    const node = element("button", { type: "button", class: "gan-lab-tile" }, name, canvas, state);
    listen(node, "click", () => driver.ask({ type: "activate", run: i }));
    row.append(node);
    base.watch(canvas);
    return { node, canvas, name, state };
  };

  const realKey = base.words("real", "gan-lab-key gan-lab-key-real");
  const fakeKey = base.words("fake", "gan-lab-key gan-lab-key-fake");
  const says = element("span");
  const low = element("span");
  const high = element("span");
  const scale = element("span", { class: "gan-lab-scale" }, says, low, element("i", { class: "gan-lab-ramp" }), high);
  const legend = element("div", { class: "gan-lab-legend" }, realKey, fakeKey, scale);
  const score = element("div", { class: "gan-lab-score" });

  const chart = element("canvas", { class: "gan-lab-chart" });
  chart.setAttribute("role", "img");
  const chartMenu = element("select", { class: "gan-lab-chart-menu" });
  chartMenu.append(...Object.keys(setup.all_charts).filter((name) => name !== "spectrum").map((value) => element("option", { value })));
  chartMenu.value = setup.charts[0];
  listen(chartMenu, "change", () => {
    view.charts = new Set([chartMenu.value]);
    driver.look?.();
    repaint();
  });
  const drawChart = (frame, palette) => {
    const name = [...view.charts][0];
    chartMenu.value = name; // a preset may have chosen it
    const series = name === "losses" ? lossSeries(frame, palette) : measureSeries(frame, setup.all_charts[name].measures, view, palette);
    const reasons = frame.measures ? Object.values(frame.measures).filter(({ reason }) => reason) : [];
    paintChart(chart, {
      title: shows("charts") ? "" : say(`charts.${name}`),
      note: reasons.length && !series.length ? say(reasons[0].reason.key, reasons[0].reason.values) : say(name === "losses" ? "dotted_equilibrium" : "dotted_perfect"),
      series,
      log: setup.all_charts[name].log,
      from: series.length && name !== "losses" ? Math.min(frame.step, ...series.map(({ points }) => points[0] ?? frame.step)) : frame.first,
      to: lastStep(frame, series),
      at: frame.step,
      palette,
    });
  };
  const chartBox = element("div", { class: "gan-lab-chart-box" }, ...(shows("charts") ? [chartMenu] : []), chart);

  // the parts, each in its place
  const menus = createMenus(view, "game");
  const rules = createMenus(view, "rules");
  const networks = createMenus(view, "networks");
  const dials = createDials(view);
  const more = element("details", { class: "gan-lab-more" });
  const moreTitle = element("summary");
  moreTitle.dataset.key = "networks_and_rules";
  more.append(moreTitle, rules.node, networks.node);
  const parts = [menus, rules, networks, dials];
  const places = {};
  for (const name of ["head", "under", "side", "foot"]) places[name] = element("div", { class: "gan-lab-place" });
  const addPart = (make, place) => {
    const part = make(view);
    parts.push(part);
    if (part.node) places[place].append(part.node);
  };
  PARTS.filter(([name]) => shows(name)).forEach(([, make, place]) => addPart(make, place));

  let described = -Infinity;
  let charted = -Infinity;

  function paintRuns(frame, palette) {
    while (tiles.length < frame.all.length) tiles.push(makeTile(tiles.length));
    while (tiles.length > frame.all.length) {
      const tile = tiles.pop();
      base.unwatch(tile.canvas);
      tile.node.remove();
    }
    const many = frame.all.length > 1;
    if (runs.hidden === many) runs.hidden = !many;
    if (many) row.style.setProperty("--runs", frame.all.length);
    frame.all.forEach((run, i) => {
      const { node, canvas, name, state } = tiles[i];
      write(name, run.name);
      name.style.color = palette.runs[i];
      node.setAttribute("aria-pressed", i === frame.active);
      const modes = run.modes === null ? "" : say("modes_short", { modes: run.modes, of: view.scene(i)?.modes ?? "?" });
      write(state, run.fault ? say("diverged_mark") : `${say("at_step", { step: run.step.toLocaleString("en") })}${modes}`);
      state.dataset.fault = Boolean(run.fault);
      if (many && scenes) paintStage(canvas, run, view.scene(i), palette, view.layers);
    });
    const place = scenes && paintStage(stage, frame, view.scene(frame.active), palette, view.layers);
    if (place) view.stage.place = place;
  }

  function describe(frame) {
    const modes = frame.modes === null ? "" : say("describe_modes", { modes: frame.modes, of: view.scene()?.modes });
    stage.setAttribute("aria-label", say("describe_stage", { step: frame.step, modes }));
    const curve = frame.arrays.curve;
    const n = curve.length / 2;
    const losses = n ? { d: brief(curve[2 * n - 2]), g: brief(curve[2 * n - 1]) } : { d: "–", g: "–" };
    chart.setAttribute("aria-label", say("describe_losses", { step: frame.step, ...losses }));
  }

  for (const canvas of [stage, chart]) base.watch(canvas);
  return base.open(el, {
    title: "laboratory",
    content: [
      places.head,
      runs,
      ...(menus.empty ? [] : [menus.node]),
      ...(rules.empty && networks.empty ? [] : [more]),
      element(
        "div",
        { class: "gan-lab-body" },
        element("div", { class: "gan-lab-picture" }, stageBox, legend, score, places.under),
        element("div", { class: "gan-lab-side" }, chartBox, places.side, dials.node),
      ),
      places.foot,
    ],
    parts,
    scene: () => view.scene(),
    changed: () => (scenes = readScene(model)),
    wants: () => ({ layers: [...view.layers].filter((name) => name !== "real"), charts: [...view.charts] }),
    paint(frame, palette, now) {
      if (scenes) paintRuns(frame, palette);
      // the losses move slowly: a tenth of a second is soon enough, and leaves the time to training
      if (now || performance.now() - charted > 100) {
        charted = performance.now();
        drawChart(frame, palette);
      }
      const keyless = !view.layers.has("heat") || Boolean(frame.slow);
      if (scale.hidden !== keyless) scale.hidden = keyless; // the other grounds bring their own key
      write(low, frame.probability ? `${say("fake")} 0` : `${say("fake")} ${brief(frame.ends[0])}`);
      write(high, frame.probability ? `1 ${say("real")}` : `${brief(frame.ends[1])} ${say("real")}`);
      const quality = Math.round(100 * frame.quality);
      write(score, frame.modes === null ? "" : say("score", { modes: frame.modes, of: view.scene()?.modes ?? "?", quality }));
      if (now || performance.now() - described > 1000) {
        described = performance.now();
        describe(frame);
      }
    },
    relabel() {
      write(says, `${say("d_says")} `);
      chartMenu.setAttribute("aria-label", say("chart_menu"));
      for (const option of chartMenu.options) write(option, say(`charts.${option.value}`));
    },
  });
}

// Parts that other files bring: the name under which a lesson shows it, how it is made, and where it stands.
const PARTS = [
  ["replay", createReplayBar, "head"],
  ["watch", createReplayOffer, "head"],
  ["presets", createPresets, "head"],
  ["overview", createGraph, "head"],
  ["time", createTimebar, "under"],
  ["layers", createLayers, "under"],
  ["draw", createDrawing, "under"],
  ["probe", createEigen, "side"],
  ["share", createSaving, "foot"],
];
