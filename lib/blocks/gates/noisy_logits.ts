/** Logits with noise whose spread is learned. @module */
import { addNoise, noiseGrad } from "../../kernels/mod.ts";
import { linearLogits, product, productFlops, productGrad, weightTensor } from "./linear_logits.ts";
import type { GateContext } from "./types.ts";
import type { Logits } from "./routed.ts";

/**
 * z = others + noise * softplus(x @ noiseWeight^T), the others x @ weight^T by default. The noise is an input:
 * `layer.set` gives other values for another step.
 */
export function noisyLogits(others: Logits = linearLogits()): Logits {
  /** What the others see: logits without noise, and their gradient where that of the noisy ones was. */
  const clean = (c: GateContext): GateContext => ({ ...c, logits: c.tensor("clean") });
  return {
    tensors(shape) {
      const each = [shape.tokens, shape.rows];
      return [
        ...others.tensors(shape),
        weightTensor("noiseWeight", shape),
        { name: "noise", shape: each, life: "input", deviation: 1 },
        { name: "clean", shape: each, life: "saved" },
        { name: "spread", shape: each, life: "saved" },
        { name: "dSpread", shape: each, life: "pass" },
      ];
    },
    forward(c) {
      const spread = c.tensor("spread");
      return [
        ...others.forward(clean(c)),
        product(c, "noiseWeight", spread),
        addNoise(c.tokens * c.rows, { ...c, ...own(c) }),
      ];
    },
    backward(c) {
      const dSpread = c.tensor("dSpread");
      return [
        noiseGrad(c, { ...c, ...own(c), dSpread, slopes: c.slopes.load }),
        ...others.backward(clean(c)),
        ...productGrad(c, "noiseWeight", dSpread, true),
      ];
    },
    flops(shape) {
      const [first, noise] = [others.flops(shape), productFlops(shape)];
      return { forward: first.forward + noise.forward, backward: first.backward + noise.backward };
    },
  };
}

const own = (c: GateContext) => ({
  clean: c.tensor("clean"),
  spread: c.tensor("spread"),
  noise: c.tensor("noise"),
});
