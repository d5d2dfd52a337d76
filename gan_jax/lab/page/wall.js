// A wall of seeds: the same GAN from many seeds, a small picture each, one of them large, and what all of them show.

// ---- logic without a page ----

const wallColumns = (count) => Math.min(Math.ceil(Math.sqrt(count)), 8);

// The places of the runs in the order in which they are shown: by seed, or the best first and the diverged last.
function wallOrder(wall, by) {
  const places = wall.seeds.map((_, i) => i);
  if (by !== "score") return places;
  const worse = (i, j) => {
    const lost = Number(wall.diverged[i] !== null) - Number(wall.diverged[j] !== null);
    if (lost) return lost;
    for (const { name, more } of wall.measures) {
      const difference = (wall.scores[name][j] - wall.scores[name][i]) * (more ? 1 : -1);
      if (Math.abs(difference) > 1e-9) return difference;
    }
    return i - j;
  };
  return places.sort(worse);
}

// What is said of one run under its picture: its score, or that it diverged.
function wallCaption(say, wall, i) {
  if (wall.diverged[i] !== null) return say("wall.caption.diverged", { step: wallCount(wall.diverged[i]) });
  if (!wall.measured) return "";
  if (wall.of === null) return wallNumber(wall.scores.distance[i]);
  return `${wall.scores.modes[i]}/${wall.of}`;
}

// The same for whoever cannot see the picture.
function wallWords(say, wall, i) {
  const seed = wall.seeds[i];
  if (wall.diverged[i] !== null) return say("wall.words.diverged", { seed, step: wallCount(wall.diverged[i]) });
  if (!wall.measured) return say("wall.words.new", { seed });
  if (wall.of === null) return say("wall.words.distance", { seed, value: wallNumber(wall.scores.distance[i]) });
  const quality = Math.round(100 * wall.scores.quality[i]);
  return say("wall.words.modes", { seed, modes: wall.scores.modes[i], of: wall.of, quality });
}

// The sentence above the wall: how many seeds do it, or how far they are.
function wallSentence(say, wall) {
  if (!wall.measured) return say("wall.sentence.new", { count: wall.seeds.length });
  const { hits, trials } = wall.share ?? {};
  if (wall.of !== null) return say("wall.sentence.modes", { hits, trials, of: wall.of });
  const [low, middle, high] = wall.quartiles.distance.map(wallNumber);
  return say("wall.sentence.distance", { low, middle, high, floor: wallNumber(wall.floors.distance) });
}

// What has to be said with it: how sure the share is, and who diverged.
function wallRemark(say, wall) {
  if (!wall.measured) return "";
  const lost = wall.diverged.filter((step) => step !== null).length;
  const parts = [];
  if (wall.share) {
    const [low, high] = [wall.share.low, wall.share.high].map((value) => Math.round(100 * value));
    parts.push(say("wall.interval", { low, high, confidence: Math.round(100 * wall.share.confidence) }));
  }
  const half = wall.quartiles.quality?.[1] ?? null;
  if (half !== null) {
    const [middle, floor] = [half, wall.floors.quality].map((value) => Math.round(100 * value));
    parts.push(say("wall.quality", { middle, floor }));
  }
  if (lost) parts.push(say(lost === 1 ? "wall.lost.one" : "wall.lost", { lost }));
  return parts.join(" ");
}

const wallCount = (value) => value.toLocaleString("en");
const wallNumber = (value) => (value === null ? "–" : Number(value.toPrecision(2)).toString().replace("-", "−"));

// Ends of the strip chart's axis: all values and the perfect generator's, with a margin; modes are counted from 0.
function wallRange(track) {
  const { values, ended, runs, floor, top } = track;
  let [low, high] = [0, Math.max(top ?? 0, floor ?? 0)];
  for (let point = 0; point < values.length / runs; point++) {
    for (let i = 0; i < runs; i++) if (point < ended[i]) high = Math.max(high, values[point * runs + i]);
  }
  if (!(high > low)) high = 1;
  return [low - 0.04 * (high - low), high + 0.08 * (high - low)];
}

// ---- painting ----

// One picture of many, small or large: the heat map, real samples faintly, fake ones on top; a diverged run's is pale.
function paintWallPicture(canvas, surface, fake, scene, palette, lost) {
  const { context, width, height } = fit(canvas);
  if (!width || !height) return;
  const [side, place, large] = [Math.round(surface.length ** 0.5), placing(scene.window, width, height), width > 200];
  context.globalAlpha = lost ? 0.35 : 1;
  paintGrid(context, surface, side, beliefs(palette), width, height);
  if (large) contour(context, surface, side, width, height, palette.contour);
  const radius = large ? place.dot : Math.max(1, width / 90);
  context.globalAlpha = lost ? 0.25 : 0.6;
  dots(context, large ? scene.real : scene.real.subarray(0, 256), place, stamp(radius * 1.35, palette.real, null));
  context.globalAlpha = lost ? 0.5 : 1;
  dots(context, fake, place, stamp(radius, palette.fake, large ? palette.halo : null));
  context.globalAlpha = 1;
}

// A measure of all runs over time: a thin line a seed, the middle half shaded, the median thick, the perfect dotted.
function paintWallChart(canvas, track, chosen, say, palette) {
  const { context, width, height } = fit(canvas);
  if (!width || !height) return;
  const { steps, values, ended, runs, floor, name } = track;
  const font = getComputedStyle(canvas).fontFamily;
  const box = { left: 34, right: width - 88, top: 12, bottom: height - 20 };
  const [bottom, top] = wallRange(track);
  const last = steps.length ? steps[steps.length - 1] : 0;
  const x = (step) => box.left + (last ? step / last : 0) * (box.right - box.left);
  const y = (value) => box.bottom - ((value - bottom) / (top - bottom)) * (box.bottom - box.top);
  context.textBaseline = "middle";
  context.font = `11px ${font}`;
  context.lineWidth = 1;
  context.textAlign = "right";
  for (const tick of ticks(bottom, top, 5).filter((tick) => tick >= 0 && (name !== "modes" || Number.isInteger(tick)))) {
    context.strokeStyle = palette.grid;
    line(context, box.left, y(tick), box.right, y(tick));
    context.fillStyle = palette.quiet;
    context.fillText(name === "quality" ? `${Math.round(100 * tick)} %` : brief(tick), box.left - 5, y(tick));
  }
  context.textAlign = "left";
  context.fillStyle = palette.quiet;
  context.fillText(`${say("step_label")} 0`, box.left, height - 7);
  context.textAlign = "right";
  context.fillText(wallCount(last), box.right, height - 7);

  const middle = (which) => track.quartiles.filter((_, i) => i % 3 === which);
  const [low, median, high] = [0, 1, 2].map(middle);
  band(low, high);
  // modes are whole numbers: without a little room between the seeds one line would hide the others
  const spread = (i) => (name === "modes" ? 0.3 * ((i + 0.5) / runs - 0.5) : 0);
  for (let i = 0; i < runs; i++) if (i !== chosen) seed(i, 1, 0.3, palette.ink);
  context.setLineDash([2, 4]);
  context.strokeStyle = palette.ink;
  if (floor !== null) line(context, box.left, y(floor), box.right, y(floor));
  context.setLineDash([]);
  curve(median, 2.6, palette.generator);
  if (chosen !== null) seed(chosen, 2, 1, palette.real);

  const marks = [];
  const shown = (value) => (name === "modes" ? brief(value) : name === "quality" ? `${Math.round(100 * value)} %` : wallNumber(value));
  if (floor !== null) marks.push({ at: y(floor), text: `${say("wall.chart.perfect")} ${shown(floor)}`, colour: palette.quiet });
  const now = median[median.length - 1];
  if (now < 1e20) marks.push({ at: y(now), text: `${say("wall.chart.median")} ${shown(now)}`, colour: palette.generator, bold: true });
  if (chosen !== null && ended[chosen] > 0) {
    const value = values[(ended[chosen] - 1) * runs + chosen];
    marks.push({ at: y(value), text: `${say("wall.seed", { seed: track.seeds[chosen] })}`, colour: palette.real, bold: true });
  }
  context.textAlign = "left";
  for (const mark of apart(marks, box.top, box.bottom)) {
    context.font = `${mark.bold ? "600 12px" : "11px"} ${font}`;
    context.fillStyle = mark.colour;
    context.fillText(mark.text, box.right + 6, mark.at, width - box.right - 6);
  }

  function seed(i, thickness, alpha, colour) {
    context.globalAlpha = alpha;
    context.strokeStyle = colour;
    context.lineWidth = thickness;
    context.beginPath();
    for (let point = 0; point < ended[i]; point++) {
      context.lineTo(x(steps[point]), y(values[point * runs + i] + spread(i)));
    }
    context.stroke();
    if (ended[i] < steps.length && ended[i] > 0) cross(x(steps[ended[i] - 1]), y(values[(ended[i] - 1) * runs + i] + spread(i)));
    context.globalAlpha = 1;
  }
  function cross(left, up) {
    context.globalAlpha = 1;
    context.lineWidth = 1.6;
    line(context, left - 3, up - 3, left + 3, up + 3);
    line(context, left - 3, up + 3, left + 3, up - 3);
  }
  function curve(numbers, thickness, colour) {
    context.strokeStyle = colour;
    context.lineWidth = thickness;
    context.beginPath();
    numbers.forEach((value, point) => value < 1e20 && context.lineTo(x(steps[point]), y(value)));
    context.stroke();
  }
  function band(from, to) {
    context.fillStyle = palette.generator;
    context.globalAlpha = 0.16;
    context.beginPath();
    from.forEach((value, point) => context.lineTo(x(steps[point]), y(Math.min(value, top))));
    for (let point = to.length - 1; point >= 0; point--) context.lineTo(x(steps[point]), y(Math.min(to[point], top)));
    context.fill();
    context.globalAlpha = 1;
  }
}

// ---- the view ----

// The pictures as a row of buttons: one of them is in the tab order, arrow keys move among them.
function createWallGrid(view) {
  const node = element("div", { class: "gan-wall-grid" });
  node.setAttribute("role", "group");
  const cells = [];
  let order = [];
  let at = 0; // place of the run that is in the tab order
  let chosen = null;

  const cell = (i) => {
    const canvas = element("canvas", {});
    const name = element("b", {});
    const words = element("span", {});
    const button = element("button", { type: "button", class: "gan-wall-run" }, canvas);
    button.append(element("span", { class: "gan-wall-caption" }, words, name));
    button.tabIndex = -1;
    button.dataset.place = i;
    button.setAttribute("aria-pressed", "false");
    view.listen(button, "click", () => view.choose(chosen === i ? null : i));
    return { button, canvas, name, words };
  };

  view.listen(node, "keydown", (event) => {
    if (event.key === "Escape" && chosen !== null) view.choose(null);
    else {
      const to = gridMove(event.key, order.indexOf(at), order.length, columns());
      if (to === null) return;
      focus(order[to]);
    }
    event.preventDefault();
    event.stopPropagation();
  });

  const columns = () => wallColumns(order.length);
  const focus = (i) => {
    turn(i);
    cells[i].button.focus();
  };
  const turn = (i) => {
    cells[at].button.tabIndex = -1;
    at = i;
    cells[at].button.tabIndex = 0;
  };

  return {
    node,
    relabel: () => node.setAttribute("aria-label", view.say("wall.grid")),
    choose(i) {
      chosen = i;
      cells.forEach(({ button }, j) => button.setAttribute("aria-pressed", String(i === j)));
      if (i !== null) turn(i);
    },
    refocus: () => cells[at].button.focus(),
    show(frame, scene, palette, by) {
      const { wall, arrays } = frame;
      while (cells.length < wall.seeds.length) cells.push(cell(cells.length));
      const now = wallOrder(wall, by);
      if (now.some((i, place) => order[place] !== i)) {
        const focused = cells.findIndex(({ button }) => button === document.activeElement);
        order = now;
        node.style.setProperty("--columns", columns());
        node.replaceChildren(...order.map((i) => cells[i].button));
        turn(at);
        if (focused >= 0) cells[focused].button.focus({ preventScroll: true });
      }
      const [pixels, numbers] = [arrays.surface.length / cells.length, arrays.fake.length / cells.length];
      cells.forEach(({ button, canvas, name, words }, i) => {
        const lost = wall.diverged[i] !== null;
        const surface = arrays.surface.subarray(i * pixels, (i + 1) * pixels);
        const fake = arrays.fake.subarray(i * numbers, (i + 1) * numbers);
        paintWallPicture(canvas, surface, fake, scene, palette, lost);
        write(words, columns() > 5 ? String(wall.seeds[i]) : view.say("wall.seed", { seed: wall.seeds[i] }));
        write(name, wallCaption(view.say, wall, i));
        button.dataset.lost = lost;
        button.dataset.whole = !lost && wall.of !== null && wall.measured && wall.scores.modes[i] === wall.of;
        const label = wallWords(view.say, wall, i);
        if (button.getAttribute("aria-label") !== label) button.setAttribute("aria-label", label);
      });
    },
  };
}

// One run large, above the chart, as long as it is chosen.
function createWallCloser(view) {
  const canvas = element("canvas", {});
  canvas.setAttribute("role", "img");
  const title = element("strong", {});
  const close = view.button("wall.close", () => view.choose(null));
  const alone = element("p", {});
  const node = element("div", { class: "gan-wall-closer", hidden: true }, element("div", {}, title, close), canvas, alone);
  view.listen(node, "keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    view.choose(null);
  });

  return {
    node,
    canvas,
    show(frame, scene, palette, chosen) {
      node.hidden = chosen === null;
      if (chosen === null) return;
      const { wall, arrays } = frame;
      const closer = wall.closer === chosen;
      const count = wall.seeds.length;
      // until the kernel has sent it in full, the small picture stands in
      const part = (array) => array.subarray((chosen * array.length) / count, ((chosen + 1) * array.length) / count);
      const surface = closer ? arrays.closer_surface : part(arrays.surface);
      const fake = closer ? arrays.closer_fake : part(arrays.fake);
      paintWallPicture(canvas, surface, fake, scene, palette, wall.diverged[chosen] !== null);
      const words = wallWords(view.say, wall, chosen);
      write(title, words);
      canvas.setAttribute("aria-label", words);
      write(alone, view.say("wall.alone", { seed: wall.seeds[chosen] }));
    },
  };
}

// The sentence and the interval of the share, drawn as a bar from 0 to 100 %.
function createWallShare(view) {
  const sentence = element("div", { class: "gan-wall-sentence" });
  const remark = element("div", { class: "gan-wall-remark" });
  const reach = element("i", {});
  const mark = element("b", {});
  const bar = element("div", { class: "gan-wall-interval" }, reach, mark);
  bar.setAttribute("role", "img");
  const scale = element("div", { class: "gan-wall-scale" }, element("span", {}, "0"), element("span", {}, "50 %"), element("span", {}, "100 %"));
  return {
    node: element("div", { class: "gan-wall-share" }, sentence, bar, remark, scale),
    show({ wall }) {
      write(sentence, wallSentence(view.say, wall));
      write(remark, wallRemark(view.say, wall));
      bar.hidden = scale.hidden = !wall.share;
      if (!wall.share) return;
      const { hits, trials, low, high } = wall.share;
      reach.style.left = `${100 * low}%`;
      reach.style.width = `${100 * (high - low)}%`;
      mark.style.left = `${(100 * hits) / trials}%`;
      bar.setAttribute("aria-label", `${wallSentence(view.say, wall)}. ${wallRemark(view.say, wall)}`);
    },
  };
}

// What belongs to one measure, taken from a frame's arrays.
function wallTrack({ wall, arrays }, name) {
  return {
    name,
    seeds: wall.seeds,
    runs: wall.seeds.length,
    floor: wall.floors[name] ?? null,
    top: name === "modes" ? wall.of : name === "quality" ? 1 : null,
    steps: arrays[`steps_${name}`],
    values: arrays[`values_${name}`],
    quartiles: arrays[`quartiles_${name}`],
    ended: arrays[`ended_${name}`],
  };
}

function createWallView(driver, model, el) {
  const base = createBase(driver, model, "wall.first");
  const { setup, root, listen, say, words, painted, repaint } = base;
  root.classList.add("gan-wall");
  let scenes = readScene(model);
  let chosen = null; // place of the run that is large
  let charted = -Infinity;

  const view = {
    ...base,
    scene: () => scenes?.[0] ?? null,
    everywhere: () => false, // all runs of a wall share their dials
    choose,
  };

  const order = element("select", {}, ...["seed", "score"].map((value) => element("option", { value })));
  for (const option of order.options) option.dataset.key = `wall.order.${option.value}`;
  listen(order, "change", repaint);
  base.addToBar("wall.order", order);

  // pictures
  const share = createWallShare(view);
  const grid = createWallGrid(view);
  const closer = createWallCloser(view);
  const chart = element("canvas", { class: "gan-wall-chart" });
  chart.setAttribute("role", "img");
  const measure = element("select", { id: unique("measure") });
  listen(measure, "change", repaint);
  const measureLabel = element("label", { class: "gan-lab-inline", htmlFor: measure.id }, words("wall.measure"));
  const chartLegend = element("div", { class: "gan-wall-legend" });
  chartLegend.dataset.key = "wall.chart.legend";
  const [realKey, fakeKey] = ["real", "fake"].map((key) => words(key, `gan-lab-key gan-lab-key-${key}`));
  const scale = element("span", { class: "gan-lab-scale" }, words("d_says"), words("fake"), element("i", { class: "gan-lab-ramp" }), words("real"));
  const legend = element("div", { class: "gan-lab-legend" }, realKey, fakeKey, scale);

  // menus and dials
  const menus = createMenus(view, "game");
  const rules = createMenus(view, "rules");
  const networks = createMenus(view, "networks");
  const dials = createDials(view);
  const summary = element("summary");
  summary.dataset.key = "networks_and_rules";
  const more = element("details", { class: "gan-lab-more" }, summary, rules.node, networks.node);

  const chartBox = element("div", {}, measureLabel, " ", measure, chart, chartLegend);

  function choose(i) {
    const inside = closer.node.contains(document.activeElement);
    chosen = i;
    grid.choose(i);
    driver.ask({ type: "look", seed: i === null ? null : painted().wall.seeds[i] });
    repaint();
    if (i !== null) closer.node.scrollIntoView({ block: "nearest" }); // on a small screen it is below the wall
    else if (inside) grid.refocus();
  }
  function fillMeasures(names) {
    if (names.join() !== [...measure.options].map((option) => option.value).join()) {
      measure.replaceChildren(...names.map((value) => element("option", { value })));
    }
    for (const option of measure.options) write(option, say(`wall.measure.${option.value}`));
  }

  for (const node of [grid.node, chart, closer.canvas]) base.watch(node);
  return base.open(el, {
    title: "wall.title",
    content: [
      ...(menus.empty ? [] : [menus.node]),
      ...(rules.empty && networks.empty ? [] : [more]),
      share.node,
      element(
        "div",
        { class: "gan-wall-body" },
        element("div", { class: "gan-wall-wall" }, grid.node, legend),
        element("div", { class: "gan-wall-side" }, closer.node, chartBox, dials.node),
      ),
    ],
    parts: [grid, menus, rules, networks, dials],
    scene: () => view.scene(),
    changed: () => (scenes = readScene(model)),
    paint(frame, palette, now) {
      if (!scenes) return;
      const { wall } = frame;
      grid.show(frame, view.scene(), palette, order.value);
      closer.show(frame, view.scene(), palette, chosen);
      share.show(frame);
      fillMeasures(wall.measures.map(({ name }) => name));
      // scores come twice a second: a fifth of a second is soon enough for their chart
      if (!now && performance.now() - charted < 200) return;
      charted = performance.now();
      paintWallChart(chart, wallTrack(frame, measure.value), chosen, say, palette);
      const text = wallChartWords(say, wall, frame.step, measure.value);
      if (chart.getAttribute("aria-label") !== text) chart.setAttribute("aria-label", text);
    },
    rest() {
      driver.pause();
      driver.ask({ type: "rest" }); // the score of exactly this step
    },
    rate: (rate) => say("wall.rate", { rate: shownRate(rate), count: setup.wall }),
    says({ notice, playing, frame }) {
      if (notice || !frame) return undefined;
      if (playing) return say("wall.training", { count: setup.wall });
      if (!frame.step) return undefined;
      return say("wall.paused", { step: wallCount(frame.step), sentence: wallSentence(say, frame.wall) });
    },
  });
}

// What the chart shows, in words.
function wallChartWords(say, wall, step, name) {
  const [low, middle, high] = (wall.quartiles[name] ?? [null, null, null]).map(wallNumber);
  const measure = say(`wall.measure.${name}`);
  return say("wall.chart.words", { measure, count: wall.seeds.length, step: wallCount(step), low, middle, high });
}
