// States for the tests of the page's modules: the textbook's two neurons, and three classes.

export const textbook = () => ({
  inputs: ["x1", "x2", "x3"],
  layers: [
    layerOf("neuron_a", "relu", ["a"], [[0.1, 0.2, 0.3]], [0.6]),
    layerOf("neuron_b", "relu", ["b"], [[0.4]], [0.5]),
  ],
  loss: { name: "half_mse" },
  learningRate: -0.6,
  adds: true,
  rates: null,
  batches: [{ inputs: [[0.2, 0.1, 0.4]], targets: [[1]] }],
  iterations: 2,
  classes: null,
});

export const classes = () => ({
  inputs: ["x1", "x2"],
  layers: [
    layerOf("layer_1", "tanh", ["a", "b"], [[1, 2], [2, -1]], [-1, 0]),
    { ...layerOf("output", "identity", ["c", "d", "e"], [[-1, 1], [1, 1], [1, -1]], null), hasBias: false, learnsBias: false },
  ],
  loss: { name: "cross_entropy", label_smoothing: 0.1 },
  learningRate: 0.5,
  adds: false,
  rates: null,
  batches: [
    { inputs: [[0.2, 0.1], [1.2, 0.3]], targets: [[1, 0, 0], [0, 1, 0]] },
    { inputs: [[1.4, 0.9], [0.2, 0.1]], targets: [[0, 0, 1], [1, 0, 0]] },
    { inputs: [[1.2, 0.3], [1.4, 0.9]], targets: [[0, 1, 0], [0, 0, 1]] },
  ],
  iterations: 3,
  classes: ["voice", "it's \"backup\\", "ü true"],
});

function layerOf(name, activation, neurons, weights, biases) {
  return { name, activation: { name: activation }, neurons, hasBias: true, learnsBias: true, weights, biases };
}
