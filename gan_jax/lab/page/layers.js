// A frame's layers come in and are painted over the stage: the manifold, G's pushes, D* and D - D*, averaged samples;
// and a probe: one point of the plane, with what both densities, D and every loss say of it.

const LAYERS_NONE = "none"; // no ground under the rest
const LAYERS_ARRAYS = { heat: "surface", optimal: "optimal", difference: "difference", manifold: "manifold", fake: "fake", average: "average", gradients: "push" }; // prettier-ignore
const LAYERS_ZOOMS = [0.25, 1, 4, 16, 64, 256]; // how much longer than usual the arrows are drawn
const LAYERS_EVERY = 400; // milliseconds between two answers of the probe while the game goes on

// Colours of D - D*: purple where D trusts too little, green where it trusts too much.
const LAYERS_GAP = {
  light: ["#7b3294", "#c2a5cf", "#ffffff", "#a6dba0", "#008837"],
  dark: ["#c79be0", "#5d3a6e", "#1d2026", "#2c5a35", "#7fd08a"],
};

// ---- what needs no page ----

// Area of a cell whose corners are x, y, x, y, ... in a circle: by its two triangles, so that a folded one has some.
function layersArea([ax, ay, bx, by, cx, cy, dx, dy]) {
  const triangle = (px, py, qx, qy, rx, ry) => Math.abs((qx - px) * (ry - py) - (rx - px) * (qy - py)) / 2;
  return triangle(ax, ay, bx, by, cx, cy) + triangle(ax, ay, cx, cy, dx, dy);
}

// How opaque a cell is: 1 for `relative` is the density of the same mass spread evenly over the window.
function layersOpacity(relative) {
  return Math.min(0.06 + 0.22 * Math.log10(1 + relative), 0.8);
}

// The round number (1, 2 or 5 times a power of ten) whose bar is nearest to, and at most, `most` pixels long.
function layersRound(most, pixelsAUnit) {
  const raw = most / pixelsAUnit;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [5, 2, 1].find((factor) => factor * power <= raw * (1 + 1e-9)) * power;
}

// How the scale bar of arrows is to be drawn: `unit` nats a unit of length, `pixels` long; `longest` push of all; and
// whether nothing of them can be seen.
function layersBar(push, pixelsAUnit, most = 90) {
  let longest = 0;
  for (let i = 0; i < push.length; i += 4) longest = Math.max(longest, Math.hypot(push[i + 2], push[i + 3]));
  const unit = layersRound(most, pixelsAUnit);
  return { unit, pixels: unit * pixelsAUnit, longest, nothing: longest * pixelsAUnit < 1 };
}

// A number as the page shows it: three figures, a true minus sign.
function layersNumber(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(1) : Number(value.toPrecision(3)).toString();
  return text.replace("e+", "e").replaceAll("-", "−");
}

// The lanes of a probe's arrows, side by side about the point, from the push that reaches farthest along the slope to the
// one that goes farthest against it.
function layersLanes(pushes) {
  const along = (push) => Math.sign(push.weight) * push.length;
  const order = [...pushes].sort((one, other) => along(other) - along(one));
  return order.map((push, i) => ({ ...push, along: along(push), lane: i - (order.length - 1) / 2 }));
}

// Why a layer cannot be shown in a replay: it was not recorded.
function layersMissing({ arrays }) {
  const missing = Object.entries(LAYERS_ARRAYS).filter(([, array]) => !arrays[array]);
  return Object.fromEntries(missing.map(([name]) => [name, { key: "layers.unrecorded", values: {} }]));
}

// ---- painters ----

const layersTables = new Map();

function layersTable(stops) {
  const name = stops.join();
  if (!layersTables.has(name)) layersTables.set(name, ramp(stops));
  return layersTables.get(name);
}

let layersSmall = null; // one little canvas for all maps, since each is painted at once

// A grid of bytes through a table of 256 colours, as opaque in each cell as it is known.
function layersMap(context, bytes, known, table, { width, height }) {
  const side = Math.round(Math.sqrt(bytes.length));
  layersSmall ??= element("canvas", { width: side, height: side });
  const small = layersSmall.getContext("2d");
  const pixels = small.createImageData(side, side);
  for (let i = 0; i < bytes.length; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = table[4 * bytes[i] + c];
    pixels.data[4 * i + 3] = known[i];
  }
  small.putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(layersSmall, 0, 0, width, height);
}

function layersCloth(context, points, mass, place, colour, windowArea) {
  const nodes = points.length / 2;
  if (nodes === 257) return layersThread(context, points, mass, place, colour, Math.sqrt(windowArea));
  const side = Math.round(Math.sqrt(nodes));
  const pixels = new Float64Array(points.length);
  for (let i = 0; i < nodes; i++) [pixels[2 * i], pixels[2 * i + 1]] = [place.x(points[2 * i]), place.y(points[2 * i + 1])];
  context.fillStyle = colour;
  for (let row = 0; row + 1 < side; row++) {
    for (let column = 0; column + 1 < side; column++) {
      const first = row * side + column;
      const corners = [first, first + 1, first + side + 1, first + side];
      const area = layersArea(corners.flatMap((i) => [points[2 * i], points[2 * i + 1]]));
      context.globalAlpha = layersOpacity((mass / Math.max(area, 1e-9)) * windowArea);
      context.beginPath();
      for (const i of corners) context.lineTo(pixels[2 * i], pixels[2 * i + 1]);
      context.closePath();
      context.fill();
    }
  }
  // the threads: every fourth a little stronger, so that the eye can follow where a fold runs
  context.strokeStyle = colour;
  for (let k = 0; k < side; k++) {
    context.globalAlpha = k % 4 ? 0.22 : 0.5;
    context.lineWidth = k % 4 ? 0.6 : 1;
    context.beginPath();
    for (let j = 0; j < side; j++) context.lineTo(pixels[2 * (k * side + j)], pixels[2 * (k * side + j) + 1]);
    for (let j = 0; j < side; j++) {
      const at = 2 * (j * side + k);
      j ? context.lineTo(pixels[at], pixels[at + 1]) : context.moveTo(pixels[at], pixels[at + 1]);
    }
    context.stroke();
  }
  context.globalAlpha = 1;
}

function layersThread(context, points, mass, place, colour, windowSide) {
  context.strokeStyle = colour;
  context.lineCap = "round";
  for (let i = 0; i + 3 < points.length; i += 2) {
    const length = Math.hypot(points[i + 2] - points[i], points[i + 3] - points[i + 1]);
    const relative = (mass / Math.max(length, 1e-6)) * windowSide;
    context.globalAlpha = Math.min(0.35 + 0.5 * Math.log10(1 + relative), 0.95);
    context.lineWidth = 2 + Math.min(2 * Math.log10(1 + relative), 4);
    context.beginPath();
    context.moveTo(place.x(points[i]), place.y(points[i + 1]));
    context.lineTo(place.x(points[i + 2]), place.y(points[i + 3]));
    context.stroke();
  }
  context.globalAlpha = 1;
}

function layersArrow(context, x, y, dx, dy, head = 6) {
  const length = Math.hypot(dx, dy);
  if (length < 1) return;
  const [ux, uy] = [dx / length, dy / length];
  const tip = Math.min(head, 0.6 * length);
  const [endX, endY] = [x + dx, y + dy];
  context.moveTo(x, y);
  context.lineTo(endX, endY);
  context.moveTo(endX - tip * (ux - 0.5 * uy), endY - tip * (uy + 0.5 * ux));
  context.lineTo(endX, endY);
  context.lineTo(endX - tip * (ux + 0.5 * uy), endY - tip * (uy - 0.5 * ux));
}

// Twice: broad in the halo's colour, then narrow in its own, so that it is seen on any ground.
function layersStroke(context, colour, halo, width = 1.4) {
  context.lineJoin = context.lineCap = "round";
  context.strokeStyle = halo;
  context.lineWidth = width + 1.6;
  context.stroke();
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

let layersZoom = 1; // of all arrows on the page

Object.assign(LAYER_PAINTERS, {
  optimal(context, { arrays }, scene, palette, place) {
    if (arrays.optimal) layersMap(context, arrays.optimal, arrays.known, layersTable(palette.belief), place);
  },
  difference(context, { arrays }, scene, palette, place) {
    const table = layersTable(LAYERS_GAP[palette === PALETTES.dark ? "dark" : "light"]);
    if (arrays.difference) layersMap(context, arrays.difference, arrays.known, table, place);
  },
  manifold(context, { arrays }, scene, palette, place) {
    const [left, right, bottom, top] = scene.window;
    if (arrays.manifold) layersCloth(context, arrays.manifold, arrays.manifold_mass[0], place, palette.fake, (right - left) * (top - bottom));
  },
  average(context, { arrays }, scene, palette, { x, y, dot }) {
    if (!arrays.average) return;
    const radius = 1.15 * dot;
    context.beginPath();
    for (let i = 0; i < arrays.average.length; i += 2) {
      const [px, py] = [x(arrays.average[i]), y(arrays.average[i + 1])];
      context.moveTo(px + radius, py);
      context.arc(px, py, radius, 0, 2 * Math.PI);
    }
    layersStroke(context, palette.ink, palette.halo, 1.1);
  },
  gradients(context, { arrays }, scene, palette, { x, y }) {
    if (!arrays.push) return;
    const { push, push_scale: scale } = arrays;
    const reach = scale[0] * layersZoom * (x(1) - x(0));
    context.beginPath();
    for (let i = 0; i < push.length; i += 4) layersArrow(context, x(push[i]), y(push[i + 1]), push[i + 2] * reach, -push[i + 3] * reach, 5);
    layersStroke(context, palette.ink, palette.halo, 1.1);
  },
});

// ---- the part: which layers, the arrows' scale, the probe ----

function createLayers(view) {
  const { driver, stage } = view;
  const say = (key, values) => view.say(`layers.${key}`, values);
  let [frame, palette, found, asked, overlay] = [null, null, null, -Infinity, null];
  let [blank, family] = [true, null];
  let off = {};

  // which layers
  const ground = element("select", { id: unique("ground") });
  const groundLabel = element("label", { htmlFor: ground.id });
  const boxes = {};
  const over = element("div", { class: "gan-lab-layers-over" });
  over.setAttribute("role", "group");
  for (const name of LAYER_ORDER) {
    const input = element("input", { type: "checkbox", checked: view.layers.has(name) });
    const text = element("span");
    over.append(element("label", {}, input, text));
    boxes[name] = { input, text };
    view.listen(input, "change", choose);
  }
  view.listen(ground, "change", choose);
  const why = element("p", { class: "gan-lab-layers-why" });
  const keyText = element("span");
  const key = element("p", { class: "gan-lab-layers-key" }, element("i", { class: "gan-lab-layers-ramp" }), keyText);

  // the arrows' length
  const zoom = element("select", { id: unique("zoom") });
  const zoomLabel = element("label", { htmlFor: zoom.id });
  const zoomBox = element("span", { class: "gan-lab-layers-zoom", hidden: true }, zoomLabel, zoom);
  for (const times of LAYERS_ZOOMS) zoom.append(element("option", { value: String(times), selected: times === layersZoom }, `× ${times}`));
  view.listen(zoom, "change", () => {
    layersZoom = Number(zoom.value);
    view.repaint();
  });
  const faint = element("p", { class: "gan-lab-layers-faint", hidden: true });
  faint.setAttribute("role", "status");

  // the probe
  const coordinate = (axis) => {
    const input = element("input", { type: "number", step: "0.05", class: "gan-lab-layers-coordinate" });
    input.setAttribute("aria-label", axis);
    view.listen(input, "change", () => probe(Number(inputs.x.value), Number(inputs.y.value)));
    view.listen(input, "keydown", (event) => event.stopPropagation());
    return input;
  };
  const inputs = { x: coordinate("x"), y: coordinate("y") };
  const summary = element("summary");
  const hint = element("p", { class: "gan-lab-layers-hint" });
  const clear = element("button", { type: "button", class: "gan-lab-button" });
  const facts = element("p", { class: "gan-lab-layers-facts" });
  facts.setAttribute("aria-live", "polite");
  const table = element("table", { class: "gan-lab-layers-table" });
  const probing = element(
    "details",
    { class: "gan-lab-layers-probe" },
    summary,
    hint,
    element("div", { class: "gan-lab-layers-at" }, "x ", inputs.x, " y ", inputs.y, clear),
    facts,
    table,
  );
  view.listen(clear, "click", () => {
    found = null;
    showProbe();
    repaint();
  });
  view.listen(stage.canvas, "click", (event) => {
    if (!probing.open) return;
    const box = stage.canvas.getBoundingClientRect();
    probe(...stage.toPlane(event.clientX - box.left, event.clientY - box.top));
  });
  view.listen(probing, "toggle", () => {
    stage.canvas.classList.toggle("gan-lab-layers-aim", probing.open);
    if (probing.open && !found && frame) probeMiddle();
    repaint();
  });

  const node = element(
    "div",
    { class: "gan-lab-layers" },
    element("div", { class: "gan-lab-layers-row" }, element("span", { class: "gan-lab-layers-ground" }, groundLabel, ground), over, zoomBox),
    key,
    why,
    faint,
    probing,
  );

  // A preset chooses layers as well as a hand does.
  function follow() {
    for (const [name, { input }] of Object.entries(boxes)) input.checked = view.layers.has(name);
    ground.value = GROUNDS.find((name) => view.layers.has(name)) ?? LAYERS_NONE;
  }

  // The view's set is what the stage paints; the kernel is asked for the same.
  function choose() {
    const over = LAYER_ORDER.filter((name) => boxes[name].input.checked);
    view.layers = new Set([...(ground.value === LAYERS_NONE ? [] : [ground.value]), ...over]);
    driver.look?.();
    showReasons();
    view.repaint();
  }

  function showReasons() {
    for (const name of LAYER_ORDER) boxes[name].input.disabled = Boolean(off[name]);
    for (const option of ground.options) option.disabled = Boolean(off[option.value]);
    const silent = [...GROUNDS, ...LAYER_ORDER].filter((name) => off[name]);
    write(why, silent.map((name) => `${say(name)}: ${view.say(off[name].key, off[name].values)}`).join(" "));
    why.hidden = !silent.length;
    zoomBox.hidden = !boxes.gradients.input.checked && !found;
    const explained = ["optimal", "difference"].includes(ground.value);
    write(keyText, explained ? say(`${ground.value}.key`) : "");
    key.hidden = !explained;
    key.dataset.ground = ground.value;
  }

  // ---- the probe ----

  function probe(x, y) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) return;
    asked = performance.now();
    driver.send({ type: "probe", x, y });
  }

  function probeMiddle() {
    const box = stage.canvas;
    probe(...stage.toPlane(box.clientWidth / 2, box.clientHeight / 2));
  }

  function showProbe() {
    clear.hidden = facts.hidden = table.hidden = !found;
    zoomBox.hidden = !boxes.gradients.input.checked && !found;
    if (!found) return;
    for (const axis of ["x", "y"]) if (document.activeElement !== inputs[axis]) inputs[axis].value = Number(found[axis].toFixed(3));
    const n = layersNumber;
    const answer = found.reason ? view.say(found.reason.key, found.reason.values) : say("probe.answer", { answer: n(found.answer) });
    const text = say("probe.facts", {
      logit: n(found.logit), answer, best: n(found.optimal), p: n(found.p), seen: n(found.p_seen),
      fake: n(found.p_g), error: n(found.p_g_error), width: n(found.width),
    }); // prettier-ignore
    write(facts, text);
    const longest = Math.max(...found.pushes.map((push) => push.length), 1e-12);
    table.replaceChildren(
      element("caption", {}, say("probe.caption")),
      element("thead", {}, element("tr", {}, ...["loss", "weight", "length"].map((name) => element("th", { scope: "col" }, say(`probe.${name}`))))),
      element(
        "tbody",
        {},
        ...found.pushes.map((push) => {
          const bar = element("i", { class: "gan-lab-layers-length" });
          bar.style.setProperty("--share", String(push.length / longest));
          const label = push.name === found.mine ? say("probe.mine", { loss: push.label }) : push.label;
          const row = element(
            "tr",
            {},
            element("th", { scope: "row" }, label),
            element("td", {}, n(push.weight)),
            element("td", {}, n(push.length), bar),
          );
          row.dataset.mine = String(push.name === found.mine);
          row.dataset.loss = push.name;
          return row;
        }),
      ),
    );
  }

  // ---- the overlay: scale bar and probe ----

  function ensureOverlay() {
    const { canvas } = stage;
    if (!overlay) {
      overlay = element("canvas", { class: "gan-lab-layers-overlay" });
      overlay.setAttribute("aria-hidden", "true"); // the table says the same
      stage.box.classList.add("gan-lab-layers-under");
      canvas.after(overlay);
    }
    const box = { left: canvas.offsetLeft, top: canvas.offsetTop, width: canvas.clientWidth, height: canvas.clientHeight };
    for (const [name, value] of Object.entries(box)) if (overlay.style[name] !== `${value}px`) overlay.style[name] = `${value}px`;
    return overlay;
  }

  function repaint() {
    const shows = frame && palette && stage.place && (frame.arrays.push || (probing.open && found));
    if (!shows) {
      if (overlay && !blank) fit(overlay);
      [blank, faint.hidden] = [true, true];
      return;
    }
    const { context, width, height } = fit(ensureOverlay());
    if (!width) return;
    blank = false;
    family ??= getComputedStyle(stage.canvas).fontFamily;
    context.font = `12px ${family}`;
    const scale = frame.arrays.push_scale?.[0] ?? found?.scale;
    const pixels = scale * layersZoom * (stage.place.x(1) - stage.place.x(0)); // of a push of 1
    if (frame.arrays.push) paintBar(context, pixels, height);
    if (probing.open && found) paintProbe(context, pixels, width, height);
  }

  function paintBar(context, pixels, height) {
    const bar = layersBar(frame.arrays.push, pixels);
    faint.hidden = !bar.nothing;
    write(faint, bar.nothing ? say("gradients.nothing", { longest: layersNumber(bar.longest) }) : "");
    const [x, y] = [12, height - 14];
    context.beginPath();
    for (const [from, to] of [[[x, y], [x + bar.pixels, y]], [[x, y - 4], [x, y + 4]], [[x + bar.pixels, y - 4], [x + bar.pixels, y + 4]]]) { // prettier-ignore
      context.moveTo(...from);
      context.lineTo(...to);
    }
    layersStroke(context, palette.ink, palette.halo, 1.6);
    layersWrite(context, say("gradients.bar", { unit: layersNumber(bar.unit) }), x, y - 10, palette);
  }

  function paintProbe(context, pixels, width, height) {
    const [x, y] = stage.toPixels(found.x, found.y);
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { // prettier-ignore
      context.moveTo(x + 4 * dx, y + 4 * dy);
      context.lineTo(x + 11 * dx, y + 11 * dy);
    }
    layersStroke(context, palette.ink, palette.halo, 2);
    const steep = Math.hypot(...found.slope);
    if (!(steep > 0)) return;
    const size = width < 360 ? 9 : 12;
    const [ux, uy] = [found.slope[0] / steep, -found.slope[1] / steep];
    for (const { lane, name, label, length, along } of layersLanes(found.pushes)) {
      const [startX, startY] = [x - (size + 2) * lane * uy, y + (size + 2) * lane * ux];
      const colour = name === found.mine ? palette.fake : palette.ink;
      context.beginPath();
      context.moveTo(startX + 1, startY);
      context.arc(startX, startY, 1, 0, 2 * Math.PI);
      layersArrow(context, startX, startY, along * pixels * ux, along * pixels * uy, 6);
      layersStroke(context, colour, palette.halo, name === found.mine ? 2.2 : 1.3);
      const text = `${label} ${layersNumber(length)}`;
      context.font = `${name === found.mine ? "600 " : ""}${size}px ${family}`;
      layersAlong(context, text, [startX, startY], [ux, uy], along * pixels, { width, height, palette });
    }
  }

  function relabel() {
    write(groundLabel, say("ground"));
    const under = ground.value || GROUNDS.find((name) => view.layers.has(name)) || LAYERS_NONE;
    ground.replaceChildren(...[...GROUNDS, LAYERS_NONE].map((name) => element("option", { value: name }, say(name))));
    ground.value = under;
    over.setAttribute("aria-label", say("over"));
    for (const [name, { text }] of Object.entries(boxes)) write(text, say(name));
    write(zoomLabel, say("gradients.zoom"));
    write(summary, say("probe"));
    write(hint, say("probe.hint"));
    write(clear, say("probe.clear"));
    inputs.x.setAttribute("aria-label", say("probe.x"));
    inputs.y.setAttribute("aria-label", say("probe.y"));
    showReasons();
    showProbe();
    repaint();
  }

  // a replay has no kernel to ask
  probing.hidden = !driver.live;
  relabel();
  return {
    node,
    relabel,
    paint(painted, scene, colours) {
      [frame, palette] = [painted, colours];
      follow();
      const now = driver.live ? (painted.layers?.off ?? {}) : layersMissing(painted);
      if (JSON.stringify(now) !== JSON.stringify(off)) {
        off = now;
        showReasons();
      }
      if (probing.open && found && performance.now() - asked > LAYERS_EVERY) probe(found.x, found.y);
      repaint();
    },
    told(message) {
      if (message.type !== "probe") return;
      found = message;
      showProbe();
      repaint();
    },
    stop() {
      overlay?.remove();
    },
  };
}

function layersWrite(context, text, x, y, palette) {
  context.lineJoin = "round";
  context.lineWidth = 3.5;
  context.strokeStyle = palette.halo;
  context.strokeText(text, x, y);
  context.fillStyle = palette.ink;
  context.fillText(text, x, y);
}

// Words along an arrow, before its foot, turned so that they are never upside down; after its head where they would not
// fit before the foot.
function layersAlong(context, text, [x, y], [ux, uy], reach, { width, height, palette }) {
  const ahead = reach < 0 ? -1 : 1;
  const room = context.measureText(text).width + 10;
  const inside = (px, py) => px > 4 && py > 4 && px < width - 4 && py < height - 4;
  const before = inside(x - ahead * room * ux, y - ahead * room * uy);
  const [side, px, py] = before ? [-ahead, x, y] : [ahead, x + reach * ux, y + reach * uy];
  const upside = ux < 0;
  context.save();
  context.translate(px, py);
  context.rotate(Math.atan2(uy, ux) + (upside ? Math.PI : 0));
  const right = upside ? -side : side; // 1 where the words go on to the right
  context.textAlign = right > 0 ? "left" : "right";
  context.textBaseline = "middle";
  layersWrite(context, text, 8 * right, 0, palette);
  context.restore();
}
