import assert from "node:assert/strict";
import test from "node:test";
import { deflateSync } from "node:zlib";
import { load, pretend } from "./load.mjs";

const NAMES = ["closedUp", "createReplayDriver", "openRecording", "readRecording", "replayPlace"];
const FILES = ["driver.js", "replay.js"];

// A recording as replay.py lays it out: pictures of one number each, which is the step, and one array that never changes.
function laidOut(steps, changes = {}) {
  const places = steps.map((_, i) => [4 * i, 4]);
  places.push([4 * steps.length, 3]);
  const block = new Uint8Array(4 * steps.length + 4);
  new Float32Array(block.buffer, 0, steps.length).set(steps);
  block.set([7, 8, 9], 4 * steps.length);
  const arrays = [["where", "f4", [1]], ["same", "u1", [3]]]; // prettier-ignore
  const shots = steps.map((step, i) => ({
    header: { type: "frame", active: 0, runs: ["A", "B"].map((name) => ({ name, step, arrays })) },
    parts: [i, steps.length, i, steps.length],
    scene: i < 2 ? 0 : 1,
  }));
  const setup = { controls: ["lr_g", "speed", "time", "layers"], layers: ["heat"], all_layers: ["heat", "fake", "manifold"], all_charts: { losses: {}, modes: {} }, charts: ["losses"] };
  const scenes = [0, 1].map((i) => ({ runs: [{ name: `ground ${i}`, real: { bytes: steps.length } }] }));
  const index = { version: 1, setup, scenes, shots, code: "gan = …", ended: "", places, ...changes };
  let text = new TextEncoder().encode(JSON.stringify(index));
  text = Uint8Array.from([...text, ...Array((4 - (text.length % 4)) % 4).fill(32)]);
  const whole = new Uint8Array(4 + text.length + block.length);
  new DataView(whole.buffer).setUint32(0, text.length, true);
  whole.set(text, 4);
  whole.set(block, 4 + text.length);
  return whole;
}

async function start(t, settings = {}, steps = [0, 10, 20, 30, 40]) {
  const page = pretend(settings);
  t.after(page.restore);
  const { createReplayDriver, readRecording } = await load(FILES, NAMES);
  const driver = createReplayDriver(readRecording(laidOut(steps)));
  const painted = [];
  const view = { update() {}, paint: (frame) => painted.push(frame.step) };
  driver.add(view);
  return { page, driver, view, painted };
}

test("a compressed recording comes back as the frames that the kernel sent", async () => {
  const { openRecording } = await load(FILES, NAMES);
  const recording = await openRecording(deflateSync(laidOut([5, 6, 900])));
  assert.deepEqual(recording.steps, [5, 6, 900]);
  const { header, block, scene } = recording.message(2);
  assert.equal(header.runs[1].name, "B");
  assert.equal(scene, 1);
  const bytes = new Uint8Array(block.buffer);
  assert.equal(bytes.length, 16); // two runs of 4 and 3 bytes, each array padded to 4
  assert.equal(block.getFloat32(8, true), 900);
  assert.deepEqual([...bytes.subarray(4, 8)], [7, 8, 9, 0]);
  assert.deepEqual([...new Uint8Array(recording.scenes[1].runs[0].real.buffer)], [7, 8, 9]);
});

test("a recording of another version is refused by name", async () => {
  const { readRecording } = await load(FILES, NAMES);
  assert.throws(() => readRecording(laidOut([0], { version: 2 })), /version 2/);
});

test("time turns into frames at the speed that was chosen, and ends at the last", async () => {
  const { replayPlace } = await load(FILES, NAMES);
  assert.deepEqual(replayPlace(0, 1000, 1, 100), { place: 15, ended: false });
  assert.deepEqual(replayPlace(10, 2000, 0.25, 100), { place: 17.5, ended: false });
  assert.deepEqual(replayPlace(90, 1000, 4, 100), { place: 99, ended: true });
});

test("it begins paused on the first picture, plays once through, and plays again from the start", async (t) => {
  const { page, driver, painted } = await start(t);
  assert.equal(driver.state.playing, false);
  assert.deepEqual(painted, [0]);
  driver.play();
  for (let i = 0; i < 60; i++) page.frame(16);
  assert.deepEqual(painted, [0, 10, 20, 30, 40]); // each once, none twice: it does not loop
  assert.equal(driver.state.playing, false);
  assert.equal(page.pending, 0);
  driver.play();
  assert.equal(painted.at(-1), 0);
  for (let i = 0; i < 60; i++) page.frame(16);
  assert.equal(painted.at(-1), 40);
});

test("slower is slower, and a change of speed does not jump", async (t) => {
  const { page, driver, painted } = await start(t, {}, Array.from({ length: 100 }, (_, i) => i));
  driver.play();
  page.frame(0);
  page.frame(1000);
  assert.equal(painted.at(-1), 15);
  driver.setSpeed(0.25);
  page.frame(16);
  assert.equal(painted.at(-1), 15);
  page.frame(1000);
  assert.equal(painted.at(-1), 18);
});

test("one picture on and back, the bar, and the ends", async (t) => {
  const { page, driver, painted } = await start(t);
  driver.once();
  driver.once();
  driver.back();
  driver.scrub(4);
  driver.once(); // there is none after the last
  driver.reset();
  driver.back();
  assert.deepEqual(painted, [0, 10, 20, 10, 40, 40, 0, 0]);
  driver.play();
  page.frame(0);
  driver.scrub(3); // it plays on from where the hand let go
  page.frame(16);
  page.frame(80);
  assert.equal(painted.at(-1), 40);
  driver.play();
  driver.once();
  assert.equal(driver.state.playing, false);
});

test("another target brings its own ground, forwards and backwards", async (t) => {
  const { driver } = await start(t);
  const seen = [];
  driver.model.on("change:scene", () => seen.push(driver.model.get("scene").runs[0].name));
  [1, 2, 3, 1].forEach(driver.scrub);
  assert.deepEqual(seen, ["ground 1", "ground 0"]);
});

test("another run can be looked at; what needs a kernel does nothing, and is not offered", async (t) => {
  const { driver, painted } = await start(t);
  driver.scrub(2);
  driver.ask({ type: "activate", run: 1 });
  assert.equal(driver.state.frame.name, "B");
  const before = painted.length;
  driver.ask({ type: "spectrum" });
  driver.send({ type: "probe" });
  driver.set("lr_g", 0.1);
  driver.look();
  driver.on("probe", () => {})();
  assert.equal(painted.length, before);
  const setup = driver.model.get("setup");
  assert.deepEqual(setup.controls, ["lr_g", "layers", "replay"]);
  assert.deepEqual(Object.keys(setup.all_charts), ["losses"]);
  assert.deepEqual(Object.keys(driver.state.frame.off), ["manifold"]); // a layer that was not recorded
});

test("who asked for less motion sees four pictures a second, in the same time", async (t) => {
  const { page, driver, painted } = await start(t, { calm: true }, Array.from({ length: 46 }, (_, i) => i));
  driver.play();
  for (let i = 0; i < 200; i++) page.frame(16); // 3.2 seconds for 45 pictures
  assert.equal(painted.at(-1), 45);
  assert.ok(painted.length <= 15, `${painted.length} pictures`);
});

test("when the view closes nothing runs on", async (t) => {
  const { page, driver, view } = await start(t);
  driver.play();
  page.frame(16);
  driver.remove(view);
  assert.equal(page.pending, 0);
  assert.equal(driver.state.playing, false);
});

test("a saved picture has no empty bands, and what stood beside each other still does", async () => {
  const { closedUp } = await load(FILES, NAMES);
  const box = (top, bottom) => ({ top, bottom });
  const { places, bottom } = closedUp([box(900, 1000), box(100, 200), box(110, 150), box(205, 300)], 10, 40);
  assert.deepEqual(places, [250, 40, 50, 145]);
  assert.equal(bottom, 350);
  assert.deepEqual(closedUp([], 10, 40), { places: [], bottom: 40 });
});
