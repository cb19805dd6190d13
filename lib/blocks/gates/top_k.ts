/** The top-k softmax gate of GShard and Switch. @module */
import { auxLoss, chooseTopK, gateGrad, gemm, positions, softmax } from "../../kernels/mod.ts";
import type { ElementType, Gate, GateContext, Matrix, View } from "../../types.ts";

/**
 * Each token goes to its k best experts by softmax score (Lepikhin et al., "GShard", ICLR'21; Fedus
 * et al., "Switch Transformers", JMLR'22). k, normalization and priority are the layer's.
 */
export const topK: Gate = {
  name: "topK",
  forward(c) {
    const { scores, choices, weights } = c;
    return [
      gemm(
        matrix(c.x, c.tokens, c.modelDim, c.dtype),
        matrix(c.weight, c.experts, c.modelDim),
        logits(c),
        {
          transB: true,
        },
      ),
      softmax(c.tokens, c.experts, c.logits, scores),
      chooseTopK(c, { normalize: c.normalizeGate, scores, choices, weights }),
      positions(c, { ...c, prioritized: c.batchPrioritized }),
      auxLoss(c, { scores, choices, loss: c.auxLoss }),
    ];
  },
  backward(c) {
    const x = matrix(c.x, c.tokens, c.modelDim, c.dtype);
    const weight = matrix(c.weight, c.experts, c.modelDim);
    return [
      gateGrad(c, { ...c, normalize: c.normalizeGate, dLogits: c.logits }),
      gemm(logits(c), weight, matrix(c.dx, c.tokens, c.modelDim, c.dtype), { add: c.accumulate }),
      gemm(logits(c), x, matrix(c.dWeight, c.experts, c.modelDim), { transA: true }),
    ];
  },
  flops({ tokens, modelDim, experts }) {
    const product = 2 * tokens * modelDim * experts;
    return { forward: product, backward: 2 * product };
  },
};

const matrix = (view: View, rows: number, columns: number, dtype?: ElementType): Matrix => ({
  ...view,
  dtype,
  rows,
  columns,
  ld: columns,
  groups: 1,
  stride: rows * columns,
});
const logits = (c: GateContext) => matrix(c.logits, c.tokens, c.experts);
