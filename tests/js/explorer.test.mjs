import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const names = ["decode", "parts", "pushApart", "LINE"];
const { decode, parts, pushApart, LINE } = await load("explorer.js", names);

test("indices of one letter or a number are set low, names of more letters are left alone", () => {
  const cases = {
    "p_g": [["p", false], ["g", true]],
    "the density p_g of G": [["the density p", false], ["g", true], [" of G", false]],
    "x_12": [["x", false], ["12", true]],
    "W_{real}": [["W", false], ["real", true]],
    "lr_g": [["lr_g", false]],
    "a_gan": [["a_gan", false]],
    "": [],
  }; // prettier-ignore
  for (const [text, expected] of Object.entries(cases)) assert.deepEqual(parts(text), expected, text);
});

test("a picture's arrays are read from its one block of bytes", () => {
  const numbers = Float32Array.from({ length: 20 }, (_, i) => i);
  const bytes = new Uint8Array(numbers.byteLength + 1);
  bytes.set(new Uint8Array(numbers.buffer), 1); // as a message's buffer may begin anywhere
  const marks = [
    { kind: "Curve", x: [0, 4], y: [4, 4], name: "p" },
    { kind: "Surface", values: [8, 2, 3] },
    { kind: "Motion", x: [14, 3, 1], y: [17, 3, 1], names: ["a"] },
    { kind: "Dots", x: [0, 1], y: [1, 1], labels: ["one"] },
  ];
  const picture = decode({ panels: [{ marks }], data: new DataView(bytes.buffer, 1), serial: 3 });
  const [curve, surface, motion, dots] = picture.panels[0].marks;
  assert.deepEqual([...curve.y], [4, 5, 6, 7]);
  assert.deepEqual([[...surface.values], surface.rows, surface.columns], [[8, 9, 10, 11, 12, 13], 2, 3]); // prettier-ignore
  assert.deepEqual([[...motion.y], motion.frames, motion.count, motion.names], [[17, 18, 19], 3, 1, ["a"]]); // prettier-ignore
  assert.deepEqual(dots.labels, ["one"]);
  assert.equal(decode(undefined), null);
  assert.equal(decode({}), null);
});

test("labels that overlap are pushed apart within their box, the upper one up", () => {
  const box = { top: 0, bottom: 200 };
  const labels = [{ x: 0, width: 50, y: 100 }, { x: 10, width: 50, y: 104 }, { x: 300, width: 50, y: 102 }]; // prettier-ignore
  pushApart(labels, box);
  assert.ok(labels[1].y - labels[0].y >= LINE - 1e-9);
  assert.ok(labels[0].y < 100);
  assert.equal(labels[2].y, 102); // who is beside them stays
  const low = [{ x: 0, width: 50, y: 190 }, { x: 0, width: 50, y: 191 }]; // prettier-ignore
  pushApart(low, box);
  assert.ok(Math.max(...low.map(({ y }) => y)) <= 200 - LINE);
});
