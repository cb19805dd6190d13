/** Makes `console.assert` throw, which it is loaded for before the examples of the documentation. */
console.assert = (condition?: boolean, ...data: unknown[]) => {
  if (!condition) throw new Error(`an example does not hold: ${data.join(" ")}`);
};
