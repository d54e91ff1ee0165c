// Sums and means, added up from the first value to the last.
//
//   addUp([0.02, 0.02, 0.12])      // 0.16

export const addUp = (values) => values.reduce((sum, value) => sum + value, 0);
export const meanOf = (values) => addUp(values) / values.length;
