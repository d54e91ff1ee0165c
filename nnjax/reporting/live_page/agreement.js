// Whether the page's own arithmetic agrees with a trace: every recorded iteration is computed again from its embedded weights,
// inputs and targets, and all values are compared.
//
// agreement(trace)      // {agrees: true, digits: 13, compared: 87, worst: {where: "z_a in iteration 2", difference: 2e-16}}

import { computeIteration } from "./compute.js";
import { rowsOf } from "./rows.js";
import { addsOf, layersOf, lossOptions } from "./state.js";

const AGREED_DIGITS = 10; // JAX adds in another order, and 1 − y² keeps few digits where y is near 1
const SMALL_SHARE = 0.01; // of an iteration's largest value: the least scale, as what cancels to almost 0 has no digits left
const MOST_DIGITS = 15; // a trace has no more
const CANCELLED = 1e-13; // of the largest value
const NUMBERS = /\d+(?:\.\d+)?(?:e[+−]?\d+)?/g;
const LAST_DIGIT = [2e-6, 2e-10]; // relative: of the seven digits of a number below 0.001, of the ten or eleven of others

// XLA takes numbers below 1e−307, which a float64 holds with fewer digits only, as 0.
const FLUSHED = String.raw`\d+(?:\.\d+)?e−3(?:0[89]|[12]\d)`;
const subtracted = new RegExp(` − ${FLUSHED}`, "g");
const flushed = new RegExp(String.raw`\(−${FLUSHED}\)|−?${FLUSHED}`, "g");
const withoutFlushed = (text) => text.replace(subtracted, " + 0").replace(flushed, "0");

const textNumbers = (text) => (text.match(NUMBERS) ?? []).map((part) => Number(part.replace("−", "-")));

// Whether two formulas say the same; a last digit may be rounded either way, and what cancels to almost 0 has no digits.
function sameText(mine, theirs, largest) {
  if (mine === theirs) return true;
  const [one, other] = [mine, theirs].map(withoutFlushed);
  if (one.replace(NUMBERS, "#") !== other.replace(NUMBERS, "#")) return false;
  const [left, right] = [textNumbers(one), textNumbers(other)];
  return left.every((value, index) => {
    const tolerance = value < 1e-3 ? LAST_DIGIT[0] * value : LAST_DIGIT[1] * Math.max(1, value);
    return Math.abs(value - right[index]) <= tolerance + CANCELLED * largest;
  });
}

// Flat lists of {where, found, expected, list, texts}: a value computed here, the embedded one, the list that it belongs to,
// and the formulas of both.
function* comparisons(trace, index) {
  const iteration = trace.iterations[index];
  const { number, weights, biases } = iteration;
  const state = {
    inputs: trace.network.inputs,
    layers: layersOf(trace, iteration),
    loss: lossOptions(trace.settings.loss, trace.settings.loss_options),
    adds: addsOf(trace.settings),
  };
  const learningRate = iteration.learning_rate;
  const rate = state.adds ? learningRate : -learningRate;
  const given = { number, learningRate, rate, ...trace.examples[index], weights, biases };
  const found = computeIteration(state.layers, state.loss, given);
  const within = `in iteration ${number}`;
  yield { where: `the loss ${within}`, found: found.loss, expected: iteration.loss, list: "loss" };
  yield { where: `the loss after iteration ${number}`, found: found.lossAfter, expected: iteration.loss_after, list: "after" };
  const embedded = trace.rows.filter((row) => row.iteration === number);
  const rows = rowsOf(state, found);
  if (rows.length !== embedded.length) {
    yield { where: `the number of rows ${within}`, found: rows.length, expected: embedded.length, list: "count" };
  }
  for (let place = 0; place < Math.min(rows.length, embedded.length); place++) {
    const [mine, theirs] = [rows[place], embedded[place]];
    const texts = ["symbol", "formula", "numbers"].map((name) => [mine[name], theirs[name]]);
    const example = theirs.example === null ? "" : `, example ${theirs.example}`;
    const list = `${theirs.quantity} ${theirs.layer}`;
    yield { where: `${theirs.symbol} ${within}${example}`, found: mine.value, expected: theirs.value, list, texts };
  }
  const next = trace.iterations[index + 1];
  const after = next?.number === number + 1 ? next : index === trace.iterations.length - 1 ? trace.final : null;
  if (!after) return;
  const where = `the weights after iteration ${number}`;
  const [mine, theirs] = [[found.newWeights, found.newBiases].flat(Infinity), [after.weights, after.biases].flat(Infinity)];
  if (mine.length !== theirs.length) yield { where, found: mine.length, expected: theirs.length, list: "count" };
  for (let place = 0; place < mine.length; place++) {
    if (mine[place] !== null || theirs[place] !== null) {
      yield { where, found: mine[place], expected: theirs[place] ?? null, list: "weights" };
    }
  }
  if (after === trace.final) {
    yield { where: "the final loss", found: found.lossAfter, expected: after.loss, list: "after" };
  }
}

// Compares all values; `digits` is how many agree at least, relative to the largest value of the same kind and layer.
export function agreement(trace) {
  let [compared, relative] = [0, 0];
  let worst = { where: "", difference: 0 };
  trace.iterations.forEach((_, index) => {
    const all = [...comparisons(trace, index)];
    const scales = new Map();
    let largest = 0;
    for (const { expected, list } of all) {
      scales.set(list, Math.max(scales.get(list) ?? 0, Math.abs(expected)));
      largest = Math.max(largest, Math.abs(expected));
    }
    for (const { where, found, expected, list, texts = [] } of all) {
      compared += 1;
      const bothMissing = expected === null && !Number.isFinite(found); // not finite is null in JSON
      const known = Number.isFinite(found) && Number.isFinite(expected);
      const difference = bothMissing ? 0 : known ? Math.abs(found - expected) : Infinity;
      const scale = Math.max(scales.get(list), SMALL_SHARE * largest);
      const same = texts.every(([mine, theirs]) => sameText(mine, theirs, largest));
      const share = !same ? Infinity : difference === 0 ? 0 : difference / scale;
      if (share > relative || worst.where === "") {
        relative = share;
        worst = { where, difference };
      }
    }
  });
  const digits = Math.max(0, Math.min(MOST_DIGITS, Math.floor(-Math.log10(relative))));
  return { agrees: digits >= AGREED_DIGITS, digits, compared, worst };
}
