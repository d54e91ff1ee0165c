// The numbers below the drawing of two devices: facts of the step, a layer's gradients, and both ways of averaging compared.
//
//   root.append(gradientTable(numbers.layers[0]));

import { rateText, shareText, sizeText, timeText, inDigits } from "./devices_words.js";
import { full, html, math, plainTable, short } from "./dom.js";
import { weightSymbol } from "./format.js";

const sumOf = (values) => values.reduce((total, value) => total + value, 0);

// Pairs of a name and a value.
export function factsOf(scene) {
  const [aloneA, aloneB] = scene.alone;
  const packets = sumOf(scene.exchanges.map((one) => one.packets));
  const bytes = sumOf(scene.exchanges.map((one) => one.sent));
  const wire = sumOf(scene.exchanges.map((one) => one.wire));
  const rates = scene.exchanges.map((one) => one.rate).filter((rate) => rate > 0);
  const shared = [
    ["Computing, A and B", aloneA === aloneB ? timeText(aloneA) : `${timeText(aloneA)}, ${timeText(aloneB)}`],
    ["All exchanges of a step", timeText(scene.communicating)],
    ["Each device sends", `${sizeText(bytes)} in ${inDigits(packets, 9)} ${packets === 1 ? "packet" : "packets"}`],
    ["On the wire, with headers", sizeText(wire)],
    ["Data rate reached", rates.length ? rateText(Math.max(...rates)) : "0 b/s"],
  ];
  if (scene.failure) {
    const { lostWork, restart, delay, interval } = scene.failure;
    return [
      ["One step", timeText(scene.stepTime)],
      ["Work lost", timeText(lostWork)],
      ["Restart", timeText(restart)],
      ["The failure costs", timeText(delay)],
      ["Best time between snapshots", timeText(interval)],
      ["Share of the time that counts", shareText(scene.goodput, 5)],
    ];
  }
  return [
    ["One step", timeText(scene.end)],
    ["Idle, device A", shareText(scene.idle[0])],
    ["Idle, device B", shareText(scene.idle[1])],
    ["Exchange that nothing hides", timeText(scene.exposed)],
    ...shared,
  ];
}

// Every gradient of a layer, the bias weight last.
export function gradientTable(layer) {
  const heads = ["Weight", "Device A", "Device B", "Average", "Whole batch", "New weight", "Neurons averaged"];
  const columns = [layer.a, layer.b, layer.average, layer.whole, layer.stepped, layer.byNeuron];
  const rows = layer.neurons.flatMap((neuron, n) => {
    const places = [...layer.average.weights[n].map((_, i) => i + 1), ...(layer.average.biases ? [0] : [])];
    return places.map((place) => [
      html("span", {}, math(weightSymbol(neuron, place))),
      ...columns.map((one) => {
        const value = place === 0 ? one.biases[n] : one.weights[n][place - 1];
        return html("span", { title: full(value) }, short(value));
      }),
    ]);
  });
  const table = plainTable(heads, rows);
  table.setAttribute("role", "table"); // on a narrow screen the cells stand below each other, and stay cells
  for (const row of table.tBodies[0].rows) {
    row.setAttribute("role", "row");
    [...row.cells].forEach((cell, index) => {
      cell.setAttribute("role", "cell");
      cell.dataset.label = heads[index];
    });
  }
  return table;
}

// What averaging gives, and what neuron averaging gives, as sentences.
export function numberSentences(numbers, found) {
  const { difference, neuronDifference, same, neuronSame, largest, losses, after } = numbers;
  const compared = (equal, by) =>
    `That is ${equal ? "" : "not "}the gradient of the whole batch: largest difference ${short(by, 2)}, ` +
    `largest gradient ${short(largest, 3)}.`;
  return [
    `Data parallelism averages the devices' gradients. ${compared(same, difference)}`,
    "Neuron averaging, as the chapter has it, averages each neuron's error term before it goes back. " +
      compared(neuronSame, neuronDifference),
    `Losses of iteration ${found.number}: ${short(losses.a)} on device A, ${short(losses.b)} on device B, ` +
      `${short(losses.average)} on average, ${short(losses.whole)} of the whole batch. ` +
      `After the step: ${short(after.whole)} on one device, ${short(after.average)} by data parallelism, ` +
      `${short(after.byNeuron)} by neuron averaging.`,
  ];
}
