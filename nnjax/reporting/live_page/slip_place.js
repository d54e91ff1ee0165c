// Where a row stands in its network, and the size of the numbers that it adds up.
//
//   slipPlace(state, iteration, row)     // {layer: 0, neuron: 0, example: 0, batch: 1}: indices from 0

import { addUp } from "./sums.js";

export const FORWARD = ["product", "z", "y", "probability", "loss"];
export const MOST_SWAPS = 6; // inputs of which each pair is tried

export function slipPlace(state, iteration, row) {
  const layer = row.layer === null ? state.layers.length - 1 : row.layer - 1;
  const neuron = row.neuron === null ? 0 : state.layers[layer].neurons.indexOf(row.neuron);
  return { layer, neuron, example: (row.example ?? 1) - 1, batch: iteration.inputs.length };
}
export const slipInputs = (iteration, layer) => (layer ? iteration.layers[layer - 1].y : iteration.inputs);
export const slipSource = ({ inputs, layers }, layer, place) =>
  layer ? `y_${layers[layer - 1].neurons[place]}` : inputs[place];

// "x1 and x3 swapped", whichever of the two comes first.
export function swapName(state, layer, one, other) {
  const [first, second] = [Math.min(one, other), Math.max(one, other)];
  return `${slipSource(state, layer, first)} and ${slipSource(state, layer, second)} swapped`;
}

// The size of the numbers that a row adds up: rounding one of them moves the row's value by a part of this size.
export function operandsSize(state, iteration, row) {
  const { layer, neuron, example } = slipPlace(state, iteration, row);
  const values = iteration.layers[layer];
  const inputs = slipInputs(iteration, layer);
  const products = () => inputs[example].map((x, place) => Math.abs(x * iteration.weights[layer][neuron][place]));
  const target = iteration.targets[example][neuron];
  switch (row.quantity) {
    case "z":
    case "y":
      return addUp(products()) + Math.abs(iteration.biases[layer]?.[neuron] ?? 0);
    case "d_loss":
      return Math.max(Math.abs(target), Math.abs(values.y[example][neuron]));
    case "loss":
      return 2 * addUp(values.y[example].map((y, k) => Math.abs(values.dy[example][k]) * Math.max(1, Math.abs(y))));
    case "weighted_delta":
      return addUp(
        iteration.layers[layer + 1].delta[example].map((d, k) => Math.abs(d * iteration.weights[layer + 1][k][neuron])),
      );
    default:
      return Math.abs(row.value);
  }
}
