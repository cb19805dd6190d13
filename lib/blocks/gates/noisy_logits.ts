/** Logits with noise whose spread is learned. @module */
import { addNoise, noiseGrad } from "../../kernels/mod.ts";
import { linearLogits, product, productFlops, productGrad, weightTensor } from "./linear_logits.ts";
import type { Logits } from "./routed.ts";

/**
 * z = x @ weight^T + noise * softplus(x @ noiseWeight^T). The noise is an input: `layer.set` gives other
 * values for another step.
 */
export function noisyLogits(): Logits {
  const linear = linearLogits();
  return {
    tensors(shape) {
      const each = [shape.tokens, shape.rows];
      return [
        ...linear.tensors(shape),
        weightTensor("noiseWeight", shape),
        { name: "noise", shape: each, life: "input", deviation: 1 },
        { name: "clean", shape: each, life: "saved" },
        { name: "spread", shape: each, life: "saved" },
        { name: "dSpread", shape: each, life: "pass" },
      ];
    },
    forward(c) {
      const [clean, spread, noise] = ["clean", "spread", "noise"].map((name) => c.tensor(name));
      return [
        product(c, "weight", clean),
        product(c, "noiseWeight", spread),
        addNoise(c.tokens * c.rows, { clean, spread, noise, logits: c.logits }),
      ];
    },
    backward(c) {
      const [clean, spread, noise] = ["clean", "spread", "noise"].map((name) => c.tensor(name));
      const { logits, dLogits, slopes: { load }, padding } = c;
      const dSpread = c.tensor("dSpread");
      const views = { clean, spread, noise, logits, dLogits, dSpread, padding };
      return [
        noiseGrad({ ...c, k: c.topK }, { ...views, ...(load ? { slopes: load } : {}) }),
        ...productGrad(c, "weight", dLogits, c.accumulate),
        ...productGrad(c, "noiseWeight", dSpread, true),
      ];
    },
    flops(shape) {
      const { forward, backward } = productFlops(shape);
      return { forward: 2 * forward, backward: 2 * backward };
    },
  };
}
