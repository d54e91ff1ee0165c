// A computed iteration as rows: each operation's symbol, formula, formula with numbers, and value; the twin of
// nnjax/textbook/rows.py, equal to the last character.
//
// rowsOf(state, compute(state).iterations[0])[0]    // {phase: "forward", symbol: "w_a1 x1", numbers: "0.1 × 0.2", value: 0.02}

import { formula, formulaWithNumbers, lossFormula, outputErrorFormula } from "./formulas.js";
import { exponent, number, operand, sumText, termsText, tidy, weightSymbol } from "./format.js";

const makeRow = (at, input, quantity, symbol, formulaText, numbers, value) => ({
  ...at,
  input,
  quantity,
  symbol,
  formula: formulaText,
  numbers,
  value: tidy(value),
});

const inputsOfLayer = (iteration, index) => (index ? iteration.layers[index - 1].y : iteration.inputs);
const symbolsOfInputs = (state, index) =>
  index ? state.layers[index - 1].neurons.map((name) => `y_${name}`) : state.inputs;

// The rows of trace.json for one iteration: forward, error, backward, adjust, update.
export function rowsOf(state, iteration) {
  const examples = iteration.inputs.map((_, example) => example);
  const rows = [
    ...examples.flatMap((example) => forwardRows(state, iteration, example)),
    ...errorRows(state, iteration),
    ...examples.flatMap((example) => backwardRows(state, iteration, example)),
    ...adjustRows(state, iteration),
    ...updateRows(state, iteration),
  ];
  return rows.map((row) => ({ iteration: iteration.number, ...row }));
}

function forwardRows(state, iteration, example) {
  const rows = [];
  state.layers.forEach((layer, index) => {
    const inputs = inputsOfLayer(iteration, index)[example];
    const symbols = symbolsOfInputs(state, index);
    const { z, y } = iteration.layers[index];
    layer.neurons.forEach((neuron, n) => {
      const at = { example: example + 1, phase: "forward", layer: index + 1, neuron };
      const products = [];
      const terms = [];
      iteration.weights[index][n].forEach((weight, i) => {
        const name = weightSymbol(neuron, i + 1);
        products.push(weight * inputs[i]);
        terms.push(`${name} ${symbols[i]}`);
        const numbers = `${operand(weight)} × ${operand(inputs[i])}`;
        rows.push(makeRow(at, i + 1, "product", terms.at(-1), `${name} × ${symbols[i]}`, numbers, products.at(-1)));
      });
      if (iteration.biases[index] !== null) {
        const bias = iteration.biases[index][n];
        const name = weightSymbol(neuron, 0);
        products.push(bias);
        terms.push(name);
        rows.push(makeRow(at, 0, "product", name, `${name} × 1`, `${operand(bias)} × 1`, bias));
      }
      const [sum, output] = [z[example][n], y[example][n]];
      rows.push(makeRow(at, null, "z", `z_${neuron}`, termsText(terms), sumText(products), sum));
      const symbolic = formula(layer.activation, `z_${neuron}`, `y_${neuron}`);
      rows.push(makeRow(at, null, "y", `y_${neuron}`, symbolic, formulaWithNumbers(layer.activation, sum, output), output));
    });
  });
  return rows;
}

function errorRows(state, iteration) {
  const { neurons } = state.layers.at(-1);
  const outputs = iteration.layers.at(-1).y;
  const { losses, probabilities, targets } = iteration;
  const several = losses.length > 1;
  const rows = [];
  losses.forEach((value, example) => {
    const at = { example: example + 1, phase: "error", layer: null, neuron: null };
    const made = probabilities === null ? outputs[example] : probabilities[example];
    if (probabilities !== null) rows.push(...probabilityRows(at, neurons, outputs[example], made));
    const written = lossFormula(state.loss, neurons, targets[example], made);
    rows.push(makeRow(at, null, "loss", several ? `E_${example + 1}` : "E", ...written, value));
  });
  if (several) {
    const at = { example: null, phase: "error", layer: null, neuron: null };
    const symbolic = `(${termsText(losses.map((_, example) => `E_${example + 1}`))}) / ${losses.length}`;
    rows.push(makeRow(at, null, "loss", "E", symbolic, `(${sumText(losses)}) / ${losses.length}`, iteration.loss));
  }
  return rows;
}

function probabilityRows(at, neurons, outputs, probabilities) {
  const power = (y) => `e^${exponent(number(y))}`;
  const total = termsText(neurons.map((neuron) => `e^y_${neuron}`));
  const totalNumbers = termsText(outputs.map(power));
  return neurons.map((neuron, k) => {
    const [symbolic, numbers] = [`e^y_${neuron} / (${total})`, `${power(outputs[k])} / (${totalNumbers})`];
    return makeRow({ ...at, neuron }, null, "probability", `p_${neuron}`, symbolic, numbers, probabilities[k]);
  });
}

function backwardRows(state, iteration, example) {
  const rows = [];
  const last = state.layers.length - 1;
  for (let index = last; index >= 0; index--) {
    const layer = state.layers[index];
    const values = iteration.layers[index];
    layer.neurons.forEach((neuron, n) => {
      const at = { example: example + 1, phase: "backward", layer: index + 1, neuron };
      const [z, y, slope, dy, delta] = ["z", "y", "slope", "dy", "delta"].map((name) => values[name][example][n]);
      let written;
      if (index === last) {
        const p = iteration.probabilities === null ? null : iteration.probabilities[example][n];
        written = outputErrorFormula(state.loss, neuron, layer.neurons.length, iteration.targets[example][n], y, p);
      } else {
        const names = state.layers[index + 1].neurons;
        const deltas = iteration.layers[index + 1].delta[example];
        const weights = iteration.weights[index + 1].map((row) => row[n]);
        written = [
          termsText(names.map((name) => `${weightSymbol(name, n + 1)} δ_${name}`)),
          termsText(weights.map((weight, k) => `${operand(weight)} × ${operand(deltas[k])}`)),
        ];
      }
      rows.push(makeRow(at, null, index === last ? "d_loss" : "weighted_delta", `∂E/∂y_${neuron}`, ...written, dy));
      const symbolic = formula(layer.activation, `z_${neuron}`, `y_${neuron}`, true);
      const numbers = formulaWithNumbers(layer.activation, z, y, true);
      rows.push(makeRow(at, null, "d_activation", `f′(z_${neuron})`, symbolic, numbers, slope));
      const product = `${operand(dy)} × ${operand(slope)}`;
      rows.push(makeRow(at, null, "delta", `δ_${neuron}`, `∂E/∂y_${neuron} × f′(z_${neuron})`, product, delta));
    });
  }
  return rows;
}

// For each learnt weight: layer and neuron index, a row's first fields, input number (0 for the bias) and the two symbols.
function learntWeights(state, iteration, phase) {
  return state.layers.flatMap((layer, index) => {
    const inputs = symbolsOfInputs(state, index).map((symbol, i) => [i + 1, symbol]);
    if (iteration.gradients[index].biases !== null) inputs.push([0, "1"]);
    return layer.neurons.flatMap((neuron, n) => {
      const at = { example: null, phase, layer: index + 1, neuron };
      return inputs.map(([i, symbol]) => ({ index, n, at, i, name: weightSymbol(neuron, i), symbol }));
    });
  });
}

const weightAt = (weights, biases, n, i) => (i ? weights[n][i - 1] : biases[n]);

function adjustRows(state, iteration) {
  const batch = iteration.inputs.length;
  const sign = state.adds ? "" : "−";
  return learntWeights(state, iteration, "adjust").flatMap(({ index, n, at, i, name, symbol }) => {
    const { weights, biases } = iteration.gradients[index];
    const gradient = weightAt(weights, biases, n, i);
    const inputs = inputsOfLayer(iteration, index).map((row) => (i ? row[i - 1] : 1));
    const products = inputs.map((x, example) => `${operand(iteration.layers[index].delta[example][n])} × ${operand(x)}`);
    let [symbolic, numbers] = [`δ_${at.neuron} × ${symbol}`, products[0]];
    if (batch > 1) [symbolic, numbers] = [`mean of ${symbolic}`, `(${termsText(products)}) / ${batch}`];
    const step = `${number(iteration.rate)} × ${operand(gradient)}`;
    return [
      makeRow(at, i, "gradient", `∂E/∂${name}`, symbolic, numbers, gradient),
      makeRow(at, i, "adjustment", `Δ${name}`, `${sign}η × ∂E/∂${name}`, step, iteration.rate * gradient),
    ];
  });
}

function updateRows(state, iteration) {
  return learntWeights(state, iteration, "update").map(({ index, n, at, i, name }) => {
    const old = weightAt(iteration.weights[index], iteration.biases[index], n, i);
    const gradient = weightAt(iteration.gradients[index].weights, iteration.gradients[index].biases, n, i);
    const value = weightAt(iteration.newWeights[index], iteration.newBiases[index], n, i);
    return makeRow(at, i, "weight", name, `${name} + Δ${name}`, sumText([old, iteration.rate * gradient]), value);
  });
}
