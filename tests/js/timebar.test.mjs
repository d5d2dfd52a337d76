import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const names = ["timebarNearest", "timebarPlace", "timebarMarks", "timebarReach", "timebarSince", "timebarShortcut", "timebarScrub"];
const { timebarNearest, timebarPlace, timebarMarks, timebarReach, timebarSince, timebarShortcut, timebarScrub } = await load("timebar.js", names);

test("the nearest key state, of two the earlier", () => {
  const keys = [0, 30, 50, 90];
  for (const [step, nearest] of [[0, 0], [14, 0], [15, 0], [16, 30], [40, 30], [41, 50], [70, 50], [71, 90], [5000, 90]]) {
    assert.equal(timebarNearest(keys, step), nearest, `step ${step}`);
  }
  assert.equal(timebarNearest([], 7), 0);
});

test("where a step takes long the bar goes to a kept one, but never stays where it is", () => {
  const run = { keys: [0, 400, 800], at: 400, pace: 0.5 };
  assert.equal(timebarReach({ ...run, pace: undefined }, 799), 799); // points, or nothing was timed yet
  assert.equal(timebarReach({ ...run, pace: 0.001 }, 799), 799);
  for (const [step, reached] of [[400, 400], [401, 401], [420, 420], [421, 800], [500, 800], [810, 810], [399, 0], [300, 0], [20, 20]]) {
    assert.equal(timebarReach(run, step), reached, `step ${step}`);
  }
  assert.equal(timebarReach({ keys: [0], at: 90, pace: 0.5 }, 120), 120); // there is no other
});

test("a place is a share of the bar and stays on it", () => {
  const run = { first: 100, last: 300 };
  assert.deepEqual([100, 150, 300, 0, 999].map((step) => timebarPlace(step, run)), [0, 0.25, 1, 0, 1]);
  assert.equal(timebarPlace(5, { first: 5, last: 5 }), 0); // a run without a step
});

test("marks that would lie on each other become one, in their order", () => {
  const marks = [{ step: 0, text: "a" }, { step: 4, text: "b" }, { step: 9, text: "c" }, { step: 1000, text: "d" }];
  const drawn = timebarMarks({ first: 0, last: 1000, marks });
  assert.deepEqual(drawn.map(({ place, count }) => [place, count]), [[0, 2], [0.009, 1], [1, 1]]);
  assert.equal(drawn[0].text, "0: a\n4: b");
  assert.equal(drawn[2].text, "1,000: d");
});

test("what was changed last is the last mark not after the step", () => {
  const marks = [{ step: 10, text: "a" }, { step: 20, text: "b" }];
  assert.deepEqual([9, 10, 19, 20, 99].map((step) => timebarSince(marks, step)?.text ?? null), [null, "a", "a", "b", "b"]);
});

test("shortcuts are those of an editor, and leave a text that is typed alone", () => {
  const key = (key, more = {}) => ({ key, ctrlKey: true, metaKey: false, shiftKey: false, altKey: false, ...more });
  const slider = { tagName: "INPUT", type: "range" };
  assert.equal(timebarShortcut(key("z"), slider), "undo");
  assert.equal(timebarShortcut(key("Z", { shiftKey: true }), slider), "redo");
  assert.equal(timebarShortcut(key("y"), { tagName: "BUTTON" }), "redo");
  assert.equal(timebarShortcut(key("z", { ctrlKey: false, metaKey: true }), slider), "undo");
  assert.equal(timebarShortcut(key("z", { ctrlKey: false }), slider), null);
  assert.equal(timebarShortcut(key("z", { altKey: true }), slider), null);
  assert.equal(timebarShortcut(key("a"), slider), null);
  for (const target of [{ tagName: "TEXTAREA" }, { tagName: "INPUT", type: "text" }, { tagName: "INPUT", type: "number" }]) {
    assert.equal(timebarShortcut(key("z"), target), null);
  }
});

function scrubbed() {
  const asked = [];
  const clock = { now: 0 };
  return { asked, clock, scrub: timebarScrub((wish) => asked.push([wish.step, wish.exact]), () => clock.now) };
}

test("one wish is under way at a time, and of those that come meanwhile only the last counts", () => {
  const { asked, scrub } = scrubbed();
  for (const step of [10, 20, 30]) scrub.to(step, false);
  assert.deepEqual(asked, [[10, false]]);
  scrub.arrived({ at: 8, goal: null });
  assert.deepEqual(asked, [[10, false], [30, false]]);
  scrub.to(35, true); // the hand lets go
  scrub.arrived({ at: 28, goal: null });
  assert.deepEqual(asked.at(-1), [35, true]);
  scrub.arrived({ at: 35, goal: null });
  assert.equal(scrub.active, false);
  assert.equal(asked.length, 3);
});

test("a long way is asked for until it is reached, whatever other frames come between", () => {
  const { asked, scrub } = scrubbed();
  scrub.to(500, true);
  scrub.arrived({ at: 900, goal: null }); // one that was trained before the kernel heard of it
  assert.equal(asked.length, 1);
  scrub.arrived({ at: 200, goal: 500 });
  scrub.arrived({ at: 400, goal: 500 });
  assert.deepEqual(asked, [[500, true], [500, true], [500, true]]);
  scrub.arrived({ at: 500, goal: null });
  assert.equal(scrub.active, false);
});

test("a kernel that does not answer does not hold the bar for ever", () => {
  const { asked, clock, scrub } = scrubbed();
  scrub.to(10, false);
  clock.now = 700;
  scrub.to(20, false);
  assert.deepEqual(asked, [[10, false], [20, false]]);
  clock.now = 60_000;
  assert.equal(scrub.active, false);
});
