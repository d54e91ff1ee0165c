// One training step on two devices: the gradients of both halves of a batch, their average, and the chapter's neuron averaging.
//
//   twoDevices(state, computed.iterations[0]).layers[0].average.weights       // of the output layer: layers come last first
//
// The twin of nnjax/textbook/exchange.py. tests/live_page/test_two_devices.py compares the two.

import { computeIteration, forwardPass } from "./compute.js";
import { exampleLoss, lossGradient } from "./losses.js";

// As in exchange.py: float64 results are equal if they differ by less than the first, relative to the largest gradient, plus
// the second, for results that are only rounding.
const [ROUNDED_GRADIENT, CANCELLED_SUM] = [1e-12, 1e-15];

const meanOfColumns = (rows) => rows[0].map((_, column) => rows.reduce((sum, row) => sum + row[column], 0) / rows.length);

// Applies `combine` to the numbers of gradients of one layer, {weights, biases}.
function merged(combine, ...parts) {
  const { weights, biases } = parts[0];
  const at = (n, i) => combine(...parts.map((part) => part.weights[n][i]));
  return {
    weights: weights.map((row, n) => row.map((_, i) => at(n, i))),
    biases: biases && biases.map((_, n) => combine(...parts.map((part) => part.biases[n]))),
  };
}

const numbersOf = ({ weights, biases }) => [...weights.flat(), ...(biases ?? [])];

// Math.max would also do, but a NaN has to stay one.
const largestOf = (values) => values.reduce((most, value) => (value > most || Number.isNaN(value) ? value : most), 0);
const differenceOf = (one, other) => largestOf(numbersOf(merged((a, b) => Math.abs(a - b), one, other)));

// exchange._neuron_averaging: the gradients of the weights if each neuron's error term is averaged over all examples before it
// goes back, so that all examples receive the same value in the layer below. `found` is an iteration of the whole batch.
// `half` examples are device A's; each device's own mean error terms are `deltas`.
function neuronAveraging(loss, found, half) {
  const outputs = found.layers.at(-1).y;
  let received = outputs.map((row, example) => lossGradient(loss, row, found.targets[example]));
  const gradients = [];
  for (let index = found.layers.length - 1; index >= 0; index -= 1) {
    const { slope } = found.layers[index];
    const terms = slope.map((row, example) => row.map((value, n) => value * received[example][n]));
    const delta = meanOfColumns(terms);
    const input = meanOfColumns(index > 0 ? found.layers[index - 1].y : found.inputs);
    const rows = found.weights[index];
    gradients.unshift({
      delta,
      deltas: [terms.slice(0, half), terms.slice(half)].map(meanOfColumns),
      weights: delta.map((value) => input.map((entering) => value * entering)),
      biases: found.gradients[index].biases && [...delta],
    });
    const back = rows[0].map((_, i) => delta.reduce((sum, value, n) => sum + value * rows[n][i], 0));
    received = outputs.map(() => back);
  }
  return gradients;
}

// The loss of the whole batch after a step with these gradients.
function lossAfter(state, found, gradients) {
  const stepped = (values, slopes) => values.map((value, i) => value + found.rate * slopes[i]);
  const weights = found.weights.map((rows, k) => rows.map((row, n) => stepped(row, gradients[k].weights[n])));
  const biases = found.biases.map((row, k) => (row && gradients[k].biases ? stepped(row, gradients[k].biases) : row));
  const outputs = forwardPass(state.layers, weights, biases, found.inputs).at(-1).y;
  return outputs.reduce((sum, row, e) => sum + exampleLoss(state.loss, row, found.targets[e]), 0) / outputs.length;
}

// The numbers of both devices in a computed iteration; null for a batch of one example. The first half of the examples goes to
// device A, which takes one more of an odd number. A part then counts by its examples, as the average would not be the batch's.
export function twoDevices(state, found) {
  const count = found.inputs.length;
  if (count < 2) return null;
  const half = Math.ceil(count / 2);
  const cut = (from, to) =>
    computeIteration(state.layers, state.loss, {
      number: found.number,
      learningRate: found.learningRate,
      rate: found.rate,
      inputs: found.inputs.slice(from, to),
      targets: found.targets.slice(from, to),
      weights: found.weights,
      biases: found.biases,
    });
  const [a, b] = [cut(0, half), cut(half, count)];
  const equal = half * 2 === count;
  const mean = equal ? (one, other) => (one + other) / 2 : (one, other) => (one * half + other * (count - half)) / count;
  const byNeuron = neuronAveraging(state.loss, found, half);
  const average = found.gradients.map((_, k) => merged(mean, a.gradients[k], b.gradients[k]));
  const stepped = (before, gradients) => merged((value, slope) => value + found.rate * slope, before, gradients);
  const layers = state.layers.map((layer, k) => {
    const whole = found.gradients[k];
    const before = { weights: found.weights[k], biases: whole.biases && found.biases[k] };
    return {
      name: layer.name,
      neurons: layer.neurons,
      a: a.gradients[k],
      b: b.gradients[k],
      average: average[k],
      whole,
      byNeuron: byNeuron[k],
      stepped: stepped(before, average[k]),
      steppedByNeuron: stepped(before, byNeuron[k]),
      difference: differenceOf(average[k], whole),
      neuronDifference: differenceOf(byNeuron[k], whole),
    };
  });
  const top = largestOf(found.gradients.flatMap(numbersOf).map(Math.abs));
  const same = (difference) => difference <= ROUNDED_GRADIENT * top + CANCELLED_SUM;
  const difference = largestOf(layers.map((one) => one.difference));
  const neuronDifference = largestOf(layers.map((one) => one.neuronDifference));
  return {
    examples: [half, count - half],
    equal,
    layers: layers.reverse(),
    losses: { a: a.loss, b: b.loss, average: mean(a.loss, b.loss), whole: found.loss },
    after: {
      whole: found.lossAfter,
      average: lossAfter(state, found, average),
      byNeuron: lossAfter(state, found, byNeuron),
    },
    largest: top,
    difference,
    neuronDifference,
    same: same(difference),
    neuronSame: same(neuronDifference),
  };
}
