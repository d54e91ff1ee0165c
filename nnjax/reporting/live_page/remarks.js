// What a trace remarks on an iteration: dead neurons, outputs that pass their targets, a rising loss; in the words of
// nnjax/textbook/dead_neurons.py and trace.py.
//
// remarksOf(state, compute(state))[0]      // {dead: ["a"], remarks: ["Neuron a starts dead: z_a ≤ 0 for every example, …"]}

import { slopeOf } from "./activations.js";
import { forwardPass } from "./compute.js";
import { examplesOf } from "./examples.js";
import { number } from "./format.js";
import { LOSSES } from "./losses.js";

const hasFlatSide = ({ name, negative_slope: slope }) => name === "relu" || (name === "leaky_relu" && slope === 0);
const flatLayers = (state) => state.layers.filter(({ activation }) => hasFlatSide(activation));

// The names of the neurons whose slope is 0 for every example, in the network's order.
export function deadNeurons(state, weights, biases) {
  if (flatLayers(state).length === 0) return [];
  const passed = forwardPass(state.layers, weights, biases, examplesOf(state.batches).inputs);
  return state.layers.flatMap(({ activation, neurons }, index) =>
    hasFlatSide(activation)
      ? neurons.filter((_, n) => passed[index].z.every((row) => slopeOf(activation, row[n]) === 0))
      : [],
  );
}

function namedNeurons(names) {
  if (names.length === 1) return `neuron ${names[0]}`;
  if (names.length > 8) return `${names.length} neurons (${names.slice(0, 3).join(", ")}, … ${names.at(-1)})`;
  return `neurons ${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

function whyDead(state, names, dead) {
  const sums = names.length < 3 ? names.map((name) => `z_${name} ≤ 0`).join(" and ") : "z ≤ 0";
  const layers = flatLayers(state).filter(({ neurons }) => neurons.some((name) => names.includes(name)));
  const kinds = [...new Set(layers.map(({ activation }) => activation.name))].sort().join(" and ");
  const all = state.layers.at(-1).neurons.every((name) => dead.includes(name));
  const whose = names.length === 1 ? "its" : "their";
  const result = all ? "no weight of the network changes any more" : `${whose} weights get no error term`;
  return `${sums} for every example, where ${kinds} has the slope 0, so ${result}`;
}

function deadRemarks(state, iteration, before, after, mentioned) {
  const found = before.filter((name) => !mentioned.includes(name));
  const killed = after.filter((name) => !before.includes(name));
  const remarks = [];
  if (found.length > 0) {
    const [one, more] = iteration === 1 ? ["starts", "start"] : ["is", "are"];
    const said = `${namedNeurons(found)} ${found.length === 1 ? one : more} dead`;
    remarks.push(`${said[0].toUpperCase()}${said.slice(1)}: ${whyDead(state, found, before)}.`);
  }
  if (killed.length > 0) remarks.push(`The step kills ${namedNeurons(killed)}: from here on ${whyDead(state, killed, after)}.`);
  return remarks;
}

function stepRemarks(state, { targets, layers, outputsAfter, loss, lossAfter, rate }) {
  const remarks = [];
  const before = layers.at(-1).y;
  const pairs = targets.flatMap((row, example) => row.map((t, k) => [t, before[example][k], outputsAfter[example][k]]));
  const passed = pairs.filter(([t, old, now]) => (t - old) * (t - now) < 0).length;
  if (passed > 0 && !LOSSES[state.loss.name].softmax) {
    const [t, old, now] = pairs[0].map(number);
    const which =
      pairs.length === 1
        ? `y_${state.layers.at(-1).neurons[0]} goes from ${old} to ${now}, past its target ${t}`
        : `${passed} of ${pairs.length} outputs go past their targets`;
    remarks.push(`The step overshoots: ${which}. A learning rate nearer to 0 makes smaller steps.`);
  }
  if (lossAfter > loss) {
    const why = rate > 0 ? "steps go up the gradient with this learning rate" : "the step is too large";
    remarks.push(`The loss rises from ${number(loss)} to ${number(lossAfter)}: ${why}.`);
  }
  return remarks;
}

// For each computed iteration the neurons that are dead before its step, and the remarks; and for the end those dead then.
export function remarksOf(state, computed) {
  let mentioned = [];
  const [first] = computed.iterations;
  let dead = first ? deadNeurons(state, first.weights, first.biases) : [];
  return computed.iterations.map((iteration) => {
    const before = dead;
    dead = deadNeurons(state, iteration.newWeights, iteration.newBiases);
    const remarks = [...deadRemarks(state, iteration.number, before, dead, mentioned), ...stepRemarks(state, iteration)];
    mentioned = [...before, ...dead];
    return { dead: before, remarks };
  });
}
