// Slips of the backward pass and the update: a neuron's error, slope, inputs or rate, one of them wrong.
//
//   errorSlips(state, iteration, row)     // [{name: "the learning rate forgotten", value: −0.14896, carried: false}, …]

import { slopeOf } from "./activations.js";
import { slipBase, swapPair, withLayers } from "./carried_slips.js";
import { compute } from "./compute.js";
import { MOST_SWAPS, slipInputs, slipPlace, slipSource, swapName } from "./slip_place.js";
import { addUp } from "./sums.js";

const DOWNSTREAM = ["delta", "gradient", "adjustment", "weight"]; // of an error ∂E/∂y, in this order

function errorParts(state, iteration, row) {
  const { layer, neuron, batch } = slipPlace(state, iteration, row);
  const values = iteration.layers[layer];
  const place = row.input === 0 || row.input === null ? -1 : row.input - 1;
  const old = place < 0 ? iteration.biases[layer]?.[neuron] : iteration.weights[layer][neuron][place];
  return {
    errors: values.dy.map((part) => part[neuron]),
    slopes: values.slope.map((part) => part[neuron]),
    inputs: place < 0 ? Array(batch).fill(1) : slipInputs(iteration, layer).map((part) => part[place]),
    examples: batch,
    rate: iteration.rate,
    old: old ?? 0,
  };
}
function errorValue(quantity, example, { errors, slopes, inputs, examples, rate, old }) {
  if (quantity === "d_loss" || quantity === "weighted_delta") return errors[example];
  if (quantity === "d_activation") return slopes[example];
  if (quantity === "delta") return errors[example] * slopes[example];
  const gradient = addUp(errors.map((error, k) => error * slopes[k] * inputs[k])) / examples;
  if (quantity === "gradient") return gradient;
  return quantity === "adjustment" ? rate * gradient : old + rate * gradient;
}

export function errorSlips(state, iteration, row) {
  const { layer, neuron, example, batch } = slipPlace(state, iteration, row);
  const parts = errorParts(state, iteration, row);
  const { quantity } = row;
  const name = state.layers[layer].neurons[neuron];
  const stage = DOWNSTREAM.indexOf(quantity); // −1: the error itself, or the slope
  const found = [];
  const add = (what, change, carried) =>
    found.push({ name: what, value: errorValue(quantity, example, { ...parts, ...change }), carried });
  const values = iteration.layers[layer];
  const output = layer === state.layers.length - 1;
  const next = output ? null : iteration.layers[layer + 1];

  if (quantity !== "d_activation") {
    const carried = stage >= 0;
    if (output) {
      const squared = state.loss.name !== "cross_entropy";
      const twice = state.loss.name === "half_mse" ? "the ½ of the error forgotten" : "a factor 2 too many";
      if (squared) add(twice, { errors: parts.errors.map((error) => 2 * error) }, carried);
      if (squared) add("the 2 of the power rule forgotten", { errors: parts.errors.map((error) => error / 2) }, carried);
      const outputs = values.y.map((part) => part[neuron]);
      const targets = iteration.targets.map((part) => part[neuron]);
      if (!squared) {
        add("the target not subtracted", { errors: iteration.probabilities.map((part) => part[neuron]) }, carried);
        add("softmax not applied", { errors: outputs.map((y, k) => y - targets[k]) }, carried);
      }
    } else {
      const back = (weights, deltas) => deltas.map((delta) => addUp(delta.map((d, k) => d * weights[k][neuron])));
      const ones = iteration.weights[layer + 1].map((weights) => weights.map(() => 1));
      add("the new weights instead of the old ones", { errors: back(iteration.newWeights[layer + 1], next.delta) }, carried);
      add("the weights of the next layer forgotten", { errors: back(ones, next.delta) }, carried);
      const undamped = back(iteration.weights[layer + 1], next.dy);
      add("the derivative of the next layer's activation forgotten", { errors: undamped }, true);
    }
  }
  if (stage >= 0) {
    const carried = stage > 0;
    add(`the derivative f′(z_${name}) forgotten`, { slopes: parts.slopes.map(() => 1) }, carried);
    const outputs = values.y.map((part) => part[neuron]);
    add(`the output y_${name} instead of the derivative f′(z_${name})`, { slopes: outputs }, carried);
  }
  if (stage >= 0 || quantity === "d_activation") {
    const { activation } = state.layers[layer];
    const slopes = values.y.map((part) => slopeOf(activation, part[neuron]));
    add(`the derivative taken at y_${name} instead of z_${name}`, { slopes }, stage > 0);
  }
  if (stage >= 1) found.push(...inputSlips(state, iteration, row, parts));
  if (stage >= 1 && batch > 1) add("the sum over the batch, not its mean", { examples: 1 }, stage > 1);
  if (stage >= 2) {
    add("the learning rate forgotten", { rate: Math.sign(parts.rate) }, stage > 2);
    add("the sign of the learning rate", { rate: -parts.rate }, stage > 2);
  }
  if (quantity === "adjustment") add("the learning rate forgotten", { rate: 1 }, false);
  if (quantity === "weight") {
    found.push({ name: "this is the old weight", value: parts.old });
    found.push({ name: "this is the adjustment alone: the old weight is not added", value: row.value - parts.old });
    add("the gradient added, without the learning rate", { rate: 1 }, false);
  }
  return found;
}

// A gradient's slips with the input: another input of the neuron, none, a sum before its activation, the next iteration's.
function inputSlips(state, iteration, row, parts) {
  const { layer } = slipPlace(state, iteration, row);
  const carried = row.quantity !== "gradient";
  const found = [];
  const add = (name, inputs) => found.push({ name, value: errorValue(row.quantity, 0, { ...parts, inputs }), carried });
  if (!row.input) return found;
  const own = slipSource(state, layer, row.input - 1);
  const all = slipInputs(iteration, layer);
  if (all[0].length <= MOST_SWAPS) {
    all[0].forEach((_, other) => {
      if (other === row.input - 1) return;
      add(swapName(state, layer, row.input - 1, other), all.map((values) => values[other]));
    });
  }
  add(`the input ${own} forgotten`, all.map(() => 1));
  if (!layer) return found;
  const before = state.layers[layer - 1];
  const z = iteration.layers[layer - 1].z.map((values) => values[row.input - 1]);
  add(`the activation of neuron ${before.neurons[row.input - 1]} not applied`, z);
  const later = withLayers(slipBase(state, iteration), iteration.newWeights, iteration.newBiases);
  const ahead = (changed) => compute(changed).iterations[0]?.layers[layer - 1].y.map((values) => values[row.input - 1]);
  const nextInputs = ahead(later);
  if (nextInputs) add(`${own} of the next iteration`, nextInputs);
  for (let i = 0; i < state.inputs.length && state.inputs.length <= MOST_SWAPS; i += 1) {
    for (let j = i + 1; j < state.inputs.length; j += 1) {
      const [batch] = later.batches;
      const batches = [{ ...batch, inputs: batch.inputs.map((values) => swapPair(values, i, j)) }];
      const inputs = ahead({ ...later, batches });
      if (inputs) add(`${own} of the next iteration, with ${state.inputs[i]} and ${state.inputs[j]} swapped`, inputs);
    }
  }
  return found;
}
