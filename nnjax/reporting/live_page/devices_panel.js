// The panel of two devices: a step of data parallelism over a link, on an axis of time, with the numbers that cross.
//
//   makeDevices(document.getElementById("devices"), app);
//
// Nothing is computed or drawn while the panel is closed or off the screen.

import { drawAxis, axisSpan, legendOf } from "./devices_axis.js";
import { makeDeviceControls } from "./devices_controls.js";
import { drawFigure } from "./devices_figure.js";
import { deviceDefaults, sceneOf, withPreset } from "./devices_model.js";
import { twoDevices } from "./devices_numbers.js";
import { makePlayer } from "./devices_player.js";
import { factsOf, gradientTable, numberSentences } from "./devices_tables.js";
import { momentSentence, momentText, sceneSentences } from "./devices_words.js";
import { html, svg } from "./dom.js";
import { addExample } from "./state.js";

const LEAST_WIDTH = 280;
const STAGE_NAME = "Two devices on an axis of time. Space plays, arrow keys step.";
const TRAFFIC_NOTE =
  "Times and sizes are those of experiments.traffic: the same formulas, " +
  "in which the backward pass takes two thirds of the computing.";

// A layer as the panel names it: by its only neuron, or from its first to its last.
const layerName = ({ neurons }) => (neurons.length === 1 ? `layer ${neurons[0]}` : `layer ${neurons[0]}–${neurons.at(-1)}`);

function legendItem([kind, words]) {
  const swatch = svg("rect", { class: `dev-${kind}`, x: 1, y: 1, width: 24, height: 12 });
  return html("li", {}, svg("svg", { viewBox: "0 0 26 14", "aria-hidden": "true" }, swatch), words);
}

export function makeDevices(root, app) {
  const box = html("details", {}, html("summary", {}, html("h2", {}, "Two devices")));
  root.append(box);
  const parts = Object.fromEntries(
    ["lead", "sentences", "figure", "axis", "numbers"].map((name) => [name, html("div", { class: `dev-${name}` })]),
  );
  const legend = html("ul", { class: "dev-legend", "aria-label": "Colours of the axis" });
  const facts = html("dl", { class: "dev-facts" });
  const moment = html("p", { class: "dev-moment" });
  const controls = makeDeviceControls(change);
  const player = makePlayer(() => showMoment());
  const stage = html("div", { class: "dev-stage", role: "group", tabindex: 0, "aria-label": STAGE_NAME });
  stage.append(parts.figure, parts.axis, player.slider, player.buttons, moment, legend);
  const content = html("div", { class: "dev-content dev-body" });
  content.append(controls.element, stage, facts, parts.sentences, parts.numbers);
  const body = html("div", { class: "dev-body" }, parts.lead, content);
  box.append(body);

  let settings = deviceDefaults();
  let [scene, axis, figure, names, width] = [null, null, null, [], 0];
  let [onScreen, stale, frame, chosen] = [true, true, null, 0];

  function change(key, value) {
    settings = key === "preset" ? withPreset(settings, value) : { ...settings, [key]: value };
    request();
  }

  // Draws at the next frame, or when the panel is next seen.
  function request() {
    stale = true;
    if (!box.open || !onScreen) return player.pause();
    frame ??= requestAnimationFrame(() => {
      frame = null;
      if (box.open) draw();
    });
  }

  function draw() {
    stale = false;
    const computed = app.state ? app.computed.iterations : [];
    const found = computed[Math.min(app.place.iteration, computed.length - 1)];
    const numbers = found ? twoDevices(app.state, found) : null;
    parts.lead.replaceChildren(...leadOf(found, numbers));
    content.hidden = numbers === null;
    if (numbers === null) return player.pause();
    names = app.state.layers.map(layerName);
    const layers = found.gradients.map(({ weights, biases }) => {
      const [neurons, inputs] = [weights.length, weights[0].length];
      return { neurons, inputs, weights: neurons * inputs + (biases ? neurons : 0) };
    });
    settings.lostLayer = Math.min(settings.lostLayer, layers.length - 1);
    controls.show(settings, names);
    scene = sceneOf(settings, layers);
    width = Math.max(LEAST_WIDTH, Math.floor(body.clientWidth));
    const fact = ([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, value));
    facts.replaceChildren(...factsOf(scene).map(fact));
    parts.sentences.replaceChildren(...sceneSentences(scene).map((line) => html("p", {}, line)));
    drawStage(numbers);
    drawNumbers(numbers, found);
  }

  function leadOf(found, numbers) {
    const say = (...lines) => [html("p", {}, lines.join(" "))];
    if (!app.state) return say(`This trace cannot be followed on two devices: ${app.readOnly ?? "it cannot be edited"}.`);
    if (!found) return say("No iteration was computed, so there is nothing to exchange.");
    if (numbers === null) {
      const add = html("button", { type: "button", class: "dev-add" }, "Add an example");
      add.addEventListener("click", () => app.change(addExample(app.state)));
      return [...say("Two devices share a batch of examples. This batch has one example; a second one is needed."), add];
    }
    const [a, b] = numbers.examples;
    return say(
      `Iteration ${found.number} on two devices: device A takes ${a} of ${a + b} examples, device B ${b}.`,
      "Each computes the forward and the backward pass of its part; then the gradients cross the link, last layer first,",
      "and both take the average.",
      ...(numbers.equal ? [] : ["Parts of unequal size count by their examples in the average."]),
    );
  }

  function drawStage(numbers) {
    stage.hidden = scene.endless;
    parts.figure.hidden = Boolean(scene.failure); // many steps have no single exchange to draw
    if (scene.endless) {
      [axis, figure] = [null, null];
      return player.pause();
    }
    figure = drawFigure(scene, numbers, names, width);
    axis = drawAxis(scene, names, width);
    axis.element.addEventListener("pointerdown", (event) => {
      player.pause();
      player.go(axis.timeAt(event.clientX - axis.element.getBoundingClientRect().left));
    });
    parts.figure.replaceChildren(figure.element);
    parts.axis.replaceChildren(axis.element);
    legend.replaceChildren(...legendOf(scene).map(legendItem));
    const [left, right] = axisSpan(width);
    player.slider.style.marginLeft = `${left - 8}px`; // half of the thumb
    player.slider.style.width = `${right - left + 16}px`;
    player.show(scene);
    showMoment();
  }

  function showMoment() {
    if (!axis) return;
    const time = player.time;
    const sentence = momentSentence(scene, time, names);
    axis.update(time);
    figure.update(time, momentText(scene, time, names));
    moment.setAttribute("aria-live", player.playing ? "off" : "polite"); // read aloud where nothing plays
    moment.textContent = sentence;
    player.slider.setAttribute("aria-valuetext", sentence);
  }

  function drawNumbers(numbers, found) {
    const last = numbers.layers.length - 1;
    chosen = Math.min(chosen, last);
    const select = html("select", { "aria-label": "Layer whose gradients are shown" });
    select.append(...numbers.layers.map((_, place) => html("option", { value: place }, names[last - place])));
    select.value = String(chosen);
    const scroll = html("div", { class: "dev-scroll", tabindex: 0, role: "region", "aria-label": "Gradients of the layer" });
    const fill = () => scroll.replaceChildren(gradientTable(numbers.layers[chosen]));
    select.addEventListener("change", () => {
      chosen = Number(select.value);
      fill();
    });
    fill();
    parts.numbers.replaceChildren(
      html("h3", {}, "The gradients of ", select),
      scroll,
      ...numberSentences(numbers, found).map((line) => html("p", {}, line)),
      html("p", { class: "muted" }, TRAFFIC_NOTE),
    );
  }

  box.addEventListener("toggle", () => (box.open ? request() : player.pause()));
  app.subscribe(request);
  new IntersectionObserver(([entry]) => {
    onScreen = entry.isIntersecting;
    if (!onScreen) player.pause();
    else if (stale) request();
  }).observe(box);
  new ResizeObserver(() => {
    if (box.open && !content.hidden && Math.max(LEAST_WIDTH, Math.floor(body.clientWidth)) !== width) request();
  }).observe(body);
  stage.addEventListener("keydown", (event) => player.key(event));
  // The page's own keys walk through the trace; inside this panel they are the panel's.
  body.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  request();
}
