import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const names = ["gridMove", "wallCaption", "wallColumns", "wallOrder", "wallRange", "wallRemark", "wallSentence", "wallWords"];
const { gridMove, wallCaption, wallColumns, wallOrder, wallRange, wallRemark, wallSentence, wallWords } = await load(["base.js", "wall.js"], names);

const say = (key, values = {}) => `${key} ${JSON.stringify(values)}`;
const ring = {
  seeds: [10, 11, 12, 13],
  of: 8,
  measured: true,
  diverged: [null, 1234, null, null],
  measures: [{ name: "modes", more: true }, { name: "quality", more: true }], // prettier-ignore
  scores: { modes: [7, 8, 8, 8], quality: [0.9, 0.99, 0.5, 0.75] },
  floors: { modes: 8, quality: 0.989 },
  quartiles: { modes: [5, 7.5, 8], quality: [0.5, 0.8251, 0.9] },
  share: { hits: 2, trials: 4, low: 0.0676, high: 0.9324, confidence: 0.95 },
};
const spiral = {
  ...ring,
  of: null,
  measures: [{ name: "distance", more: false }],
  scores: { distance: [0.3, 0.01, 0.1, 0.2] },
  floors: { distance: 0.0412 },
  quartiles: { distance: [0.1, 0.25, null] },
  share: null,
};

test("the order is the seeds', or the best first with ties by the second score, and the diverged last", () => {
  assert.deepEqual(wallOrder(ring, "seed"), [0, 1, 2, 3]);
  assert.deepEqual(wallOrder(ring, "score"), [3, 2, 0, 1]);
  assert.deepEqual(wallOrder(spiral, "score"), [2, 3, 0, 1]);
});

test("before the first score the order is the seeds', the diverged last", () => {
  const fresh = { ...ring, measured: false, measures: ring.measures, scores: { modes: [], quality: [] } };
  assert.deepEqual(wallOrder(fresh, "score"), [0, 2, 3, 1]);
});

test("arrows move by one and by a row, and stop at the ends", () => {
  const moves = [["ArrowRight", 5, 6], ["ArrowLeft", 5, 4], ["ArrowDown", 5, 9], ["ArrowUp", 5, 1], ["ArrowUp", 2, 2],
    ["ArrowDown", 13, 13], ["ArrowLeft", 0, 0], ["ArrowRight", 15, 15], ["Home", 9, 0], ["End", 9, 15]]; // prettier-ignore
  for (const [key, from, to] of moves) assert.equal(gridMove(key, from, 16, 4), to, `${key} from ${from}`);
  assert.equal(gridMove("a", 3, 16, 4), null);
  assert.equal(gridMove("Enter", 3, 16, 4), null);
});

test("the pictures stand in a square, eight in a row at most", () => {
  assert.deepEqual([4, 5, 9, 16, 17, 64].map(wallColumns), [2, 3, 3, 4, 5, 8]);
});

test("the sentence and its remark carry the counts, the interval and who diverged", () => {
  assert.equal(wallSentence(say, ring), 'wall.sentence.modes {"hits":2,"trials":4,"of":8}');
  const remark = 'wall.interval {"low":7,"high":93,"confidence":95} wall.quality {"middle":83,"floor":99} wall.lost.one {"lost":1}';
  assert.equal(wallRemark(say, ring), remark);
  assert.equal(wallRemark(say, { ...ring, diverged: [1, 2, null, null] }).split(" ").at(-2), "wall.lost");
  const distance = '{"low":"0.1","middle":"0.25","high":"–","floor":"0.041"}';
  assert.equal(wallSentence(say, spiral), `wall.sentence.distance ${distance}`);
  assert.equal(wallSentence(say, { ...ring, measured: false }), 'wall.sentence.new {"count":4}');
});

test("each run is told by its score, or as diverged", () => {
  assert.equal(wallCaption(say, ring, 0), "7/8");
  assert.equal(wallCaption(say, ring, 1), 'wall.caption.diverged {"step":"1,234"}');
  assert.equal(wallWords(say, ring, 2), 'wall.words.modes {"seed":12,"modes":8,"of":8,"quality":50}');
  assert.equal(wallWords(say, ring, 1), 'wall.words.diverged {"seed":11,"step":"1,234"}');
  assert.equal(wallWords(say, spiral, 0), 'wall.words.distance {"seed":10,"value":"0.3"}');
});

test("the chart's axis holds every live point and the perfect value, not what came after a divergence", () => {
  const track = { values: Float32Array.of(1, 2, 3, 900), ended: [2, 1], runs: 2, floor: 4, top: null };
  const [low, high] = wallRange(track);
  assert.ok(low < 0 && high > 4 && high < 5);
  const [, tall] = wallRange({ ...track, values: Float32Array.of(1, 2, 30, 900) });
  assert.ok(tall > 30 && tall < 40);
  const empty = wallRange({ values: new Float32Array(), ended: [], runs: 2, floor: null, top: null });
  assert.ok(empty[0] <= 0 && empty[1] >= 1);
});
