// Changes of a state: what follows from each, what stays, and what is refused.

import assert from "node:assert/strict";
import test from "node:test";

import { compute } from "../../nnjax/reporting/live_page/compute.js";
import * as edits from "../../nnjax/reporting/live_page/state.js";
import { traceOf } from "../../nnjax/reporting/live_page/trace_of.js";
import { classes, textbook } from "./states.js";

const { stateOf } = edits;
const sizes = (state) => state.layers.map(({ weights }) => weights.length);

function consistent(state) {
  let inputs = state.inputs.length;
  for (const layer of state.layers) {
    assert.equal(layer.neurons.length, layer.weights.length);
    for (const row of layer.weights) assert.equal(row.length, inputs);
    if (layer.hasBias) assert.equal(layer.biases.length, layer.weights.length);
    else assert.equal(layer.biases, null);
    inputs = layer.weights.length;
  }
  for (const batch of state.batches) {
    assert.equal(batch.inputs.length, batch.targets.length);
    for (const row of batch.targets) assert.equal(row.length, inputs);
  }
  if (state.classes !== null) assert.equal(state.classes.length, inputs);
  const names = state.layers.flatMap(({ neurons }) => neurons);
  assert.equal(new Set(names).size, names.length);
  const { stopped, iterations } = compute(state);
  assert.equal(stopped, null);
  assert.equal(iterations.length, state.iterations);
  return state;
}

const EDITS = {
  withWeight: [textbook(), 0, 0, 2, -0.7],
  withInput: [textbook(), 0, 0, 1, 3],
  withTarget: [textbook(), 0, 0, 0, 2],
  withActivation: [textbook(), 1, { name: "elu", alpha: 1.5 }],
  withLoss: [textbook(), { name: "mse" }],
  withRate: [textbook(), -0.1],
  withSign: [textbook(), false],
  withIterations: [textbook(), 7],
  withLearntBiases: [textbook(), false],
  addNeuron: [textbook(), 0],
  removeNeuron: [edits.addNeuron(textbook(), 1), 1],
  addLayer: [textbook()],
  removeLayer: [textbook()],
  addExample: [textbook()],
  removeExample: [classes()],
};

for (const [name, [state, ...given]] of Object.entries(EDITS)) {
  test(`${name} returns another state and leaves the given one alone`, () => {
    const before = JSON.stringify(state);
    const after = consistent(edits[name](state, ...given));
    assert.equal(JSON.stringify(state), before);
    assert.notEqual(JSON.stringify(after), before);
    assert.deepEqual(stateOf(JSON.parse(JSON.stringify(traceOf(after)))), after);
  });
}

test("a weight, a bias weight", () => {
  assert.equal(edits.withWeight(textbook(), 0, 0, 3, 9).layers[0].weights[0][2], 9);
  assert.equal(edits.withWeight(textbook(), 1, 0, 0, 9).layers[1].biases[0], 9);
  assert.throws(() => edits.withWeight(classes(), 1, 0, 0, 9), /layer 2 has no bias weights/);
  assert.throws(() => edits.withWeight(textbook(), 0, 0, 1, NaN), /finite/);
});

test("the other sign makes the same steps", () => {
  const [adds, subtracts] = [textbook(), edits.withSign(textbook(), false)];
  assert.equal(subtracts.learningRate, 0.6);
  assert.deepEqual(compute(subtracts).final, compute(adds).final);
  assert.deepEqual(edits.withSign({ ...adds, rates: [-1, -2] }, false).rates, [1, 2]);
});

test("an example that two batches share changes in both", () => {
  const state = edits.withInput(classes(), 0, 1, 0, 7); // the second example is also the third batch's first
  assert.equal(state.batches[0].inputs[1][0], 7);
  assert.equal(state.batches[2].inputs[0][0], 7);
  assert.equal(JSON.stringify(state).split("7").length - 1, 2);
});

test("a class is chosen by a target other than 0, one for each example", () => {
  assert.deepEqual(edits.withTarget(classes(), 0, 0, 2, 1).batches[0].targets[0], [0, 0, 1]);
  assert.deepEqual(edits.withTarget(classes(), 0, 0, 2, 0).batches[0].targets[0], [1, 0, 0]);
});

test("networks grow and shrink within limits, and every shape can be computed", () => {
  let state = textbook();
  while (state.layers.length < 4) state = consistent(edits.addLayer(state));
  assert.throws(() => edits.addLayer(state), /at most 4 layers/);
  for (const layer of [0, 1, 2, 3]) {
    while (sizes(state)[layer] < 6) state = consistent(edits.addNeuron(state, layer));
    assert.throws(() => edits.addNeuron(state, layer), /at most 6 neurons/);
  }
  assert.deepEqual(sizes(state), [6, 6, 6, 6]);
  assert.deepEqual(state.layers.map(({ name }) => name), ["layer_1", "layer_2", "layer_3", "output"]);
  for (const layer of [0, 1, 2, 3]) {
    while (sizes(state)[layer] > 1) state = consistent(edits.removeNeuron(state, layer));
    assert.throws(() => edits.removeNeuron(state, layer), /at least 1 neuron$/);
  }
  while (state.layers.length > 1) state = consistent(edits.removeLayer(state));
  assert.throws(() => edits.removeLayer(state), /output layer/);
});

test("weights that stay keep their values when the shape changes", () => {
  const wider = edits.addNeuron(textbook(), 0);
  assert.deepEqual(wider.layers[0].weights[0], [0.1, 0.2, 0.3]);
  assert.equal(wider.layers[1].weights[0][0], 0.4);
  assert.deepEqual(edits.removeNeuron(wider, 0).layers[1].weights, [[0.4]]);
});

test("classes follow the output neurons; examples of a class that has gone take the first", () => {
  const more = consistent(edits.addNeuron(classes(), 1));
  assert.deepEqual(more.classes.slice(0, 3), classes().classes);
  assert.equal(more.classes[3], "class f");
  const fewer = consistent(edits.removeNeuron(classes(), 1));
  assert.deepEqual(fewer.batches[1].targets, [[1, 0], [1, 0]]);
  assert.throws(() => edits.removeNeuron(fewer, 1), /at least 2 neurons/);
});

test("cross-entropy makes classes of targets, and needs two outputs and identity", () => {
  assert.throws(() => edits.withLoss(textbook(), { name: "cross_entropy" }), /at least 2 output neurons/);
  const two = edits.withTarget(edits.addNeuron(textbook(), 1), 0, 0, 1, 5);
  const found = consistent(edits.withLoss(two, { name: "cross_entropy", label_smoothing: 0.2 }));
  assert.deepEqual(found.batches[0].targets, [[0, 1]]);
  assert.deepEqual(found.classes, ["class b", "class c"]);
  assert.deepEqual(found.layers[1].activation, { name: "identity" });
  assert.throws(() => edits.withActivation(found, 1, { name: "relu" }), /must be identity/);
  assert.deepEqual(edits.withActivation(found, 0, { name: "relu" }).layers[0].activation, { name: "relu" });
});

test("a batch of all examples takes a new one in; other batches keep their size", () => {
  const all = edits.addExample(textbook());
  assert.equal(all.batches.length, 1);
  assert.deepEqual(all.batches[0].inputs, [[0.2, 0.1, 0.4], [0.3, 0.2, 0.5]]);
  const four = consistent(edits.addExample(classes()));
  assert.deepEqual(four.batches.map(({ inputs }) => inputs.length), [2, 2]);
  let state = textbook();
  for (let count = 1; count < edits.LIMITS.examples; count++) state = edits.addExample(state);
  assert.throws(() => edits.addExample(state), /at most 12 examples/);
  assert.throws(() => edits.removeExample(textbook()), /at least one example/);
  assert.deepEqual(edits.removeExample(all, 0, 0).batches, [{ inputs: [[0.3, 0.2, 0.5]], targets: [[1]] }]);
});

test("options out of range are refused by name", () => {
  assert.throws(() => edits.withActivation(textbook(), 0, { name: "swish" }), /activation swish is unknown.*relu, tanh/);
  assert.throws(() => edits.withActivation(textbook(), 0, { name: "constructor" }), /unknown/);
  assert.throws(() => edits.withLoss(textbook(), { name: "hinge" }), /loss hinge is unknown/);
  assert.throws(() => edits.withLoss(classes(), { name: "cross_entropy", label_smoothing: 1 }), /below 1/);
  for (const count of [0, 501, 1.5, NaN]) assert.throws(() => edits.withIterations(textbook(), count), /from 1 to 500/);
  assert.throws(() => edits.withRate(textbook(), Infinity), /finite/);
});

test("the examples of a sparse trace come round after the shortest period", () => {
  const state = { ...classes(), iterations: 9 };
  const trace = traceOf(state);
  const kept = [0, 1, 2, 3, 5, 8];
  for (const name of ["iterations", "examples"]) trace[name] = kept.map((index) => trace[name][index]);
  assert.deepEqual(stateOf(trace).batches, state.batches);
  assert.equal(stateOf(trace).iterations, 9);
});

test("a schedule's rates are kept; between recorded iterations they are on a line", () => {
  const trace = traceOf({ ...textbook(), iterations: 4, rates: [-0.4, -0.3, -0.2, -0.1] });
  assert.deepEqual(stateOf(trace).rates, [-0.4, -0.3, -0.2, -0.1]);
  trace.iterations.splice(1, 2);
  trace.examples.splice(1, 2);
  assert.equal(stateOf(trace).rates.length, 4);
  stateOf(trace).rates.forEach((rate, index) => assert.ok(Math.abs(rate + 0.4 - 0.1 * index) < 1e-12));
  assert.equal(edits.withRate({ ...textbook(), rates: [1, 2] }, 3).rates, null);
});

test("a training that diverges stops where a trace stops", () => {
  const state = edits.withIterations(edits.withActivation(edits.withRate(textbook(), -1e200), 1, { name: "identity" }), 5);
  const { stopped, iterations } = compute(state);
  assert.match(stopped, /^iteration \d: the loss, a gradient or a weight is not a finite number any more$/);
  assert.equal(iterations.length, Number(stopped[10]) - 1);
});
