import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const names = ["apart", "chartRange", "lossSeries", "measureSeries", "smoothed", "ticks"];
const { apart, chartRange, lossSeries, measureSeries, smoothed, ticks } = await load("chart.js", names);

test("ticks lie within the range, evenly, on round numbers, and are neither few nor many", () => {
  for (const [low, high] of [[0, 1], [-3.7, 12.2], [0.0013, 0.0017], [-1e4, 3e5], [0.69, 0.7]]) { // prettier-ignore
    const found = ticks(low, high, 4);
    assert.ok(found.length >= 2 && found.length <= 6, `${found.length} ticks from ${low} to ${high}`);
    const unit = found[1] - found[0];
    const mantissa = unit / 10 ** Math.floor(Math.log10(unit) + 1e-9);
    assert.ok([1, 2, 5].some((round) => Math.abs(mantissa - round) < 1e-6), `ticks every ${unit}`);
    for (const tick of found) {
      assert.ok(tick >= low - 1e-9 * unit && tick <= high + 1e-9 * unit);
      assert.ok(Math.abs(tick / unit - Math.round(tick / unit)) < 1e-6, `${tick} is no multiple of ${unit}`);
    }
  }
});

test("labels are at least a line apart, keep their order and stay in the box", () => {
  const marks = [40, 41, 42, 10, 199, 200].map((at) => ({ at, was: at }));
  const placed = apart(marks, 0, 200);
  const places = placed.map(({ at }) => at);
  for (let i = 1; i < places.length; i++) assert.ok(places[i] - places[i - 1] >= 14 - 1e-9);
  assert.deepEqual(placed.map(({ was }) => was), [10, 40, 41, 42, 199, 200]); // prettier-ignore
  assert.ok(places[0] >= 0 && places.at(-1) <= 200);
  assert.equal(places[0], 10); // who is alone is not moved
});

const series = (values, reference) => ({ points: Float32Array.from(values.flatMap((value, i) => [10 * i, value])), reference });

test("smoothing keeps a constant and a line's inner part", () => {
  const n = 240;
  const flat = smoothed(series(new Array(n).fill(7)).points, n);
  const rising = smoothed(series([...Array(n).keys()]).points, n);
  assert.ok(flat.every((value) => value === 7));
  for (let i = 10; i < n - 10; i++) assert.ok(Math.abs(rising[i] - i) < 1e-9);
  assert.deepEqual([...smoothed(new Float32Array(), 0)], []);
});

test("the range holds the lines but for a wild hundredth, and every reference", () => {
  const values = Array.from({ length: 1000 }, (_, i) => Math.sin(i));
  values[500] = 1e6;
  values[501] = NaN;
  const [low, high] = chartRange([series(values, [3, "three"]), series([])]);
  assert.ok(low < -1 && low > -2);
  assert.ok(high > 3 && high < 4);
  assert.deepEqual(chartRange([]), [0, 2]);
  for (const value of [1, 0, -3]) {
    const [flat, top] = chartRange([series([value, value, value])]); // prettier-ignore
    assert.ok(flat < value && top > value, `a flat line at ${value} lies within [${flat}, ${top}]`);
  }
});

test("a frame's losses become two lines at the middles of their bins", () => {
  const frame = { first: 100, span: 4, references: [[1.386, "2 log 2"], null], arrays: { curve: Float32Array.of(1, 2, 3, 4) } }; // prettier-ignore
  const [d, g] = lossSeries(frame, { discriminator: "green", generator: "red" });
  assert.deepEqual([...d.points], [102, 1, 106, 3]);
  assert.deepEqual([...g.points], [102, 2, 106, 4]);
  assert.deepEqual([d.reference, g.reference, d.colour, g.colour], [[1.386, "2 log 2"], null, "green", "red"]); // prettier-ignore
});

test("measures are lines of one run, or of several in the runs' colours, without those that say nothing", () => {
  const palette = { generator: "g", real: "r", discriminator: "d", runs: ["1", "2", "3", "4"] };
  const view = { say: (key) => key, language: () => "en", setup: { measures: { w2: "W₂", kl: "KL" } } };
  const points = Float32Array.of(0, 0.5);
  const run = (name, reason) => ({ name, arrays: { track_w2: points, track_kl: points }, measures: { w2: { floor: 0 }, kl: { reason } } });
  const one = { ...run("a", "no density"), all: [null] };
  const lines = measureSeries(one, ["w2", "kl", "unknown"], view, palette);
  assert.deepEqual(lines.map(({ name, colour, reference }) => [name, colour, reference]), [["W₂", "g", [0, "perfect"]]]); // prettier-ignore
  const chinese = measureSeries(one, ["w2"], { ...view, language: () => "zh" }, palette);
  assert.equal(chinese[0].name, "measures.w2");
  const two = { ...run("a"), all: [run("a"), run("b")] };
  assert.deepEqual(measureSeries(two, ["w2"], view, palette).map(({ name, colour }) => [name, colour]), [["a", "1"], ["b", "2"]]); // prettier-ignore
});
