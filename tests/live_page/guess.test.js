// Guesses: how a number may be written, what is right, and which usual slip a number is; the chapter's own among them.

import assert from "node:assert/strict";
import test from "node:test";

import { valueOfRow } from "../../nnjax/reporting/live_page/carried_slips.js";
import { compute } from "../../nnjax/reporting/live_page/compute.js";
import { NO_SCORE, judge, readGuess, scoreText, scored, statesValue } from "../../nnjax/reporting/live_page/guess.js";
import { rowsOf } from "../../nnjax/reporting/live_page/rows.js";
import { slipsOf } from "../../nnjax/reporting/live_page/slips.js";
import { classes, textbook } from "./states.js";

function rowOf(state, number, symbol, example = null) {
  const iteration = compute(state).iterations[number - 1];
  const row = rowsOf(state, iteration).find((one) => one.symbol === symbol && (example === null || one.example === example));
  assert.ok(row, `no row ${symbol}`);
  return [state, iteration, row];
}
const verdictOf = (text, number, symbol, state = textbook()) => judge(...rowOf(state, number, symbol), text);
function isSlip(text, number, symbol, slip, state = textbook()) {
  const found = verdictOf(text, number, symbol, state);
  assert.equal(found.verdict, "slip", `${symbol} = ${text}: ${JSON.stringify(found)}`);
  assert.ok(found.slips.includes(slip), `${symbol} = ${text}: ${found.slips.join(" | ")}`);
  assert.ok(found.text.includes(found.slips[0]));
}

test("a number as people write it", () => {
  const decimals = ["0.5", ".5", "0,5", ",5", " 0.50 ", "+0.5", "= 0.5", "50 %"];
  for (const text of [...decimals, "1/2", "½", "1⁄2", "5e-1", "5E−1", "5·10⁻¹", "5 × 10^-1"]) assert.ok(Math.abs(readGuess(text).value - 0.5) < 1e-15, text);
  for (const text of ["-0.5", "−0.5", "–,5", "− 1/2", "-5e-1", "－0.5"])
    assert.ok(Math.abs(readGuess(text).value + 0.5) < 1e-15, text);
  const others = ["", " ", "abc", "1.2.3", "1,000.5", "1 1/2", "1/0", "1/2/3", "--1", "0x10", "1e", "e5", "Infinity", "0.1*0.2"];
  for (const text of others) {
    assert.equal(readGuess(text), null, text);
  }
  assert.deepEqual(readGuess("0.0190"), { value: 0.019, digits: 3, unit: 1e-4 });
});

test("right: exact when short, else to at least three digits", () => {
  for (const text of ["0.76", "0,76", ".760", "19/25"]) assert.equal(verdictOf(text, 1, "z_a").verdict, "right", text);
  for (const text of ["0.817", "0.8169", "0.8169184"]) assert.equal(verdictOf(text, 2, "y_a").verdict, "right", text);
  for (const text of ["0.82", "0.8", "0.816", "0.8168"]) assert.equal(verdictOf(text, 2, "y_a").verdict, "nearly", text);
  assert.equal(verdictOf("0.0192", 1, "E").verdict, "right");
  assert.equal(verdictOf("0.000151", 2, "E").verdict, "right");
  assert.equal(verdictOf("0.0001445", 2, "E").verdict, "nearly"); // with y_b rounded to 1.017
  assert.equal(verdictOf("0", 1, "z_a").verdict, "wrong");
  assert.equal(verdictOf("0.91", 1, "z_a").verdict, "wrong");
  assert.equal(verdictOf("what", 1, "z_a").verdict, "unreadable");
});

test("every value of every row is right, and no text gives the value away", () => {
  for (const state of [textbook(), classes()]) {
    for (const iteration of compute(state).iterations) {
      for (const row of rowsOf(state, iteration)) {
        assert.ok(Math.abs(valueOfRow(state, iteration, row) - row.value) <= 1e-14, row.symbol);
        assert.equal(judge(state, iteration, row, String(row.value)).verdict, "right", row.symbol);
        assert.equal(judge(state, iteration, row, row.value.toPrecision(5)).verdict, "right", row.symbol);
        for (const text of ["12.345", "-0.0321"]) {
          const found = judge(state, iteration, row, text);
          if (found.verdict === "wrong") assert.ok(!/\d/.test(found.text), found.text);
        }
      }
    }
  }
});

test("the chapter's own slips are named", () => {
  isSlip("0.7750", 2, "y_a", "x1 and x3 swapped");
  isSlip("0.491142", 1, "w_b1", "y_a of the next iteration, with x1 and x3 swapped");
  isSlip("0.9982", 2, "y_b", "x1 and x3 swapped, here and in the update of the next layer's weights before");
  isSlip("1.16", 1, "z_a", "the bias input, 1, added instead of 1 × w_a0");
  isSlip("-0.157584", 1, "δ_b", "the output y_b instead of the derivative f′(z_b)");
  isSlip("0.038416", 1, "E", "the ½ of the error forgotten");
  isSlip("-0.392", 1, "∂E/∂y_b", "the ½ of the error forgotten");
  isSlip("0.196", 1, "E", "the difference from the target, not squared");
});

test("old and new weights", () => {
  isSlip("0.3268", 2, "w_b1 y_a", "the old w_b1");
  isSlip("0.3719", 1, "w_b1 y_a", "the next iteration's w_b1");
  isSlip("0.76", 2, "z_a", "the old weights of neuron a");
  isSlip("-0.0959", 1, "∂E/∂y_a", "the new weights instead of the old ones");
  isSlip("0.4", 1, "w_b1", "this is the old weight");
  isSlip("0.089376", 1, "w_b1", "this is the adjustment alone: the old weight is not added");
});

test("sign, bias, inputs, rate, factors", () => {
  isSlip("0.196", 1, "∂E/∂y_b", "the sign");
  isSlip("0.16", 1, "z_a", "the bias w_a0 forgotten");
  isSlip("0.304", 1, "z_b", "the bias w_b0 forgotten");
  isSlip("0.564", 1, "z_b", "the bias w_a0 forgotten");
  isSlip("0.04", 1, "w_a1 x1", "x1 and x3 swapped");
  isSlip("0.3", 1, "w_a1 x1", "weight and input added instead of multiplied");
  isSlip("-0.03136", 1, "∂E/∂w_a1", "x1 and x3 swapped");
  isSlip("-0.14896", 1, "Δw_b1", "the learning rate forgotten");
  isSlip("-0.089376", 1, "Δw_b1", "the sign");
  isSlip("0.310624", 1, "w_b1", "the sign of the learning rate");
  isSlip("0.25104", 1, "w_b1", "the gradient added, without the learning rate");
  isSlip("-0.098", 1, "∂E/∂y_b", "the 2 of the power rule forgotten");
  isSlip("0.2", 1, "w_a1 x1", "the decimal point");
});

// Two examples, tanh, and sums below 0 under relu: slips that do not show with the textbook's numbers.
function steep() {
  const state = textbook();
  state.layers[0].activation = { name: "tanh" };
  state.layers[1].activation = { name: "sigmoid" };
  state.batches = [{ inputs: [[0.2, 0.1, 0.4], [1, -0.5, 0.3]], targets: [[1], [0]] }];
  return state;
}

test("derivatives, activations and the mean over the batch", () => {
  const state = steep();
  const cases = [
    ["δ_b", "the derivative f′(z_b) forgotten"],
    ["δ_a", "the derivative f′(z_a) forgotten"],
    ["f′(z_b)", "the derivative taken at y_b instead of z_b"],
    ["y_a", "the activation of neuron a not applied"],
    ["z_a", "the activation already applied"],
    ["∂E/∂w_a1", "the sum over the batch, not its mean"],
    ["Δw_a1", "the sum over the batch, not its mean"],
    ["w_a1", "the sum over the batch, not its mean"],
    ["E", "the sum over the batch, not its mean"],
    ["∂E/∂w_b1", "the activation of neuron a not applied"],
    ["∂E/∂y_a", "the derivative of the next layer's activation forgotten"],
    ["∂E/∂y_a", "the weights of the next layer forgotten"],
  ];
  for (const [symbol, name] of cases) {
    const [, iteration, row] = rowOf(state, 1, symbol);
    const slip = slipsOf(state, iteration, row).find((one) => one.name === name);
    assert.ok(slip, `${symbol}: ${name}`);
    assert.notEqual(slip.value, row.value, name);
    const found = judge(state, iteration, row, String(slip.value));
    assert.equal(found.verdict, "slip", `${symbol}: ${name}`);
    assert.ok(found.slips.includes(name), `${symbol}: ${name}: ${found.slips}`);
  }
  const [, iteration, row] = rowOf(state, 1, "δ_b");
  const { dy } = iteration.layers[1];
  assert.ok(slipsOf(state, iteration, row).some(({ value }) => value === dy[0][0])); // δ without f′ is ∂E/∂y
});

test("slips of softmax and cross-entropy", () => {
  const state = classes();
  for (const [symbol, name] of [
    ["∂E/∂y_c", "the target not subtracted"],
    ["∂E/∂y_c", "softmax not applied"],
    ["p_c", "not divided by the sum over the outputs"],
    ["E_1", "the logarithm to base 10, not the natural one"],
  ]) {
    const [, iteration, row] = rowOf(state, 1, symbol);
    const slip = slipsOf(state, iteration, row).find((one) => one.name === name);
    assert.ok(judge(state, iteration, row, String(slip.value)).slips.includes(name), `${symbol}: ${name}`);
  }
});

test("a slip that gives the right number is not reported", () => {
  // f′ = 1 in the chapter, so that forgetting it changes nothing
  const [state, iteration, row] = rowOf(textbook(), 1, "δ_b");
  const same = slipsOf(state, iteration, row).filter(({ value }) => Math.abs(value - row.value) < 1e-12);
  assert.ok(same.some(({ name }) => name === "the derivative f′(z_b) forgotten"));
  assert.equal(judge(state, iteration, row, "-0.196").verdict, "right");
  assert.equal(judge(state, iteration, row, "-0.1961").verdict, "nearly");
});

test("slips are numbers or left out, for every row", () => {
  for (const state of [textbook(), steep(), classes()]) {
    for (const iteration of compute(state).iterations) {
      for (const row of rowsOf(state, iteration)) {
        for (const slip of slipsOf(state, iteration, row)) {
          assert.equal(typeof slip.value, "number", `${row.symbol}: ${slip.name}`);
          assert.ok(!slip.name.includes("undefined"), slip.name);
        }
      }
    }
  }
});

test("without a state there are no slips, but a verdict", () => {
  const [, , row] = rowOf(textbook(), 2, "y_a");
  assert.equal(judge(null, null, row, "0.7750").verdict, "wrong");
  assert.equal(judge(null, null, row, "0.817").verdict, "right");
});

test("a formula with numbers that states the value", () => {
  const [, iteration] = rowOf(textbook(), 1, "z_a");
  const stating = rowsOf(textbook(), iteration).filter(statesValue).map(({ symbol }) => symbol);
  assert.deepEqual(stating, ["f′(z_b)", "f′(z_a)"]);
});

test("the score of a session", () => {
  const score = [true, true, false, true].reduce(scored, NO_SCORE);
  assert.deepEqual(score, { asked: 4, right: 3, streak: 1, best: 2 });
  assert.equal(scoreText(score), "3 of 4 rows right at the first guess. In a row: 1, at most 2.");
  assert.equal(scoreText(NO_SCORE), "No guess yet.");
});
