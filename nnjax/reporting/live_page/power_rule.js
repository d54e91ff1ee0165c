// The derivative of the error with respect to one output, step by step: the power rule, or softmax and its logarithm.
//
//   errorSteps(state, iteration, 0, 0)     // [{words: "The error.", formula: "E = ½ × (t_b − y_b)²"}, …]

import { number, operand, termsText } from "./format.js";
import { outputErrorFormula } from "./formulas.js";

// The steps for output number `k` of an example, each {words, formula}.
export function errorSteps(state, iteration, example, k) {
  const steps = state.loss.name === "cross_entropy" ? logarithmSteps(state, k) : powerSteps(state, k);
  const { neurons } = state.layers.at(-1);
  const t = iteration.targets[example][k];
  const y = iteration.layers.at(-1).y[example][k];
  const p = iteration.probabilities ? iteration.probabilities[example][k] : null;
  const value = iteration.layers.at(-1).dy[example][k];
  const [text, numbers] = outputErrorFormula(state.loss, neurons[k], neurons.length, t, y, p);
  return [
    ...steps,
    { words: "So the derivative is", formula: `∂E/∂y_${neurons[k]} = ${text}` },
    { words: "and with numbers", formula: `∂E/∂y_${neurons[k]} = ${numbers} = ${number(value)}` },
  ];
}

function powerSteps({ loss, layers }, k) {
  const { neurons } = layers.at(-1);
  const [name, count] = [neurons[k], neurons.length];
  const half = loss.name === "half_mse";
  const share = half ? "½" : count === 1 ? "1" : `1/${count}`;
  const front = share === "1" ? "" : `${share} × `;
  const terms = termsText(neurons.map((neuron) => `(t_${neuron} − y_${neuron})²`));
  const whole = count === 1 ? `${front}${terms}` : `${front}[${terms}]`;
  const other = count === 1 ? "" : ` Only the term with y_${name} changes with y_${name}.`;
  const more = count === 1 ? "" : " + …";
  const outer = half ? "u" : count === 1 ? "2 × u" : `2/${count} × u`;
  return [
    { words: `The error.${other}`, formula: `E = ${whole}` },
    { words: "The inner function is called u.", formula: `u = t_${name} − y_${name},   E = ${front}u²${more}` },
    { words: "The power rule: the derivative of u to the power n is", formula: "d/du u^n = n × u^(n − 1)" },
    { words: "With n = 2, the outer derivative is", formula: `∂E/∂u = ${front}2 × u^(2 − 1) = ${outer}` },
    { words: `The inner derivative; t_${name} is a constant.`, formula: `∂u/∂y_${name} = 0 − 1 = −1` },
    {
      words: "The chain rule multiplies both.",
      formula: `∂E/∂y_${name} = ∂E/∂u · ∂u/∂y_${name} = ${outer} × (−1)`,
    },
  ];
}

function logarithmSteps({ layers, loss }, k) {
  const { neurons } = layers.at(-1);
  const name = neurons[k];
  const all = termsText(neurons.map((neuron) => `e^y_${neuron}`));
  const errors = termsText(neurons.map((neuron) => `t_${neuron} ln p_${neuron}`));
  const outputs = termsText(neurons.map((neuron) => `t_${neuron} y_${neuron}`));
  const targets = termsText(neurons.map((neuron) => `t_${neuron}`));
  const smooth = loss.label_smoothing ? `, smoothed by ${operand(loss.label_smoothing)}` : "";
  return [
    { words: `The error; t are the targets${smooth}.`, formula: `E = −(${errors})` },
    { words: "Softmax makes the probabilities from the outputs.", formula: `p_${name} = e^y_${name} / S,   S = ${all}` },
    { words: "The logarithm of a fraction is a difference.", formula: `ln p_${name} = y_${name} − ln S` },
    { words: `In the error, as ${targets} = 1.`, formula: `E = ln S − (${outputs})` },
    {
      words: "The chain rule for ln S: the outer derivative is 1/S, the inner one is the power of e itself.",
      formula: `∂ ln S/∂y_${name} = 1/S · e^y_${name} = p_${name}`,
    },
    { words: "The power rule for the other term, with n = 1.", formula: `∂(t_${name} y_${name})/∂y_${name} = t_${name}` },
  ];
}
