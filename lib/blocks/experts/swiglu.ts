/** The gated feed-forward expert of Llama. @module */
import { gemm, glu, gluGrad } from "../../kernels/mod.ts";
import type { Expert } from "../../types.ts";

/**
 * `(silu(x @ w1) * (x @ w3)) @ w2` with w1, w3 [M, H] and w2 [H, M] (Shazeer, "GLU variants improve
 * transformer", arXiv 2002.05202).
 */
export function swiglu(): Expert {
  return {
    name: "swiglu",
    parameters: ({ modelDim: m, hiddenDim: h }) => [
      { name: "w1", shape: [m, h] },
      { name: "w3", shape: [m, h] },
      { name: "w2", shape: [h, m] },
    ],
    saved: ({ hiddenDim }) => [
      ...["x1", "x3", "h"].map((name) => ({ name, columns: hiddenDim })),
      ...["d1", "d3"].map((name) => ({ name, columns: hiddenDim, life: "pass" as const })),
    ],
    forward(c) {
      const [x1, x3, h] = [c.saved("x1"), c.saved("x3"), c.saved("h")];
      return [
        gemm(c.x, c.parameter("w1"), x1),
        gemm(c.x, c.parameter("w3"), x3),
        glu(x1, x3, h, "silu"),
        gemm(h, c.parameter("w2"), c.y),
      ];
    },
    inputGrad(c) {
      const [d1, d3] = [c.saved("d1"), c.saved("d3")];
      return [
        gemm(c.dy, c.parameter("w2"), d1, { transB: true }),
        gluGrad({ dy: d1, a: c.saved("x1"), b: c.saved("x3"), da: d1, db: d3 }, "silu"),
        gemm(d1, c.parameter("w1"), c.dx, { transB: true }),
        gemm(d3, c.parameter("w3"), c.dx, { transB: true, add: true }),
      ];
    },
    weightGrad(c) {
      const options = { transA: true, add: !c.first };
      return [
        gemm(c.saved("h"), c.dy, c.gradient("w2"), options),
        gemm(c.x, c.saved("d1"), c.gradient("w1"), options),
        gemm(c.x, c.saved("d3"), c.gradient("w3"), options),
      ];
    },
    flops({ modelDim, hiddenDim }) {
      const products = 6 * modelDim * hiddenDim;
      return { forward: products, inputGrad: products, weightGrad: products };
    },
  };
}
