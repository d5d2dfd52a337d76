import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const FILES = ["driver.js", "paint.js", "chart.js", "controls.js", "layers.js", "eigen.js"];
const page = await load(FILES, [
  "LAYER_PAINTERS", "PALETTES", "layersArea", "layersOpacity", "layersRound", "layersBar", "layersNumber", "layersLanes",
  "layersCloth", "layersMissing", "eigenBend", "eigenReach", "eigenFactor", "eigenVerdict", "eigenCircle",
]); // prettier-ignore
const near = (one, other, within = 1e-9) => assert.ok(Math.abs(one - other) <= within, `${one} is not ${other}`);

// A context that remembers what was asked of it.
function recorder() {
  const calls = [];
  const states = [];
  const state = { globalAlpha: 1 };
  return new Proxy(state, {
    get: (target, name) => {
      if (name === "calls") return calls;
      if (name === "alphas") return states;
      if (name === "canvas") return { width: 100, height: 100, clientWidth: 100 };
      if (name in target) return target[name];
      return (...what) => {
        if (name === "fill") states.push(target.globalAlpha);
        calls.push([name, ...what]);
      };
    },
    set: (target, name, value) => ((target[name] = value), true),
  });
}

const place = { x: (v) => 50 + 10 * v, y: (v) => 50 - 10 * v, width: 100, height: 100, dot: 2 };
const scene = { window: [-5, 5, -5, 5] };

test("a cell's area is that of a square, of a parallelogram, and never nothing where it is folded over", () => {
  near(page.layersArea([0, 0, 2, 0, 2, 2, 0, 2]), 4);
  near(page.layersArea([0, 0, 3, 1, 4, 3, 1, 2]), 5);
  near(page.layersArea([0, 0, 2, 2, 2, 0, 0, 2]), 4); // its signed area is 0
});

test("opacity rises with density, from a veil to nearly solid", () => {
  const found = [0, 0.1, 1, 10, 100, 1e9].map(page.layersOpacity);
  assert.deepEqual(found, [...found].sort((a, b) => a - b));
  assert.ok(found[0] > 0 && found.at(-1) <= 0.8);
});

test("the manifold is the more opaque the denser it is: half the area, twice the density", () => {
  const cloth = (stretch) => {
    const points = new Float32Array(2 * 625);
    for (let i = 0; i < 25; i++) for (let j = 0; j < 25; j++) points.set([(stretch * i) / 25, j / 25], 2 * (25 * i + j));
    const context = recorder();
    page.layersCloth(context, points, 1 / 625, place, "red", 100);
    return context.alphas;
  };
  const [wide, narrow] = [cloth(2), cloth(1)];
  assert.equal(wide.length, 24 * 24);
  wide.forEach((alpha) => near(alpha, page.layersOpacity(50), 1e-3));
  narrow.forEach((alpha) => near(alpha, page.layersOpacity(100), 1e-3));
});

test("the scale bar is a round number and at most as long as asked for", () => {
  for (const pixels of [1e-4, 0.37, 3, 40, 5e3]) { // prettier-ignore
    const unit = page.layersRound(90, pixels);
    assert.ok(unit * pixels <= 90 + 1e-6 && unit * pixels > 35, `${unit} of ${pixels} pixels`);
    assert.match(unit.toExponential(3), /^[125]\.000e/);
  }
});

test("pushes below a pixel are called nearly nothing, and told apart from none at all", () => {
  const push = new Float32Array([0, 0, 3, 4, 1, 1, 0, 0]);
  assert.equal(page.layersBar(push, 10).longest, 5);
  assert.equal(page.layersBar(push, 10).nothing, false);
  assert.equal(page.layersBar(push, 0.19).nothing, true);
});

test("arrows are as long as the push, whatever the loss, and drawn upwards for a push upwards", () => {
  const context = recorder();
  const arrays = { push: new Float32Array([1, 1, 0, 2, 0, 0, 1e-4, 0]), push_scale: new Float32Array([0.5]) };
  page.LAYER_PAINTERS.gradients(context, { arrays }, scene, page.PALETTES.light, place);
  const tips = context.calls.filter(([name]) => name === "lineTo");
  assert.deepEqual(tips[0].slice(1), [60, 30]); // from (60, 40), 2 * 0.5 units up
  assert.equal(tips.length, 3); // the second is no pixel long
});

test("averaged samples are rings, one each", () => {
  const context = recorder();
  page.LAYER_PAINTERS.average(context, { arrays: { average: new Float32Array(20) } }, scene, page.PALETTES.dark, place);
  assert.equal(context.calls.filter(([name]) => name === "arc").length, 10);
  assert.equal(context.calls.filter(([name]) => name === "fill").length, 0);
});

test("a layer whose arrays are not there yet paints nothing", () => {
  for (const name of ["optimal", "difference", "manifold", "average", "gradients"]) {
    const context = recorder();
    page.LAYER_PAINTERS[name](context, { arrays: {} }, scene, page.PALETTES.light, place);
    assert.equal(context.calls.length, 0);
  }
});

test("a replay offers the layers that were recorded, and says why not the others", () => {
  const off = page.layersMissing({ arrays: { surface: [1], fake: [1], push: [1] } });
  assert.deepEqual(Object.keys(off).sort(), ["average", "difference", "manifold", "optimal"]);
});

test("numbers are short, with a true minus sign, and none where there is none", () => {
  assert.deepEqual([1.23456, -0.5, 1.7e-4, 0, 123456, null, undefined, NaN].map(page.layersNumber), ["1.23", "−0.5", "1.7e−4", "0", "1.2e5", "–", "–", "–"]); // prettier-ignore
});

test("a probe's lanes lie evenly about the point, in the order of the pushes", () => {
  const lanes = page.layersLanes([
    { name: "a", weight: 0.5, length: 1 },
    { name: "b", weight: -1, length: 2 },
    { name: "c", weight: 3, length: 6 },
  ]);
  assert.deepEqual(lanes.map(({ name, lane, along }) => [name, lane, along]), [["c", -1, 6], ["a", 0, 1], ["b", 1, -2]]); // prettier-ignore
});

test("the bent plane is even near 0 and logarithmic far out, and holds every eigenvalue", () => {
  near(page.eigenBend(0.01), 0.01, 1e-5);
  near(page.eigenBend(1000) - page.eigenBend(100), Math.log(10), 1e-3);
  for (const farthest of [0.2, 3, 70, 4e5]) assert.ok(page.eigenReach([[-farthest, 0.1]]) >= farthest);
});

test("one step of f(x, y) = xy stretches by the square root of 1 + h squared", () => {
  near(page.eigenFactor([0, 1], 0.5), Math.sqrt(1.25));
  near(page.eigenFactor([-2, 0], 0.5), 0);
});

test("the verdict tells flow from steps", () => {
  assert.equal(page.eigenVerdict([[0.5, 0], [-1, 0]], 1e-3), "away"); // prettier-ignore
  assert.equal(page.eigenVerdict([[-0.1, 3]], 1), "steps");
  assert.equal(page.eigenVerdict([[-0.1, 3]], 1e-3), "rest");
});

test("on the circle a step neither shrinks nor stretches", () => {
  for (const point of page.eigenCircle(0.02)) near(page.eigenFactor(point, 0.02), 1);
  const circle = page.eigenCircle(0.02);
  near(Math.min(...circle.map(([real]) => real)), -100, 0.1);
  assert.deepEqual(circle[120].map(Math.abs), [0, 0]);
});
