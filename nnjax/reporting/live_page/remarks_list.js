// The remarks on the shown iteration: its dead neurons at every step, what its update does at the steps of the update.
//
//   const draw = makeRemarks(app);

import { $, html, math } from "./dom.js";

const MOST_NAMES = 12;

export function makeRemarks(app) {
  let drawn = null;
  return function drawRemarks() {
    if (!app.row) return;
    const { iteration } = app.place;
    const { dead, remarks } = app.record.remarks(iteration);
    const shown = app.row.phase === "update" ? remarks : [];
    const names = dead.length > MOST_NAMES ? [...dead.slice(0, MOST_NAMES - 1), `… (${dead.length} in all)`] : dead;
    const first = dead.length ? [`Dead, with the slope 0 for every example: ${names.join(", ")}.`] : [];
    const lines = [...first, ...shown];
    if (lines.join("\n") === drawn) return;
    drawn = lines.join("\n");
    $("remarks").replaceChildren(...lines.map((line) => html("p", {}, ...math(line))));
  };
}
