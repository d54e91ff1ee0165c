// The checks of the trace, and whether the page's own arithmetic agrees with the embedded numbers.
//
//   const draw = makeChecks(app);
//   startAgreement(app);           // after the first paint, one iteration after the other

import { agreement } from "./agreement.js";
import { $, html, plainTable, short } from "./dom.js";

const verdictOf = (agrees) => (agrees === null ? "–" : html("span", { class: agrees ? "good" : "bad" }, agrees ? "yes" : "no"));

export function makeChecks(app) {
  const { trace } = app;
  let drawn = null;
  return function drawChecks() {
    const { number } = app.record.iterations[app.place.iteration] ?? {};
    $("checks").hidden = trace.checks.length === 0 || app.edited;
    if (number === drawn || $("checks").hidden) return;
    drawn = number;
    const bad = trace.checks.filter((check) => check.agrees === false).length;
    const good = trace.checks.filter((check) => check.agrees).length;
    const open = trace.checks.length - bad - good;
    const text = bad ? `${bad} of ${trace.checks.length} checks disagree.` : `${open ? good : `All ${good}`} checks agree.`;
    $("verdict").replaceChildren(
      html("span", { class: bad ? "bad" : "good" }, text),
      open ? ` ${open} had nothing to compare.` : "",
      ` The checks compare JAX's derivatives with other computations of the same numbers; iteration ${number}:`,
    );
    const cells = (check) => [
      check.what,
      verdictOf(check.agrees),
      check.note ?? "",
      check.of === undefined ? "" : `${check.compared} of ${check.of}`,
      ...[check.largest_difference, check.relative].map((value) => (check.agrees === null ? "" : short(value, 3))),
    ];
    const heads = ["Checked against", "Agrees", "Note", "Compared", "Largest difference", "Relative"];
    const rows = trace.checks.filter((check) => check.iteration === number).map(cells);
    $("check-table").replaceChildren(plainTable(heads, rows, 3));
  };
}

// The sentence about a comparison: {agrees, digits, compared, worst: {where, difference}}.
function agreementText({ agrees, digits, compared, worst }) {
  const count = compared.toLocaleString("en");
  if (agrees) return `This page recomputed ${count} values of the trace and agrees with JAX to ${digits} digits.`;
  return `This page disagrees with the trace at ${worst.where}: they differ by ${short(worst.difference, 3)}.`;
}

// Two comparisons as one.
function bothOf(one, other) {
  if (one === null) return other;
  const worst = (one.worst?.difference ?? 0) >= (other.worst?.difference ?? 0) ? one.worst : other.worst;
  const digits = Math.min(one.digits, other.digits);
  const found = !one.agrees ? one.worst : !other.agrees ? other.worst : worst;
  return { agrees: one.agrees && other.agrees, digits, compared: one.compared + other.compared, worst: found };
}

// Compares the trace iteration by iteration, each in a task of its own, so that the page answers meanwhile.
export function startAgreement(app) {
  const { trace, original } = app;
  const line = $("agreement");
  if (!app.comparable) return;
  let [found, index] = [null, 0];
  function next() {
    const part = {
      ...trace,
      iterations: [trace.iterations[index]],
      examples: [trace.examples[index]],
      rows: original.rows(index),
      final: index === trace.iterations.length - 1 ? trace.final : null,
    };
    found = bothOf(found, agreement(part));
    index += 1;
    if (index < trace.iterations.length) return setTimeout(next);
    line.className = found.agrees ? "settings good" : "bad";
    line.textContent = agreementText(found);
    return null;
  }
  requestAnimationFrame(() => setTimeout(next));
}
