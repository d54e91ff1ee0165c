// The first step spread over devices: who sends which gradients, their average, and each weight's gradient.
//
//   drawExchange($("exchange"), trace.exchange);

import { clip, html, math, plainTable, short } from "./dom.js";
import { weightSymbol } from "./format.js";

const MOST_ROWS = 200;
const OPEN_ROWS = 24; // a longer table is closed at first
const bytesText = (count) => `${count.toLocaleString("en")} bytes`;

function weightRows(layer) {
  const [inputs] = layer.weight_shape;
  const all = [...layer.gradients, layer.average, layer.single_device, layer.neuron_averaging];
  return layer.neurons.flatMap((neuron, order) => {
    const pick = (input) => all.map((one) => (input === 0 ? one.biases[order] : one.weights[order][input - 1]));
    const numbers = Array.from({ length: inputs }, (_, index) => index + 1);
    return [...numbers, ...(layer.average.biases ? [0] : [])].map((input) => [
      math(weightSymbol(neuron, input)),
      ...pick(input).map((value) => short(value)),
    ]);
  });
}

function exchangeLayer(layer, devices) {
  const body = weightRows(layer);
  const shown = body.slice(0, MOST_ROWS);
  const columns = ["Average", "One device, all examples", "Neurons averaged"];
  const heads = ["Gradient of", ...devices.map((device) => device.label), ...columns];
  const note = body.length > shown.length ? ` (the first ${shown.length} of ${body.length})` : "";
  const box = (title, text, kind) => html("div", { class: kind }, html("b", {}, title), text);
  const sent = devices.map((device) =>
    box(device.label, `examples ${clip(device.examples.join(", "), 40)}; sends ${bytesText(layer.bytes_sent)}`),
  );
  const [average, neurons] = [layer.largest_difference, layer.neuron_averaging_difference].map((value) => short(value, 3));
  const table = { class: "scroll", tabindex: 0, role: "region", "aria-label": `Gradients of ${layer.name}` };
  return [
    html("h3", {}, `${layer.name}: ${layer.neurons.length === 1 ? "neuron" : "neurons"} ${clip(layer.neurons.join(", "), 60)}`),
    html(
      "div",
      { class: "devices" },
      ...sent,
      box("average of the weight gradients", `differs from one device by at most ${average}`, "average"),
      box("neurons averaged instead", `differs by up to ${neurons}`),
    ),
    html(
      "details",
      { open: body.length <= OPEN_ROWS ? "" : null },
      html("summary", {}, `Every gradient of this layer${note}`),
      html("div", table, plainTable(heads, shown)),
    ),
  ];
}

export function drawExchange(root, { devices, layers, loss, step, summary }) {
  const losses = [
    ...devices.map((device, index) => [`Before the step, ${device.label}`, short(loss.devices[index])]),
    ["Before, average of the devices", short(loss.average)],
    ["Before, one device with all examples", short(loss.single_device)],
    ["After, weight gradients averaged", short(step.data_parallel_loss_after)],
    ["After, one device with all examples", short(step.single_device_loss_after)],
    ["After, neurons averaged", short(step.neuron_averaging_loss_after)],
  ];
  const total = layers.reduce((sum, layer) => sum + layer.bytes_sent, 0);
  const sends = `Each device sends ${bytesText(total)} in all.`;
  root.append(
    ...summary.map((line) => html("p", {}, line)),
    html("div", { class: "scroll" }, plainTable(["Loss", "Value"], losses)),
    html("p", { class: "muted after" }, `Last layer first, for its gradients are ready first. ${sends}`),
    ...layers.flatMap((layer) => exchangeLayer(layer, devices)),
  );
  root.hidden = false;
}
