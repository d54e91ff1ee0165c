// The state of the page, all that a reader can change, as plain JSON: made from a trace, and changed by functions that return a
// new state.
//
// const state = stateOf(trace);
// withWeight(state, 0, 0, 1, 0.7).layers[0].weights[0][0]        // 0.7: layer 0, neuron 0, input 1; input 0 is the bias
//
// Layers, neurons, batches and examples are counted from 0; inputs of a neuron from 1, as in w_a1. A change that is not
// possible throws an Error whose message is for the reader.

import { ACTIVATIONS } from "./activations.js";
import { batchesOf, examplesOf, freshWeight, resizedRow, resizedTargets } from "./examples.js";
import { neuronNames, tidy } from "./format.js";
import { LOSSES } from "./losses.js";

export const LIMITS = { layers: 4, neurons: 6, examples: 12, inputs: 12, iterations: 500 };

const NEEDS_IDENTITY = "cross_entropy applies softmax to the outputs itself; the output layer's activation must be identity";

const refuse = (text) => {
  throw new Error(text);
};

const clone = (value) => JSON.parse(JSON.stringify(value));

function finite(value, name) {
  return Number.isFinite(value) ? value : refuse(`${name} is ${value}; it must be a finite number`);
}

// The options of an activation that the page can compute, complete.
export function activationOptions(name, options = {}) {
  const known = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : null;
  if (known === null) refuse(`the activation ${name} is unknown to this page; it has ${Object.keys(ACTIVATIONS).join(", ")}`);
  if (known.option === undefined) return { name };
  const value = finite(options[known.option] ?? known.usual, `${known.option} of ${name}`);
  return { name, [known.option]: value };
}

// The options of a loss that the page can compute, complete.
export function lossOptions(name, options = {}) {
  const known = Object.hasOwn(LOSSES, name);
  if (!known) refuse(`the loss ${name} is unknown to this page; it has ${Object.keys(LOSSES).join(", ")}`);
  if (name !== "cross_entropy") return { name };
  const share = finite(options.label_smoothing ?? 0, "label_smoothing");
  if (share < 0 || share >= 1) refuse(`label_smoothing is ${share}; it must be at least 0 and below 1`);
  return { name, label_smoothing: share };
}

// Whether a trace adds learning rate × gradient to the weights, or subtracts it.
export const addsOf = (settings) => settings.adds ?? settings.learning_rate_rule.startsWith("new weight = weight + ");

// The layers of a trace with the weights of one recorded iteration.
export function layersOf({ settings, network }, { weights, biases }) {
  return network.layers.map((layer, index) => ({
    name: layer.name,
    activation: activationOptions(layer.activation, layer.activation_options),
    neurons: [...layer.neurons],
    hasBias: layer.has_bias,
    learnsBias: layer.has_bias && (layer.learns_bias ?? settings.learn_biases),
    weights: clone(weights[index]),
    biases: clone(biases[index]),
  }));
}

// The state that a trace shows. Examples come round again after the shortest period that fits the recorded iterations.
export function stateOf(trace) {
  const { settings, network, iterations } = trace;
  if (iterations.length === 0) refuse(trace.stopped ?? "the trace has no iteration");
  const [first] = iterations;
  const loss = lossOptions(settings.loss, settings.loss_options);
  const count = Math.min(settings.iterations ?? iterations.length, LIMITS.iterations);
  const rates = ratesOf(iterations, count);
  return {
    inputs: [...network.inputs],
    layers: layersOf(trace, first),
    loss,
    learningRate: first.learning_rate,
    adds: addsOf(settings),
    rates: rates.every((rate) => rate === rates[0]) ? null : rates,
    batches: recordedBatches(trace, loss),
    iterations: count,
    classes: trace.classes ? [...trace.classes] : null,
  };
}

// The learning rate of each iteration; between two recorded ones, on the line between them.
function ratesOf(iterations, count) {
  const rates = [];
  let place = 0;
  for (let number = 1; number <= count; number++) {
    while (place + 1 < iterations.length && iterations[place + 1].number <= number) place++;
    const [left, right] = [iterations[place], iterations[Math.min(place + 1, iterations.length - 1)]];
    const share = right.number === left.number ? 0 : (number - left.number) / (right.number - left.number);
    rates.push(share === 0 ? left.learning_rate : left.learning_rate + share * (right.learning_rate - left.learning_rate));
  }
  return rates;
}

function recordedBatches(trace, loss) {
  const share = loss.label_smoothing ?? 0;
  const unsmoothed = (row) => {
    const largest = Math.max(...row);
    return row.map((t) => Number(t === largest)); // class targets, one-hot
  };
  const classes = LOSSES[loss.name].softmax && share > 0;
  const all = trace.examples.map(({ inputs, targets }) => ({
    inputs: clone(inputs),
    targets: classes ? targets.map(unsmoothed) : clone(targets),
  }));
  const texts = all.map((batch) => JSON.stringify(batch));
  const numbers = trace.iterations.map(({ number }) => number - 1);
  const contiguous = numbers.findIndex((number, index) => number !== index);
  const most = contiguous < 0 ? numbers.length : Math.max(1, contiguous);
  const period = Array.from({ length: most }, (_, index) => index + 1).find((length) =>
    numbers.every((number, index) => texts[index] === texts[number % length]),
  );
  return all.slice(0, period ?? most);
}

// ---- Changes of numbers.

function changed(state, change) {
  const copy = clone(state);
  change(copy);
  return copy;
}

// Input 0 is the bias weight.
export function withWeight(state, layer, neuron, input, value) {
  finite(value, "the weight");
  return changed(state, ({ layers }) => {
    const found = layers[layer];
    if (input > 0) found.weights[neuron][input - 1] = value;
    else if (found.hasBias) found.biases[neuron] = value;
    else refuse(`layer ${layer + 1} has no bias weights`);
  });
}

function withExamples(state, change) {
  const found = examplesOf(state.batches);
  change(found);
  return { ...clone(state), batches: batchesOf(found) };
}

// An input of an example; `input` counts from 0.
export function withInput(state, batch, example, input, value) {
  finite(value, "the input");
  return withExamples(state, ({ inputs, indexOf }) => (inputs[indexOf(batch, example)][input] = value));
}

// A target of an example; with classes, a value other than 0 makes `output` the example's class.
export function withTarget(state, batch, example, output, value) {
  finite(value, "the target");
  return withExamples(state, ({ targets, indexOf }) => {
    const row = targets[indexOf(batch, example)];
    if (state.classes === null) row[output] = value;
    else if (value !== 0) row.forEach((_, k) => (row[k] = Number(k === output)));
  });
}

// `activation` is {name, its option}; an option left out takes the usual value.
export function withActivation(state, layer, activation) {
  const options = activationOptions(activation.name, activation);
  const output = layer === state.layers.length - 1;
  if (output && LOSSES[state.loss.name].softmax && options.name !== "identity") refuse(NEEDS_IDENTITY);
  return changed(state, ({ layers }) => (layers[layer].activation = options));
}

// `loss` is {name, label_smoothing}; cross_entropy makes each example's largest target its class, and, as it applies softmax to
// the outputs itself, the output layer's activation identity.
export function withLoss(state, loss) {
  const options = lossOptions(loss.name, loss);
  const outputs = state.layers.at(-1).neurons;
  if (!LOSSES[loss.name].softmax) return { ...clone(state), loss: options };
  if (outputs.length < 2) refuse("cross_entropy compares classes; it needs at least 2 output neurons");
  const found = withExamples(state, ({ targets }) => {
    for (const row of targets) {
      const largest = row.indexOf(Math.max(...row));
      row.forEach((_, k) => (row[k] = Number(k === largest)));
    }
  });
  found.layers.at(-1).activation = { name: "identity" };
  return { ...found, loss: options, classes: found.classes ?? outputs.map((name) => `class ${name}`) };
}

export function withRate(state, value) {
  return { ...clone(state), learningRate: finite(value, "the learning rate"), rates: null };
}

// Whether learning rate × gradient is added (the textbook) or subtracted. The rate changes its sign, so that the steps stay.
export function withSign(state, adds) {
  if (adds === state.adds) return clone(state);
  const rates = state.rates === null ? null : state.rates.map((rate) => -rate);
  return { ...clone(state), adds, learningRate: -state.learningRate, rates };
}

export function withIterations(state, count) {
  if (!Number.isInteger(count) || count < 1 || count > LIMITS.iterations) {
    refuse(`${count} iterations; it must be a whole number from 1 to ${LIMITS.iterations}`);
  }
  return { ...clone(state), iterations: count };
}

export const withLearntBiases = (state, learns) =>
  changed(state, ({ layers }) => layers.forEach((layer) => (layer.learnsBias = layer.hasBias && learns)));

// ---- Changes of shape. Names and the weights of the next layer follow.

function reshaped(state, change) {
  return changed(state, (copy) => {
    change(copy);
    const { layers } = copy;
    const names = neuronNames(layers.map(({ weights }) => weights.length));
    let inputs = copy.inputs.length;
    layers.forEach((layer, index) => {
      layer.neurons = names[index];
      layer.name = index === layers.length - 1 ? "output" : `layer_${index + 1}`;
      layer.weights = layer.weights.map((row, n) => resizedRow(row, inputs, n));
      inputs = layer.weights.length;
    });
    if (copy.classes !== null) {
      const name = (k) => copy.classes[k] ?? `class ${layers.at(-1).neurons[k]}`;
      copy.classes = Array.from({ length: inputs }, (_, k) => name(k));
    }
    copy.batches = resizedTargets(copy.batches, inputs, copy.classes !== null);
  });
}

export function addNeuron(state, layer) {
  return reshaped(state, ({ layers }) => {
    const found = layers[layer];
    const size = found.weights.length;
    if (size >= LIMITS.neurons) refuse(`a layer of this page has at most ${LIMITS.neurons} neurons`);
    found.weights.push(found.weights[0].map((_, i) => freshWeight(size, i)));
    if (found.hasBias) found.biases.push(0);
  });
}

// Removes the last neuron of a layer.
export function removeNeuron(state, layer) {
  const least = layer === state.layers.length - 1 && LOSSES[state.loss.name].softmax ? 2 : 1;
  return reshaped(state, ({ layers }) => {
    const found = layers[layer];
    if (found.weights.length <= least) refuse(`this layer needs at least ${least} ${least === 1 ? "neuron" : "neurons"}`);
    found.weights.pop();
    if (found.hasBias) found.biases.pop();
  });
}

// Adds a hidden layer before the output layer, of the last hidden layer's size and activation, else of 2 neurons with relu.
export function addLayer(state) {
  return reshaped(state, ({ layers, inputs }) => {
    if (layers.length >= LIMITS.layers) refuse(`a network of this page has at most ${LIMITS.layers} layers`);
    const last = layers.at(-2);
    const size = last?.weights.length ?? 2;
    const count = last?.weights.length ?? inputs.length;
    const weights = Array.from({ length: size }, (_, n) => Array.from({ length: count }, (_, i) => freshWeight(n, i)));
    const { hasBias, learnsBias } = layers.at(-1);
    const biases = hasBias ? weights.map(() => 0) : null;
    const activation = last?.activation ?? { name: "relu" };
    layers.splice(-1, 0, { name: "", activation, neurons: [], hasBias, learnsBias, weights, biases });
  });
}

// Removes the hidden layer before the output layer.
export function removeLayer(state) {
  if (state.layers.length < 2) refuse("a network needs its output layer");
  return reshaped(state, ({ layers }) => layers.splice(-2, 1));
}

// Adds an example: the last one with each input 0.1 larger. A batch of all examples takes it in.
export function addExample(state) {
  return withExamples(state, (found) => {
    if (found.inputs.length >= LIMITS.examples) refuse(`this page takes at most ${LIMITS.examples} examples`);
    if (found.size === found.inputs.length) found.size += 1;
    found.inputs.push(found.inputs.at(-1).map((x) => tidy(x + 0.1)));
    found.targets.push([...found.targets.at(-1)]);
  });
}

// Removes an example, by default the last one.
export function removeExample(state, batch = null, example = null) {
  return withExamples(state, (found) => {
    const count = found.inputs.length;
    if (count < 2) refuse("the training needs at least one example");
    const index = batch === null ? count - 1 : found.indexOf(batch, example);
    if (found.size === count) found.size -= 1;
    found.inputs.splice(index, 1);
    found.targets.splice(index, 1);
  });
}
