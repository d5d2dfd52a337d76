import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { NOTCHES, scaleOf, shownNumber } = await load("controls.js", ["NOTCHES", "scaleOf", "shownNumber"]);

const DIALS = {
  log: { scale: "log", low: 1e-3, high: 10 },
  "log or 0": { scale: "log or 0", low: 1e-5, high: 1e-1 },
  "log or none": { scale: "log or none", low: 1e-3, high: 10 },
  "near 1": { scale: "near 1", low: 0, high: 0.9999 },
  linear: { scale: "linear", low: 0, high: 0.5 },
};

for (const [name, dial] of Object.entries(DIALS)) {
  const scale = scaleOf(dial);
  const values = Array.from({ length: NOTCHES + 1 }, (_, i) => scale.value(i / NOTCHES));

  test(`${name}: a slider put at a value's place shows that value again`, () => {
    values.forEach((value, i) => {
      const back = scale.value(Math.round(NOTCHES * scale.place(value)) / NOTCHES);
      if (value === null || value === 0) assert.equal(back, value, `notch ${i}`);
      else assert.ok(Math.abs(back - value) <= 0.011 * Math.abs(value) + 1e-9, `notch ${i}: ${value} came back as ${back}`);
    });
  });

  test(`${name}: values rise along the slider and stay in the dial's range`, () => {
    const numbers = values.map((value) => value ?? Infinity);
    for (let i = 1; i < numbers.length; i++) assert.ok(numbers[i] >= numbers[i - 1], `notch ${i}`);
    const inner = numbers.filter((value) => Number.isFinite(value) && value !== 0);
    assert.ok(Math.min(...inner) >= dial.low * 0.999 && Math.max(...inner) <= dial.high * 1.001);
  });
}

test("the ends of the scales are what their names say", () => {
  assert.equal(scaleOf(DIALS["log or 0"]).value(0), 0);
  assert.equal(scaleOf(DIALS["log or none"]).value(1), null);
  assert.equal(scaleOf(DIALS["near 1"]).value(0), 0);
  assert.equal(scaleOf(DIALS["near 1"]).value(1), 0.9999);
});

test("numbers are written short, with a real minus", () => {
  assert.deepEqual([null, 0, 0.5, 1e-5, 0.1 + 0.2].map(shownNumber), ["none", "0", "0.5", "1e−5", "0.3"]);
});
