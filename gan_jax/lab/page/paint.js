// A frame and the plane's window come in; the picture of the game is painted, layer upon layer.

// Okabe and Ito's colours: blue for real, vermilion for fake and the generator, green for the discriminator.
const PALETTES = {
  light: {
    belief: ["#f2a36b", "#fbdcc6", "#ffffff", "#c8e1f2", "#6fb3dc"],
    plain: "#ffffff",
    real: "#0072b2",
    fake: "#d55e00",
    halo: "rgba(255,255,255,0.85)",
    contour: "rgba(40,40,40,0.55)",
    discriminator: "#00795a",
    generator: "#c85200",
    runs: ["#7b3294", "#9a6f00", "#0b7a75", "#ad3a6a"],
    ink: "#333333",
    quiet: "#6a6a6a",
    grid: "rgba(0,0,0,0.09)",
  },
  dark: {
    belief: ["#7a3a10", "#4a2c1c", "#1d2026", "#17364d", "#175a87"],
    plain: "#16181d",
    real: "#6cc0f0",
    fake: "#ff9d4d",
    halo: "rgba(10,12,16,0.8)",
    contour: "rgba(235,235,235,0.5)",
    discriminator: "#35c99c",
    generator: "#ff9d4d",
    runs: ["#c9a0dc", "#e8c04a", "#5fd0c8", "#f08fb4"],
    ink: "#dddddd",
    quiet: "#a5a5a5",
    grid: "rgba(255,255,255,0.10)",
  },
};

// What a layer draws: LAYER_PAINTERS[name](context, frame, scene, palette, place). Grounds fill the picture, one at a
// time; the others lie on it in this order.
const LAYER_PAINTERS = {};
const GROUNDS = ["heat", "optimal", "difference"];
const LAYER_ORDER = ["manifold", "real", "fake", "average", "gradients"];
const SLOW_LAYERS = new Set(["heat", "slow"]); // in slow motion: one batch, and what D says of it

// Sizes as the page last laid them out: to ask a canvas for its own between two changes would lay the page out anew.
const laidOut = new WeakMap();
const sizeWatcher =
  typeof ResizeObserver === "function"
    ? new ResizeObserver((entries) => entries.forEach(({ target }) => laidOut.set(target, [target.clientWidth, target.clientHeight])))
    : null;

function sizeOf(canvas) {
  const known = laidOut.get(canvas);
  if (known?.[0] && known[1]) return known;
  if (!known) sizeWatcher?.observe(canvas);
  const now = [canvas.clientWidth, canvas.clientHeight];
  laidOut.set(canvas, now);
  return now;
}

const fit = (canvas) => prepared(canvas, ...sizeOf(canvas));

function ramp(stops) {
  const rgb = stops.map((stop) => [1, 3, 5].map((i) => parseInt(stop.slice(i, i + 2), 16)));
  const table = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (rgb.length - 1);
    const k = Math.min(Math.floor(at), rgb.length - 2);
    for (let c = 0; c < 3; c++) table[4 * i + c] = rgb[k][c] + (at - k) * (rgb[k + 1][c] - rgb[k][c]);
    table[4 * i + 3] = 255;
  }
  return table;
}

// From the plane to pixels of a picture and back.
function placing([left, right, bottom, top], width, height) {
  return {
    x: (value) => ((value - left) / (right - left)) * width,
    y: (value) => ((top - value) / (top - bottom)) * height,
    plane: (px, py) => [left + (px / width) * (right - left), top - (py / height) * (top - bottom)],
    width,
    height,
    dot: Math.max(1.2, width / 230), // radius of a fake sample
  };
}

const smalls = new Map(); // one small canvas a side, reused

// Paint a grid of bytes over the whole picture, through a table of 256 colours.
function paintGrid(context, values, side, table, width, height) {
  if (!smalls.has(side)) {
    const small = element("canvas", { width: side, height: side });
    smalls.set(side, { small, pixels: small.getContext("2d").createImageData(side, side) });
  }
  const { small, pixels } = smalls.get(side);
  const words = new Uint32Array(pixels.data.buffer);
  const colours = new Uint32Array(table.buffer);
  for (let i = 0; i < side * side; i++) words[i] = colours[values[i]];
  small.getContext("2d").putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, width, height);
}

const tables = new Map();

function beliefs(palette) {
  if (!tables.has(palette)) tables.set(palette, ramp(palette.belief));
  return tables.get(palette);
}

LAYER_PAINTERS.heat = (context, frame, scene, palette, { width, height }) => {
  const side = frame.shapes.surface[0];
  paintGrid(context, frame.arrays.surface, side, beliefs(palette), width, height);
  contour(context, frame.arrays.surface, side, width, height, palette.contour);
};
LAYER_PAINTERS.real = (context, frame, scene, palette, place) => {
  context.globalAlpha = 0.6; // real ones larger and lighter, so that a fake one on top hides none
  dots(context, scene.real, place, stamp(place.dot * 1.35, palette.real, null));
  context.globalAlpha = 1;
};
LAYER_PAINTERS.fake = (context, frame, scene, palette, place) => {
  if (frame.arrays.fake) dots(context, frame.arrays.fake, place, stamp(place.dot, palette.fake, palette.halo));
};

// Paint one run on a canvas; returns where things lie on it.
function paintStage(canvas, frame, scene, palette, layers) {
  const { context, width, height } = fit(canvas);
  if (!width || !height) return null;
  const place = placing(scene.window, width, height);
  context.fillStyle = palette.plain;
  context.fillRect(0, 0, width, height);
  for (const name of [...GROUNDS, ...LAYER_ORDER, "slow"]) {
    if (!(frame.slow ? SLOW_LAYERS : layers).has(name) || !LAYER_PAINTERS[name]) continue;
    context.save();
    LAYER_PAINTERS[name](context, frame, scene, palette, place);
    context.restore();
  }
  return { context, ...place };
}

// One dot, drawn once and stamped a thousand times: a third of the time that a path of as many circles takes.
const stamps = new Map();

function stamp(radius, colour, halo) {
  const ratio = window.devicePixelRatio || 1;
  const name = `${radius} ${colour} ${ratio}`;
  if (!stamps.has(name)) {
    if (stamps.size > 50) stamps.clear();
    const half = Math.ceil((radius + 1.5) * ratio);
    const canvas = element("canvas", { width: 2 * half, height: 2 * half });
    const context = canvas.getContext("2d");
    const disc = (size, fill) => {
      context.beginPath();
      context.arc(half, half, size * ratio, 0, 2 * Math.PI);
      context.fillStyle = fill;
      context.fill();
    };
    if (halo) disc(radius + 0.6, halo);
    disc(radius, colour);
    stamps.set(name, { canvas, half: half / ratio });
  }
  return stamps.get(name);
}

function dots(context, points, { x, y }, { canvas, half }) {
  for (let i = 0; i < points.length; i += 2) {
    context.drawImage(canvas, x(points[i]) - half, y(points[i + 1]) - half, 2 * half, 2 * half);
  }
}

// The bytes of a nearly flat picture, each with its neighbours averaged, the more often the wider one byte is.
function levelled(surface, side) {
  let [low, high] = [255, 0];
  for (let i = 0; i < surface.length; i++) {
    if (surface[i] < low) low = surface[i];
    if (surface[i] > high) high = surface[i];
  }
  const span = high - low;
  if (!span || span >= 48) return surface;
  let [values, next] = [Float32Array.from(surface), Float32Array.from(surface)];
  const passes = Math.min(16, Math.round(256 / span));
  for (let pass = 0; pass < 2 * passes; pass++) {
    const [along, across] = pass % 2 ? [side, 1] : [1, side];
    for (let line = 0; line < side; line++) {
      const [first, last] = [line * across, line * across + (side - 1) * along];
      for (let at = first + along; at < last; at += along) {
        next[at] = (values[at - along] + values[at] + values[at + along]) / 3;
      }
      next[first] = values[first]; // half a mean would bend the line at the edge
      next[last] = values[last];
    }
    [values, next] = [next, values];
  }
  return values;
}

// Where D cannot decide: the line on which the heat map passes its middle, by marching squares. Where D is nearly flat a
// byte more or less is several cells away, and the line would be a staircase.
function contour(context, bytes, side, width, height, colour) {
  const level = 127.5;
  const surface = levelled(bytes, side);
  const place = (i) => (i + 0.5) / side;
  const path = new Path2D();
  for (let row = 0; row < side - 1; row++) {
    for (let column = 0; column < side - 1; column++) {
      const at = row * side + column;
      const [nw, ne, se, sw] = [surface[at], surface[at + 1], surface[at + side + 1], surface[at + side]];
      const above = (nw > level) + (ne > level) + (se > level) + (sw > level);
      if (above === 0 || above === 4) continue; // nearly all cells
      const corners = [nw, ne, se, sw];
      const cuts = [];
      for (let e = 0; e < 4; e++) {
        const [a, b] = [corners[e] - level, corners[(e + 1) % 4] - level];
        if (a > 0 === b > 0) continue;
        const t = a / (a - b);
        cuts.push([column + [t, 1, 1 - t, 0][e], row + [0, t, 1, 1 - t][e]]);
      }
      for (let k = 0; k + 1 < cuts.length; k += 2) {
        path.moveTo(place(cuts[k][0]) * width, place(cuts[k][1]) * height);
        path.lineTo(place(cuts[k + 1][0]) * width, place(cuts[k + 1][1]) * height);
      }
    }
  }
  context.strokeStyle = colour;
  context.lineWidth = 1.1;
  context.stroke(path);
}
