import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const {
  DRAWING_POINTS,
  drawingAlong,
  drawingBlob,
  drawingCloud,
  drawingInk,
  drawingLength,
  drawingNoise,
  drawingPoints,
  drawingShares,
  drawingText,
} = await load("drawing.js", [
  "DRAWING_POINTS",
  "drawingAlong",
  "drawingBlob",
  "drawingCloud",
  "drawingInk",
  "drawingLength",
  "drawingNoise",
  "drawingPoints",
  "drawingShares",
  "drawingText",
]);

const pairs = (flat) => Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
const near = (a, b, by = 1e-6) => assert.ok(Math.abs(a - b) <= by, `${a} is not ${b}`);
const SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]; // prettier-ignore

test("lengths are measured along the line", () => {
  assert.equal(drawingLength(SQUARE), 4);
  assert.equal(drawingLength([[3, 3]]), 0); // prettier-ignore
});

test("places along a line lie at their lengths, whatever the pace of the hand", () => {
  const uneven = [[0, 0], [0.01, 0], [0.02, 0], [0.02, 0], [0.9, 0], [1, 0], [1, 1]]; // prettier-ignore
  const found = drawingAlong(uneven, [0, 0.25, 0.5, 1, 1.5, 2, 99]);
  const expected = [[0, 0], [0.25, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1], [1, 1]]; // prettier-ignore
  found.forEach(([x, y], i) => {
    near(x, expected[i][0]);
    near(y, expected[i][1]);
  });
  assert.deepEqual(drawingAlong([[2, 3]], [0]), [[2, 3]]); // prettier-ignore
  assert.deepEqual(drawingAlong([[2, 3], [2, 3]], [0, 0]), [[2, 3], [2, 3]]); // prettier-ignore
});

test("shares are whole, in proportion, never none, and sum to the total", () => {
  assert.deepEqual(drawingShares([1, 1, 2], 103), [26, 26, 51]); // one each, and 25, 25, 50
  assert.deepEqual(drawingShares([0, 0], 5), [3, 2]);
  for (const lengths of [[1e-9, 1], [1], [3, 1, 4, 1, 5, 9, 2, 6], Array(200).fill(1)]) { // prettier-ignore
    const shares = drawingShares(lengths, 256);
    assert.equal(shares.reduce((a, b) => a + b), 256); // prettier-ignore
    assert.ok(shares.every((share) => Number.isInteger(share) && share >= 1));
  }
});

test("a drawing is as many points as the target keeps, at equal lengths on its strokes", () => {
  const points = pairs(drawingPoints([SQUARE], 0.05));
  assert.equal(points.length, DRAWING_POINTS);
  for (let i = 1; i < points.length; i++) {
    const [[x0, y0], [x1, y1]] = [points[i - 1], points[i]];
    near(Math.abs(x1 - x0) + Math.abs(y1 - y0), 4 / 256, 1e-6); // around a corner too, as the square's sides run
  }
  for (const [x, y] of points) assert.ok([x, y].some((value) => Math.abs(value) < 1e-6 || Math.abs(value - 1) < 1e-6));
  const [mean] = points.reduce(([a, b], [x, y]) => [a + x / 256, b + y / 256], [0, 0]);
  near(mean, 0.5, 1e-6);
});

test("a stroke twice as long gets twice the points, in the order drawn", () => {
  const points = pairs(drawingPoints([[[0, 0], [1, 0]], [[0, 5], [2, 5]]], 0.05)); // prettier-ignore
  const second = points.findIndex(([, y]) => y === 5);
  assert.ok(Math.abs(second - 256 / 3) < 2);
  assert.ok(points.slice(second).every(([, y]) => y === 5));
});

test("a tap, and a stroke too short to see, become a round blob about their place", () => {
  for (const stroke of [[[0.4, -0.2]], [[0.4, -0.2], [0.4001, -0.2]]]) { // prettier-ignore
    const points = pairs(drawingPoints([stroke], 0.05));
    const [x, y] = points.reduce(([a, b], [x, y]) => [a + x / 256, b + y / 256], [0, 0]);
    near(x, 0.4, 0.01);
    near(y, -0.2, 0.01);
    const radii = points.map((point) => Math.hypot(point[0] - 0.4, point[1] + 0.2) / 0.075).sort((a, b) => a - b);
    assert.ok(radii.at(-1) <= 1.01 && radii.at(-1) > 0.95);
    for (const share of [0.25, 0.5, 0.75]) near(radii[256 * share], Math.sqrt(share), 0.06); // evenly over the disc
  }
  assert.equal(drawingInk(SQUARE, 0.05), SQUARE);
});

test("the cloud lies on the strokes with the noise's width, and what is there stays while a stroke grows", () => {
  const stroke = Array.from({ length: 400 }, (_, i) => [i / 100, 0]);
  const whole = drawingCloud([stroke], 0.05);
  const part = drawingCloud([stroke.slice(0, 200)], 0.05);
  assert.ok(part.length > 300 && whole.length > 1.9 * part.length);
  assert.deepEqual([...whole.slice(0, part.length)], [...part]);
  const away = pairs(whole).map(([, y]) => y / 0.05);
  near(away.reduce((a, b) => a + b) / away.length, 0, 0.25);
  near(away.reduce((a, b) => a + b * b, 0) / away.length, 1, 0.3); // 400 squares of normals: 1 ± 0.07
  const other = drawingCloud([[[9, 9]], stroke], 0.05); // prettier-ignore
  assert.notDeepEqual([...other.slice(-part.length)], [...part]); // each stroke has noise of its own
});

test("the noise is uniform and repeats itself", () => {
  const [one, again] = [drawingNoise(3), drawingNoise(3)];
  const values = Array.from({ length: 4000 }, () => one());
  assert.ok(values.every((value) => value >= 0 && value < 1));
  assert.deepEqual(values.slice(0, 9), Array.from({ length: 9 }, () => again())); // prettier-ignore
  near(values.reduce((a, b) => a + b) / 4000, 0.5, 0.03);
  const tens = new Array(10).fill(0);
  values.forEach((value) => (tens[Math.floor(10 * value)] += 1));
  assert.ok(Math.max(...tens) < 480 && Math.min(...tens) > 320); // 400 ± 19
});

test("numbers travel as little-endian float32 in base64", () => {
  const bytes = Buffer.from(drawingText(Float32Array.of(1, -0.5, 0.1, NaN)), "base64");
  assert.equal(bytes.length, 16);
  assert.deepEqual([bytes.readFloatLE(0), bytes.readFloatLE(4), bytes.readFloatLE(8)], [1, -0.5, Math.fround(0.1)]);
  assert.ok(Number.isNaN(bytes.readFloatLE(12)));
  assert.equal(drawingText(drawingPoints([SQUARE], 0.05)).length, 4 * Math.ceil((8 * 256) / 3));
});

test("a blob begins at its middle and is a few noise widths long", () => {
  const blob = drawingBlob([1, 2], 0.1);
  assert.deepEqual(blob[0], [1, 2]);
  assert.ok(drawingLength(blob) > 0.5 && drawingLength(blob) < 2);
});
