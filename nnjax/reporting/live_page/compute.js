// A state's iterations in float64, with every value in between: forward, loss, backward, new weights.
//
// const {stopped, iterations, final} = compute(state);
// iterations[0].layers[1].delta[0]        // the second layer's error terms for the first example
//
// Sums run in the order in which the page writes them: input by input, the bias weight last; example by example.

import { activate, slopeOf } from "./activations.js";
import { LOSSES, exampleLoss, lossGradient, smoothed, softmax } from "./losses.js";
import { meanOf } from "./sums.js";

// A matrix of `rows` times `columns`, filled by value(row, column); loops, as a change of one weight computes 500 iterations.
function matrix(rows, columns, value) {
  const found = new Array(rows);
  for (let row = 0; row < rows; row++) {
    const values = (found[row] = new Array(columns));
    for (let column = 0; column < columns; column++) values[column] = value(row, column);
  }
  return found;
}

function weightedSum(weights, bias, inputs) {
  let sum = 0;
  for (let i = 0; i < inputs.length; i++) sum += weights[i] * inputs[i];
  return bias === null ? sum : sum + bias;
}

// Each layer's z and y, [b][n].
export function forwardPass(layers, weights, biases, inputs) {
  let values = inputs;
  return layers.map(({ activation }, index) => {
    const [given, rows, row0] = [values, weights[index], biases[index]];
    const z = matrix(given.length, rows.length, (b, n) => weightedSum(rows[n], row0 ? row0[n] : null, given[b]));
    const y = matrix(given.length, rows.length, (b, n) => activate(activation, z[b][n]));
    values = y;
    return { z, y };
  });
}

// Each layer's slope, dy and delta, [b][n], from the output layer back; the layers' z and y come from `forwardPass`.
function backwardPass(layers, loss, weights, passed, targets) {
  let back = passed.at(-1).y.map((outputs, example) => lossGradient(loss, outputs, targets[example]));
  const found = [];
  for (let index = layers.length - 1; index >= 0; index--) {
    const [dy, rows, { z, y }] = [back, weights[index], passed[index]];
    const slope = matrix(z.length, rows.length, (b, n) => slopeOf(layers[index].activation, z[b][n]));
    const delta = matrix(z.length, rows.length, (b, n) => dy[b][n] * slope[b][n]);
    found.unshift({ z, y, slope, dy, delta });
    if (index === 0) break;
    back = matrix(z.length, rows[0].length, (b, i) => {
      let sum = 0;
      for (let n = 0; n < rows.length; n++) sum += rows[n][i] * delta[b][n];
      return sum;
    });
  }
  return found;
}

// A layer's gradients: the mean over the examples of delta times input.
function gradientsOf(layer, delta, inputs) {
  const [batch, neurons] = [inputs.length, layer.neurons.length];
  const mean = (n, i) => {
    let sum = 0;
    for (let b = 0; b < batch; b++) sum += i < 0 ? delta[b][n] : delta[b][n] * inputs[b][i];
    return sum / batch;
  };
  return {
    weights: matrix(neurons, inputs[0].length, mean),
    biases: layer.hasBias && layer.learnsBias ? layer.neurons.map((_, n) => mean(n, -1)) : null,
  };
}

// An iteration, and the forward pass after its update. `passed` is the forward pass before it, where it is already known.
function iterate(layers, loss, given, passed) {
  const { rate, inputs, targets, weights, biases } = given;
  const values = backwardPass(layers, loss, weights, passed ?? forwardPass(layers, weights, biases, inputs), targets);
  const outputs = values.at(-1).y;
  const losses = outputs.map((row, example) => exampleLoss(loss, row, targets[example]));
  const gradients = layers.map((layer, index) => gradientsOf(layer, values[index].delta, index ? values[index - 1].y : inputs));
  const newWeights = weights.map((rows, index) => {
    const { weights: slopes } = gradients[index];
    return matrix(rows.length, rows[0].length, (n, i) => rows[n][i] + rate * slopes[n][i]);
  });
  const newBiases = biases.map((row, index) => {
    const learnt = gradients[index].biases;
    return row === null || learnt === null ? row : row.map((w, n) => w + rate * learnt[n]);
  });
  const after = forwardPass(layers, newWeights, newBiases, inputs);
  const outputsAfter = after.at(-1).y;
  const found = {
    ...given,
    layers: values,
    probabilities: LOSSES[loss.name].softmax ? outputs.map(softmax) : null,
    losses,
    loss: meanOf(losses),
    gradients,
    newWeights,
    newBiases,
    outputsAfter,
    lossAfter: meanOf(outputsAfter.map((row, example) => exampleLoss(loss, row, targets[example]))),
  };
  return [found, after];
}

// One iteration. `given` has number, learningRate, rate (signed: rate × gradient is added), inputs, targets (after smoothing),
// weights and biases.
export const computeIteration = (layers, loss, given) => iterate(layers, loss, given, null)[0];

function allFinite(value) {
  if (!Array.isArray(value)) return value === null || Number.isFinite(value);
  for (let index = 0; index < value.length; index++) if (!allFinite(value[index])) return false;
  return true;
}

function isFiniteIteration({ losses, gradients, newWeights, newBiases }) {
  const parts = [losses, newWeights, newBiases, ...gradients.flatMap(({ weights, biases }) => [weights, biases])];
  return parts.every(allFinite);
}

// The learning rate of iteration `index`, from 0, before its sign.
const rateOf = ({ rates, learningRate }, index) =>
  rates === null ? learningRate : rates[Math.min(index, rates.length - 1)];

// An iteration of a state. All numbers of 500 iterations would keep the garbage collector busier than the arithmetic, so that
// only weights and losses stay, and the others are computed again for an iteration that is shown.
class KeptIteration {
  #again;
  #all = null;
  constructor(given, { loss, lossAfter }, again) {
    Object.assign(this, given, { loss, lossAfter });
    this.#again = again;
  }
  static {
    for (const name of ["layers", "probabilities", "losses", "gradients", "newWeights", "newBiases", "outputsAfter"]) {
      Object.defineProperty(this.prototype, name, {
        get() {
          this.#all ??= this.#again();
          return this.#all[name];
        },
      });
    }
  }
}

// All iterations of a state; they end where the loss, a gradient or a weight is no longer finite, as a trace does.
export function compute(state) {
  const iterations = [];
  let weights = state.layers.map((layer) => layer.weights);
  let biases = state.layers.map((layer) => (layer.hasBias ? layer.biases : null));
  const batches = state.batches.map(({ inputs, targets }) => ({ inputs, targets: smoothed(state.loss, targets) }));
  let stopped = null;
  let passed = null;
  for (let index = 0; index < state.iterations; index++) {
    const learningRate = rateOf(state, index);
    const rate = state.adds ? learningRate : -learningRate;
    const given = { number: index + 1, learningRate, rate, ...batches[index % batches.length], weights, biases };
    const [found, after] = iterate(state.layers, state.loss, given, passed);
    if (!isFiniteIteration(found)) {
      stopped = `iteration ${index + 1}: the loss, a gradient or a weight is not a finite number any more`;
      break;
    }
    iterations.push(new KeptIteration(given, found, () => computeIteration(state.layers, state.loss, given)));
    passed = batches.length === 1 ? after : null; // the next iteration starts where this one ends
    weights = found.newWeights;
    biases = found.newBiases;
  }
  return { stopped, iterations, final: { loss: iterations.at(-1)?.lossAfter ?? null, weights, biases } };
}
