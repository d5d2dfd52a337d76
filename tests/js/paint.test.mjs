import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { PALETTES, SIDE, decode, ramp } = await load("lab.js", ["PALETTES", "SIDE", "decode", "ramp"]);

function payload(points, bins, offset = 0) {
  const [surface, fake] = [new Uint8Array(SIDE * SIDE).map((_, i) => i % 256), Float32Array.from({ length: 2 * points }, (_, i) => i / 8)];
  const curve = Float32Array.from({ length: 2 * bins }, (_, i) => -i);
  const bytes = new Uint8Array(offset + surface.length + fake.byteLength + curve.byteLength);
  bytes.set(surface, offset);
  bytes.set(new Uint8Array(fake.buffer), offset + surface.length);
  bytes.set(new Uint8Array(curve.buffer), offset + surface.length + fake.byteLength);
  return { view: new DataView(bytes.buffer, offset), surface, fake, curve };
}

test("a frame's bytes become its three arrays, wherever they begin in their buffer", () => {
  for (const offset of [0, 3]) { // prettier-ignore
    const { view, surface, fake, curve } = payload(5, 7, offset);
    const frame = decode({ step: 12, bins: 7 }, view);
    assert.equal(frame.step, 12);
    assert.deepEqual([...frame.surface], [...surface]);
    assert.deepEqual([...frame.fake], [...fake]);
    assert.deepEqual([...frame.curve], [...curve]);
  }
});

test("a frame without bytes, or with too few, is no frame", () => {
  assert.equal(decode({ bins: 0 }, undefined), null);
  assert.equal(decode({ bins: 4 }, new DataView(new ArrayBuffer(100))), null);
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
