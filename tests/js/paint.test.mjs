import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const names = ["PALETTES", "decode", "levelled", "placing", "ramp"];
const { PALETTES, decode, levelled, placing, ramp } = await load(["driver.js", "paint.js"], names);

// Two runs as frames.py packs them: each array padded to 4 bytes.
const ARRAYS = [
  { name: "surface", kind: "u1", shape: [5], values: Uint8Array.of(0, 7, 255, 128, 9) },
  { name: "fake", kind: "f4", shape: [2, 2], values: Float32Array.of(1, -2.5, 3e8, 0) },
  { name: "bins", kind: "i4", shape: [3], values: Int32Array.of(-1, 0, 2 ** 31 - 1) },
]; // prettier-ignore

function message(offset) {
  const arrays = ARRAYS.map(({ name, kind, shape }) => [name, kind, shape]);
  const header = { serial: 4, active: 1, request: 9, driver: "d", runs: [{ name: "a", step: 3, arrays }, { name: "b", step: 5, arrays: arrays.slice(0, 1) }] }; // prettier-ignore
  const parts = [...ARRAYS, ARRAYS[0]].map(({ values }) => {
    const bytes = new Uint8Array(values.buffer);
    return [...bytes, ...new Array((4 - (bytes.length % 4)) % 4).fill(0)];
  });
  const bytes = Uint8Array.of(...new Array(offset).fill(1), ...parts.flat());
  return [header, new DataView(bytes.buffer, offset)];
}

test("a frame's bytes become its arrays, wherever they begin in their buffer", () => {
  for (const offset of [0, 3]) { // prettier-ignore
    const frame = decode(...message(offset));
    assert.deepEqual([frame.name, frame.step, frame.serial, frame.active, frame.request], ["b", 5, 4, 1, 9]); // the active run's
    const [first, second] = frame.all;
    for (const { name, shape, values } of ARRAYS) {
      assert.deepEqual(first.arrays[name], values);
      assert.deepEqual(first.shapes[name], shape);
    }
    assert.deepEqual(second.arrays, { surface: ARRAYS[0].values });
    assert.equal(frame.arrays, second.arrays);
  }
});

test("a frame without bytes, or with too few, is no frame", () => {
  const [header, block] = message(0);
  assert.equal(decode(header, undefined), null);
  assert.equal(decode(header, new DataView(block.buffer, 0, block.byteLength - 4)), null);
  assert.equal(decode({ ...header, runs: [] }, block), null);
});

test("the window's corners lie in the canvas's corners, and the way back is the way there", () => {
  const place = placing([-2, 2, -1, 3], 400, 200);
  assert.deepEqual([place.x(-2), place.x(2), place.y(3), place.y(-1)], [0, 400, 0, 200]);
  const [x, y] = place.plane(place.x(0.3), place.y(1.7));
  assert.ok(Math.abs(x - 0.3) < 1e-9 && Math.abs(y - 1.7) < 1e-9);
});

for (const [theme, palette] of Object.entries(PALETTES)) {
  test(`${theme}: the ramp begins and ends at its stops and is opaque`, () => {
    const table = ramp(palette.belief);
    const hex = (i) => `#${[...table.slice(4 * i, 4 * i + 3)].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
    assert.equal(table.length, 4 * 256);
    assert.equal(hex(0), palette.belief[0]);
    assert.equal(hex(255), palette.belief.at(-1));
    for (let i = 0; i < 256; i++) assert.equal(table[4 * i + 3], 255);
  });
}

test("the bytes of a nearly flat D are smoothed until its middle lies where it is; others stay as they are", () => {
  const side = 64;
  const plane = (slope) =>
    Uint8Array.from({ length: side * side }, (_, i) =>
      Math.round(127.5 + slope * ((i % side) - side / 2 - Math.floor(i / side) / 2)),
    );
  const crossing = (values, row) => {
    for (let column = 0; column + 1 < side; column++) {
      const [a, b] = [values[row * side + column] - 127.5, values[row * side + column + 1] - 127.5];
      if (a <= 0 && b > 0) return column + a / (a - b);
    }
    return NaN;
  };
  const worst = (values) =>
    Math.max(...Array.from({ length: 40 }, (_, row) => Math.abs(crossing(values, row + 8) - side / 2 - (row + 8) / 2)));
  const flat = plane(0.37); // a byte is three cells wide
  assert.ok(worst(flat) >= 0.5);
  assert.ok(worst(levelled(flat, side)) < 0.15);
  const steep = plane(3);
  assert.equal(levelled(steep, side), steep);
  const even = new Uint8Array(side * side).fill(127);
  assert.deepEqual([...levelled(even, side)], [...even]);
});
