// Slips that are carried on: the iteration computed again with something changed, and the same row of it.
//
//   carriedSlips(state, iteration, row)     // [{name: "the bias w_a0 forgotten", value: 0.16, carried: false}, …]

import { compute } from "./compute.js";
import { weightSymbol } from "./format.js";
import { FORWARD, MOST_SWAPS, slipInputs, slipPlace, swapName } from "./slip_place.js";
import { addUp } from "./sums.js";

const VALUES = { z: "z", y: "y", d_loss: "dy", weighted_delta: "dy", d_activation: "slope", delta: "delta" };
const MOST_NEURONS = 24; // neurons of which each bias and activation is tried
const LONGEST_WAY = 500; // iterations that are computed again to get the weights before

// One iteration alone, as a state.
export function slipBase(state, iteration) {
  const batch = state.batches[(iteration.number - 1) % state.batches.length];
  return {
    ...state,
    layers: state.layers.map((layer, index) => ({
      ...layer,
      weights: iteration.weights[index],
      biases: iteration.biases[index],
    })),
    batches: [batch],
    learningRate: iteration.learningRate,
    rates: null,
    iterations: 1,
  };
}
// The value of a row in another computation of its iteration; as `rowsOf`, without the other rows and their texts.
export function valueOfRow(state, iteration, row) {
  const { layer, neuron, example } = slipPlace(state, iteration, row);
  const values = iteration.layers[layer];
  const part = (weights, biases) => (row.input ? weights[neuron][row.input - 1] : biases[neuron]);
  const gradient = () => part(iteration.gradients[layer].weights, iteration.gradients[layer].biases);
  switch (row.quantity) {
    case "product": {
      const x = row.input ? slipInputs(iteration, layer)[example][row.input - 1] : 1;
      return part(iteration.weights[layer], iteration.biases[layer]) * x;
    }
    case "probability":
      return iteration.probabilities[example][neuron];
    case "loss":
      return row.example === null ? iteration.loss : iteration.losses[example];
    case "gradient":
      return gradient();
    case "adjustment":
      return iteration.rate * gradient();
    case "weight":
      return part(iteration.newWeights[layer], iteration.newBiases[layer]);
    default:
      return values[VALUES[row.quantity]][example][neuron];
  }
}
function rowUnder(changed, row) {
  const [iteration] = compute(changed).iterations;
  return iteration ? valueOfRow(changed, iteration, row) : NaN;
}
const withOneLayer = (state, index, change) => ({
  ...state,
  layers: state.layers.map((layer, other) => (other === index ? { ...layer, ...change(layer) } : layer)),
});
export const withLayers = (state, weights, biases) => ({
  ...state,
  layers: state.layers.map((layer, index) => ({ ...layer, weights: weights[index], biases: biases[index] })),
});

export function swapPair(list, i, j) {
  const copy = [...list];
  [copy[i], copy[j]] = [list[j], list[i]];
  return copy;
}

export function carriedSlips(state, iteration, row) {
  const base = slipBase(state, iteration);
  const { layer, neuron } = slipPlace(state, iteration, row);
  const forward = FORWARD.includes(row.quantity);
  const found = [];
  const add = (name, changed, carried) => found.push({ name, value: rowUnder(changed, row), carried });

  const inputs = state.inputs.length;
  for (let i = 0; i < inputs && inputs <= MOST_SWAPS; i += 1) {
    for (let j = i + 1; j < inputs; j += 1) {
      const batches = base.batches.map((batch) => ({ ...batch, inputs: batch.inputs.map((values) => swapPair(values, i, j)) }));
      add(swapName(state, 0, i, j), { ...base, batches }, !(forward && layer === 0));
    }
  }
  const sources = layer ? state.layers[layer - 1].neurons.length : 0;
  for (let i = 0; i < sources && forward && row.layer !== null && sources <= MOST_SWAPS; i += 1) {
    for (let j = i + 1; j < sources; j += 1) {
      const weights = base.layers[layer].weights.map((values) => swapPair(values, i, j));
      add(swapName(state, layer, i, j), withOneLayer(base, layer, () => ({ weights })), false);
    }
  }

  if (addUp(state.layers.map((one) => one.neurons.length)) <= MOST_NEURONS) {
    state.layers.forEach((one, index) => {
      if (forward && index > layer) return;
      one.neurons.forEach((name, place) => {
        if (forward && index === layer && row.neuron !== null && place !== neuron) return;
        const carried = !(forward && index === layer);
        const bias = base.layers[index].biases?.[place];
        const change = (value) => ({ biases: base.layers[index].biases.map((old, k) => (k === place ? value : old)) });
        if (bias !== undefined) {
          add(`the bias ${weightSymbol(name, 0)} forgotten`, withOneLayer(base, index, () => change(0)), carried);
          const itself = withOneLayer(base, index, () => change(1));
          add(`the bias input, 1, added instead of 1 × ${weightSymbol(name, 0)}`, itself, carried);
        }
      });
      const plain = { activation: { name: "identity" } };
      const names = one.neurons.length > 1 ? `the neurons ${one.neurons.join(", ")}` : `neuron ${one.neurons[0]}`;
      const own = row.quantity === "y" && index === layer;
      if (forward) {
        const linear = withOneLayer(base, index, () => plain);
        add(`the activation of ${own ? `neuron ${row.neuron}` : names} not applied`, linear, !own);
      }
    });
  }

  if (!forward) return found;
  const direct = ["product", "z"].includes(row.quantity);
  const addWeights = (which, weights, biases) => {
    add(`the ${which} weights`, withLayers(base, weights, biases), !direct);
    if (row.neuron === null || row.phase !== "forward") return;
    const one = row.quantity === "product" ? weightSymbol(row.neuron, row.input) : `weights of neuron ${row.neuron}`;
    add(`the ${which} ${one}`, withOneLayer(base, layer, () => ({ weights: weights[layer], biases: biases[layer] })), false);
  };
  addWeights("next iteration's", iteration.newWeights, iteration.newBiases);
  const before = iterationBefore(state, iteration);
  if (before) {
    addWeights("old", before.weights, before.biases);
    if (inputs <= MOST_SWAPS) found.push(...twoSlips(base, iteration, before, row));
  }
  return found;
}

function iterationBefore(state, { number }) {
  if (number === 1 || number > LONGEST_WAY) return null;
  const before = compute({ ...state, iterations: number - 1 }).iterations.at(-1);
  return before?.number === number - 1 ? before : null;
}

// The chapter's second iteration has two slips at once: swapped inputs, and a weight that was updated with their result.
function twoSlips(base, iteration, before, row) {
  const found = [];
  if (before.inputs.length !== iteration.inputs.length || (row.layer ?? 2) < 2) return found;
  for (let i = 0; i < base.inputs.length; i += 1) {
    for (let j = i + 1; j < base.inputs.length; j += 1) {
      const inputs = base.batches[0].inputs.map((values) => swapPair(values, i, j));
      const state = { ...base, batches: [{ ...base.batches[0], inputs }] };
      const [slipped] = compute(state).iterations;
      if (!slipped) continue;
      const step = (index, n, k) => {
        const outputs = slipped.layers[index - 1].y;
        return (before.rate * addUp(before.layers[index].delta.map((d, b) => d[n] * outputs[b][k]))) / inputs.length;
      };
      const layers = state.layers.map((layer, index) => ({
        ...layer,
        weights: index ? before.weights[index].map((w, n) => w.map((old, k) => old + step(index, n, k))) : layer.weights,
      }));
      const name = `${swapName(base, 0, i, j)}, here and in the update of the next layer's weights before`;
      found.push({ name, value: rowUnder({ ...state, layers }, row), carried: true });
    }
  }
  return found;
}
