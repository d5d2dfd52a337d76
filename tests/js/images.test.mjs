import assert from "node:assert/strict";
import test from "node:test";
import { load, pretend } from "./load.mjs";

const names = ["createAsking", "imageNumber", "imagePicks", "imagePixels", "imagePlaces", "imageScale", "imagesAt", "imageStops", "imageVerdict", "readImages", "shownRate"];
const page = pretend();
const parts = await load(["driver.js", "base.js", "images_parts.js", "images.js"], names);
const { createAsking, imageNumber, imagePicks, imagePixels, imagePlaces, imageScale, imagesAt, imageStops, imageVerdict, readImages, shownRate } = parts;

test("grey and colour bytes become opaque pixels", () => {
  assert.deepEqual([...imagePixels(Uint8Array.of(7, 255), 1)], [7, 7, 7, 255, 255, 255, 255, 255]);
  assert.deepEqual([...imagePixels(Uint8Array.of(1, 2, 3, 4, 5, 6), 3)], [1, 2, 3, 255, 4, 5, 6, 255]);
});

test("images lie in rows, fill the picture, and have a gap between them", () => {
  const places = imagePlaces(6, 3, 302, 201, 1);
  assert.deepEqual(places[0], [0, 0, 100, 100]);
  assert.deepEqual(places[4], [101, 101, 100, 100]);
  const [x, , w] = places[2];
  assert.equal(x + w, 302);
});

test("the last two samples picked stay, the same one again is put back", () => {
  assert.deepEqual(imagePicks([], 4), [4]);
  assert.deepEqual(imagePicks([4], 9), [4, 9]);
  assert.deepEqual(imagePicks([4, 9], 1), [9, 1]);
  assert.deepEqual(imagePicks([4, 9], 9), [4]);
  assert.deepEqual(imagePicks([4, 9], 4), [9, 4]);
  assert.deepEqual(imagePicks([4], 4), []);
});

test("some stops of a walk, both ends among them", () => {
  assert.deepEqual(imageStops(25, 9), [0, 3, 6, 9, 12, 15, 18, 21, 24]);
  assert.deepEqual(imageStops(10, 4), [0, 3, 6, 9]);
});

test("what is nearer than real images are to each other is called so, and what is like none", () => {
  assert.equal(imageVerdict(0), "images.copied");
  assert.equal(imageVerdict(2 / 128), "images.copied");
  assert.equal(imageVerdict(0.5), "images.alike");
  assert.equal(imageVerdict(1), "images.far");
  assert.equal(imageVerdict(null), "images.alone");
});

test("the scale of distances begins at 0 and holds all of them in their order", () => {
  const held = { low: 2, middle: 3, high: 5 };
  for (const distance of [0, 1, 4, 50]) {
    const { sample, low, middle, high } = imageScale(distance, held);
    assert.ok(low < middle && middle < high && high <= 100 && sample >= 0 && sample <= 100);
    assert.ok(Math.abs(sample * held.high - high * distance) < 1e-9);
  }
});

test("bytes of some images of many", () => {
  const bytes = Uint8Array.from({ length: 12 }, (_, i) => i);
  assert.deepEqual([...imagesAt(bytes, [3, 2, 2, 1], [2, 0])], [8, 9, 10, 11, 0, 1, 2, 3]);
});

test("a few steps a second have a decimal, distances three digits", () => {
  assert.deepEqual([0.42, 9.96, 12.3, 4321].map(shownRate), ["0.4", "10.0", "12", "4,321"]);
  assert.deepEqual([0.012345, 3.14159, 250.4].map(imageNumber), ["0.0123", "3.14", "250"]);
});

test("one question at a time, and only the latest of what waits", () => {
  const sent = [];
  const asking = createAsking((message) => sent.push(message));
  for (const sample of [1, 2, 3]) asking.ask({ sample });
  assert.deepEqual(sent, [{ sample: 1, asked: 1 }]);
  assert.equal(asking.answered({ asked: 7 }), false);
  assert.equal(asking.answered({ asked: 1 }), true);
  assert.deepEqual(sent[1], { sample: 3, asked: 2 });
  asking.answered({ asked: 2 });
  assert.equal(sent.length, 2);
});

test("a question that is refused or never answered does not hold up the next one", () => {
  const sent = [];
  const asking = createAsking((message) => sent.push(message), 5000);
  asking.ask({ sample: 1 });
  asking.release();
  asking.ask({ sample: 2 });
  assert.equal(sent.length, 2);
  page.wait(6000);
  asking.ask({ sample: 3 });
  assert.equal(sent.length, 3);
  assert.equal(asking.answered({ asked: 2 }), false); // too late
});

test("the real images are read as bytes, from whatever the front end gives", () => {
  const model = (run) => ({ get: () => ({ runs: run ? [run] : [] }) });
  assert.equal(readImages(model(null)), null);
  const buffer = Uint8Array.of(9, 9, 1, 2, 3).buffer;
  assert.deepEqual([...readImages(model({ real: new DataView(buffer, 2, 3) })).real], [1, 2, 3]);
  assert.equal(readImages(model({ real: buffer, name: "digits" })).name, "digits");
});
