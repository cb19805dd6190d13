/** Experts whose hidden values are gated by a second product. @module */
import { anything, expect, options } from "../../arguments/mod.ts";
import { columnSum, gemm, glu, gluGrad, type Gluing } from "../../kernels/mod.ts";
import { countedExpert } from "./counted.ts";
import { scoringOf } from "./score_gradient.ts";
import type { Expert, ExpertContext, ScoreGradientOption } from "./types.ts";

const GATED_OPTIONS = options({ scoreGradient: anything });

/**
 * `combine(x @ w1 + b1, x @ w3 + b3) @ w2 + b2` with w1, w3 [M, H], b1, b3 [H], w2 [H, M], b2 [M] (Shazeer, "GLU
 * variants improve transformer", arXiv 2002.05202).
 */
export function gated(
  { name, combine, bias }: {
    readonly name: string;
    readonly combine: Gluing;
    readonly bias: boolean;
  },
  options: ScoreGradientOption,
): Expert {
  expect(name, "options", options, GATED_OPTIONS);
  const scoring = scoringOf(options.scoreGradient);
  const added = (c: ExpertContext, name: string) => bias ? { bias: c.parameter(name) } : {};
  return countedExpert({
    name: scoring.said ? `${name}(${scoring.said})` : name,
    scoreGradient: scoring.chosen,
    parameters: ({ modelDim: m, hiddenDim: h }) => [
      { name: "w1", shape: [m, h] },
      { name: "w3", shape: [m, h] },
      { name: "w2", shape: [h, m] },
      ...(bias
        ? [{ name: "b1", shape: [h] }, { name: "b3", shape: [h] }, { name: "b2", shape: [m] }]
        : []),
    ],
    saved: ({ hiddenDim }) =>
      ["x1", "x3", "h", "d1", "d3"].map((name) => ({ name, columns: hiddenDim })),
    forward(c) {
      const [x1, x3, h] = [c.saved("x1"), c.saved("x3"), c.saved("h")];
      return [
        gemm(c.x, c.parameter("w1"), x1, added(c, "b1")),
        gemm(c.x, c.parameter("w3"), x3, added(c, "b3")),
        glu(x1, x3, h, combine),
        gemm(h, c.parameter("w2"), c.y, added(c, "b2")),
      ];
    },
    inputGrad(c) {
      const [d1, d3] = [c.saved("d1"), c.saved("d3")];
      return [
        gemm(c.dy, c.parameter("w2"), d1, { transB: true }),
        ...scoring.kernels(c, { dA: d1, bias }),
        gluGrad({ dy: d1, a: c.saved("x1"), b: c.saved("x3"), da: d1, db: d3 }, combine),
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
        ...(bias ? biasGrads(c) : []),
      ];
    },
    flops({ modelDim, hiddenDim }) {
      const products = 6 * modelDim * hiddenDim;
      const weighing = scoring.flops({ modelDim, hiddenDim, bias });
      return { forward: products, inputGrad: products + weighing, weightGrad: products };
    },
  });
}

const biasGrads = (c: ExpertContext) => [
  columnSum(c.dy, c.gradient("b2"), { add: !c.first }),
  columnSum(c.saved("d1"), c.gradient("b1"), { add: !c.first }),
  columnSum(c.saved("d3"), c.gradient("b3"), { add: !c.first }),
];
