// The table of an iteration's steps. Only visible rows are in the page, so that thousands are no slower than ten.
//
//   const table = makeStepsTable(app);
//   table.draw();  table.print(true);        // all rows, for paper

import { $, full, html, math } from "./dom.js";
import { statesValue } from "./guess.js";
import { PHASES } from "./words.js";

const ROW = 32; // px
const PRINTED = 2000; // maximum number of rows on paper
const FIELDS = [
  ["Step", (row, step) => String(step + 1), 8, "number"],
  ["Phase", (row) => PHASES[row.phase][0], 12],
  ["Example", (row) => (row.example === null ? "all" : String(row.example)), 9],
  ["Symbol", (row) => row.symbol, 30, "math"],
  ["Value", (row) => full(row.value), 28, "number"],
  ["Formula", (row) => row.formula, 48, "math"],
  ["With numbers", (row) => row.numbers, 60, "math"],
  ["Layer", (row) => String(row.layer ?? ""), 7, "more"],
  ["Neuron", (row) => row.neuron ?? "", 9, "more"],
  ["Input", (row) => (row.input === 0 ? "bias" : String(row.input ?? "")), 8, "more"],
];

export function makeStepsTable(app) {
  const box = $("table");
  let [fields, rows, record, iteration, wasAt] = [FIELDS, null, null, null, null];
  let [scrolled, height] = [0, 0]; // asked for when they change, not at every step: that would lay the page out each time
  let written = { from: null, lines: [] };

  const several = () => app.record.iterations.some((_, index) => app.record.batchSize(index) > 1);
  const name = (note) => ($("rows-title").textContent = `All steps of iteration ${app.row.iteration}${note}`);

  function drawFrame() {
    fields = FIELDS.filter(([field]) => field !== "Example" || several());
    const widths = fields.map(([field, cell, most]) => {
      const longest = rows.reduce((length, row, step) => Math.max(length, cell(row, step).length), field.length);
      return Math.min(most, longest) * 0.92 + 3.8;
    });
    const total = widths.reduce((sum, width) => sum + width, 0);
    const heads = fields.map(([field, , , kind]) => html("th", { scope: "col", class: kind }, field));
    box.replaceChildren(
      html(
        "table",
        { style: `width: ${total}ch`, "aria-rowcount": rows.length + 1 },
        html("colgroup", {}, ...widths.map((width) => html("col", { style: `width: ${width}ch` }))),
        html("thead", {}, html("tr", {}, ...heads)),
        html("tbody", { id: "rows" }),
      ),
    );
    written = { from: null, lines: [] };
    name("");
  }

  function tableRow(step) {
    const row = rows[step];
    const now = step === app.place.step;
    const hidden = app.hidden?.(app.place.iteration, step);
    const unknown = { Value: hidden, "With numbers": hidden && (!now || statesValue(row)) };
    const cells = fields.map(([field, cell, , kind]) => {
      const content = unknown[field] ? "?" : cell(row, step);
      if (field === "Step") {
        const attributes = { type: "button", tabindex: now ? 0 : -1, "aria-label": `Go to step ${content}` };
        return html("td", { class: kind }, html("button", attributes, `${now ? "▸ " : ""}${content}`));
      }
      const parts = kind === "math" ? math(content) : [content];
      return html("td", { class: kind, title: content.length > 40 ? content : null }, ...parts);
    });
    return html("tr", { "data-step": step, "aria-rowindex": step + 2, "aria-current": now ? "true" : null }, ...cells);
  }

  function drawRows(all = false) {
    if (!rows) return;
    const count = rows.length;
    height ||= box.clientHeight;
    const first = all ? 0 : Math.max(0, Math.floor(scrolled / ROW) - 10);
    const last = all ? Math.min(count, PRINTED) : Math.min(count, first + Math.ceil(height / ROW) + 20);
    const from = `${first} ${last} ${count} ${all}`;
    if (from === written.from) return rewrite(first);
    const empty = (height) => html("td", { colspan: fields.length, style: `height: ${height}px` });
    const space = (height) => html("tr", { class: "space", "aria-hidden": "true" }, empty(height));
    const lines = Array.from({ length: Math.max(0, last - first) }, (_, index) => lineOf(first + index));
    written = { from, lines };
    const focused = box.contains(document.activeElement) && document.activeElement.tagName === "BUTTON";
    $("rows").replaceChildren(
      ...(first ? [space(first * ROW)] : []),
      ...lines.map(({ element }) => element),
      ...(last < count && !all ? [space((count - last) * ROW)] : []),
    );
    if (focused) focusNow();
    return null;
  }

  const lineOf = (step) => ({ ...keyOfLine(step), element: tableRow(step) });
  const keyOfLine = (step) => ({
    row: rows[step],
    now: step === app.place.step,
    hidden: Boolean(app.hidden?.(app.place.iteration, step)),
  });
  const focusNow = () => box.querySelector("[aria-current] button")?.focus({ preventScroll: true });

  // Writes only the rows anew that have changed.
  function rewrite(first) {
    const focused = box.contains(document.activeElement) && document.activeElement.tagName === "BUTTON";
    written.lines.forEach((line, index) => {
      const found = keyOfLine(first + index);
      if (Object.keys(found).every((key) => found[key] === line[key])) return;
      written.lines[index] = lineOf(first + index);
      line.element.replaceWith(written.lines[index].element);
    });
    if (focused) focusNow();
  }

  box.addEventListener("scroll", () => {
    scrolled = box.scrollTop;
    drawRows();
  });
  new ResizeObserver(() => {
    height = box.clientHeight;
    drawRows();
  }).observe(box);
  box.addEventListener("click", (event) => {
    const line = event.target.closest("tr[data-step]");
    if (line) app.go({ step: Number(line.dataset.step) });
  });

  return {
    draw() {
      if (!app.row) return;
      const { place } = app;
      // Widths stay while numbers of the same iteration change: a column that jumps is hard to read.
      const alike = rows?.length === app.rows.length && several() === fields.includes(FIELDS[2]);
      const framed = alike && iteration === place.iteration;
      const same = framed && record === app.record;
      [rows, record, iteration] = [app.rows, app.record, place.iteration];
      if (!framed) drawFrame();
      const top = place.step * ROW;
      height ||= box.clientHeight;
      const outside = top < scrolled || top > scrolled + height - 3 * ROW;
      if ((!same || wasAt !== place.step) && outside) {
        drawRows(); // as high as it will be
        box.scrollTop = top - height / 2 + ROW;
        scrolled = box.scrollTop;
      }
      wasAt = place.step;
      drawRows();
    },
    print(on) {
      if (!app.row) return;
      name(on && rows.length > PRINTED ? ` (the first ${PRINTED} of ${rows.length})` : "");
      drawRows(on);
    },
  };
}
