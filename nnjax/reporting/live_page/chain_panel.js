// The panel of the chain rule: choose a weight, and its path to the error lights up, factor by factor.
//
//   makeChain($("chain"), app);        // follows app.chosenWeight, which a click on an edge of the drawing sets

import { chainOf, hasWeight, symbolOfWeight, weightChoices } from "./chain.js";
import { chainFigure } from "./chain_figure.js";
import { html, math, plainTable, short, widthOf } from "./dom.js";
import { errorSteps } from "./power_rule.js";

const keyOfWeight = ({ layer, neuron, input }) => `${layer}|${neuron}|${input}`;
const sameWeight = (one, other) => one !== null && other !== null && keyOfWeight(one) === keyOfWeight(other);

export function makeChain(root, app) {
  const choice = (name, id) => {
    const select = html("select", { id });
    return { select, label: html("label", { for: id, class: "chain-choice" }, html("span", {}, name), " ", select) };
  };
  const [weights, examples, paths] = [
    choice("Weight", "chain-weight"),
    choice("Example", "chain-example"),
    choice("Path", "chain-path"),
  ];
  const slider = html("input", { type: "range", id: "chain-factor", min: 0, value: 0 });
  const shown = html("output", { for: "chain-factor", class: "chain-shown", "aria-live": "polite" });
  const figure = html("div", { class: "chain-figure scroll", tabindex: 0, role: "region", "aria-label": "The chain, drawn" });
  const words = html("div", { class: "chain-words" });
  const controls = html(
    "div",
    { class: "chain-controls" },
    ...[weights, examples, paths].map(({ label }) => label),
    html("div", { class: "chain-slider" }, html("label", { for: "chain-factor" }, "Factor, from the error"), slider, shown),
  );
  const refusal = html("p", { class: "muted" });
  const details = html(
    "details",
    { class: "chain-details" },
    html("summary", {}, html("h2", {}, "The chain rule, drawn")),
    ...[refusal, controls, figure, words],
  );
  root.append(details);
  [app.chosenWeight, app.chosenPath] = [null, null];
  let [listed, lit, before] = [null, 0, null];
  const figureWidth = widthOf(figure, draw);

  function fillSelect({ select, label }, texts, value) {
    const wanted = JSON.stringify(texts);
    if (select.dataset.texts !== wanted) {
      select.replaceChildren(...texts.map(([key, text]) => html("option", { value: key }, text)));
      select.dataset.texts = wanted;
    }
    select.value = value;
    label.hidden = texts.length < 2;
  }

  function chooseWeight(state) {
    if (app.chosenWeight === null || !hasWeight(state, app.chosenWeight)) app.chosenWeight = weightChoices(state)[0];
    if (!sameWeight(before, app.chosenWeight)) [before, lit, app.chosenPath] = [app.chosenWeight, 0, null];
  }

  function draw() {
    if (app.chosenWeight !== null && !details.open && !sameWeight(before, app.chosenWeight)) details.open = true;
    if (!details.open) return;
    const iteration = app.state ? app.computed.iterations[app.place.iteration] : null;
    refusal.hidden = Boolean(iteration);
    controls.hidden = figure.hidden = words.hidden = !iteration;
    if (!iteration) {
      const why = app.readOnly ?? "the iteration has no finite numbers";
      refusal.textContent = `This page cannot change this trace: ${why}.`;
      return;
    }
    const { state, place } = app;
    chooseWeight(state);
    const weight = app.chosenWeight;
    listed = weightChoices(state);
    const example = Math.min(place.example, iteration.inputs.length - 1);
    fillSelect(weights, listed.map((one) => [keyOfWeight(one), textOfWeight(state, one)]), keyOfWeight(weight));
    fillSelect(examples, iteration.inputs.map((_, index) => [String(index), `example ${index + 1}`]), String(example));
    const chain = chainOf(state, iteration, weight, example, app.chosenPath ?? 0);
    const routes = chain.paths?.map((path, index) => [String(index), [...path.neurons, "E"].join(" → ")]) ?? [];
    fillSelect(paths, routes, String(app.chosenPath ?? 0));
    lit = Math.min(lit, chain.factors.length);
    const hide = Boolean(app.hidden);
    slider.max = chain.factors.length;
    slider.value = lit;
    showFactor(chain, hide);
    figure.replaceChildren(chainFigure(chain, lit, figureWidth(), hide));
    const steps = errorSteps(state, iteration, example, outputOf(state, chain));
    words.replaceChildren(...wordsOf(chain, lit, hide, steps, iteration.inputs.length));
  }

  function showFactor(chain, hide) {
    const text = lit === 0 ? "all factors" : factorText(chain, lit, hide);
    if (shown.dataset.text !== text) shown.replaceChildren(...math(text));
    shown.dataset.text = text;
    slider.setAttribute("aria-valuetext", text);
  }

  weights.select.addEventListener("change", () => {
    app.chosenWeight = listed.find((one) => keyOfWeight(one) === weights.select.value);
    app.redraw();
  });
  examples.select.addEventListener("change", () => {
    // a step of one example keeps its own: go to the same step of the other one, if there is one
    const at = app.row;
    const example = Number(examples.select.value);
    const alike = (row) => ["quantity", "neuron", "input"].every((name) => row[name] === at[name]);
    const same = app.rows.findIndex((row) => row.example === example + 1 && alike(row));
    app.go({ example, ...(at.example !== null && same >= 0 ? { step: same } : {}) });
  });
  paths.select.addEventListener("change", () => {
    app.chosenPath = Number(paths.select.value);
    app.redraw();
  });
  slider.addEventListener("input", () => {
    lit = Number(slider.value);
    draw();
  });
  details.addEventListener("keydown", (event) => event.stopPropagation()); // its keys move its own controls
  details.addEventListener("toggle", () => {
    if (!details.open) [app.chosenWeight, app.chosenPath, before] = [null, null, null];
    app.redraw();
  });
  app.subscribe(draw);
}

function textOfWeight(state, weight) {
  const { layer, neuron, input } = weight;
  const source = layer === 1 ? state.inputs[input - 1] : `neuron ${state.layers[layer - 2].neurons[input - 1]}`;
  return `${symbolOfWeight(weight)}: ${input ? source : "bias input"} → neuron ${neuron}`;
}

// The index of the output neuron whose error the chain's first factor is; the first output where the paths are folded.
function outputOf(state, chain) {
  const name = chain.factors[0].kind === "error" ? chain.factors[0].symbol.slice("∂E/∂y_".length) : null;
  return Math.max(0, state.layers.at(-1).neurons.indexOf(name));
}

function factorText(chain, lit, hide) {
  const factor = chain.factors[lit - 1];
  if (hide) return `${factor.symbol} = ?`;
  const product = chain.factors.slice(0, lit).reduce((all, { value }) => all * value, 1);
  const far = lit > 1 ? `; product so far ${short(product)}` : "";
  return `${factor.symbol} = ${short(factor.value)}${far}`;
}

function wordsOf(chain, lit, hide, steps, batch) {
  const value = (number) => (hide ? "?" : short(number));
  const numbers = (text) => (hide ? "?" : text);
  const line = (name, ...content) => html("p", { class: "chain-line" }, html("b", {}, `${name}: `), ...content);
  const parts = [];
  if (hide) parts.push(html("p", { class: "muted" }, "Values are hidden while you guess."));
  parts.push(line("Functions", ...math(chain.operators)), line("Composition", ...math(chain.composition)));
  parts.push(line("Leibniz", ...leibnizParts(chain, lit)));
  const table = plainTable(
    ["Factor", "Formula", "With numbers", "Value"],
    chain.factors.map((one) => [math(one.symbol), math(one.formula), math(numbers(one.numbers)), value(one.value)]),
    3,
  );
  table.classList.add("chain-table");
  if (lit) table.tBodies[0].rows[lit - 1].setAttribute("aria-current", "true");
  parts.push(html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The factors" }, table));
  parts.push(line(chain.count > 1 && !chain.folded ? "Product of this path" : "Product", value(chain.product)));
  if (chain.paths?.length > 1) parts.push(...pathParts(chain, value));
  if (chain.folded) parts.push(...recursionParts(chain, value, numbers));
  if (batch > 1) {
    const each = chain.each.map((one, index) => `example ${index + 1}: ${value(one)}`).join("; ");
    parts.push(line("Mean over the batch", each, "; mean = ", html("strong", {}, value(chain.mean))));
  }
  const shownSteps = (hide ? steps.slice(0, -1) : steps).map((step) =>
    html("li", {}, ...math(`${step.words} `), html("span", { class: "chain-step" }, ...math(step.formula))),
  );
  const open = lit === 1 && chain.factors[0].kind === "error";
  const title = `The error's derivative, step by step${chain.folded ? " (first output)" : ""}`;
  const rule = html("section", { class: open ? "chain-rule chain-lit" : "chain-rule" }, html("h3", {}, title));
  rule.append(html("ol", {}, ...shownSteps));
  return [...parts, rule];
}

function leibnizParts(chain, lit) {
  const parts = [...math(`∂E/∂${chain.symbol} = `)];
  chain.factors.forEach((factor, index) => {
    if (index) parts.push(" · ");
    parts.push(html("span", { class: index + 1 === lit ? "chain-lit-factor" : null }, ...math(factor.symbol)));
  });
  return chain.paths?.length > 1 ? [...parts, " + …"] : parts;
}

function pathParts(chain, value) {
  const rows = chain.paths.map(({ neurons, product }) => [[...neurons, "E"].join(" → "), value(product)]);
  const heading = html("p", { class: "chain-line" }, `${chain.count} paths lead to the error; their products are added.`);
  const sum = ["sum", html("strong", {}, value(chain.total))];
  const table = plainTable(["Path", "Product"], [...rows, sum]);
  return [heading, html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The paths" }, table)];
}

function recursionParts(chain, value, numbers) {
  const rows = chain.recursion.map((one) => [
    String(one.layer),
    math(one.symbol),
    math(one.formula),
    math(numbers(one.numbers)),
    value(one.value),
  ]);
  const text = `${chain.count} paths lead to the error. Their sum is computed layer by layer, from the output back:`;
  const table = plainTable(["Layer", "Error term", "Formula", "With numbers", "Value"], rows, 4);
  return [
    html("p", { class: "chain-line" }, text),
    html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The error terms" }, table),
  ];
}
