// The comparison with an embedded trace finds a single wrong digit, wherever it is.

import assert from "node:assert/strict";
import test from "node:test";

import { agreement } from "../../nnjax/reporting/live_page/agreement.js";
import { traceOf } from "../../nnjax/reporting/live_page/trace_of.js";
import { classes, textbook } from "./states.js";

test("a number that XLA flushes to 0 is no disagreement", () => {
  const state = textbook();
  state.layers[0].weights[0] = [-1e-320, 2e-310, 0.3];
  const trace = copyOf(traceOf(state));
  const written = /\(?−?[\d.]+e−3[0-2]\d\)?/g;
  let found = 0;
  for (const row of trace.rows) {
    found += row.numbers.match(written)?.length ?? 0;
    row.numbers = row.numbers.replace(/ − [\d.]+e−3[0-2]\d/g, " + 0").replace(written, "0");
    if (Math.abs(row.value) < 1e-300) row.value = 0;
  }
  assert.ok(found > 3);
  assert.ok(agreement(trace).agrees);
  trace.rows[0].numbers = trace.rows[0].numbers.replace("0.2", "0.3");
  assert.ok(!agreement(trace).agrees);
});

const copyOf = (trace) => JSON.parse(JSON.stringify(trace));
const other = (digit) => String((Number(digit) + 5) % 10);

// Every number of a row or an iteration, as [name, the trace with its first or sixth digit changed].
function* changed(trace, every) {
  for (const [index, row] of trace.rows.entries()) {
    if (row.value === 0 || index % every !== 0) continue;
    const text = row.value.toExponential(8);
    const place = text.startsWith("-") ? 1 : 0;
    for (const at of [place, place + 6]) {
      const copy = copyOf(trace);
      copy.rows[index].value = Number(text.slice(0, at) + other(text[at]) + text.slice(at + 1));
      yield [`the value of ${row.symbol}, ${text} → ${copy.rows[index].value}`, copy];
    }
    const digits = [...row.numbers.matchAll(/\d/g)];
    if (digits.length === 0) continue;
    const copy = copyOf(trace);
    const { index: at } = digits[Math.floor(digits.length / 2)];
    copy.rows[index].numbers = row.numbers.slice(0, at) + other(row.numbers[at]) + row.numbers.slice(at + 1);
    yield [`the text ${row.numbers} → ${copy.rows[index].numbers}`, copy];
  }
}

for (const [name, make] of Object.entries({ textbook, classes })) {
  const trace = traceOf(make());

  test(`${name}: a trace agrees with itself`, () => {
    const { agrees, digits, compared, worst } = agreement(copyOf(trace));
    assert.equal(agrees, true);
    assert.ok(digits >= 13 && compared > trace.rows.length, `${digits} ${compared} ${worst.where}`);
  });

  test(`${name}: no changed digit of a row stays unseen`, () => {
    for (const [what, wrong] of changed(trace, Math.ceil(trace.rows.length / 70))) assert.equal(agreement(wrong).agrees, false, what);
  });

  test(`${name}: nor of an iteration, its examples or the end`, () => {
    const changes = {
      loss: (wrong) => (wrong.iterations[1].loss *= 1.00001),
      loss_after: (wrong) => (wrong.iterations[0].loss_after *= 1.00001),
      weight: (wrong) => (wrong.iterations[1].weights[0][0][1] += 1e-6),
      bias: (wrong) => (wrong.iterations[0].biases[0][0] += 1e-6),
      learning_rate: (wrong) => (wrong.iterations[0].learning_rate *= 1.001),
      input: (wrong) => (wrong.examples[1].inputs[0][0] += 1e-6),
      target: (wrong) => (wrong.examples[0].targets[0][0] += 1e-6),
      final_weight: (wrong) => (wrong.final.weights[1][0][0] += 1e-6),
      final_loss: (wrong) => (wrong.final.loss *= 1.00001),
      missing: (wrong) => (wrong.rows[3].value = null),
      row: (wrong) => wrong.rows.pop(),
      sign: (wrong) => (wrong.settings.adds = !wrong.settings.adds),
    };
    for (const [what, change] of Object.entries(changes)) {
      const wrong = copyOf(trace);
      change(wrong);
      const found = agreement(wrong);
      assert.equal(found.agrees, false, what);
      assert.ok(found.worst.where.length > 0);
    }
  });
}

test("the worst place is named", () => {
  const wrong = traceOf(textbook());
  const row = wrong.rows.findIndex(({ iteration, symbol }) => iteration === 2 && symbol === "δ_a");
  wrong.rows[row].value += 0.5;
  const { worst, digits } = agreement(wrong);
  assert.equal(worst.where, "δ_a in iteration 2, example 1");
  assert.ok(Math.abs(worst.difference - 0.5) < 1e-9);
  assert.equal(digits, 0);
});

test("iterations that are not recorded are left out", () => {
  const trace = traceOf({ ...textbook(), iterations: 6 });
  const kept = [1, 2, 6];
  trace.rows = trace.rows.filter(({ iteration }) => kept.includes(iteration));
  for (const name of ["examples", "iterations"]) trace[name] = kept.map((number) => trace[name][number - 1]);
  assert.equal(agreement(trace).agrees, true);
});
