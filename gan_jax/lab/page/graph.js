// The game's overview comes in with each frame and goes out as a drawing: data flows to the losses, gradients flow back;
// and slow motion: what lights up at a stage, its words, and its batch on the stage.

const GRAPH_BEAT = 700; // milliseconds that each player's side is lit while the game plays
const GRAPH_TICK = 175; // milliseconds between two moves of the dashes: fewer than 6 repaints a second
const GRAPH_NARROW = 520; // pixels below which the overview stands in three rows
const GRAPH_DOTS = 60; // latents drawn in their box

// ---- what needs no page: where things stand, what is lit ----

// [from, to, kind, by whose gradient]; a kind of "data" flows forward, "gradient" back.
const GRAPH_EDGES = [
  ["latent", "generator", "data"],
  ["generator", "fake", "data"],
  ["fake", "discriminator", "data"],
  ["real", "discriminator", "data"],
  ["discriminator", "loss_d", "data"],
  ["discriminator", "loss_g", "data"],
  ["loss_d", "discriminator", "gradient", "update_d"],
  ["loss_g", "discriminator", "gradient", "update_g"],
  ["discriminator", "fake", "gradient", "update_g"],
  ["fake", "generator", "gradient", "update_g"],
];

// Middle of each box on a grid of columns and rows, for a wide page and for a narrow one.
const GRAPH_PLACES = {
  wide: {
    columns: 5,
    rows: 2,
    at: { latent: [0, 0], generator: [1, 0], fake: [2, 0], real: [2, 1], discriminator: [3, 0.5], loss_g: [4, 0], loss_d: [4, 1] },
  },
  narrow: {
    columns: 3,
    rows: 3,
    at: { latent: [0, 0], generator: [1, 0], fake: [2, 0], real: [0, 1], discriminator: [1.5, 1], loss_d: [0.5, 2], loss_g: [2, 2] },
  },
};

// Where everything stands on a page of some width, in pixels.
function graphLayout(width) {
  const narrow = width < GRAPH_NARROW;
  const { columns, rows, at } = GRAPH_PLACES[narrow ? "narrow" : "wide"];
  const w = Math.min(narrow ? 98 : 132, width / columns - (narrow ? 16 : 30));
  const [h, step] = [46, narrow ? 76 : 84];
  const x = (column) => w / 2 + 2 + (column / (columns - 1)) * (width - w - 4);
  const y = (row) => h / 2 + 3 + row * step;
  const nodes = Object.fromEntries(Object.entries(at).map(([name, [c, r]]) => [name, { x: x(c), y: y(r), w, h }]));
  const height = (rows - 1) * step + h + 6;
  const edges = GRAPH_EDGES.map(([from, to, kind, part]) => ({ from, to, kind, part, ...graphLine(nodes[from], nodes[to], kind) }));
  return { width, height, narrow, nodes, edges };
}

// A line between the borders of two boxes, a little beside the straight one between their middles: what flows back runs
// along the other side of what flows forward.
function graphLine(from, to, kind) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const side = kind === "gradient" ? 6 : 5;
  const [ox, oy] = [(-dy / length) * side, (dx / length) * side];
  const out = graphBorder(from, dx, dy, ox, oy, 2);
  const into = graphBorder(to, -dx, -dy, ox, oy, 5);
  return { x1: out[0], y1: out[1], x2: into[0], y2: into[1] };
}

// Where a line through (x + ox, y + oy) in direction (dx, dy) leaves a box, and `gap` pixels on.
function graphBorder({ x, y, w, h }, dx, dy, ox, oy, gap) {
  const reach = (half, offset, d) => (d === 0 ? Infinity : (half - Math.sign(d) * offset) / Math.abs(d));
  const t = Math.min(reach(w / 2, ox, dx), reach(h / 2, oy, dy)) + gap / Math.hypot(dx, dy);
  return [x + ox + t * dx, y + oy + t * dy];
}

// Which lines are lit when these components are. While a gradient flows back, nothing flows forward.
function graphLitEdges(lit) {
  const back = lit.some((name) => name.startsWith("update_"));
  return GRAPH_EDGES.map(([from, to, kind, part]) => {
    const both = lit.includes(from) && lit.includes(to);
    return both && (back ? lit.includes(part) : kind === "data");
  });
}

const GRAPH_SIDES = {
  discriminator: ["latent", "generator", "fake", "real", "discriminator", "loss_d"],
  generator: ["latent", "generator", "fake", "discriminator", "loss_g"],
};

// What is lit while the game plays: each player's side in turn, its gradient in the second half; all of what plays where
// the reader asks for less motion.
function graphPulse(beat, players, calm) {
  const playing = ["discriminator", "generator"].filter((player) => players === "both" || players === player);
  if (calm) return [...new Set(playing.flatMap((player) => GRAPH_SIDES[player]))];
  const player = playing[Math.floor(beat / 2) % playing.length];
  const back = player === "discriminator" ? ["loss_d", "update_d", "discriminator"] : ["loss_g", "update_g", "discriminator", "fake", "generator"];
  return beat % 2 ? back : GRAPH_SIDES[player];
}

// What stands under the name of each component; `say` gives a text in the reader's language.
function graphNumbers(numbers, players, say) {
  const gradient = (player) => (numbers[`norm_${player}`] === undefined ? "" : say("slow.node.gradient", { value: graphNumber(numbers[`norm_${player}`]) }));
  const says = (kind) => (numbers[kind] === undefined ? "" : say("slow.node.says", { value: graphNumber(Number(numbers[kind].toFixed(2))) }));
  const loss = (player) => (numbers[`loss_${player}`] === undefined ? "" : graphNumber(numbers[`loss_${player}`]));
  const held = (player) => players !== "both" && players !== player;
  return {
    generator: held("generator") ? say("slow.node.held") : gradient("g"),
    discriminator: held("discriminator") ? say("slow.node.held") : gradient("d"),
    fake: says("fake"),
    real: says("real"),
    loss_d: loss("d"),
    loss_g: loss("g"),
  };
}

// What a frame says anyway: the losses of late, and D's mean answer to the samples shown, read off its heat map.
function graphKnown(frame, scene) {
  const { curve, surface, fake } = frame.arrays;
  const known = {};
  const n = curve?.length ?? 0;
  if (n) Object.assign(known, { loss_d: curve[n - 2], loss_g: curve[n - 1] });
  if (surface && scene) {
    const side = frame.shapes.surface[0];
    const says = (points) => graphMean(points, surface, side, scene.window, frame.ends);
    Object.assign(known, { real: says(scene.real), fake: says(fake) });
  }
  return Object.fromEntries(Object.entries(known).filter(([, value]) => Number.isFinite(value)));
}

// Mean of a heat map's values at points; those outside the window count as at its border.
function graphMean(points, surface, side, [left, right, bottom, top], [low, high]) {
  const cell = (share) => Math.min(Math.max(Math.floor(share * side), 0), side - 1);
  let sum = 0;
  for (let i = 0; i < points.length; i += 2) {
    const [column, row] = [cell((points[i] - left) / (right - left)), cell((top - points[i + 1]) / (top - bottom))];
    sum += surface[row * side + column];
  }
  return low + ((high - low) * sum) / (255 * (points.length / 2));
}

function graphNumber(value) {
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(1) : Number(value.toPrecision(3)).toString();
  return text.replace("e+", "e").replaceAll("-", "−");
}

// Latents as places in a box, x from -1 to 1 and y likewise; one number apiece lies on a line.
function graphLatents(latents, dimensions) {
  const dots = [];
  for (let i = 0; i + dimensions <= latents.length && dots.length < GRAPH_DOTS; i += dimensions) {
    const clip = (value) => Math.max(-1, Math.min(1, value / 2.6));
    dots.push([clip(latents[i]), dimensions > 1 ? clip(latents[i + 1]) : 0]);
  }
  return dots;
}

// Values of a text, with entries of menus by their names in the reader's language.
function graphNamed(values, view) {
  const named = (value) => (typeof value === "object" ? (view.has(value.key) ? view.say(value.key) : value.text) : value);
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, named(value)]));
}

// What the buttons ask for, where `slow` is what the kernel said last (null: not in slow motion).
function graphAsk(press, slow) {
  if (press === "enter") return 0;
  if (!slow || press === "leave") return null;
  if (press === "back") return Math.max(slow.stage - 1, 0);
  return press === "next" ? slow.stage + 1 : slow.of;
}

// ---- this batch on the stage ----

// Samples with D's answer as the colour within, under `radius` pixels.
function graphDots(context, points, at, radius, rim, answers, table) {
  context.lineWidth = 1.6;
  context.strokeStyle = rim;
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = at(points[i], points[i + 1]);
    const level = answers ? 4 * answers[i / 2] : 0;
    context.fillStyle = answers ? `rgb(${table[level]}, ${table[level + 1]}, ${table[level + 2]})` : rim;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
    if (answers) context.stroke();
  }
}

function graphPaint(context, frame, scene, palette, place) {
  const at = (x, y) => [place.x(x), place.y(y)];
  const shown = frame.arrays;
  const table = ramp(palette.belief);
  const radius = Math.max(2, context.canvas.clientWidth / 150);
  context.save();
  if (shown.slow_before) {
    context.globalAlpha = 0.4;
    graphDots(context, shown.slow_before, at, radius * 0.8, palette.fake, null, table);
    context.globalAlpha = 0.7;
    context.strokeStyle = palette.fake;
    context.lineWidth = 1;
    context.beginPath();
    for (let i = 0; i < shown.slow_before.length; i += 2) {
      context.moveTo(...at(shown.slow_before[i], shown.slow_before[i + 1]));
      context.lineTo(...at(shown.slow_fake[i], shown.slow_fake[i + 1]));
    }
    context.stroke();
    context.globalAlpha = 1;
  }
  if (shown.slow_real) graphDots(context, shown.slow_real, at, radius, palette.real, shown.slow_real_answer, table);
  if (shown.slow_fake) graphDots(context, shown.slow_fake, at, radius, palette.fake, shown.slow_fake_answer, table);
  if (shown.slow_push) LAYER_PAINTERS.gradients(context, { ...frame, arrays: { push: shown.slow_push, push_scale: shown.slow_push_scale } }, scene, palette, place);
  context.restore();
}

Object.assign(LAYER_PAINTERS, { slow: graphPaint });

// ---- the part ----

const GRAPH_SVG = "http://www.w3.org/2000/svg";

function graphShape(tag, properties = {}, ...children) {
  const node = document.createElementNS(GRAPH_SVG, tag);
  for (const [name, value] of Object.entries(properties)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function createGraph(view) {
  const { driver } = view;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const say = (key, values) => view.say(`slow.${key}`, values);
  let slow = null; // where slow motion is, as the kernel says
  let frame = null;
  let drawing = null; // the shapes of the present layout, by name
  let [timer, beat, ticks] = [null, 0, 0];
  let [lit, told, written] = ["", null, -Infinity];

  // the buttons
  const buttons = {};
  for (const name of ["enter", "back", "next", "finish", "leave"]) {
    buttons[name] = element("button", { type: "button", class: "gan-lab-button" });
    view.listen(buttons[name], "click", () => buttons[name].getAttribute("aria-disabled") !== "true" && press(name));
  }
  buttons.next.classList.add("gan-lab-graph-next");
  const place = element("span", { class: "gan-lab-graph-place" });
  const title = element("summary", { class: "gan-lab-graph-title" });
  const bar = element("div", { class: "gan-lab-graph-bar" }, ...Object.values(buttons), place);
  bar.setAttribute("role", "group");

  // the drawing, and what it means
  const svg = graphShape("svg", { class: "gan-lab-graph-drawing", role: "img" });
  const words = element("div", { class: "gan-lab-graph-words" });
  words.setAttribute("aria-live", "polite");
  words.setAttribute("aria-atomic", "true");
  const node = element("details", { class: "gan-lab-graph", open: true }, title, bar, svg, words);

  function press(name) {
    driver.pause?.();
    buttons[name].setAttribute("aria-busy", "true");
    if (name === "enter") write(place, say("opening"));
    driver.ask({ type: "slow", stage: graphAsk(name, slow) });
  }

  function draw(width) {
    const layout = graphLayout(width);
    svg.setAttribute("viewBox", `0 0 ${layout.width} ${layout.height}`);
    svg.setAttribute("height", layout.height);
    const head = (kind) =>
      graphShape(
        "marker",
        { id: `${id}-${kind}`, viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto", class: `gan-lab-graph-head-${kind}` },
        graphShape("path", { d: "M0 0 8 4 0 8z" }),
      );
    const parts = { edges: [], nodes: {}, width };
    const shapes = [graphShape("defs", {}, head("data"), head("gradient"), head("lit"))];
    for (const edge of layout.edges) {
      const { x1, y1, x2, y2 } = edge;
      const line = graphShape("line", { x1, y1, x2, y2, class: `gan-lab-graph-edge gan-lab-graph-${edge.kind}`, "marker-end": `url(#${id}-${edge.kind})` });
      parts.edges.push({ line, ...edge });
      shapes.push(line);
    }
    for (const [name, { x, y, w, h }] of Object.entries(layout.nodes)) {
      const label = graphShape("text", { x, y: y - 4, class: "gan-lab-graph-label" });
      const number = graphShape("text", { x, y: y + 13, class: "gan-lab-graph-number" });
      const dots = graphShape("g", { transform: `translate(${x} ${y + 9})` });
      const group = graphShape("g", { class: `gan-lab-graph-node gan-lab-graph-${name}` }, graphShape("rect", { x: x - w / 2, y: y - h / 2, width: w, height: h, rx: 8 }), dots, label, number);
      parts.nodes[name] = { group, label, number, dots, y, w };
      shapes.push(group);
    }
    svg.replaceChildren(...shapes);
    drawing = parts;
    [lit, told] = ["", null];
    relabel();
  }
  const id = unique("graph");

  function light(names) {
    const key = names.join();
    if (!drawing || key === lit) return;
    lit = key;
    svg.dataset.lit = names.join(" ");
    for (const [name, { group }] of Object.entries(drawing.nodes)) group.classList.toggle("gan-lab-graph-lit", names.includes(name));
    graphLitEdges(names).forEach((on, i) => {
      const { line, kind } = drawing.edges[i];
      drawing.edges[i].on = on;
      line.classList.toggle("gan-lab-graph-lit", on);
      line.setAttribute("marker-end", `url(#${id}-${on ? "lit" : kind})`);
    });
  }

  const numbers = () => slow?.numbers ?? (frame ? graphKnown(frame, view.scene()) : {});
  const players = () => frame?.choices?.players ?? "both";

  function fill() {
    if (!drawing) return;
    const texts = graphNumbers(numbers(), players(), view.say);
    for (const [name, { number, label, group, y }] of Object.entries(drawing.nodes)) {
      write(number, texts[name] ?? "");
      const at = String(y + (texts[name] || name === "latent" ? -4 : 4)); // a name by itself stands in the middle
      if (label.getAttribute("y") !== at) label.setAttribute("y", at);
      group.classList.toggle("gan-lab-graph-held", players() !== "both" && ["generator", "discriminator"].includes(name) && players() !== name);
    }
    const { dots, w } = drawing.nodes.latent;
    const latents = slow ? frame?.arrays?.slow_latent : null;
    const places = latents ? graphLatents(latents, slow.latent) : [];
    dots.replaceChildren(...places.map(([x, y]) => graphShape("circle", { cx: x * (w / 2 - 8), cy: 3 - y * 9, r: 1.2 })));
  }

  function tellStage() {
    const key = slow ? JSON.stringify([slow.step, slow.stage, slow.phrases]) : "";
    if (key === told) return;
    told = key;
    if (!slow) return words.replaceChildren();
    const heading = element("strong", {}, view.say(slow.turn.key, slow.turn.values));
    const lines = slow.phrases.map(({ key, values }) => element("p", {}, view.say(key, graphNamed(values, view))));
    words.replaceChildren(heading, ...lines);
  }

  function showButtons() {
    const walking = slow !== null;
    const held = Object.values(buttons).find((button) => button === document.activeElement);
    for (const [name, button] of Object.entries(buttons)) {
      button.hidden = (name === "enter") === walking || driver.live === false; // a recording has no kernel to ask
      button.removeAttribute("aria-busy");
    }
    buttons.back.setAttribute("aria-disabled", String(walking && slow.stage === 0));
    if (walking) {
      const last = slow.stage === slow.of - 1;
      write(buttons.next, say(last ? "take" : "next"));
      buttons.finish.hidden = last; // there the next press takes the step anyway
      write(place, say("place", { k: slow.stage + 1, of: slow.of }));
    } else write(place, "");
    // a button that goes hands the keyboard on
    if (held?.hidden) (walking ? buttons.next : buttons.enter).focus();
  }

  // the pulse, while the game plays or is walked through
  function tick() {
    ticks += 1;
    if (document.hidden || !node.open) return;
    if (!calm.matches) {
      for (const { line, on } of drawing?.edges ?? []) if (on) line.setAttribute("stroke-dashoffset", -4 * (ticks % 9000));
    }
    if (slow) return;
    beat = Math.floor((ticks * GRAPH_TICK) / GRAPH_BEAT);
    light(graphPulse(beat, players(), calm.matches));
  }

  function beatWhile(on) {
    if (on === (timer !== null)) return;
    if (on) timer = setInterval(tick, GRAPH_TICK);
    else {
      clearInterval(timer);
      timer = null;
    }
  }

  function relabel() {
    write(title, say("graph"));
    svg.setAttribute("aria-label", say("described"));
    bar.setAttribute("aria-label", say("enter"));
    for (const name of ["enter", "back", "next", "finish", "leave"]) write(buttons[name], say(name));
    for (const name of ["enter", "finish", "leave"]) buttons[name].title = say(`${name}.title`);
    for (const [name, { label, w }] of Object.entries(drawing?.nodes ?? {})) {
      const short = w < 112 && ["generator", "discriminator"].includes(name);
      write(label, say(`node.${name}${short ? ".short" : ""}`));
    }
    told = null;
    fill();
    tellStage();
    showButtons();
  }

  const sizes = new ResizeObserver(() => {
    const width = Math.round(svg.clientWidth || node.clientWidth);
    if (width > 40 && width !== drawing?.width) {
      draw(width);
      update(driver.state);
    }
  });
  sizes.observe(node);

  function update(state) {
    const playing = Boolean(state?.playing);
    node.dataset.playing = playing;
    beatWhile(playing || slow !== null);
    if (slow) light(slow.lit);
    else if (!playing) light([]);
  }

  return {
    node,
    paint(next) {
      frame = next;
      const was = slow;
      slow = next.slow ?? null;
      // numbers in play are read, not watched: three a second are enough
      const now = performance.now();
      if (driver.state?.playing && !slow && !was && now - written < 333) return;
      written = now;
      fill();
      if (slow === null && was === null) return;
      tellStage();
      showButtons();
      node.dataset.stage = slow ? slow.name : "";
      update(driver.state);
    },
    update,
    relabel,
    stop() {
      sizes.disconnect();
      beatWhile(false);
    },
  };
}
