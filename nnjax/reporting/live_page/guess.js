// Judges a reader's guess of a row's value: right, nearly, a usual slip, wrong, or not a number.
//
//   judge(state, compute(state).iterations[0], row, "0,0192")     // {verdict: "right", text: "Right, to 3 digits."}

import { operandsSize } from "./slip_place.js";
import { slipsOf } from "./slips.js";

const EXACT = 1e-9; // relative: a guess this near is the value itself
const ENOUGH = 3; // significant digits that a guess of a longer number needs
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const VULGAR = { "½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8", "⅕": "1/5" };

// A number as people write it, as {value, digits, unit}: `digits` significant ones, the last of which counts `unit`; else null.
// Takes 0.5, .5, 0,5, 1/2, ½, 5e-1, 5 · 10⁻¹, 50 %, and any dash as the minus sign. A fraction is exact: its unit is 0.
export function readGuess(text) {
  const signed = text.trim().slice(0, 60).replace(/^=\s*/, "").replace(/[−–—‒‑﹣－]/g, "-");
  const sign = signed.startsWith("-") ? -1 : 1;
  const bare = signed.replace(/^[+-]\s*/, "");
  if (/\d\s+\d+\s*[/⁄∕]/.test(bare)) return null; // "1 1/2" would become 11/2
  const plain = (VULGAR[bare] ?? bare)
    .replace(/[⁄∕]/g, "/")
    .replace(/\s/g, "")
    .replace(/[×·⋅*x]10(?:\^?\(?(-?\d+)\)?|(⁻?)([⁰¹²³⁴-⁹]+))$/, (_, power, minus, raised) =>
      power ? `e${power}` : `e${minus ? "-" : ""}${[...raised].map((digit) => SUPERSCRIPTS.indexOf(digit)).join("")}`,
    );
  const percent = plain.endsWith("%") ? 0.01 : 1;
  const [above, below, ...more] = plain.replace(/%$/, "").split("/").map(readDecimal);
  if (!above || below === null || more.length) return null;
  if (below === undefined) return { value: sign * above.value * percent, digits: above.digits, unit: above.unit * percent };
  const value = (sign * above.value * percent) / below.value;
  return Number.isFinite(value) ? { value, digits: Infinity, unit: 0 } : null;
}

function readDecimal(text) {
  const found = /^(?:(\d+)(?:[.,](\d*))?|[.,](\d+))(?:[eE](\+|-)?(\d{1,3}))?$/.exec(text);
  if (!found) return null;
  const [, whole = "", after, only, sign, power = "0"] = found;
  const decimals = after ?? only ?? "";
  const exponent = sign === "-" ? -Number(power) : Number(power);
  const value = Number(`${whole || "0"}.${decimals || "0"}e${exponent}`);
  if (!Number.isFinite(value)) return null;
  return { value, digits: (whole + decimals).replace(/^0+/, "").length, unit: Number(`1e${exponent - decimals.length}`) };
}

const isExactly = (guess, value) => Math.abs(guess.value - value) <= EXACT * Math.abs(value);
const isRounded = (guess, value) => Math.abs(guess.value - value) <= guess.unit / 2 + EXACT * Math.abs(value);
const isTo = (guess, value, digits) => isExactly(guess, value) || (guess.digits >= digits && isRounded(guess, value));

// Judges a guess; without a state, no slips. The text never contains the value.
export function judge(state, iteration, row, text) {
  const guess = readGuess(text);
  if (!guess) return { verdict: "unreadable", text: "Type one number, such as 0.5, 0,5, −1/2 or 5e-1." };
  const { value } = row;
  if (isExactly(guess, value)) return { verdict: "right", text: "Right." };
  if (guess.digits >= ENOUGH && isRounded(guess, value)) {
    return { verdict: "right", text: `Right, to ${guess.digits} digits.` };
  }
  const off = Math.abs(guess.value - value);
  const size = state ? operandsSize(state, iteration, row) : 0;
  const close = off <= Math.max(0.01 * Math.abs(value), 0.001 * size);
  const slips = state ? matching(guess, slipsOf(state, iteration, row), value, close) : [];
  if (slips.length) {
    const names = slips.slice(0, 2).map(({ name }) => name);
    return { verdict: "slip", slips: slips.map(({ name }) => name), text: `A usual slip: ${names.join(", or ")}.` };
  }
  if (guess.digits && guess.digits < ENOUGH && isRounded(guess, value) && off <= 0.05 * Math.abs(value)) {
    return { verdict: "nearly", text: `Right so far: now with at least ${ENOUGH} significant digits.` };
  }
  if (close && guess.value * value > 0) {
    return { verdict: "nearly", text: "Nearly: a step before was rounded, or the last digit is cut and not rounded." };
  }
  return { verdict: "wrong", text: hintOf(guess.value, value) };
}

// The slips that give the guess. A slip of an earlier row that is carried on, and a guess that is close anyway, need a digit
// more: with three digits, some slip out of many would fit a mere rounding error.
function matching(guess, slips, value, close) {
  return slips.filter((slip) => {
    if (!Number.isFinite(slip.value) || Math.abs(slip.value - value) <= EXACT * Math.max(Math.abs(value), 1e-6)) return false;
    if (isTo(guess, slip.value, slip.carried || close ? ENOUGH + 1 : ENOUGH)) return true;
    // digits cut off, or rounded on the way
    const off = Math.abs(slip.value) - Math.abs(guess.value);
    const cut = guess.value * slip.value > 0 && off > 0 && off < guess.unit;
    const rounded = Math.abs(guess.value - slip.value) <= 1e-5 * Math.abs(slip.value);
    return (guess.digits > ENOUGH && cut) || (guess.digits > ENOUGH + 1 && rounded);
  });
}

function hintOf(guess, value) {
  if (value === 0) return "Not yet.";
  if (guess !== 0 && Math.sign(guess) !== Math.sign(value)) return "Not yet: the sign is another one too.";
  const ratio = Math.abs(guess / value);
  if (ratio > 3) return "Not yet: much too large.";
  if (ratio < 1 / 3) return "Not yet: much too small.";
  return `Not yet: too ${(ratio > 1) === (value > 0) ? "large" : "small"}.`;
}

// Whether a row's formula with numbers already states its value, as "1, as 0.76 > 0" does.
export function statesValue(row) {
  const first = readGuess(row.numbers.split(", as ")[0]);
  return first !== null && (isExactly(first, row.value) || isTo(first, row.value, 7));
}

// ---- The score of a session.
export const NO_SCORE = { asked: 0, right: 0, streak: 0, best: 0 };

// The score after a row was settled: `first` if the first guess was right; false after other guesses or a look at the value.
export function scored(score, first) {
  const streak = first ? score.streak + 1 : 0;
  return { asked: score.asked + 1, right: score.right + (first ? 1 : 0), streak, best: Math.max(score.best, streak) };
}

export function scoreText({ asked, right, streak, best }) {
  if (!asked) return "No guess yet.";
  const rows = asked === 1 ? "1 row" : `${asked} rows`;
  return `${right} of ${rows} right at the first guess. In a row: ${streak}${best > streak ? `, at most ${best}` : ""}.`;
}
