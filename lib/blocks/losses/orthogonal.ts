/** ERNIE 4.5's loss on the weight of a router. @module */
import {
  add,
  biasActivation,
  fill,
  gemm,
  matrixOf,
  sumValues,
  temper,
  unitRows,
  unitRowsGrad,
} from "../../kernels/mod.ts";
import type { Kernel } from "../../types.ts";
import type { LossWeight } from "./balance.ts";
import type { Loss, LossContext } from "./types.ts";
import { weightOf } from "./weight.ts";

/**
 * Mean over all pairs of rows of (cosine between row i and row j of `gate.weight` - [i = j])^2, so that experts are
 * chosen by directions of their own (the router orthogonalization loss of ERNIE 4.5: its technical report, and
 * `moe/top2_gate.py` of PaddlePaddle/ERNIE, whose mean this is). No token is in it: each of the ranks with
 * tokens has an equal part, and their sum over ranks is the loss once.
 *
 * ```ts
 * import { createLayer, openEngine, topK } from "@schemoe/lab";
 * import { orthogonal } from "@schemoe/lab/blocks";
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
 * const losses = [orthogonal({ weight: 0.01 })];
 * using layer = createLayer(engine, { tokens: 8, modelDim: 4, hiddenDim: 8, experts: 4, gate: topK({ k: 2 }), losses });
 * layer.set({ "gate.weight": Float32Array.from({ length: 16 }, (_, i) => i % 5 === 0 ? 3 : 0) });
 * console.assert((await layer.forward()).losses!.orthogonal[0] === 0);
 * ```
 */
export function orthogonal(options: LossWeight): Loss {
  const weight = weightOf("orthogonal", options);
  return {
    name: "orthogonal",
    weight,
    slopes: [],
    needs: ["weight"],
    tensors: ({ rows, modelDim }) => [
      { name: "units", shape: [rows, modelDim], life: "pass" },
      { name: "norms", shape: [rows], life: "pass" },
      { name: "cosines", shape: [rows, rows], life: "pass" },
      { name: "dUnits", shape: [rows, modelDim], life: "pass" },
      { name: "factor", shape: [1], life: "pass" },
    ],
    forward(c) {
      const [factor, loss, total] = [c.tensor("factor"), c.loss, c.total];
      const one = (view: typeof loss) => matrixOf(view, 1, 1);
      return [
        ...deviations(c),
        sumValues({ squares: true, count: c.rows ** 2, x: c.tensor("cosines"), out: loss }),
        fill(1, factor, c.rows ** 2 * c.busyRanks),
        temper(1, { z: loss, temperature: factor }),
        fill(1, factor, c.weight),
        gemm(one(factor), one(loss), one(total), { add: true }),
      ];
    },
    backward(c) {
      if (c.weight === 0) return [];
      const [units, norms, dUnits] = [c.tensor("units"), c.tensor("norms"), c.tensor("dUnits")];
      const [factor, gradient] = [c.tensor("factor"), c.gradient("weight")];
      const count = c.rows * c.modelDim;
      const rows = matrixOf(units, c.rows, c.modelDim);
      const cosines = matrixOf(c.tensor("cosines"), c.rows, c.rows);
      return [
        ...deviations(c),
        // each cosine is of two rows and stands twice
        gemm(cosines, rows, matrixOf(dUnits, c.rows, c.modelDim)),
        fill(1, factor, c.rows ** 2 * c.busyRanks / (4 * c.weight)),
        temper(count, { z: dUnits, temperature: factor }),
        unitRowsGrad([c.rows, c.modelDim], { y: units, norms, dy: dUnits, dx: dUnits }),
        add(count, gradient, dUnits, gradient),
      ];
    },
  };
}

/** Rows of length 1, and their cosines less those of orthogonal rows. */
function deviations(c: LossContext): Kernel[] {
  const [units, norms, factor] = [c.tensor("units"), c.tensor("norms"), c.tensor("factor")];
  const rows = matrixOf(units, c.rows, c.modelDim);
  const cosines = matrixOf(c.tensor("cosines"), c.rows, c.rows);
  const diagonal = { ...cosines, columns: 1, ld: c.rows + 1 };
  return [
    unitRows([c.rows, c.modelDim], { x: c.gateTensor("weight"), y: units, norms }),
    gemm(rows, rows, cosines, { transB: true }),
    fill(1, factor, -1),
    biasActivation(diagonal, matrixOf(factor, 1, 1), undefined),
  ];
}
