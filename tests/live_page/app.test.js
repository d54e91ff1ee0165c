// The page's state: what undo takes back, what is drawn, where the walk stays, and why a trace can only be read.

import assert from "node:assert/strict";
import test from "node:test";

import { makeApp } from "../../nnjax/reporting/live_page/app.js";
import { remarksOf } from "../../nnjax/reporting/live_page/remarks.js";
import { addExample, addNeuron, stateOf, withRate, withWeight } from "../../nnjax/reporting/live_page/state.js";
import { traceOf } from "../../nnjax/reporting/live_page/trace_of.js";
import { classes, textbook } from "./states.js";

const frames = [];
globalThis.requestAnimationFrame = (draw) => frames.push(draw);
globalThis.cancelAnimationFrame = (id) => (frames[id - 1] = null);
const runFrames = () => frames.splice(0).forEach((draw) => draw?.());

const appOf = (state) => makeApp(JSON.parse(JSON.stringify(traceOf(state))));
const valueAt = (app, symbol) => app.rows.find((row) => row.symbol === symbol).value;

test("numbers come from the trace until something is changed, and again after a reset", () => {
  const app = appOf(textbook());
  assert.equal(app.record, app.original);
  app.change(withWeight(app.state, 0, 0, 1, 0.5));
  assert.ok(app.edited);
  assert.equal(valueAt(app, "w_a1 x1"), 0.1);
  app.reset();
  assert.equal(app.record, app.original);
  assert.equal(valueAt(app, "w_a1 x1"), 0.02);
  app.undo();
  assert.equal(valueAt(app, "w_a1 x1"), 0.1);
});

test("the changes of one drag are undone together, and drawn once a frame", () => {
  const app = appOf(textbook());
  let drawn = 0;
  app.subscribe(() => (drawn += 1));
  for (const value of [0.2, 0.3, 0.4]) app.change(withWeight(app.state, 0, 0, 1, value), "drag 1");
  assert.equal(drawn, 0);
  runFrames();
  assert.equal(drawn, 1);
  app.endGroup();
  app.change(withRate(app.state, -0.1), "rate");
  app.undo();
  assert.equal(app.state.layers[0].weights[0][0], 0.4);
  app.undo();
  assert.ok(!app.edited && !app.canUndo);
  app.redo();
  app.redo();
  assert.equal(app.state.learningRate, -0.1);
  assert.ok(!app.canRedo);
});

test("the walk stays at its quantity where its number among the rows changes", () => {
  const app = appOf(textbook());
  app.go({ iteration: 1, step: app.rows.findIndex((row) => row.symbol === "δ_b") });
  app.change(addExample(app.state));
  assert.equal(app.row.symbol, "δ_b");
  assert.equal(app.place.iteration, 1);
  app.change(addNeuron(app.state, 0));
  assert.equal(app.row.symbol, "δ_b"); // of the first layer now
});

test("a state that stops in its first iteration has no row, and can be undone", () => {
  const app = appOf(textbook());
  app.change(withWeight(app.state, 0, 0, 1, 1e308)); // its square is not finite
  assert.equal(app.row, undefined);
  assert.match(app.record.stopped, /iteration 1/);
  app.undo();
  assert.ok(app.row);
});

test("remarks and dead neurons follow a change", () => {
  const app = appOf(textbook());
  app.change(withWeight(app.state, 1, 0, 0, -5));
  assert.deepEqual(app.record.remarks(0).dead, ["b"]);
  assert.match(app.record.remarks(0).remarks[0], /^Neuron b starts dead/);
  assert.deepEqual(app.record.remarks(1).remarks, []); // said once
});

test("an iteration's remarks, asked for alone, are those of the whole training", () => {
  const app = appOf({ ...textbook(), iterations: 12 });
  app.change(withRate(app.state, -1.8));
  const all = remarksOf(app.state, app.computed);
  assert.ok(all.some(({ remarks }) => remarks.some((line) => /kills neuron b/.test(line))));
  for (const index of [11, 0, 5, ...all.keys()]) assert.deepEqual(app.record.remarks(index), all[index]);
});

test("a trace that cannot be changed says why", () => {
  const whole = traceOf({ ...textbook(), iterations: 4 });
  const sparse = { ...whole, iterations: whole.iterations.filter(({ number }) => number !== 3) };
  sparse.rows = whole.rows.filter(({ iteration }) => iteration !== 3);
  sparse.examples = whole.examples.slice(1);
  const app = makeApp(sparse);
  assert.match(app.readOnly, /records only some/);
  assert.equal(app.state, null);
  assert.ok(app.comparable);
  app.go({ iteration: 2 });
  assert.equal(app.row.iteration, 4);
  const unknown = { ...whole, settings: { ...whole.settings, loss: "hinge" } };
  assert.match(makeApp(unknown).readOnly, /hinge is unknown/);
  assert.equal(makeApp({ ...whole, iterations: [], examples: [], rows: [] }).readOnly, "it has no iteration");
});

test("iterations compute their details again to the same numbers", () => {
  const app = appOf(classes());
  app.change(withRate(app.state, 0.25));
  const { iterations } = app.computed;
  assert.deepEqual(iterations[0].newWeights, iterations[1].weights);
  assert.equal(iterations[0].layers, iterations[0].layers); // once
  assert.deepEqual(stateOf(JSON.parse(JSON.stringify(traceOf(app.state)))), app.state);
});
