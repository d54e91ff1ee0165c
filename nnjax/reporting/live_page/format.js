// Numbers, sums and names as a trace writes them: the twin of nnjax/textbook/notation.py, equal to the last character.
//
// number(0.1 + 0.2)            // "0.3"
// sumText([0.02, -0.1])        // "0.02 − 0.1"
// weightSymbol("a", 0)         // "w_a0", the bias weight

const MAX_TERMS = 6; // a longer sum shows its first terms, … and its last one
const EXACT_DIGITS = 60; // more than a number needs whose decimal expansion ends half-way between two shorter ones

// Digits and exponent of a finite number other than 0, rounded as Python rounds: half-way to even, where JavaScript rounds up.
function roundedDigits(size, digits) {
  const [longer, power] = size.toExponential(digits).split("e");
  let text = size.toExponential(digits - 1);
  if (longer.endsWith("5")) {
    const exact = size.toExponential(EXACT_DIGITS).split("e")[0];
    const halfway = /^0*$/.test(exact.slice(longer.length));
    const cut = longer.slice(0, -1).replace(/\.$/, "");
    if (halfway && Number(cut.at(-1)) % 2 === 0) text = `${cut}e${power}`;
  }
  const [mantissa, exponentText] = text.split("e");
  return [mantissa, Number(exponentText)];
}

// A number as Python's format(value, ".{digits}g"), with "-" as the minus sign.
function generalFormat(value, digits) {
  if (Number.isNaN(value)) return "nan";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  if (size === Infinity) return `${sign}inf`;
  if (size === 0) return `${sign}0`;
  const [mantissa, power] = roundedDigits(size, digits);
  const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (power < -4 || power >= digits) {
    const written = String(Math.abs(power)).padStart(2, "0");
    return `${sign}${trimmed(mantissa)}e${power < 0 ? "-" : "+"}${written}`;
  }
  const all = mantissa.replace(".", "");
  if (power < 0) return `${sign}0.${"0".repeat(-power - 1)}${trimmed(`.${all}`).slice(1)}`;
  const whole = all.slice(0, power + 1);
  return sign + trimmed(`${whole}.${all.slice(power + 1)}`.replace(/\.$/, ""));
}

// Python's round(value, 10).
function roundedTo10(value) {
  if (!Number.isFinite(value) || Math.abs(value) >= 1e15) return value;
  const halfway = Math.abs(value * 2048) % 2 === 1; // half-way between two numbers of ten decimals: an odd multiple of 2^−11
  if (!halfway) return Number(value.toFixed(10));
  const cut = value.toFixed(11).slice(0, -1);
  return Number(Number(cut.at(-1)) % 2 === 0 ? cut : value.toFixed(10));
}

// At most ten decimals, or seven significant digits below 0.001: hides rounding such as 0.30000000000000004.
export function number(value) {
  if (value === 0) return "0";
  const text = Math.abs(value) < 1e-3 ? generalFormat(value, 7) : generalFormat(roundedTo10(value), 11);
  return text.replaceAll("-", "−");
}

// A number as a factor: in brackets if negative.
export const operand = (value) => bracketed(number(value));

// A number's text as a factor or after a sign: in brackets if negative.
export const bracketed = (text) => (text.startsWith("−") ? `(${text})` : text);

// A number's text with ²: in brackets if it is negative or has an exponent.
export const squared = (text) => (text.startsWith("−") || text.includes("e") ? `(${text})²` : `${text}²`);

// A number's text as an exponent: in brackets if it has an exponent itself.
export const exponent = (text) => (text.includes("e") ? `(${text})` : text);

const abridged = (terms, gap) => (terms.length < MAX_TERMS ? terms : [...terms.slice(0, MAX_TERMS - 3), gap, terms.at(-1)]);

// Numbers added up: "0.02 + 0.12 − 0.6".
export function sumText(values) {
  const [first, ...others] = values.map(number);
  const signed = others.map((text) => (text.startsWith("−") ? ` − ${text.slice(1)}` : ` + ${text}`));
  return first + abridged(signed, " + …").join("");
}

// Terms added up: "w_a1 x1 + w_a2 x2 + w_a0".
export function termsText(terms) {
  const [first, ...others] = terms;
  return first + abridged(others.map((term) => ` + ${term}`), " + …").join("");
}

// Rounds to 15 significant digits: 0.30000000000000004 becomes 0.3.
export const tidy = (value) => (Number.isFinite(value) ? Number(generalFormat(value, 15)) : value);

// The neurons' names, layer by layer: the textbook's letters for up to 26 neurons, else "h1.3".
export function neuronNames(sizes) {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total > 26) {
    return sizes.map((size, layer) => Array.from({ length: size }, (_, place) => `h${layer + 1}.${place + 1}`));
  }
  let next = 0;
  return sizes.map((size) => Array.from({ length: size }, () => "abcdefghijklmnopqrstuvwxyz"[next++]));
}

// A neuron's weight for input number `place`, counted from 1; 0 is the bias input: "w_a1", "w_h1.3,12".
export const weightSymbol = (neuron, place) => `w_${neuron}${neuron.includes(".") ? "," : ""}${place}`;
