// The activations and their derivatives, of the same definitions as nnjax/models/activations.py and JAX's derivatives.
//
// activate({name: "leaky_relu", negative_slope: 0.1}, -1)        // −0.1
// slopeOf({name: "relu"}, 0)                                     // 0, as in JAX

const sigmoidAt = (z) => 1 / (1 + Math.exp(-z));

const ERROR_SERIES_BELOW = 2; // above, the continued fraction converges in fewer terms than the series
const ERROR_FRACTIONS = 120;

// erf(x) for x ≥ 0: 2/√π e^(−x²) Σ 2ⁿ x^(2n + 1) / (1 · 3 · … · (2n + 1)), whose terms are all positive.
function errorSeries(x) {
  let term = x;
  let sum = x;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

// erfc(x) = 1 − erf(x); from 2 on by Laplace's continued fraction, as the difference would lose its digits.
function complementaryError(x) {
  if (x < 0) return 2 - complementaryError(-x);
  if (x < ERROR_SERIES_BELOW) return 1 - errorSeries(x);
  let below = x;
  for (let n = ERROR_FRACTIONS; n > 0; n--) below = x + n / 2 / below;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / below;
}

const normalShare = (z) => 0.5 * complementaryError(-z * Math.SQRT1_2); // Φ(z)
const normalDensity = (z) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

// By name: the function, its derivative, and the option that it has, with the usual value.
export const ACTIVATIONS = {
  relu: { value: (z) => Math.max(z, 0), slope: (z) => (z > 0 ? 1 : 0) },
  tanh: { value: Math.tanh, slope: (z) => (1 - Math.tanh(z)) * (1 + Math.tanh(z)) },
  sigmoid: { value: sigmoidAt, slope: (z) => sigmoidAt(z) * (1 - sigmoidAt(z)) },
  gelu: { value: (z) => z * normalShare(z), slope: (z) => normalShare(z) + z * normalDensity(z) },
  silu: { value: (z) => z * sigmoidAt(z), slope: (z) => sigmoidAt(z) * (1 + z * (1 - sigmoidAt(z))) },
  softplus: { value: (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))), slope: sigmoidAt },
  identity: { value: (z) => z, slope: () => 1 },
  leaky_relu: {
    option: "negative_slope",
    usual: 0.01,
    value: (z, negative) => (z >= 0 ? z : negative * z),
    slope: (z, negative) => (z >= 0 ? 1 : negative),
  },
  elu: {
    option: "alpha",
    usual: 1,
    value: (z, alpha) => (z > 0 ? z : alpha * Math.expm1(z)),
    slope: (z, alpha) => (z > 0 ? 1 : alpha * (Math.expm1(z) + 1)), // JAX's way to e^z
  },
};

// The option's value of an activation that has one, else undefined.
export function activationParameter(options) {
  const { option } = ACTIVATIONS[options.name];
  return option === undefined ? undefined : options[option];
}

// y = f(z); options are the name and, where the activation has one, its option.
export const activate = (options, z) => ACTIVATIONS[options.name].value(z, activationParameter(options));

// f′(z).
export const slopeOf = (options, z) => ACTIVATIONS[options.name].slope(z, activationParameter(options));
