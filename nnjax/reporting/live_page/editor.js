// The panel that changes the training: loss, learning rate, iterations, layers, examples.
//
//   const draw = makeEditor(app);          // builds the panel once; draws it with the app while it is open
//
// A change that is not possible shows why, in the toolbar.

import { ACTIVATIONS } from "./activations.js";
import { $, html } from "./dom.js";
import { attempt } from "./edits.js";
import { examplesTable, weightsTable } from "./editor_tables.js";
import { actionButton, choiceField, numberField } from "./fields.js";
import { LOSSES } from "./losses.js";
import { LIMITS, addLayer, addNeuron, removeLayer, removeNeuron } from "./state.js";
import { withActivation, withIterations, withLearntBiases, withLoss, withRate, withSign } from "./state.js";

const SIGNS_OF_RATE = [
  ["adds", "weight + rate × gradient"],
  ["subtracts", "weight − rate × gradient"],
];
const labelled = (text, field) => html("label", { class: "field" }, html("span", {}, text), field.element);

function trainingFields(app) {
  const done = () => app.endGroup();
  const smooth = (value) => withLoss(app.state, { ...app.state.loss, label_smoothing: value });
  const smoothing = (value) => attempt(app, () => smooth(value), "smoothing");
  const names = Object.keys(LOSSES).map((name) => [name, name]);
  const fields = {
    rate: numberField("learning rate", { change: (value) => attempt(app, () => withRate(app.state, value), "rate"), done }),
    sign: choiceField("rule of the update", SIGNS_OF_RATE, (sign) => attempt(app, () => withSign(app.state, sign === "adds"))),
    loss: choiceField("loss", names, (name) => attempt(app, () => withLoss(app.state, { name }))),
    smoothing: numberField("label smoothing", { change: smoothing, done, least: 0, most: 0.99 }),
    iterations: numberField("number of iterations", {
      ...{ whole: true, least: 1, most: LIMITS.iterations, done },
      change: (value) => attempt(app, () => withIterations(app.state, value), "iterations"),
    }),
  };
  const learns = html("input", { type: "checkbox" });
  learns.addEventListener("change", () => attempt(app, () => withLearntBiases(app.state, learns.checked)));
  const smoothed = labelled("label smoothing", fields.smoothing);
  const element = html(
    "div",
    { class: "fields" },
    labelled("learning rate", fields.rate),
    labelled("new weight =", fields.sign),
    labelled("loss", fields.loss),
    smoothed,
    labelled("iterations", fields.iterations),
    html("label", { class: "field tick" }, learns, html("span", {}, "biases learn")),
  );
  return {
    element,
    draw({ learningRate, adds, loss, iterations, layers }) {
      fields.rate.set(learningRate);
      fields.sign.set(adds ? "adds" : "subtracts");
      fields.loss.set(loss.name);
      smoothed.hidden = loss.name !== "cross_entropy";
      fields.smoothing.set(loss.label_smoothing ?? 0);
      fields.iterations.set(iterations);
      learns.checked = layers.some((layer) => layer.learnsBias);
      learns.disabled = !layers.some((layer) => layer.hasBias);
    },
  };
}

// One line for each layer: its activation, the activation's number, and one neuron more or less.
function layerLine(app, index) {
  const optionOf = () => app.state.layers[index].activation;
  const activations = Object.keys(ACTIVATIONS).map((name) => [name, name]);
  const which = `layer ${index + 1}`;
  const choose = (name) => attempt(app, () => withActivation(app.state, index, { name }));
  const activation = choiceField(`activation of ${which}`, activations, choose);
  const option = numberField(`number of the activation of ${which}`, {
    change: (value) => {
      const key = ACTIVATIONS[optionOf().name].option;
      attempt(app, () => withActivation(app.state, index, { ...optionOf(), [key]: value }), `option ${index}`);
    },
    done: () => app.endGroup(),
  });
  const name = html("b", {});
  const count = html("span", { class: "count" });
  const fewer = actionButton("−", `Remove a neuron from ${which}`, () => attempt(app, () => removeNeuron(app.state, index)));
  const more = actionButton("+", `Add a neuron to ${which}`, () => attempt(app, () => addNeuron(app.state, index)));
  const optionName = html("span", { class: "muted" });
  const optionLabel = html("span", { class: "option" }, optionName, option.element);
  const stepper = html("span", { class: "stepper" }, fewer, count, more);
  const element = html("div", { class: "layer-line" }, name, activation.element, optionLabel, stepper);
  return {
    element,
    draw(layer) {
      const key = ACTIVATIONS[layer.activation.name].option;
      name.textContent = `${layer.name}: ${layer.neurons.join(", ")}`;
      activation.set(layer.activation.name);
      optionLabel.hidden = key === undefined;
      optionName.textContent = key?.replaceAll("_", " ") ?? "";
      if (key) option.set(layer.activation[key]);
      count.textContent = `${layer.neurons.length} ${layer.neurons.length === 1 ? "neuron" : "neurons"}`;
      fewer.disabled = layer.neurons.length <= 1;
      more.disabled = layer.neurons.length >= LIMITS.neurons;
    },
  };
}

function layerFields(app) {
  const list = html("div", {});
  const button = (sign, name, change) => actionButton(sign, name, () => attempt(app, () => change(app.state)));
  const fewer = button("− layer", "Remove the layer before the output layer", removeLayer);
  const more = button("+ layer", "Add a layer before the output layer", addLayer);
  let lines = [];
  return {
    element: html("div", {}, html("h3", {}, "Layers"), list, html("p", { class: "row" }, fewer, more)),
    draw({ layers }) {
      if (lines.length !== layers.length) {
        lines = layers.map((_, index) => layerLine(app, index));
        list.replaceChildren(...lines.map((line) => line.element));
      }
      layers.forEach((layer, index) => lines[index].draw(layer));
      fewer.disabled = layers.length <= 1;
      more.disabled = layers.length >= LIMITS.layers;
    },
  };
}

export function makeEditor(app) {
  const root = $("editor");
  if (app.readOnly || !app.state) {
    const why = app.readOnly ? `This trace can only be read here: ${app.readOnly}.` : "";
    $("read-only").textContent = why;
    $("read-only").hidden = !why;
    root.hidden = true;
    return () => {};
  }
  const parts = [trainingFields(app), layerFields(app), examplesTable(app), weightsTable(app)];
  $("editor-parts").append(...parts.map((part) => part.element));
  let drawn = null;
  const draw = () => {
    if (!root.open || drawn === app.state) return;
    drawn = app.state;
    for (const part of parts) part.draw(app.state);
  };
  root.addEventListener("toggle", draw);
  return draw;
}
