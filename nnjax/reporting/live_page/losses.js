// The losses of an example and their derivatives, of the same definitions as nnjax/training/losses.py.
//
// exampleLoss({name: "half_mse"}, [0.804], [1])           // 0.019208
// lossGradient({name: "half_mse"}, [0.804], [1])          // [−0.196]

import { addUp } from "./sums.js";

// Probabilities: e^y over their sum; the largest y is subtracted first, so that no power overflows.
export function softmax(row) {
  const largest = Math.max(...row);
  const powers = row.map((y) => Math.exp(y - largest));
  const total = addUp(powers);
  return powers.map((power) => power / total);
}

// By log-softmax, since the softmax of a large output rounds to 1, and its logarithm to 0.
function crossEntropy(outputs, targets) {
  const largest = Math.max(...outputs);
  const total = Math.log(addUp(outputs.map((y) => Math.exp(y - largest))));
  return -addUp(targets.map((t, k) => t * (outputs[k] - largest - total)));
}

const squaredErrors = (outputs, targets) => addUp(targets.map((t, k) => (t - outputs[k]) ** 2));

// By name: the loss of an example, its derivative by each output, and whether it applies softmax and needs classes.
export const LOSSES = {
  cross_entropy: {
    softmax: true,
    value: crossEntropy,
    gradient: (outputs, targets) => softmax(outputs).map((p, k) => p - targets[k]),
  },
  mse: {
    softmax: false,
    value: (outputs, targets) => squaredErrors(outputs, targets) / outputs.length,
    gradient: (outputs, targets) => outputs.map((y, k) => (y - targets[k]) * (2 / outputs.length)),
  },
  half_mse: {
    softmax: false,
    value: (outputs, targets) => 0.5 * squaredErrors(outputs, targets),
    gradient: (outputs, targets) => outputs.map((y, k) => y - targets[k]),
  },
};

// Targets of a batch after label smoothing s: (1 − s) t + s / k; those of squared errors stay as they are.
export function smoothed(loss, targets) {
  const share = loss.name === "cross_entropy" ? (loss.label_smoothing ?? 0) : 0;
  if (share === 0) return targets.map((row) => [...row]);
  return targets.map((row) => row.map((t) => (1 - share) * t + share / row.length));
}

// The loss of one example; targets after smoothing.
export const exampleLoss = (loss, outputs, targets) => LOSSES[loss.name].value(outputs, targets);

// ∂E/∂y of each output; targets after smoothing.
export const lossGradient = (loss, outputs, targets) => LOSSES[loss.name].gradient(outputs, targets);
