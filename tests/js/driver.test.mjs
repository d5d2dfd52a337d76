import assert from "node:assert/strict";
import test from "node:test";
import { load, pretend } from "./load.mjs";

async function start(t, settings) {
  const page = pretend(settings);
  t.after(page.restore);
  const { createDriver } = await load("driver.js", ["createDriver"]);
  const [driver, sent, painted] = [createDriver(), [], []];
  let hear;
  let broken = false;
  const unplug = driver.connect({
    on: (_, callback) => (hear = callback),
    off: () => (hear = null),
    send: (message) => {
      if (broken) throw new Error("no connection");
      sent.push(message);
    },
  });
  const view = { update() {}, paint: (frame) => painted.push(frame.serial) };
  driver.add(view);
  let serial = 0;
  const runs = (step) => [{ name: "run", step, arrays: [["fake", "f4", [1, 2]]] }]; // prettier-ignore
  const frame = (request, step = 0, number = ++serial) => {
    hear({ type: "frame", request, serial: number, active: 0, runs: runs(step) }, [new DataView(new ArrayBuffer(8))]);
  };
  const steps = () => sent.filter(({ type }) => type === "step").map(({ request }) => request);
  const wake = () => [1, 2].forEach((request) => frame(request));
  return { page, driver, view, sent, painted, unplug, frame, steps, wake, hear: (message) => hear(message), cut: () => (broken = true) };
}

test("three requests are in flight, and each answer brings one more", async (t) => {
  const { page, driver, frame, steps, wake } = await start(t);
  wake();
  driver.play();
  assert.deepEqual(steps(), [3, 4, 5]);
  page.frame();
  assert.deepEqual(steps(), [3, 4, 5]); // nothing is asked while nothing is answered
  frame(3, 10);
  page.frame();
  assert.deepEqual(steps(), [3, 4, 5, 6]);
  frame(4, 20);
  frame(5, 30);
  page.frame();
  assert.deepEqual(steps(), [3, 4, 5, 6, 7, 8]);
});

test("where steps are slow one request is in flight, and more again when they are quick", async (t) => {
  const { page, driver, frame, steps, wake } = await start(t);
  wake();
  driver.play();
  const answer = (milliseconds) => {
    page.wait(milliseconds);
    frame(steps().at(-1), 10);
    page.frame();
  };
  const waiting = () => steps().length - answered;
  let answered = 0;
  for (const request of steps()) {
    page.wait(500);
    frame(request, 10);
    answered += 1;
  }
  page.frame();
  assert.equal(waiting(), 1);
  page.wait(7000); // its patience has grown with the steps only while they are slower than that
  assert.equal(driver.state.stalled, true);
  for (let i = 0; i < 8; i++) { // prettier-ignore
    answer(20);
    answered += 1;
  }
  assert.equal(driver.state.stalled, false);
  assert.equal(waiting(), 3);
});

test("only the newest frame is painted, and an older one never after it", async (t) => {
  const { page, painted, frame } = await start(t);
  frame(1);
  frame(2);
  frame(null);
  page.frame();
  page.frame();
  assert.deepEqual(painted, [3]);
  frame(null, 0, 2);
  page.frame();
  assert.deepEqual(painted, [3]);
});

test("a silent kernel is told after some seconds, and asked no more until it answers", async (t) => {
  const { page, driver, frame, steps, wake } = await start(t);
  wake();
  driver.play();
  page.wait(5000);
  assert.equal(driver.state.stalled, false);
  page.wait(2000);
  assert.equal(driver.state.stalled, true);
  assert.equal(driver.state.notice.kind, "stalled");
  page.frame();
  assert.equal(steps().length, 3);
  frame(3, 10);
  page.frame();
  assert.equal(driver.state.stalled, false);
  assert.equal(driver.state.notice, null);
  assert.equal(steps().length, 4);
});

test("what a lost connection swallowed is asked again, ever more seldom, and training goes on", async (t) => {
  const { page, driver, sent, frame, steps, wake } = await start(t);
  wake();
  driver.play();
  const hellos = () => sent.filter(({ type }) => type === "hello").length - 1;
  page.wait(7000);
  assert.equal(hellos(), 0);
  page.wait(60_000);
  assert.equal(hellos(), 3);
  page.wait(600_000);
  assert.ok(hellos() < 8, `${hellos()} questions wait for a kernel that was busy for ten minutes`);
  frame(sent.at(-1).request, 10); // the connection is back: 3, 4 and 5 are never answered
  page.frame();
  assert.equal(driver.state.stalled, false);
  assert.equal(steps().length, 6); // three new ones are in flight
  assert.equal(driver.state.notice, null);
});

test("while it compiles the page is patient", async (t) => {
  const { page, driver, wake, hear } = await start(t);
  wake();
  driver.play();
  hear({ type: "compiling", text: "Compiling" });
  page.wait(60_000);
  assert.equal(driver.state.stalled, false);
  page.wait(61_000);
  assert.equal(driver.state.stalled, true);
});

test("a refused value is told and training goes on; a failed step ends it", async (t) => {
  const { driver, wake, hear } = await start(t);
  wake();
  driver.play();
  hear({ type: "error", text: "lr_g must be a number", request: null });
  assert.equal(driver.state.playing, true);
  assert.equal(driver.state.notice.text, "lr_g must be a number");
  hear({ type: "error", text: "the loss raised", request: 3 });
  assert.equal(driver.state.playing, false);
  assert.equal(driver.state.notice.text, "the loss raised");
});

test("another view that plays stops this one", async (t) => {
  const { driver, wake, hear } = await start(t);
  wake();
  driver.play();
  hear({ type: "driver", driver: "another" });
  assert.equal(driver.state.playing, false);
});

test("a send that fails says what to do and leaves nothing waiting", async (t) => {
  const { page, driver, wake, cut } = await start(t);
  wake();
  cut();
  driver.play();
  assert.equal(driver.state.playing, false);
  assert.match(driver.state.notice.text, /Run this cell again/);
  page.wait(10_000);
  assert.equal(driver.state.stalled, false);
});

test("when the last view closes nothing is left that would run", async (t) => {
  const { page, driver, view, wake, frame, steps, unplug } = await start(t);
  wake();
  driver.play();
  frame(3, 10);
  assert.equal(steps().length, 4); // the answer has brought the next at once
  driver.remove(view);
  unplug();
  assert.equal(page.pending, 0);
  assert.equal(driver.state.playing, false);
  assert.equal(steps().length, 4);
});

test("a page that nobody sees asks for no more steps, and goes on when it is seen again", async (t) => {
  const { page, driver, wake, frame, steps } = await start(t);
  wake();
  driver.play();
  globalThis.document.hidden = true;
  frame(steps().at(-1), 10);
  assert.equal(steps().length, 3);
  globalThis.document.hidden = false;
  page.frame(16);
  assert.equal(steps().length, 4);
});

test("who asked for less motion sees four pictures a second, of all the steps", async (t) => {
  const { page, driver, painted, frame, steps, wake } = await start(t, { calm: true });
  wake();
  page.frame(300);
  driver.play();
  for (let i = 0; i < 63; i++) { // prettier-ignore
    frame(steps().at(-1), 10 * i);
    page.frame(16);
  }
  assert.ok(painted.length >= 4 && painted.length <= 6, `${painted.length} pictures in a second`);
});
