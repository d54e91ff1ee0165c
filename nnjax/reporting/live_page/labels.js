// The drawing's numbers: below each node, and on each edge; they appear as the walk reaches them.
//
//   const shown = reachedIn(app);
//   edgeLabel(record, place, shown, {layer: 1, neuron: "a", input: 2}, 4)      // ["0.2", "quiet"]
//   nodeLabels(record, place, shown, node, row, 4)                             // [["z 0.76", "z"], ["y 0.76", "y"]]

import { short } from "./dom.js";

// A function that returns the row of a quantity, for the shown example or the whole batch, if the walk has reached it and it
// is not hidden for a guess.
export function reachedIn({ record, place, hidden }) {
  const rows = record.rows(place.iteration);
  return (quantity, neuron = null, input = null) => {
    for (const example of [place.example + 1, null]) {
      const step = record.stepAt(place.iteration, quantity, example, neuron, input);
      if (step !== undefined && step <= place.step) return hidden?.(place.iteration, step) ? null : rows[step];
    }
    return null;
  };
}

const EDGE_FORMS = [
  ["weight", "→ ", "changed"],
  ["adjustment", "Δ ", "changed"],
  ["gradient", "∂ ", "delta"],
];

function weightOf(record, iteration, { layer, neuron, input }) {
  const { weights, biases } = record.iterations[iteration];
  const order = record.neuronsOf(layer).indexOf(neuron);
  return input === 0 ? biases[layer - 1][order] : weights[layer - 1][order][input - 1];
}

// An edge's value: its weight, until the walk reaches its gradient, adjustment and new weight.
export function edgeLabel(record, place, shown, edge, digits) {
  for (const [quantity, sign, className] of EDGE_FORMS) {
    const found = shown(quantity, edge.neuron, edge.input);
    if (found) return [sign + short(found.value, digits), className];
  }
  return [short(weightOf(record, place.iteration, edge), digits), "quiet"];
}

// A node's values as [text, class, edit], a line each; `edit` names the number that a person can change there.
export function nodeLabels(record, place, shown, node, row, digits) {
  if (node.kind === "bias") return [];
  const { inputs, targets } = record.examples(place.iteration);
  const order = Number(node.id.split(":")[1]) - 1;
  if (node.kind === "input") return [[short(inputs[place.example][order], digits), "y", `input:${order}`]];
  const last = node.column === record.lastLayer;
  const lines = [];
  if (last && record.classes) lines.push([record.classes[order] ?? "", "class"]);
  if (last) lines.push([`target ${short(targets[place.example][order], digits)}`, "quiet", `target:${order}`]);
  const signs = { z: "z", y: "y", ...(record.hasProbabilities ? { probability: "p" } : {}), delta: "δ" };
  for (const [quantity, sign] of Object.entries(signs)) {
    const found = shown(quantity, node.name);
    if (found) lines.push([`${sign} ${short(found.value, digits)}`, found === row ? "now" : quantity]);
  }
  return lines;
}

// Whether a neuron is dead, once the walk has reached its sum for every example of the batch.
export function isSeenDead(record, place, neuron) {
  const last = record.stepAt(place.iteration, "z", record.batchSize(place.iteration), neuron, null);
  return last !== undefined && last <= place.step && record.remarks(place.iteration).dead.includes(neuron);
}
