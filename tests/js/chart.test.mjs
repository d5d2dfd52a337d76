import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { apart, range, smoothed, ticks } = await load("lab.js", ["apart", "range", "smoothed", "ticks"]);

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

test("smoothing keeps a constant and a line's inner part, and treats the two curves apart", () => {
  const n = 240;
  const curve = Float32Array.from({ length: 2 * n }, (_, i) => (i % 2 ? 7 : i / 2));
  const [first, second] = [smoothed(curve, n, 0), smoothed(curve, n, 1)];
  assert.ok(second.every((value) => value === 7));
  for (let i = 10; i < n - 10; i++) assert.ok(Math.abs(first[i] - i) < 1e-9);
  assert.deepEqual([...smoothed(curve, 0, 0)], []);
});

test("the range holds the curves but for a wild hundredth, and every reference", () => {
  const curve = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
  curve[500] = 1e6;
  curve[501] = NaN;
  const [low, high] = range(curve, [[3, "three"], null]);
  assert.ok(low < -1 && low > -2);
  assert.ok(high > 3 && high < 4);
  assert.deepEqual(range(new Float32Array(), [null, null]), [0, 2]);
  const [flat, top] = range(Float32Array.of(1, 1, 1), [null, null]);
  assert.ok(flat < 1 && top > 1); // never of no height
});
