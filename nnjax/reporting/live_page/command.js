// The overrides of experiments.trace that make a state, and its line for a shell.
//
// overridesOf(state)[0]       // "model=neurons"
// commandOf(state)            // "python -m experiments.trace model=neurons 'model.layers=[{size:1,…}]' …"
//
// The twin in Python is nnjax/textbook/trace_overrides.py.

import { ACTIVATIONS, activationParameter } from "./activations.js";
import { examplesOf } from "./examples.js";

const EACH_UNTIL = 100; // every trace records each iteration up to this one
const RESERVED = new Set(["true", "false", "null", "nan", "inf"]);

// A number as Python's repr writes it, without ".0" after a whole one: the shortest text that reads back as the same number.
function plainNumber(value) {
  if (value === 0) return "0";
  const [mantissa, power] = Math.abs(value).toExponential().split("e").map(Number);
  if (power >= -4 && power < 16) return String(value); // JavaScript writes an exponent below 1e-6 and from 1e21 on
  const sign = value < 0 ? "-" : "";
  return `${sign}${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

const listText = (items) => `[${items.join(",")}]`;
const rowsText = (rows) => listText(rows.map((row) => listText(row.map(plainNumber))));

// A name as Hydra reads it: in quotes unless it is a plain word.
function nameText(name) {
  if (/^[A-Za-z_][\w-]*$/.test(name) && !RESERVED.has(name.toLowerCase())) return name;
  return `'${name.replace(/(\\*)'/g, "$1$1\\'").replace(/(\\+)$/, "$1$1")}'`;
}

// The activation that needs the activation group, as its option is not the usual one; a config has room for one.
function groupActivation(layers) {
  const special = layers
    .map(({ activation }) => activation)
    .filter((activation) => activationParameter(activation) !== ACTIVATIONS[activation.name].usual);
  const different = special.find((activation) => JSON.stringify(activation) !== JSON.stringify(special[0]));
  if (different) {
    const said = (one) => `${one.name} with ${ACTIVATIONS[one.name].option} ${activationParameter(one)}`;
    throw new Error(`overrides can set the option of one activation only: here ${said(special[0])} and ${said(different)}`);
  }
  return special[0] ?? null;
}

function layerText({ weights, biases, hasBias, activation }, isOfGroup) {
  const parts = [`size:${weights.length}`, `weights:${rowsText(weights)}`];
  parts.push(hasBias ? `biases:${listText(biases.map(plainNumber))}` : "bias:false");
  if (!isOfGroup) parts.push(`activation:${activation.name}`);
  return `{${parts.join(",")}}`;
}

// The overrides, one text each; throws an Error for a state that no overrides make.
export function overridesOf(state) {
  if (state.rates !== null) {
    throw new Error("the learning rate changes from iteration to iteration; set one rate to get overrides");
  }
  const special = groupActivation(state.layers);
  const isOfGroup = ({ activation }) => special !== null && JSON.stringify(activation) === JSON.stringify(special);
  const { inputs, targets, size } = examplesOf(state.batches);
  const adds = state.adds || state.learningRate <= 0; // sgd takes rates above 0 only; the textbook's rule takes any
  const rate = adds && !state.adds ? -state.learningRate : state.learningRate;
  const overrides = [
    "model=neurons",
    `model.layers=${listText(state.layers.map((layer) => layerText(layer, isOfGroup(layer))))}`,
    `model.learn_biases=${state.layers.some(({ learnsBias }) => learnsBias)}`,
    "data=textbook",
    `data.inputs=${rowsText(inputs)}`,
  ];
  if (state.classes === null) {
    overrides.push(`data.targets=${rowsText(targets)}`);
  } else {
    const names = state.classes.map(nameText);
    overrides.push(`data.classes=${listText(names)}`);
    overrides.push(`data.targets=${listText(targets.map((row) => names[row.indexOf(Math.max(...row))]))}`);
  }
  if (special !== null) {
    const { option } = ACTIVATIONS[special.name];
    overrides.push(`activation=${special.name}`, `activation.${option}=${plainNumber(special[option])}`);
  }
  overrides.push(`loss=${state.loss.name}`);
  if (state.loss.label_smoothing) overrides.push(`loss.label_smoothing=${plainNumber(state.loss.label_smoothing)}`);
  return [
    ...overrides,
    `optimizer=${adds ? "textbook" : "sgd"}`,
    `optimizer.learning_rate=${plainNumber(rate)}`,
    `training.global_batch_size=${size}`,
    `iterations=${state.iterations}`,
  ];
}

const quotedForShell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

// What a trace has besides its state: the record of each iteration, and devices that exchange gradients.
function besides({ iterations, exchange, examples }) {
  const last = iterations.at(-1).number;
  const records = last > EACH_UNTIL && last === iterations.length ? ["report.records=all"] : [];
  if (!exchange) return records;
  return [...records, `parallel.devices=${exchange.devices.length}`, `training.eval_batch_size=${examples[0].inputs.length}`];
}

// One line for bash; with a trace, for a state that is the trace's own.
export function commandOf(state, trace = null) {
  const overrides = [...overridesOf(state), ...(trace ? besides(trace) : [])];
  return ["python -m experiments.trace", ...overrides.map(quotedForShell)].join(" ");
}
