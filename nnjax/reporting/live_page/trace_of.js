// A state as the content of trace.json, as experiments.trace would write it; its checks are empty, as they are made with JAX.
//
// JSON.stringify(traceOf(state))

import { activationParameter, ACTIVATIONS } from "./activations.js";
import { compute } from "./compute.js";
import { tidy } from "./format.js";
import { deadNeurons, remarksOf } from "./remarks.js";
import { rowsOf } from "./rows.js";

const MOST_TRACED_ROWS = 200000; // of a trace; a longer training keeps its first iterations, then ever fewer

const ADDS = "new weight = weight + learning rate × gradient; the loss falls with a learning rate below 0";
const SUBTRACTS = "new weight = weight − learning rate × gradient; the loss falls with a learning rate above 0";

const tidied = (value) => (Array.isArray(value) ? value.map(tidied) : finiteOrNull(value));
const finiteOrNull = (value) => (Number.isFinite(value) ? tidy(value) : null);

function tracedNetwork(state) {
  return {
    inputs: state.inputs,
    layers: state.layers.map(({ name, activation, neurons, hasBias, learnsBias }) => {
      const { option } = ACTIVATIONS[activation.name];
      return {
        name,
        activation: activation.name,
        activation_options: option === undefined ? {} : { [option]: activationParameter(activation) },
        neurons,
        has_bias: hasBias,
        learns_bias: learnsBias,
      };
    }),
  };
}

// The settings of a state as a trace has them, with the number of its recorded iterations.
export function tracedSettings(state, recorded) {
  const { name, ...options } = state.loss;
  return {
    model: "neurons",
    data: "textbook",
    loss: name,
    loss_options: options,
    optimizer: state.adds ? "textbook" : "sgd",
    learning_rate_rule: state.adds ? ADDS : SUBTRACTS,
    adds: state.adds,
    batch_size: state.batches[0].inputs.length,
    iterations: state.iterations,
    recorded,
    learn_biases: state.layers.some(({ learnsBias }) => learnsBias),
    precision: "float64",
  };
}

// The indices of the iterations that a trace has room for: all, or the first ones and then ever fewer, with the last.
function recordedIndices(count, room) {
  if (count <= room) return Array.from({ length: count }, (_, index) => index);
  const first = Math.max(1, Math.floor(room / 2));
  const indices = new Set(Array.from({ length: first }, (_, index) => index));
  const others = room - first;
  for (let place = 1; place <= others; place++) indices.add(Math.round(first * ((count - 1) / first) ** (place / others)));
  return [...indices].sort((a, b) => a - b);
}

export function traceOf(state) {
  const computed = compute(state);
  const { iterations, final, stopped } = computed;
  const said = remarksOf(state, computed);
  const rows = iterations.length ? rowsOf(state, iterations[0]).length : 1;
  const recorded = recordedIndices(iterations.length, Math.max(2, Math.floor(MOST_TRACED_ROWS / rows)));
  const chosen = recorded.map((index) => iterations[index]);
  return {
    title: "neurons on textbook",
    settings: tracedSettings(state, chosen.length),
    classes: state.classes,
    network: tracedNetwork(state),
    examples: chosen.map(({ inputs, targets }) => ({ inputs: tidied(inputs), targets: tidied(targets) })),
    iterations: chosen.map((found, place) => ({
      number: found.number,
      learning_rate: tidy(found.learningRate),
      loss: tidy(found.loss),
      loss_after: finiteOrNull(found.lossAfter),
      weights: tidied(found.weights),
      biases: tidied(found.biases),
      dead: said[recorded[place]].dead,
      remarks: said[recorded[place]].remarks,
    })),
    final: {
      loss: finiteOrNull(final.loss),
      weights: tidied(final.weights),
      biases: tidied(final.biases),
      dead: deadNeurons(state, final.weights, final.biases),
    },
    rows: chosen.flatMap((found) => rowsOf(state, found)),
    checks: [],
    exchange: null,
    stopped,
  };
}
