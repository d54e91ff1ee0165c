// A record: what the page shows, from the embedded trace (JAX's own numbers) or from a state that the page has computed.
//
//   const record = recordOfTrace(trace);            // or recordOfState(state, compute(state), trace)
//   record.rows(0)[4].value                         // the fifth row of the first recorded iteration
//   record.stepAt(0, "z", 1, "a", null)             // the place of z_a of example 1 among these rows, or undefined

import { forwardPass } from "./compute.js";
import { rowsOf } from "./rows.js";

// A row's key within its iteration; neuron names are unique in the network.
export const keyOf = (quantity, example, neuron, input) => `${quantity}|${example}|${neuron}|${input}`;
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
    deadAt: (index) => trace.iterations[index].dead ?? [],
  });
}

const optionText = ({ name, negative_slope: slope, alpha }) => (slope ?? alpha) === undefined ? name : `${name} ${slope ?? alpha}`;

// Rows are made when they are asked for: a change of one weight in 500 iterations makes those of one iteration.
export function recordOfState(state, computed) {
  const [lists, dead] = [[], []];
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
      remarks: remarksOf(found),
    })),
    final: computed.final,
    stopped: computed.stopped,
    classes: state.classes,
    hasProbabilities: Boolean(iterations[0]?.probabilities),
    rows: (index) => (lists[index] ??= rowsOf(state, iterations[index])),
    examples: (index) => ({ inputs: iterations[index].inputs, targets: iterations[index].targets }),
    deadAt: (index) => (dead[index] ??= deadOfState(state, iterations[index])),
  });
}

function remarksOf({ loss, lossAfter, rate }) {
  if (!(lossAfter > loss)) return [];
  const why = rate > 0 ? "steps go up the gradient with this learning rate" : "the step is too large";
  return [`The loss rises from ${loss} to ${lossAfter}: ${why}.`.replaceAll("-", "−")];
}

// Names of the dead neurons before an iteration's step: under relu with z ≤ 0 for every example, so that their slope is 0.
export const deadNeurons = (record, index) => new Set(record.deadAt(index));

function deadOfState(state, { weights, biases }) {
  if (!state.layers.some(({ activation }) => activation.name === "relu")) return [];
  const inputs = state.batches.flatMap((batch) => batch.inputs);
  const layers = forwardPass(state.layers, weights, biases, inputs);
  return layers.flatMap(({ z }, index) => {
    const { activation, neurons } = state.layers[index];
    return activation.name === "relu" ? neurons.filter((_, n) => z.every((row) => row[n] <= 0)) : [];
  });
}
