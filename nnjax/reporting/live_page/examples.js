// The examples of a state: its batches as one list and back, and weights and targets for a network of another shape.
//
// const found = examplesOf(state.batches);       // {inputs, targets, size, indexOf}
// batchesOf({...found, size: 2})                 // iteration i takes the i-th two examples, and then the first ones again

const divisor = (a, b) => (b === 0 ? a : divisor(b, a % b));

// The examples, each once, and the size of a batch. Batches that do not divide the examples share some of them: of three
// examples in batches of two, the second batch has the third and the first example.
export function examplesOf(batches) {
  const size = batches[0].inputs.length;
  const inputs = batches.flatMap((batch) => batch.inputs);
  const targets = batches.flatMap((batch) => batch.targets);
  const texts = inputs.map((row, index) => JSON.stringify([row, targets[index]]));
  let count = inputs.length;
  for (let fewer = size; fewer < count; fewer++) {
    const fits = fewer / divisor(fewer, size) === batches.length;
    if (fits && texts.every((text, index) => text === texts[index % fewer])) count = fewer;
  }
  const copies = (rows) => rows.slice(0, count).map((row) => [...row]);
  const indexOf = (batch, example) => (batch * size + example) % count;
  return { inputs: copies(inputs), targets: copies(targets), size, indexOf };
}

// The batches of examples in their order, until they come round.
export function batchesOf({ inputs, targets, size }) {
  const count = inputs.length;
  return Array.from({ length: count / divisor(count, size) }, (_, batch) => {
    const places = Array.from({ length: size }, (_, example) => (batch * size + example) % count);
    return { inputs: places.map((place) => [...inputs[place]]), targets: places.map((place) => [...targets[place]]) };
  });
}

// The first weight of a new neuron `n` for its input `i`: tenths, a third of them below 0, always the same.
export const freshWeight = (n, i) => (((n * 5 + i * 3) % 7) + 1) / ((n + i) % 3 === 2 ? -10 : 10);

// A neuron's weights for another number of inputs.
export const resizedRow = (row, count, n) => Array.from({ length: count }, (_, i) => row[i] ?? freshWeight(n, i));

// Targets for another number of outputs; an example whose class has gone takes the first class.
export function resizedTargets(batches, count, classes) {
  return batches.map(({ inputs, targets }) => ({
    inputs,
    targets: targets.map((row) => {
      const resized = Array.from({ length: count }, (_, k) => row[k] ?? 0);
      if (classes && !resized.includes(1)) resized[0] = 1;
      return resized;
    }),
  }));
}
