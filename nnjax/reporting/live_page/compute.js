// A state's iterations in float64, with every value in between: forward, loss, backward, new weights.
//
// const {stopped, iterations, final} = compute(state);
// iterations[0].layers[1].delta[0]        // the second layer's error terms for the first example
//
// Sums run in the order in which the page writes them: input by input, the bias weight last; example by example.

import { activate, slopeOf } from "./activations.js";
import { LOSSES, exampleLoss, lossGradient, smoothed, softmax } from "./losses.js";

const meanOf = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function weightedSum(weights, bias, inputs) {
  let sum = 0;
  for (let i = 0; i < inputs.length; i++) sum += weights[i] * inputs[i];
  return bias === null ? sum : sum + bias;
}

// Each layer's z and y, [b][n].
export function forwardPass(layers, weights, biases, inputs) {
  let values = inputs;
  return layers.map((layer, index) => {
    const z = values.map((row) => weights[index].map((w, n) => weightedSum(w, biases[index]?.[n] ?? null, row)));
    const y = z.map((row) => row.map((sum) => activate(layer.activation, sum)));
    values = y;
    return { z, y };
  });
}

// Each layer's slope, dy and delta, [b][n], from the output layer back; the layers' z and y come from `forwardPass`.
function backwardPass(layers, loss, weights, passed, targets) {
  let back = passed.at(-1).y.map((outputs, example) => lossGradient(loss, outputs, targets[example]));
  const found = [];
  for (let index = layers.length - 1; index >= 0; index--) {
    const dy = back;
    const slope = passed[index].z.map((row) => row.map((z) => slopeOf(layers[index].activation, z)));
    const delta = dy.map((row, example) => row.map((d, n) => d * slope[example][n]));
    found.unshift({ ...passed[index], slope, dy, delta });
    if (index > 0) {
      const count = weights[index][0].length;
      back = delta.map((row) =>
        Array.from({ length: count }, (_, i) => {
          let sum = 0;
          for (let n = 0; n < row.length; n++) sum += weights[index][n][i] * row[n];
          return sum;
        }),
      );
    }
  }
  return found;
}

// A layer's gradients: the mean over the examples of delta times input.
function gradientsOf(layer, delta, inputs) {
  const neurons = layer.neurons.map((_, n) => n);
  const batch = inputs.length;
  const mean = (n, i) => {
    let sum = 0;
    for (let example = 0; example < batch; example++) sum += delta[example][n] * (i < 0 ? 1 : inputs[example][i]);
    return sum / batch;
  };
  return {
    weights: neurons.map((n) => inputs[0].map((_, i) => mean(n, i))),
    biases: layer.hasBias && layer.learnsBias ? neurons.map((n) => mean(n, -1)) : null,
  };
}

// One iteration. `given` has number, learningRate, rate (signed: rate × gradient is added), inputs, targets (after smoothing),
// weights and biases.
export function computeIteration(layers, loss, given) {
  const { rate, inputs, targets, weights, biases } = given;
  const values = backwardPass(layers, loss, weights, forwardPass(layers, weights, biases, inputs), targets);
  const outputs = values.at(-1).y;
  const losses = outputs.map((row, example) => exampleLoss(loss, row, targets[example]));
  const gradients = layers.map((layer, index) => gradientsOf(layer, values[index].delta, index ? values[index - 1].y : inputs));
  const newWeights = weights.map((rows, index) =>
    rows.map((row, n) => row.map((w, i) => w + rate * gradients[index].weights[n][i])),
  );
  const newBiases = biases.map((row, index) => {
    const learnt = gradients[index].biases;
    return row === null || learnt === null ? row : row.map((w, n) => w + rate * learnt[n]);
  });
  const after = forwardPass(layers, newWeights, newBiases, inputs).at(-1).y;
  return {
    ...given,
    layers: values,
    probabilities: LOSSES[loss.name].softmax ? outputs.map(softmax) : null,
    losses,
    loss: meanOf(losses),
    gradients,
    newWeights,
    newBiases,
    outputsAfter: after,
    lossAfter: meanOf(after.map((row, example) => exampleLoss(loss, row, targets[example]))),
  };
}

const allFinite = (value) =>
  Array.isArray(value) ? value.every(allFinite) : value === null || Number.isFinite(value);

function isFiniteIteration({ losses, gradients, newWeights, newBiases }) {
  const parts = [losses, newWeights, newBiases, ...gradients.flatMap(({ weights, biases }) => [weights, biases])];
  return parts.every(allFinite);
}

// The learning rate of iteration `index`, from 0, before its sign.
export const rateOf = ({ rates, learningRate }, index) =>
  rates === null ? learningRate : rates[Math.min(index, rates.length - 1)];

// All iterations of a state; they end where the loss, a gradient or a weight is no longer finite, as a trace does.
export function compute(state) {
  const iterations = [];
  let weights = state.layers.map((layer) => layer.weights);
  let biases = state.layers.map((layer) => (layer.hasBias ? layer.biases : null));
  let stopped = null;
  for (let index = 0; index < state.iterations; index++) {
    const batch = state.batches[index % state.batches.length];
    const learningRate = rateOf(state, index);
    const found = computeIteration(state.layers, state.loss, {
      number: index + 1,
      learningRate,
      rate: state.adds ? learningRate : -learningRate,
      inputs: batch.inputs,
      targets: smoothed(state.loss, batch.targets),
      weights,
      biases,
    });
    if (!isFiniteIteration(found)) {
      stopped = `iteration ${index + 1}: the loss, a gradient or a weight is not a finite number any more`;
      break;
    }
    iterations.push(found);
    weights = found.newWeights;
    biases = found.newBiases;
  }
  return { stopped, iterations, final: { loss: iterations.at(-1)?.lossAfter ?? null, weights, biases } };
}
