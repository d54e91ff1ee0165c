// The chain rule of one weight: the functions from the weight to the error, their composition, and the factors of its gradient.
//
//   const chain = chainOf(state, iteration, {layer: 1, neuron: "a", input: 1}, 0);
//   chain.leibniz                         // "∂E/∂w_a1 = ∂E/∂y_b · ∂y_b/∂z_b · ∂z_b/∂y_a · ∂y_a/∂z_a · ∂z_a/∂w_a1"
//   chain.paths[0].factors[0].value       // −0.196
//
// A weight is named as in the rows of a trace: layer from 1, the neuron's name, number of the input, 0 for the bias. E is the
// error of one example; the gradient is the mean over the batch.

import { number, operand, termsText, weightSymbol } from "./format.js";
import { formula, formulaWithNumbers, lossFormula, outputErrorFormula } from "./formulas.js";
import { addUp, meanOf } from "./sums.js";

export const MOST_PATHS = 12; // with more, the paths are folded into error terms
const MOST_NESTED = 3; // paths that the composition writes out in full

const chainProduct = (factors) => factors.reduce((product, { value }) => product * value, 1);

export function numberOfPaths(state, { layer }) {
  return state.layers.slice(layer).reduce((count, { neurons }) => count * neurons.length, 1);
}

// All paths of a weight to the error: in each, the index of the neuron of its layer and of each later one.
function pathsFrom(state, { layer, neuron }) {
  const start = state.layers[layer - 1].neurons.indexOf(neuron);
  return state.layers
    .slice(layer)
    .reduce((paths, { neurons }) => paths.flatMap((path) => neurons.map((_, index) => [...path, index])), [[start]]);
}

// Whether the network still has this weight.
export function hasWeight(state, { layer, neuron, input }) {
  const found = state.layers[layer - 1];
  if (!found || !found.neurons.includes(neuron)) return false;
  return input === 0 ? found.hasBias : input <= found.weights[0].length;
}

// The weights of a network as choices, layer by layer.
export function weightChoices(state) {
  return state.layers.flatMap(({ neurons, weights, hasBias }, index) =>
    neurons.flatMap((neuron) => {
      const inputs = [...weights[0].map((_, place) => place + 1), ...(hasBias ? [0] : [])];
      return inputs.map((input) => ({ layer: index + 1, neuron, input }));
    }),
  );
}

export const symbolOfWeight = ({ neuron, input }) => weightSymbol(neuron, input);

// The edges and nodes of a path in the drawing, or of all paths without a number; a node is "column:index" from 1, or "loss".
export function pathOf(state, weight, path = null) {
  const { layer, neuron, input } = weight;
  const edges = [{ layer, neuron, input }];
  const start = state.layers[layer - 1].neurons.indexOf(neuron) + 1;
  const nodes = [`${layer - 1}:${input}`, `${layer}:${start}`];
  const chosen = path === null || numberOfPaths(state, weight) > MOST_PATHS ? null : pathsFrom(state, weight)[path];
  let before = [start];
  state.layers.slice(layer).forEach(({ neurons }, step) => {
    const column = layer + step + 1;
    const next = chosen ? [chosen[step + 1] + 1] : neurons.map((_, index) => index + 1);
    for (const place of next) {
      nodes.push(`${column}:${place}`);
      edges.push(...before.map((from) => ({ layer: column, neuron: neurons[place - 1], input: from })));
    }
    before = next;
  });
  return { edges, nodes: [...nodes, "loss"] };
}

// ---- The factors. Each has its symbol, its formula, the same with numbers, and its value.
function errorFactor(state, iteration, example, k) {
  const neuron = state.layers.at(-1).neurons[k];
  const { y, dy } = iteration.layers.at(-1);
  const p = iteration.probabilities ? iteration.probabilities[example][k] : null;
  const [text, numbers] = outputErrorFormula(
    state.loss,
    neuron,
    y[example].length,
    iteration.targets[example][k],
    y[example][k],
    p,
  );
  return { kind: "error", symbol: `∂E/∂y_${neuron}`, formula: text, numbers, value: dy[example][k] };
}
function slopeFactor(state, iteration, example, layer, n) {
  const { neurons, activation } = state.layers[layer];
  const { z, y, slope } = iteration.layers[layer];
  const name = neurons[n];
  const text = formula(activation, `z_${name}`, `y_${name}`, true);
  const numbers = formulaWithNumbers(activation, z[example][n], y[example][n], true);
  return { kind: "slope", symbol: `∂y_${name}/∂z_${name}`, formula: text, numbers, value: slope[example][n] };
}
function weightFactor(state, iteration, layer, n, from) {
  const [name, source] = [state.layers[layer].neurons[n], state.layers[layer - 1].neurons[from]];
  const value = iteration.weights[layer][n][from];
  const text = weightSymbol(name, from + 1);
  return { kind: "weight", symbol: `∂z_${name}/∂y_${source}`, formula: text, numbers: number(value), value };
}
function inputFactor(state, iteration, example, { layer, neuron, input }) {
  const values = layer === 1 ? iteration.inputs[example] : iteration.layers[layer - 2].y[example];
  const source = layer === 1 ? state.inputs[input - 1] : `y_${state.layers[layer - 2].neurons[input - 1]}`;
  const value = input ? values[input - 1] : 1;
  const symbol = `∂z_${neuron}/∂${weightSymbol(neuron, input)}`;
  return { kind: "input", symbol, formula: input ? source : "1, the bias input", numbers: number(value), value };
}

// A path's factors, from the error back to the weight.
function factorsOf(state, iteration, example, weight, path) {
  const factors = [errorFactor(state, iteration, example, path.at(-1))];
  for (let step = path.length - 1; step >= 0; step -= 1) {
    const layer = weight.layer - 1 + step;
    factors.push(slopeFactor(state, iteration, example, layer, path[step]));
    if (step) factors.push(weightFactor(state, iteration, layer, path[step], path[step - 1]));
  }
  return [...factors, inputFactor(state, iteration, example, weight)];
}

// With many paths: the error that comes back to the weight's neuron is a sum of the next layer's error terms, and so on.
function foldedFactors(state, iteration, example, weight) {
  const layer = weight.layer - 1;
  const n = state.layers[layer].neurons.indexOf(weight.neuron);
  return [
    errorSum(state, iteration, example, layer, n),
    slopeFactor(state, iteration, example, layer, n),
    inputFactor(state, iteration, example, weight),
  ];
}
function errorSum(state, iteration, example, layer, n) {
  if (layer === state.layers.length - 1) return errorFactor(state, iteration, example, n);
  const { neurons } = state.layers[layer + 1];
  const deltas = iteration.layers[layer + 1].delta[example];
  const weights = iteration.weights[layer + 1].map((row) => row[n]);
  return {
    kind: "sum",
    symbol: `∂E/∂y_${state.layers[layer].neurons[n]}`,
    formula: termsText(neurons.map((name) => `${weightSymbol(name, n + 1)} δ_${name}`)),
    numbers: termsText(weights.map((w, k) => `${operand(w)} × ${operand(deltas[k])}`)),
    value: addUp(weights.map((w, k) => w * deltas[k])),
  };
}

// The error terms of the layers after the weight's, from the output back: {symbol, formula, numbers, value} of each neuron.
function recursionOf(state, iteration, example, { layer }) {
  const rows = [];
  for (let index = state.layers.length - 1; index >= layer; index -= 1) {
    state.layers[index].neurons.forEach((name, n) => {
      const [error, slope] = [errorSum(state, iteration, example, index, n), slopeFactor(state, iteration, example, index, n)];
      const numbers = `${operand(error.value)} × ${operand(slope.value)}`;
      const text = error.kind === "sum" ? `(${error.formula}) × f′(z_${name})` : `∂E/∂y_${name} × f′(z_${name})`;
      rows.push({ layer: index + 1, symbol: `δ_${name}`, formula: text, numbers, value: error.value * slope.value });
    });
  }
  return rows;
}

// ---- The functions in a row, and their composition.
function functionsOf(state, iteration, example, weight, path) {
  const found = [];
  path.forEach((n, step) => {
    const layer = weight.layer - 1 + step;
    const { neurons, activation, hasBias } = state.layers[layer];
    const name = neurons[n];
    const sources = layer ? state.layers[layer - 1].neurons.map((source) => `y_${source}`) : state.inputs;
    const terms = sources.map((source, place) => `${weightSymbol(name, place + 1)} ${source}`);
    if (hasBias) terms.push(weightSymbol(name, 0));
    const [z, y] = [iteration.layers[layer].z[example][n], iteration.layers[layer].y[example][n]];
    found.push({ kind: "sum", symbol: `z_${name}`, formula: termsText(terms), value: z });
    const text = formula(activation, `z_${name}`, `y_${name}`);
    found.push({ kind: "activation", symbol: `y_${name}`, name: activation.name, formula: text, value: y });
  });
  const values = iteration.probabilities ?? iteration.layers.at(-1).y;
  const [text] = lossFormula(state.loss, state.layers.at(-1).neurons, iteration.targets[example], values[example]);
  return [...found, { kind: "error", symbol: "E", formula: text, value: iteration.losses[example] }];
}

// "E(f_b(z_b(f_a(z_a(w_a1)))))": only the arguments that change with the weight; "…" stands for many other paths.
function compositionOf(state, weight, path, folded) {
  if (folded) return `E(… f_${weight.neuron}(z_${weight.neuron}(${symbolOfWeight(weight)})) …)`;
  const full = numberOfPaths(state, weight) <= MOST_NESTED;
  const nested = (layer, n) => {
    const name = state.layers[layer].neurons[n];
    if (layer === weight.layer - 1) return `f_${name}(z_${name}(${symbolOfWeight(weight)}))`;
    return `f_${name}(z_${name}(${argumentsOf(layer - 1)}))`;
  };
  const argumentsOf = (layer) => {
    const place = path[layer - weight.layer + 1];
    const others = layer > weight.layer - 1 && state.layers[layer].neurons.length > 1;
    if (!others) return nested(layer, place);
    if (!full) return `${nested(layer, place)}, …`;
    return state.layers[layer].neurons.map((_, n) => nested(layer, n)).join(", ");
  };
  return `E(${argumentsOf(state.layers.length - 1)})`;
}

function operatorsOf(state, weight, path, folded) {
  const names = path.map((n, step) => state.layers[weight.layer - 1 + step].neurons[n]).reverse();
  return ["E", ...(folded ? ["…"] : []), ...names.flatMap((name) => [`f_${name}`, `z_${name}`])].join(" ∘ ");
}

// Everything about one weight at one example. `path` chooses the path whose functions and factors are shown.
export function chainOf(state, iteration, weight, example = 0, path = 0) {
  const symbol = symbolOfWeight(weight);
  const count = numberOfPaths(state, weight);
  const folded = count > MOST_PATHS;
  const all = folded ? null : pathsFrom(state, weight);
  const shown = folded ? [state.layers[weight.layer - 1].neurons.indexOf(weight.neuron)] : all[path];
  const paths = folded
    ? null
    : all.map((places) => {
        const neurons = places.map((n, step) => state.layers[weight.layer - 1 + step].neurons[n]);
        const factors = factorsOf(state, iteration, example, weight, places);
        return { neurons, factors, product: chainProduct(factors) };
      });
  const factors = folded ? foldedFactors(state, iteration, example, weight) : paths[path].factors;
  const product = chainProduct(factors);
  return {
    symbol,
    weight: valueOfWeight(state, iteration, weight),
    count,
    folded,
    functions: functionsOf(state, iteration, example, weight, shown),
    operators: operatorsOf(state, weight, shown, folded),
    composition: compositionOf(state, weight, shown, folded),
    leibniz: leibnizOf(symbol, factors, count, folded),
    factors,
    product,
    paths,
    recursion: folded ? recursionOf(state, iteration, example, weight) : null,
    total: folded ? product : addUp(paths.map((one) => one.product)),
    ...meanOver(state, iteration, weight),
  };
}

function valueOfWeight(state, iteration, { layer, neuron, input }) {
  const n = state.layers[layer - 1].neurons.indexOf(neuron);
  return input ? iteration.weights[layer - 1][n][input - 1] : iteration.biases[layer - 1][n];
}

function leibnizOf(symbol, factors, count, folded) {
  const product = factors.map((factor) => factor.symbol).join(" · ");
  return `∂E/∂${symbol} = ${folded || count === 1 ? product : `${product} + …`}`;
}

// Each example's gradient, δ × input, and their mean.
function meanOver(state, iteration, weight) {
  const layer = weight.layer - 1;
  const n = state.layers[layer].neurons.indexOf(weight.neuron);
  const each = iteration.inputs.map(
    (_, b) => iteration.layers[layer].delta[b][n] * inputFactor(state, iteration, b, weight).value,
  );
  return { each, mean: meanOf(each) };
}
