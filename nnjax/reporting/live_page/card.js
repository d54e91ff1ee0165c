// The current step: its words, formula, numbers and value.
//
//   const draw = makeCard(app);

import { $, full, html, math, short } from "./dom.js";
import { statesValue } from "./guess.js";
import { PHASES, words } from "./words.js";

export function makeCard(app) {
  return function drawCard() {
    const { row, rows, record, place } = app;
    if (!row) return;
    const batch = record.batchSize(place.iteration);
    const which = row.example === null ? " · over the batch" : ` · example ${row.example} of ${batch}`;
    $("where").textContent = `Iteration ${row.iteration} · step ${place.step + 1} of ${rows.length}${batch > 1 ? which : ""}`;
    $("phase").textContent = PHASES[row.phase][1];
    $("words").textContent = words(record, row, batch);
    $("formula").replaceChildren(...math(row.formula));
    const hidden = app.hidden?.(place.iteration, place.step);
    $("numbers").replaceChildren("= ", ...(hidden && statesValue(row) ? ["?"] : math(row.numbers)));
    const value = hidden ? html("strong", {}, "?") : html("strong", { title: full(row.value) }, short(row.value, 10));
    $("value").replaceChildren(...math(row.symbol), " = ", value);
  };
}
