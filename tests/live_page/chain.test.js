// The chain rule: the product of the factors, summed over the paths, is the gradient, for the textbook and random networks.

import assert from "node:assert/strict";
import test from "node:test";

import { ACTIVATIONS } from "../../nnjax/reporting/live_page/activations.js";
import { MOST_PATHS, chainOf, hasWeight, numberOfPaths, pathOf, weightChoices } from "../../nnjax/reporting/live_page/chain.js";
import { compute } from "../../nnjax/reporting/live_page/compute.js";
import { neuronNames } from "../../nnjax/reporting/live_page/format.js";
import { errorSteps } from "../../nnjax/reporting/live_page/power_rule.js";
import { classes, textbook } from "./states.js";

const W_A1 = { layer: 1, neuron: "a", input: 1 };
const firstOf = (state) => compute(state).iterations[0];

test("the textbook's chain to w_a1", () => {
  const chain = chainOf(textbook(), firstOf(textbook()), W_A1);
  assert.equal(chain.operators, "E ∘ f_b ∘ z_b ∘ f_a ∘ z_a");
  assert.equal(chain.composition, "E(f_b(z_b(f_a(z_a(w_a1)))))");
  assert.equal(chain.leibniz, "∂E/∂w_a1 = ∂E/∂y_b · ∂y_b/∂z_b · ∂z_b/∂y_a · ∂y_a/∂z_a · ∂z_a/∂w_a1");
  assert.deepEqual(chain.functions.map(({ symbol }) => symbol), ["z_a", "y_a", "z_b", "y_b", "E"]); // five, as in the figure
  const values = [-0.196, 1, 0.4, 1, 0.2];
  chain.factors.forEach(({ value }, index) => assert.ok(Math.abs(value - values[index]) < 1e-15));
  assert.deepEqual(
    chain.factors.map(({ formula, numbers }) => `${formula} = ${numbers}`),
    [
      "−(t_b − y_b) = −(1 − 0.804)",
      "1 if z_b > 0, else 0 = 1, as 0.804 > 0",
      "w_b1 = 0.4",
      "1 if z_a > 0, else 0 = 1, as 0.76 > 0",
      "x1 = 0.2",
    ],
  );
  assert.ok(Math.abs(chain.total + 0.01568) < 1e-15);
  assert.equal(chain.weight, 0.1);
});

test("a weight and a bias of the output neuron", () => {
  const chain = chainOf(textbook(), firstOf(textbook()), { layer: 2, neuron: "b", input: 0 });
  assert.equal(chain.leibniz, "∂E/∂w_b0 = ∂E/∂y_b · ∂y_b/∂z_b · ∂z_b/∂w_b0");
  assert.equal(chain.composition, "E(f_b(z_b(w_b0)))");
  assert.equal(chain.factors.at(-1).value, 1);
  assert.equal(chain.weight, 0.5);
});

test("several paths are added", () => {
  const chain = chainOf(classes(), firstOf(classes()), W_A1, 1, 2);
  assert.deepEqual(chain.paths.map(({ neurons }) => neurons.join("")), ["ac", "ad", "ae"]);
  assert.equal(chain.composition, "E(f_c(z_c(f_a(z_a(w_a1)))), f_d(z_d(f_a(z_a(w_a1)))), f_e(z_e(f_a(z_a(w_a1)))))");
  assert.ok(chain.leibniz.startsWith("∂E/∂w_a1 = ∂E/∂y_e · ") && chain.leibniz.endsWith(" + …"));
  assert.ok(Math.abs(chain.total - chain.paths.reduce((sum, { product }) => sum + product, 0)) < 1e-15);
  assert.equal(chain.each.length, 2);
});

// ---- Random networks. A generator of its own, so that each run makes the same ones.
function randomOf(seed) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
function networkOf(seed) {
  const random = randomOf(seed);
  const whole = (most) => 1 + Math.floor(random() * most);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const numbers = (count) => Array.from({ length: count }, () => 4 * random() - 2);
  const loss = pick([{ name: "half_mse" }, { name: "mse" }, { name: "cross_entropy", label_smoothing: pick([0, 0.1]) }]);
  const sizes = Array.from({ length: whole(4) }, () => whole(6));
  if (loss.name === "cross_entropy") sizes[sizes.length - 1] = 1 + whole(5);
  const inputs = Array.from({ length: whole(4) }, (_, index) => `x${index + 1}`);
  const names = neuronNames(sizes);
  const layers = sizes.map((size, index) => {
    const hasBias = random() < 0.8;
    const name = pick(Object.keys(ACTIVATIONS));
    const option = ACTIVATIONS[name].option;
    const last = index === sizes.length - 1 && loss.name === "cross_entropy";
    const before = index ? sizes[index - 1] : inputs.length;
    return {
      ...{ name: `layer_${index + 1}`, neurons: names[index], hasBias, learnsBias: hasBias },
      activation: last ? { name: "identity" } : { name, ...(option ? { [option]: 0.2 } : {}) },
      weights: names[index].map(() => numbers(before)),
      biases: hasBias ? numbers(size) : null,
    };
  });
  const count = whole(3);
  const targets = Array.from({ length: count }, () => {
    if (loss.name !== "cross_entropy") return numbers(sizes.at(-1));
    const chosen = Math.floor(random() * sizes.at(-1));
    return Array.from({ length: sizes.at(-1) }, (_, k) => Number(k === chosen));
  });
  const batches = [{ inputs: Array.from({ length: count }, () => numbers(inputs.length)), targets }];
  const shared = { learningRate: 0.01, adds: false, rates: null, iterations: 1, classes: null };
  return { inputs, layers, loss, batches, ...shared };
}

test("the sum over the paths is the gradient: every weight of 200 random networks", () => {
  let [folded, several, compared] = [0, 0, 0];
  for (let seed = 1; seed <= 200; seed++) {
    const state = networkOf(seed);
    const iteration = firstOf(state);
    if (!iteration) continue;
    for (const weight of weightChoices(state)) {
      const chains = iteration.inputs.map((_, example) => chainOf(state, iteration, weight, example));
      const mean = chains.reduce((sum, { total }) => sum + total, 0) / chains.length;
      const { weights, biases } = iteration.gradients[weight.layer - 1];
      const n = state.layers[weight.layer - 1].neurons.indexOf(weight.neuron);
      const gradient = weight.input ? weights[n][weight.input - 1] : biases[n];
      // relative to the terms that are added: their sum may be near 0
      const paths = chains.flatMap((chain) => chain.paths ?? [chain]);
      const size = Math.max(Math.abs(gradient), ...paths.map(({ product }) => Math.abs(product)), 1e-300);
      assert.ok(Math.abs(mean - gradient) <= 1e-12 * size, `network ${seed}, ${JSON.stringify(weight)}: ${mean}, ${gradient}`);
      assert.ok(Math.abs(chains[0].mean - gradient) <= 1e-12 * size, `network ${seed}: mean over the batch`);
      folded += chains[0].folded;
      several += chains[0].paths?.length > 1;
      compared += 1;
    }
  }
  assert.ok(folded > 500 && several > 500 && compared > 3000, `${folded}, ${several}, ${compared}`);
});

test("folded paths: the recursion ends at the error term before the weight's neuron", () => {
  const state = Array.from({ length: 200 }, (_, index) => networkOf(index + 1)).find(
    (one) => one.layers.length >= 3 && numberOfPaths(one, W_A1) > MOST_PATHS,
  );
  const iteration = firstOf(state);
  const chain = chainOf(state, iteration, W_A1);
  assert.equal(chain.paths, null);
  assert.equal(chain.recursion.length, state.layers.slice(1).reduce((sum, { neurons }) => sum + neurons.length, 0));
  for (const { layer, symbol, value } of chain.recursion) {
    const n = state.layers[layer - 1].neurons.indexOf(symbol.slice(2));
    const expected = iteration.layers[layer - 1].delta[0][n];
    assert.ok(Math.abs(value - expected) <= 1e-12 * Math.max(1, Math.abs(expected)), symbol);
  }
  assert.deepEqual(chain.functions.map(({ kind }) => kind), ["sum", "activation", "error"]);
});

test("a path's edges and nodes in the drawing", () => {
  assert.deepEqual(pathOf(textbook(), W_A1), {
    edges: [W_A1, { layer: 2, neuron: "b", input: 1 }],
    nodes: ["0:1", "1:1", "2:1", "loss"],
  });
  assert.deepEqual(pathOf(classes(), { layer: 1, neuron: "b", input: 0 }, 1).nodes, ["0:0", "1:2", "2:2", "loss"]);
  assert.equal(pathOf(classes(), { layer: 1, neuron: "b", input: 0 }).edges.length, 4);
});

test("weights that a changed network no longer has", () => {
  assert.equal(weightChoices(textbook()).length, 6);
  assert.ok(weightChoices(classes()).every((weight) => hasWeight(classes(), weight)));
  const gone = [{ ...W_A1, neuron: "z" }, { ...W_A1, layer: 5 }, { ...W_A1, input: 3 }];
  for (const weight of gone) assert.ok(!hasWeight(classes(), weight));
  assert.ok(!hasWeight(classes(), { layer: 2, neuron: "c", input: 0 })); // no bias
});

test("the error's derivative, step by step", () => {
  const formulas = (state, k = 0) => errorSteps(state, firstOf(state), 0, k).map(({ formula }) => formula);
  assert.deepEqual(formulas(textbook()), [
    "E = ½ × (t_b − y_b)²",
    "u = t_b − y_b,   E = ½ × u²",
    "d/du u^n = n × u^(n − 1)",
    "∂E/∂u = ½ × 2 × u^(2 − 1) = u",
    "∂u/∂y_b = 0 − 1 = −1",
    "∂E/∂y_b = ∂E/∂u · ∂u/∂y_b = u × (−1)",
    "∂E/∂y_b = −(t_b − y_b)",
    "∂E/∂y_b = −(1 − 0.804) = −0.196",
  ]);
  assert.equal(formulas({ ...textbook(), loss: { name: "mse" } }).at(-1), "∂E/∂y_b = −2 × (1 − 0.804) = −0.392");
  assert.equal(formulas({ ...textbook(), loss: { name: "mse" } })[0], "E = (t_b − y_b)²");
  const softmax = formulas(classes(), 1);
  assert.equal(softmax[0], "E = −(t_c ln p_c + t_d ln p_d + t_e ln p_e)");
  assert.equal(softmax.at(-2), "∂E/∂y_d = p_d − t_d");
});
