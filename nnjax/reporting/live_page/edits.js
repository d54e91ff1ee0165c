// The numbers that a person can change: each has a name, a value, and a change that makes a new state.
//
//   const edit = editOf(app, "weight:0:0:1");      // {name: "weight w_a1", value: 0.1, change: (value) => state}
//   stepFrom(0.4, 1)                               // 0.41: a hundredth of the next power of ten, without rounding noise

import { tidy, weightSymbol } from "./format.js";
import { withInput, withRate, withTarget, withWeight } from "./state.js";

const LEAST_STEP = 0.001;
const MOST_SIZE = 1e6; // of a number that is typed or dragged

// Layers, neurons, inputs and outputs are counted from 0, a weight's input from 1 with 0 as the bias.
// null: nothing to change, such as the weights of a later iteration, which follow from the first.
export function editOf(app, id) {
  const { state, place } = app;
  if (!state || app.readOnly) return null;
  const [kind, ...numbers] = id.split(":");
  const [first, second, third] = numbers.map(Number);
  const batch = place.iteration % state.batches.length;
  const example = state.batches[batch];
  const of = example.inputs.length > 1 || state.batches.length > 1 ? ` of example ${place.example + 1}` : "";
  if (kind === "weight") {
    const layer = state.layers[first];
    if (place.iteration > 0 || !layer?.neurons[second]) return null;
    const value = third === 0 ? layer.biases?.[second] : layer.weights[second][third - 1];
    if (value === undefined) return null;
    const name = `${third === 0 ? "bias weight" : "weight"} ${weightSymbol(layer.neurons[second], third)}`;
    return { name, value, change: (next) => withWeight(app.state, first, second, third, next) };
  }
  if (kind === "input") {
    const value = example.inputs[place.example]?.[first];
    if (value === undefined) return null;
    const change = (next) => withInput(app.state, batch, place.example, first, next);
    return { name: `input ${state.inputs[first]}${of}`, value, change };
  }
  if (kind === "target" && state.classes === null) {
    const value = example.targets[place.example]?.[first];
    if (value === undefined) return null;
    const neuron = state.layers.at(-1).neurons[first];
    const change = (next) => withTarget(app.state, batch, place.example, first, next);
    return { name: `target of neuron ${neuron}${of}`, value, change };
  }
  if (kind === "rate") return { name: "learning rate", value: state.learningRate, change: (next) => withRate(app.state, next) };
  return null;
}

// The step of a number: a tenth of its leading digit's place, 0.01 for 0.4, and at least LEAST_STEP.
export const stepSize = (value) =>
  value === 0 ? 0.01 : Math.max(LEAST_STEP, Number(`1e${Math.floor(Math.log10(Math.abs(value)) + 1e-9) - 1}`));

// A number some steps further, on a multiple of the step.
export function stepFrom(value, steps, size = stepSize(value)) {
  const moved = tidy(Math.round(value / size + steps) * size);
  return Math.max(-MOST_SIZE, Math.min(MOST_SIZE, moved === 0 ? 0 : moved));
}

// A typed number: "−0,5", "-.5" or "1e-3"; null for anything else.
export function readNumber(text) {
  const plain = text.trim().replace(/[−–]/g, "-").replace(",", ".");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return null;
  const value = Number(plain);
  return Number.isFinite(value) && Math.abs(value) <= MOST_SIZE ? value : null;
}

// Makes a change and shows why it was refused, where it was.
export function attempt(app, make, group = null) {
  try {
    app.change(make(), group);
    app.notice = null;
  } catch (error) {
    app.notice = `${error.message[0].toUpperCase()}${error.message.slice(1)}.`;
    app.redraw();
  }
}
