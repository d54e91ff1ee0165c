// The usual slips of a row: the numbers that they give, computed from the row's own network.
//
//   slipsOf(state, iteration, row)     // [{name: "x1 and x3 swapped", value: 0.7750368, carried: false}, …]
//
// A slip is made in the row itself, or in a row before and carried on. Some of them are the chapter's own (docs/errata.md).

import { carriedSlips } from "./carried_slips.js";
import { errorSlips } from "./error_slips.js";
import { FORWARD, MOST_SWAPS, slipInputs, slipPlace, swapName } from "./slip_place.js";
import { addUp } from "./sums.js";

// ---- Slips of a row of the forward pass or the error, in the row itself.
function plainSlips(state, iteration, row) {
  const { layer, neuron, example, batch } = slipPlace(state, iteration, row);
  const values = iteration.layers[layer];
  const { value, quantity } = row;
  const inputs = slipInputs(iteration, layer);
  const differences = (k) => iteration.targets[k].map((target, place) => target - values.y[k][place]);
  switch (quantity) {
    case "product": {
      const weight = row.input ? iteration.weights[layer][neuron][row.input - 1] : iteration.biases[layer][neuron];
      const x = row.input ? inputs[example][row.input - 1] : 1;
      const others = row.input && inputs[example].length <= MOST_SWAPS ? inputs[example] : [];
      return [
        { name: "weight and input added instead of multiplied", value: weight + x },
        ...others.flatMap((other, place) =>
          place === row.input - 1 ? [] : [{ name: swapName(state, layer, row.input - 1, place), value: weight * other }],
        ),
      ];
    }
    case "z":
      return [{ name: "the activation already applied", value: values.y[example][neuron] }];
    case "probability":
      return [{ name: "not divided by the sum over the outputs", value: Math.exp(values.y[example][neuron]) }];
    case "loss": {
      const each = row.example === null ? iteration.inputs.map((_, k) => k) : [example];
      const mean = (of) => addUp(each.map(of)) / each.length;
      const found = row.example === null ? [{ name: "the sum over the batch, not its mean", value: value * batch }] : [];
      if (state.loss.name === "cross_entropy") {
        found.push({ name: "the logarithm to base 10, not the natural one", value: value / Math.LN10 });
        found.push({ name: "the logarithm to base 2, not the natural one", value: value / Math.LN2 });
        found.push({ name: "softmax's probability itself, not its logarithm", value: Math.exp(-value) });
        return found;
      }
      if (state.loss.name === "half_mse") found.push({ name: "the ½ of the error forgotten", value: 2 * value });
      else found.push({ name: "a factor ½, which this loss does not have", value: value / 2 });
      if (values.y[0].length > 1 && state.loss.name === "mse") {
        found.push({ name: "the sum over the outputs, not their mean", value: value * values.y[0].length });
      }
      const [plain, bare] = [mean((k) => addUp(differences(k))), mean((k) => addUp(differences(k).map(Math.abs)))];
      for (const off of [plain, bare]) {
        found.push({ name: "the difference from the target, not squared", value: off });
        found.push({ name: "half of the difference from the target, not squared", value: off / 2 });
      }
      return found;
    }
    default:
      return [];
  }
}

// Every usual slip of a row, with the number that it gives; those made in the row itself come first.
export function slipsOf(state, iteration, row) {
  const backward = !FORWARD.includes(row.quantity);
  const own = backward ? errorSlips(state, iteration, row) : plainSlips(state, iteration, row);
  const found = [...own, { name: "the sign", value: -row.value }, ...carriedSlips(state, iteration, row)];
  const shifts = row.quantity === "d_activation" ? [] : [-2, -1, 1, 2];
  for (const power of shifts) found.push({ name: "the decimal point", value: row.value * 10 ** power });
  const kept = found.map((slip) => ({ carried: false, ...slip }));
  return [...kept.filter(({ carried }) => !carried), ...kept.filter(({ carried }) => carried)].filter(
    (slip, index, all) => all.findIndex(({ name, value }) => name === slip.name && value === slip.value) === index,
  );
}
