// A row in words, and the nodes and edges that take part in it.
//
//   words(record, row)           // "Neuron a: input x1 times its weight."
//   involved(record, row)        // {main: "1:1", edges: [{layer: 1, neuron: "a", input: 1}]}

export const PHASES = {
  forward: ["Forward", "Forward pass"],
  error: ["Error", "Error"],
  backward: ["Backward", "Backward pass"],
  adjust: ["Adjust", "Adjustment of the weights"],
  update: ["Update", "New weights"],
};

const numInputs = (record, layer) => (layer === 1 ? record.network.inputs.length : record.neuronsOf(layer - 1).length);

// The edges into a neuron; input 0 is the bias input.
export function edgesInto(record, layer, neuron) {
  const inputs = Array.from({ length: numInputs(record, layer) }, (_, index) => index + 1);
  if (record.network.layers[layer - 1].has_bias) inputs.push(0);
  return inputs.map((input) => ({ layer, neuron, input }));
}

// Nodes are "column:index": column 0 holds the inputs, index 0 is the bias input.
export const sourceOf = (edge) => `${edge.layer - 1}:${edge.input}`;
export const targetOf = (record, edge) => `${edge.layer}:${record.neuronsOf(edge.layer).indexOf(edge.neuron) + 1}`;

export function involved(record, { quantity, layer, neuron, input }) {
  const at = (column) => `${column}:${record.neuronsOf(column).indexOf(neuron) + 1}`;
  if (quantity === "loss") return { main: "loss", edges: [], loss: true };
  if (quantity === "probability") return { main: at(record.lastLayer), edges: [] };
  const main = at(layer);
  if (input !== null) return { main, edges: [{ layer, neuron, input }] };
  if (quantity === "z") return { main, edges: edgesInto(record, layer, neuron) };
  if (quantity === "weighted_delta") {
    const from = record.neuronsOf(layer).indexOf(neuron) + 1;
    const next = record.neuronsOf(layer + 1);
    return { main, edges: next.map((name) => ({ layer: layer + 1, neuron: name, input: from })) };
  }
  return { main, edges: [], loss: quantity === "d_loss" };
}

function sourceName(record, { layer, input }) {
  if (input === 0) return "the bias input";
  if (layer === 1) return `input ${record.network.inputs[input - 1]}`;
  return `the output of neuron ${record.neuronsOf(layer - 1)[input - 1]}`;
}

export function words(record, row, batch) {
  const { neuron } = row;
  const activation = row.layer === null ? "" : record.network.layers[row.layer - 1].activation;
  const mean = batch > 1 ? ", mean over the batch" : "";
  const source = row.input === null ? "" : sourceName(record, row);
  switch (row.quantity) {
    case "product":
      return `Neuron ${neuron}: ${row.input === 0 ? "the bias input, always 1," : source} times its weight.`;
    case "z":
      return `Neuron ${neuron} adds up its products: its value before the activation.`;
    case "y":
      return `Neuron ${neuron} applies ${activation}: its output.`;
    case "probability":
      return `Softmax turns the outputs into probabilities; that of neuron ${neuron}.`;
    case "loss":
      return row.example === null ? "The mean over the examples of the batch." : "How far the output is from the target.";
    case "d_loss":
      return `How the loss changes with the output of neuron ${neuron}.`;
    case "d_activation":
      return `The slope of ${activation} at neuron ${neuron}.`;
    case "weighted_delta":
      return `The error that comes back to neuron ${neuron}: the next layer's error terms times the old weights.`;
    case "delta":
      return `The error term of neuron ${neuron}: how the loss changes with its value before the activation.`;
    case "gradient":
      return `How the loss changes with the weight of ${source} into neuron ${neuron}${mean}.`;
    case "adjustment":
      return `The adjustment, which is added to the weight of ${source} into neuron ${neuron}.`;
    case "weight":
      return `The new weight of ${source} into neuron ${neuron}, for the next iteration.`;
  }
  return "";
}
