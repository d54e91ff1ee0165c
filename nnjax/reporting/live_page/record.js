// A record: what the page shows, from the embedded trace (JAX's own numbers) or from a state that the page has computed.
//
//   const record = recordOfTrace(trace);            // or recordOfState(state, compute(state))
//   record.rows(0)[4].value                         // the fifth row of the first recorded iteration
//   record.stepAt(0, "z", 1, "a", null)             // the place of z_a of example 1 among these rows, or undefined

import { remarksOf } from "./remarks.js";
import { rowsOf } from "./rows.js";

// A row's key within its iteration; neuron names are unique in the network.
const keyOf = (quantity, example, neuron, input) => `${quantity}|${example}|${neuron}|${input}`;
export const keyOfRow = (row) => keyOf(row.quantity, row.example, row.neuron, row.input);

function withIndex(record) {
  const places = [];
  const placesOf = (index) => {
    places[index] ??= new Map(record.rows(index).map((row, step) => [keyOfRow(row), step]));
    return places[index];
  };
  record.stepAt = (index, quantity, example, neuron, input) => placesOf(index).get(keyOf(quantity, example, neuron, input));
  record.lastLayer = record.network.layers.length;
  record.neuronsOf = (layer) => record.network.layers[layer - 1].neurons;
  record.batchSize = (index) => record.examples(index).inputs.length;
  return record;
}

export function recordOfTrace(trace) {
  const rows = new Map(trace.iterations.map(({ number }) => [number, []]));
  for (const row of trace.rows) rows.get(row.iteration)?.push(row);
  const lists = trace.iterations.map(({ number }) => rows.get(number));
  return withIndex({
    network: trace.network,
    iterations: trace.iterations,
    final: trace.final,
    stopped: trace.stopped ?? null,
    classes: trace.classes ?? null,
    hasProbabilities: trace.rows.some((row) => row.quantity === "probability"),
    rows: (index) => lists[index],
    examples: (index) => trace.examples[index],
    remarks: (index) => ({ dead: trace.iterations[index].dead ?? [], remarks: trace.iterations[index].remarks ?? [] }),
  });
}

const optionText = ({ name, negative_slope: slope, alpha }) =>
  (slope ?? alpha) === undefined ? name : `${name} ${slope ?? alpha}`;

// Rows are made when they are asked for: a change of one weight in 500 iterations makes those of one iteration.
export function recordOfState(state, computed) {
  const [lists, said] = [[], []];
  const { iterations } = computed;
  return withIndex({
    network: {
      inputs: state.inputs,
      layers: state.layers.map((layer) => ({
        name: layer.name,
        activation: optionText(layer.activation),
        neurons: layer.neurons,
        has_bias: layer.hasBias,
      })),
    },
    iterations: iterations.map((found) => ({
      number: found.number,
      learning_rate: found.learningRate,
      loss: found.loss,
      loss_after: found.lossAfter,
      weights: found.weights,
      biases: found.biases,
    })),
    final: computed.final,
    stopped: computed.stopped,
    classes: state.classes,
    hasProbabilities: Boolean(iterations[0]?.probabilities),
    rows: (index) => (lists[index] ??= rowsOf(state, iterations[index])),
    examples: (index) => ({ inputs: iterations[index].inputs, targets: iterations[index].targets }),
    // what is remarked depends on the iteration before, and on no other
    remarks: (index) => {
      said[index] ??= remarksOf(state, { iterations: iterations.slice(Math.max(0, index - 1), index + 1) }).at(-1);
      return said[index];
    },
  });
}
