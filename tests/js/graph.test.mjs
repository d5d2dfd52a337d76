import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const names = ["GRAPH_EDGES", "graphLayout", "graphLitEdges", "graphPulse", "graphNumbers", "graphNumber", "graphLatents", "graphAsk", "graphPaint", "graphKnown", "graphNamed"];
globalThis.LAYER_PAINTERS = {}; // paint.js's, which stands before it on the page
globalThis.ramp = () => Uint8ClampedArray.from({ length: 1024 }, (_, i) => i >> 2);
const graph = await load("graph.js", names);
const { GRAPH_EDGES, graphLayout, graphLitEdges } = graph;

const inside = ({ x, y, w, h }, px, py, by = 0) => Math.abs(px - x) < w / 2 - by && Math.abs(py - y) < h / 2 - by;

test("boxes stand apart, within the page, at every width", () => {
  for (const width of [296, 330, 360, 519, 520, 640, 1000]) {
    const { nodes, height, narrow } = graphLayout(width);
    assert.equal(narrow, width < 520);
    const all = Object.values(nodes);
    assert.equal(all.length, 7);
    for (const { x, y, w, h } of all) {
      assert.ok(w > 60, `a box ${w} wide holds no name`);
      assert.ok(x - w / 2 >= 0 && x + w / 2 <= width && y - h / 2 >= 0 && y + h / 2 <= height, `outside at ${width}`);
    }
    for (const [i, a] of all.entries()) {
      for (const b of all.slice(i + 1)) {
        assert.ok(Math.abs(a.x - b.x) >= (a.w + b.w) / 2 + 8 || Math.abs(a.y - b.y) >= (a.h + b.h) / 2 + 8, `two overlap at ${width}`);
      }
    }
  }
});

test("each line runs from the border of one box to that of the next, through no third", () => {
  for (const width of [296, 360, 520, 1000]) {
    const { nodes, edges } = graphLayout(width);
    for (const { from, to, x1, y1, x2, y2 } of edges) {
      const near = ({ x, y, w, h }, px, py) => Math.abs(px - x) < w / 2 + 8 && Math.abs(py - y) < h / 2 + 8;
      assert.ok(near(nodes[from], x1, y1) && near(nodes[to], x2, y2), `${from} to ${to} at ${width}`);
      assert.ok(!inside(nodes[from], x1, y1) && !inside(nodes[to], x2, y2), `${from} to ${to} begins or ends inside`);
      assert.ok(Math.hypot(x2 - x1, y2 - y1) > 6, `${from} to ${to} is too short to be seen at ${width}`);
      for (const [name, box] of Object.entries(nodes)) {
        for (let t = 0; t <= 1; t += 0.05) {
          const hit = inside(box, x1 + t * (x2 - x1), y1 + t * (y2 - y1), 1);
          assert.ok(!hit, `${from} to ${to} crosses ${name} at ${width}`);
        }
      }
    }
  }
});

test("what flows back does not cover what flows forward", () => {
  const { edges } = graphLayout(800);
  for (const forth of edges.filter(({ kind }) => kind === "data")) {
    const back = edges.find(({ from, to }) => from === forth.to && to === forth.from);
    if (!back) continue;
    const [ax, ay] = [(forth.x1 + forth.x2) / 2, (forth.y1 + forth.y2) / 2];
    const [bx, by] = [(back.x1 + back.x2) / 2, (back.y1 + back.y2) / 2];
    assert.ok(Math.hypot(ax - bx, ay - by) > 6, `${forth.from} and ${forth.to}`);
  }
});

const lines = (...lit) => GRAPH_EDGES.filter((_, i) => graphLitEdges(lit)[i]).map(([from, to]) => `${from}>${to}`);

test("each stage of a step lights its own lines", () => {
  assert.deepEqual(lines("latent"), []);
  assert.deepEqual(lines("latent", "generator", "fake"), ["latent>generator", "generator>fake"]);
  assert.deepEqual(lines("real"), []);
  assert.deepEqual(lines("real", "fake", "discriminator"), ["fake>discriminator", "real>discriminator"]);
  assert.deepEqual(lines("discriminator", "loss_d"), ["discriminator>loss_d"]);
  assert.deepEqual(lines("loss_d", "update_d", "discriminator"), ["loss_d>discriminator"]);
  assert.deepEqual(lines("loss_g", "update_g", "discriminator", "fake"), ["loss_g>discriminator", "discriminator>fake"]);
  assert.deepEqual(lines("update_g", "fake", "generator"), ["fake>generator"]);
});

test("in play the players' sides take turns, forward and back; a held player's side rests", () => {
  const sides = [0, 1, 2, 3, 4].map((beat) => graph.graphPulse(beat, "both", false));
  assert.ok(sides[0].includes("loss_d") && sides[0].includes("real") && !sides[0].includes("loss_g"));
  assert.ok(sides[1].includes("update_d"));
  assert.ok(sides[2].includes("loss_g") && !sides[2].includes("real"));
  assert.ok(sides[3].includes("update_g"));
  assert.deepEqual(sides[4], sides[0]);
  for (let beat = 0; beat < 4; beat++) {
    assert.ok(!graph.graphPulse(beat, "discriminator", false).includes("loss_g"));
    assert.ok(!graph.graphPulse(beat, "generator", false).includes("loss_d"));
  }
});

test("with less motion asked for nothing takes turns", () => {
  assert.deepEqual(graph.graphPulse(0, "both", true), graph.graphPulse(3, "both", true));
  assert.ok(graph.graphPulse(0, "both", true).includes("loss_g"));
});

const say = (key, values = {}) => `${key} ${Object.values(values).join()}`.trim();

test("a number stands only where it is known, and a held player says so", () => {
  assert.deepEqual(graph.graphNumbers({}, "both", say), { generator: "", discriminator: "", fake: "", real: "", loss_d: "", loss_g: "" });
  const known = graph.graphNumbers({ real: 0.8123, fake: 0.2, loss_d: 1.38629, norm_d: 0 }, "discriminator", say);
  assert.equal(known.real, "slow.node.says 0.81");
  assert.equal(known.loss_d, "1.39");
  assert.equal(known.loss_g, "");
  assert.equal(known.discriminator, "slow.node.gradient 0");
  assert.equal(known.generator, "slow.node.held");
});

test("in play the numbers are read off the frame", () => {
  const surface = Uint8Array.of(0, 255, 51, 102); // top row first
  const arrays = { curve: Float32Array.of(9, 9, 1.25, 0.5), surface, fake: Float32Array.of(-1, 1, 99, -99) };
  const frame = { arrays, shapes: { surface: [2, 2] }, ends: [-1, 1] };
  const known = graph.graphKnown(frame, { window: [-2, 2, -2, 2], real: Float32Array.of(1, 1, -1, -1) });
  assert.deepEqual([known.loss_d, known.loss_g], [1.25, 0.5]);
  assert.ok(Math.abs(known.fake - (-1 + (2 * (0 + 102)) / 510)) < 1e-9);
  assert.ok(Math.abs(known.real - (-1 + (2 * (255 + 51)) / 510)) < 1e-9);
  assert.deepEqual(graph.graphKnown({ arrays: { curve: new Float32Array(0) } }, null), {});
});

test("numbers keep three figures and a true minus", () => {
  assert.deepEqual([0, 1.38629, -0.5, 0.00012345, 123456, 1234.5].map(graph.graphNumber), ["0", "1.39", "−0.5", "1.2e−4", "1.2e5", "1230"]);
});

test("latents are drawn in their box, one number apiece on a line", () => {
  const plane = graph.graphLatents(Float32Array.of(0, 0, 9, -9, 1.3, 0.5), 2);
  assert.equal(plane.length, 3);
  assert.deepEqual(plane[1], [1, -1]);
  assert.ok(Math.abs(plane[2][0] - 0.5) < 1e-6);
  assert.deepEqual(graph.graphLatents(Float32Array.of(0, 9), 1).map(([, y]) => y), [0, 0]);
  assert.equal(graph.graphLatents(new Float32Array(2000), 2).length, 60);
});

test("entries of menus are named in the reader's language, one's own by its own name", () => {
  const view = { has: (key) => key === "entry_hinge", say: (key) => `said ${key}` };
  const values = { loss: { key: "entry_hinge", text: "hinge" }, penalty: { key: "entry_", text: "mine" }, n: "3" };
  assert.deepEqual(graph.graphNamed(values, view), { loss: "said entry_hinge", penalty: "mine", n: "3" });
});

test("the buttons ask for the stage that they name", () => {
  const slow = { stage: 3, of: 12 };
  assert.equal(graph.graphAsk("enter", null), 0);
  assert.equal(graph.graphAsk("next", slow), 4);
  assert.equal(graph.graphAsk("next", { stage: 11, of: 12 }), 12);
  assert.equal(graph.graphAsk("back", slow), 2);
  assert.equal(graph.graphAsk("back", { stage: 0, of: 12 }), 0);
  assert.equal(graph.graphAsk("finish", slow), 12);
  assert.equal(graph.graphAsk("leave", slow), null);
  assert.equal(graph.graphAsk("next", null), null);
});

test("the batch is painted where it lies, in the colour of D's answer", () => {
  const fills = [];
  const context = { canvas: { clientWidth: 300 }, save() {}, restore() {}, beginPath() {}, stroke() {}, fill() { fills.push([this.fillStyle, this.place]); },
    arc(x, y) { this.place = [x, y]; } };
  const arrays = { slow_fake: Float32Array.of(1, 2, 3, 4), slow_fake_answer: Uint8Array.of(0, 255), slow_real: Float32Array.of(5, 6) };
  const palette = { belief: [], fake: "fake", real: "real" };
  graph.graphPaint(context, { arrays }, {}, palette, { x: (x) => 10 * x, y: (y) => 10 * y });
  assert.deepEqual(fills, [["real", [50, 60]], ["rgb(0, 0, 0)", [10, 20]], ["rgb(255, 255, 255)", [30, 40]]]);
});
