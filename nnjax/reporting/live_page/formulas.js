// Formulas of the activations, their derivatives and the losses, in symbols and with numbers: the twin of
// nnjax/textbook/formulas.py and error_rows.py, equal to the last character.
//
// formula({name: "tanh"}, "z_a", "y_a")                            // "(e^z_a − e^−z_a) / (e^z_a + e^−z_a)"
// formulaWithNumbers({name: "relu"}, 0.76, 0.76, true)             // "1, as 0.76 > 0"

import { activationParameter } from "./activations.js";
import { bracketed, exponent, number, operand, squared, termsText } from "./format.js";

// Placeholders: {z} alone, {(z)} as a factor or after a sign, {^z} and {^−z} as exponents, {z²} squared; the same for y; {s}
// for the activation's option. The first is f(z), the second f′(z).
const ACTIVATION_FORMULAS = {
  relu: ["max(0, {z})", "1 if {z} > 0, else 0"],
  tanh: ["(e^{^z} − e^{^−z}) / (e^{^z} + e^{^−z})", "1 − {y²}"],
  sigmoid: ["1 / (1 + e^{^−z})", "{y} × (1 − {y})"],
  gelu: ["½ × {(z)} × (1 + erf({z} / √2))", "½ × (1 + erf({z} / √2)) + {(z)} × e^(−½ × {z²}) / √(2 × π)"],
  silu: ["{z} / (1 + e^{^−z})", "(1 + {(z)} − {(y)}) / (1 + e^{^−z})"],
  softplus: ["ln(1 + e^{^z})", "1 / (1 + e^{^−z})"],
  identity: ["{z}", "1"],
  leaky_relu: ["max({z}, {s} × {(z)})", "1 if {z} ≥ 0, else {s}"],
  elu: ["{z} if {z} > 0, else {s} × (e^{^z} − 1)", "1 if {z} > 0, else {s} × e^{^z}"],
};
const CASES = /^(.+) if \{z\} ([>≥]) 0, else (.+)$/;

// t is the target, y the output, (y) the output in brackets if it is negative, p its probability, k the number of outputs.
const LOSS_FORMULAS = {
  cross_entropy: {
    term: "{t} ln {p}",
    ofTerms: "−({terms})",
    ofOneTerm: "−ln {p}",
    gradient: "{p} − {t}",
    gradientOfOne: "{p} − {t}",
    skipsZeroTargets: true,
  },
  mse: {
    term: "({t} − {(y)})²",
    ofTerms: "[{terms}] / {k}",
    ofOneTerm: "{terms}",
    gradient: "−2/{k} × ({t} − {(y)})",
    gradientOfOne: "−2 × ({t} − {(y)})",
  },
  half_mse: {
    term: "({t} − {(y)})²",
    ofTerms: "½ × [{terms}]",
    ofOneTerm: "½ × {terms}",
    gradient: "−({t} − {(y)})",
    gradientOfOne: "−({t} − {(y)})",
  },
};

const filledIn = (template, parts) => template.replace(/\{([^}]+)\}/g, (_, name) => parts[name]);

function parameterText(options) {
  const parameter = activationParameter(options);
  return parameter === undefined ? "" : number(parameter);
}

// An activation f(z), or its derivative f′(z), in symbols.
export function formula(options, z, y, derivative = false) {
  const symbols = { z, "(z)": z, "z²": `${z}²`, "^z": z, "^−z": `−${z}`, y, "(y)": y, "y²": `${y}²` };
  return filledIn(ACTIVATION_FORMULAS[options.name][derivative ? 1 : 0], { ...symbols, s: parameterText(options) });
}

// `formula` with numbers instead of symbols; one with two cases shows the case that holds, and why.
export function formulaWithNumbers(options, z, y, derivative = false) {
  const [zText, yText] = [number(z), number(y)];
  let template = ACTIVATION_FORMULAS[options.name][derivative ? 1 : 0];
  const cases = CASES.exec(template);
  if (cases) {
    const [, positive, sign, other] = cases;
    const holds = z > 0 || (z === 0 && sign === "≥");
    template = holds ? `${positive}, as {z} ${sign} 0` : `${other}, as {z} ${sign === "≥" ? "<" : "≤"} 0`;
  }
  return filledIn(template, {
    z: zText,
    "(z)": bracketed(zText),
    "z²": squared(zText),
    "^z": exponent(zText),
    "^−z": exponent(number(-z)),
    y: yText,
    "(y)": bracketed(yText),
    "y²": squared(yText),
    s: parameterText(options),
  });
}

const errorSymbols = (neuron) => ({ t: `t_${neuron}`, y: `y_${neuron}`, "(y)": `y_${neuron}`, p: `p_${neuron}` });
const errorNumbers = (t, y, p) => ({ t: number(t), y: number(y), "(y)": operand(y), p: number(p) });

// The formula of one example's loss, in symbols and with numbers; `values` are its outputs or probabilities.
export function lossFormula(loss, neurons, targets, values) {
  const words = LOSS_FORMULAS[loss.name];
  let outputs = neurons.map((neuron, k) => ({ neuron, t: targets[k], value: values[k] }));
  if (words.skipsZeroTargets) outputs = outputs.filter(({ t }) => t !== 0);
  const template = outputs.length === 1 ? words.ofOneTerm : words.ofTerms;
  const written = (parts) => {
    const terms = termsText(parts.map((part) => filledIn(words.term, part)));
    return filledIn(template, { ...parts[0], terms, k: String(neurons.length) });
  };
  return [
    written(outputs.map(({ neuron }) => errorSymbols(neuron))),
    written(outputs.map(({ t, value }) => errorNumbers(t, value, value))),
  ];
}

// The formula of ∂E/∂y of an output neuron, in symbols and with numbers; p is null if the loss does not apply softmax.
export function outputErrorFormula(loss, neuron, outputs, t, y, p) {
  const words = LOSS_FORMULAS[loss.name];
  const template = outputs === 1 ? words.gradientOfOne : words.gradient;
  const k = String(outputs);
  return [
    filledIn(template, { ...errorSymbols(neuron), k }),
    filledIn(template, { ...errorNumbers(t, y, p === null ? y : p), k }),
  ];
}
