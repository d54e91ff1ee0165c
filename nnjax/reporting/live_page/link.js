// A state and a place in it as the part of an address after #, so that a link opens the page there; and back, with every part
// checked, as a link may come from anybody and may be cut.
//
// const hash = linkOf(state, {iteration: 0, example: 0, step: 3});       // "#v=1&i=1&e=1&p=4&s=…"
// const {state, place} = stateFromLink(hash);

import { ACTIVATIONS, activationParameter } from "./activations.js";
import { neuronNames } from "./format.js";
import { LOSSES } from "./losses.js";
import { activationOptions, LIMITS, lossOptions } from "./state.js";

const LINK_LIMITS = { length: 30000, layers: 8, neurons: 26, inputs: 64, examples: 256, name: 60, place: 1e6, products: 2e7 };

const ITSELF = "0"; // in the place of a state: the page's own trace

const badLink = (text) => {
  throw new Error(`this link cannot be opened: ${text}`);
};

function encoded(text) {
  const bytes = new TextEncoder().encode(text);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}

function decoded(text) {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return badLink("it is cut or changed");
  }
}

const placePart = ({ iteration, example, step }) => `#v=1&i=${iteration + 1}&e=${example + 1}&p=${step + 1}`;

// The link of a state, or, without one, of a place in a trace that can only be read; throws an Error if it would be too long
// for an address.
export function linkOf(state, place = { iteration: 0, example: 0, step: 0 }) {
  if (state === null) return `${placePart(place)}&s=${ITSELF}`;
  const parts = {
    x: state.inputs,
    l: state.layers.map(({ name, activation, hasBias, learnsBias, weights, biases }) => [
      name,
      activation.name,
      activationParameter(activation) ?? null,
      hasBias,
      learnsBias,
      weights,
      biases,
    ]),
    o: [state.loss.name, state.loss.label_smoothing ?? 0],
    r: [state.learningRate, state.adds, state.rates],
    b: state.batches.map(({ inputs, targets }) => [inputs, targets]),
    n: state.iterations,
    c: state.classes,
  };
  const hash = `${placePart(place)}&s=${encoded(JSON.stringify(parts))}`;
  if (hash.length > LINK_LIMITS.length) {
    const said = `${hash.length} letters, at most ${LINK_LIMITS.length}`;
    throw new Error(`the network and its examples are too large for a link: ${said}`);
  }
  return hash;
}

const asList = (value, what, least, most) =>
  Array.isArray(value) && value.length >= least && value.length <= most
    ? value
    : badLink(`${what} must be a list of ${least === most ? least : `${least} to ${most}`}`);
const asNumber = (value, what) => (Number.isFinite(value) ? value : badLink(`${what} must be a finite number`));
const asFlag = (value, what) => (typeof value === "boolean" ? value : badLink(`${what} must be true or false`));
const asName = (value, what) =>
  typeof value === "string" && value.length <= LINK_LIMITS.name
    ? value
    : badLink(`${what} must be a text of at most ${LINK_LIMITS.name} letters`);
const asNumbers = (value, what, count) => asList(value, what, count, count).map((item) => asNumber(item, what));
const asCount = (value, what, most) =>
  Number.isInteger(value) && value >= 1 && value <= most ? value : badLink(`${what} must be a whole number from 1 to ${most}`);

function layersFrom(found, count) {
  let inputs = count;
  const layers = asList(found, "the layers", 1, LINK_LIMITS.layers).map((layer) => {
    const [name, activation, parameter, bias, learns, rows, biases] = asList(layer, "a layer", 7, 7);
    const known = typeof activation === "string" && Object.hasOwn(ACTIVATIONS, activation) ? ACTIVATIONS[activation] : null;
    if (known === null) badLink("it has an activation that this page does not know");
    const options = known.option === undefined ? {} : { [known.option]: asNumber(parameter, known.option) };
    const hasBias = asFlag(bias, "a layer's bias");
    const before = inputs;
    const all = asList(rows, "a layer's neurons", 1, LINK_LIMITS.neurons);
    const weights = all.map((row) => asNumbers(row, "a neuron's weights", before));
    inputs = weights.length;
    return {
      name: asName(name, "a layer's name"),
      activation: activationOptions(activation, options),
      neurons: [],
      hasBias,
      learnsBias: hasBias && asFlag(learns, "whether biases are learnt"),
      weights,
      biases: hasBias ? asNumbers(biases, "a layer's biases", inputs) : null,
    };
  });
  neuronNames(layers.map(({ weights }) => weights.length)).forEach((names, index) => (layers[index].neurons = names));
  return layers;
}

function batchesFrom(found, inputs, outputs, classes) {
  const batches = asList(found, "the batches", 1, LINK_LIMITS.examples);
  const size = batches[0]?.[0]?.length;
  if (!(size >= 1 && size * batches.length <= LINK_LIMITS.examples)) badLink("it has no examples or too many");
  return batches.map((batch) => {
    const [rows, targets] = asList(batch, "a batch", 2, 2);
    const found = {
      inputs: asList(rows, "a batch's inputs", size, size).map((row) => asNumbers(row, "an example's inputs", inputs)),
      targets: asList(targets, "a batch's targets", size, size).map((row) => asNumbers(row, "an example's targets", outputs)),
    };
    const oneHot = (row) => row.every((t) => t === 0 || t === 1) && row.filter((t) => t === 1).length === 1;
    if (classes && !found.targets.every(oneHot)) badLink("an example must have one class");
    return found;
  });
}

// The largest batch's size.
const examplesIn = (batches) =>
  Math.max(...asList(batches, "the batches", 1, LINK_LIMITS.examples).map((batch) => batch?.[0]?.length ?? 0));

function stateFrom(parts) {
  if (parts === null || typeof parts !== "object" || Array.isArray(parts)) badLink("it is cut or changed");
  const inputs = asList(parts.x, "the inputs", 1, LINK_LIMITS.inputs).map((name) => asName(name, "an input's name"));
  const layers = layersFrom(parts.l, inputs.length);
  const outputs = layers.at(-1).weights.length;
  const [lossName, share] = asList(parts.o, "the loss", 2, 2);
  if (typeof lossName !== "string" || !Object.hasOwn(LOSSES, lossName)) badLink("it has a loss that this page does not know");
  if (!(asNumber(share, "label_smoothing") >= 0 && share < 1)) badLink("label_smoothing must be at least 0 and below 1");
  const [rate, adds, rates] = asList(parts.r, "the learning rate", 3, 3);
  const iterations = asCount(parts.n, "iterations", LIMITS.iterations);
  const named = (all) => asList(all, "the classes", outputs, outputs).map((name) => asName(name, "a class"));
  const classes = parts.c === null ? null : named(parts.c);
  const products = layers.reduce((sum, { weights }) => sum + weights.length * weights[0].length, 0);
  if (iterations * products * examplesIn(parts.b) > LINK_LIMITS.products) badLink("it is too large for this page");
  if (LOSSES[lossName].softmax && classes === null) badLink("cross_entropy needs classes");
  return {
    inputs,
    layers,
    loss: lossOptions(lossName, { label_smoothing: share }),
    learningRate: asNumber(rate, "the learning rate"),
    adds: asFlag(adds, "the learning rate's sign"),
    rates: rates === null ? null : asNumbers(rates, "the learning rates", iterations),
    batches: batchesFrom(parts.b, inputs.length, outputs, classes !== null),
    iterations,
    classes,
  };
}

// The state, null for the page's own trace, and the place of a link; throws an Error of one line for a link that is cut,
// changed or of another version.
export function stateFromLink(hash) {
  if (hash.length > LINK_LIMITS.length) badLink(`it has ${hash.length} letters, at most ${LINK_LIMITS.length}`);
  const parts = new Map();
  for (const part of hash.replace(/^#/, "").split("&")) {
    const match = /^([a-z])=([\w-]*)$/.exec(part);
    if (match === null || parts.has(match[1])) badLink("it is cut or changed");
    parts.set(match[1], match[2]);
  }
  if (parts.get("v") !== "1") badLink("it is of another version of this page");
  const placed = (key, what) => asCount(Number(parts.get(key)), what, LINK_LIMITS.place) - 1;
  const place = { iteration: placed("i", "the iteration"), example: placed("e", "the example"), step: placed("p", "the step") };
  return { state: parts.get("s") === ITSELF ? null : stateFrom(decoded(parts.get("s") ?? "")), place };
}
