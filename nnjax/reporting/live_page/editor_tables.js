// The editor's tables: every example with its inputs and targets, and every weight by layer.
//
//   const table = examplesTable(app);
//   root.append(table.element);  table.draw(app.state);

import { html, math } from "./dom.js";
import { attempt } from "./edits.js";
import { examplesOf } from "./examples.js";
import { actionButton, choiceField, numberField } from "./fields.js";
import { weightSymbol } from "./format.js";
import { LIMITS, addExample, removeExample, withInput, withTarget, withWeight } from "./state.js";

// A table of fields that is built anew only when its shape changes, so that a field keeps the focus.
function fieldTable(caption, build) {
  const box = html("div", { class: "scroll grid", role: "region", "aria-label": caption });
  let [built, setters] = [null, []];
  return {
    element: box,
    draw(state, shape) {
      if (shape !== built) {
        built = shape;
        const { heads, rows } = build(state);
        setters = rows.flatMap(({ cells }) => cells.map((cell) => cell.set)).filter(Boolean);
        const cell = ({ element }) => html("td", {}, element);
        const line = ({ name, cells }) => html("tr", {}, html("th", { scope: "row" }, name), ...cells.map(cell));
        const head = html("tr", {}, ...heads.map((text) => html("th", { scope: "col" }, ...[text].flat())));
        box.replaceChildren(html("table", {}, html("thead", {}, head), html("tbody", {}, ...rows.map(line))));
      }
      for (const set of setters) set(state);
    },
  };
}

const numberCell = (app, name, group, read, write) => {
  const field = numberField(name, { change: (value) => attempt(app, () => write(value), group), done: () => app.endGroup() });
  return { element: field.element, set: (state) => field.set(read(state)) };
};

const tooMany = ({ batches }) => examplesOf(batches).inputs.length > LIMITS.examples;

export function examplesTable(app) {
  const table = fieldTable("Examples", (state) => {
    const outputs = state.layers.at(-1).neurons;
    const heads = ["", ...state.inputs, ...(state.classes ? ["class"] : outputs.map((neuron) => math(`t_${neuron}`)))];
    const { inputs, size } = examplesOf(state.batches);
    const rows = inputs.map((_, index) => {
      const [batch, example] = [Math.floor(index / size), index % size];
      const name = `example ${index + 1}`;
      const read = (now, part) => now.batches[batch][part][example];
      const cells = state.inputs.map((input, i) =>
        numberCell(
          app,
          `input ${input} of ${name}`,
          `input ${index} ${i}`,
          (now) => read(now, "inputs")[i],
          (value) => withInput(app.state, batch, example, i, value),
        ),
      );
      if (state.classes) {
        const options = state.classes.map((text, k) => [String(k), text]);
        const choose = (k) => attempt(app, () => withTarget(app.state, batch, example, Number(k), 1));
        const choice = choiceField(`class of ${name}`, options, choose);
        cells.push({ element: choice.element, set: (now) => choice.set(String(read(now, "targets").indexOf(1))) });
      } else {
        for (const [k, neuron] of outputs.entries()) {
          cells.push(
            numberCell(
              app,
              `target of neuron ${neuron} of ${name}`,
              `target ${index} ${k}`,
              (now) => read(now, "targets")[k],
              (value) => withTarget(app.state, batch, example, k, value),
            ),
          );
        }
      }
      return { name, cells };
    });
    return { heads, rows };
  });
  const fewer = actionButton("− example", "Remove the last example", () => attempt(app, () => removeExample(app.state)));
  const more = actionButton("+ example", "Add an example", () => attempt(app, () => addExample(app.state)));
  const note = html("p", { class: "muted" });
  const element = html("div", {}, html("h3", {}, "Examples"), note, table.element, html("p", { class: "row" }, fewer, more));
  return {
    element,
    draw(state) {
      const { inputs, size } = examplesOf(state.batches);
      const many = tooMany(state);
      table.element.hidden = fewer.parentNode.hidden = many;
      const turns = size === 1 ? "the next example" : `the next ${size} examples`;
      note.textContent = many
        ? `${inputs.length} examples: too many for fields. Those of the shown one can be changed in the drawing.`
        : size < inputs.length
          ? `Each iteration takes ${turns}; after the last one, the first one comes again.`
          : "";
      note.hidden = !note.textContent;
      fewer.disabled = inputs.length <= 1;
      more.disabled = inputs.length >= LIMITS.examples;
      const shape = [inputs.length, size, state.inputs, state.layers.at(-1).neurons, state.classes];
      if (!many) table.draw(state, JSON.stringify(shape));
    },
  };
}

// The first weights, a table for each layer, closed at first: for networks whose drawing has no room for all values.
export function weightsTable(app) {
  const list = html("div", { class: "weight-tables" });
  const details = html("details", { id: "weights" }, html("summary", {}, "Every weight and bias before iteration 1"), list);
  let [tables, shape] = [[], null];
  const build = (index) =>
    fieldTable(`Weights of layer ${index + 1}`, (state) => {
      const layer = state.layers[index];
      const inputs = index ? state.layers[index - 1].neurons.map((neuron) => math(`y_${neuron}`)) : state.inputs;
      const places = [...inputs.map((_, i) => i + 1), ...(layer.hasBias ? [0] : [])];
      const rows = layer.neurons.map((neuron, n) => ({
        name: `neuron ${neuron}`,
        cells: places.map((i) =>
          numberCell(
            app,
            `${i ? "weight" : "bias weight"} ${weightSymbol(neuron, i)}`,
            `weight ${index} ${n} ${i}`,
            (now) => (i ? now.layers[index].weights[n][i - 1] : now.layers[index].biases[n]),
            (value) => withWeight(app.state, index, n, i, value),
          ),
        ),
      }));
      return { heads: ["", ...inputs, ...(layer.hasBias ? ["bias"] : [])], rows };
    });
  const draw = (state) => {
    if (!details.open) return;
    const now = JSON.stringify([state.inputs, state.layers.map(({ neurons, hasBias }) => [neurons, hasBias])]);
    if (now !== shape) {
      shape = now;
      tables = state.layers.map((_, index) => build(index));
      const name = (index) => html("p", { class: "muted" }, state.layers[index].name);
      list.replaceChildren(...tables.map((table, index) => html("div", {}, name(index), table.element)));
    }
    for (const table of tables) table.draw(state, shape);
  };
  details.addEventListener("toggle", () => draw(app.state));
  return { element: details, draw };
}
