/** Logits as cosines. @module */
import {
  biasActivation,
  columnSum,
  copyBytes,
  gemm,
  matrixOf,
  temper,
  unitRows,
  unitRowsGrad,
} from "../../kernels/mod.ts";
import type { GateContext } from "./types.ts";
import { checkCount } from "./options.ts";
import { type Logits, tokensOf } from "./routed.ts";

const WORD = 4;

/**
 * a = x @ projection, z_e = cosine(a, row e of embedding) / temperature, all trained (Chi et al., "On the
 * representation collapse of sparse mixture of experts", arXiv 2204.09179); with `bias` one is added to z.
 */
export function cosineLogits(
  options: { readonly width: number; readonly bias?: boolean },
): Logits {
  const { width, bias = false }: typeof options = Object(options);
  checkCount("cosineLogits", "width", width);
  const matrices = (c: GateContext) => ({
    projection: matrixOf(c.tensor("projection"), c.modelDim, width),
    tokens: matrixOf(c.tensor("tokens"), c.tokens, width),
    units: matrixOf(c.tensor("units"), c.tokens, width),
    rows: matrixOf(c.tensor("unitRows"), c.rows, width),
    dUnits: matrixOf(c.tensor("dUnits"), c.tokens, width),
    dRows: matrixOf(c.tensor("dRows"), c.rows, width),
  });
  return {
    tensors: ({ tokens, rows, modelDim }) => [
      ...[
        { name: "projection", shape: [modelDim, width], deviation: modelDim ** -0.5 },
        { name: "embedding", shape: [rows, width], deviation: width ** -0.5 },
        { name: "temperature", shape: [1], constant: 0.07 },
        ...(bias ? [{ name: "bias", shape: [rows] }] : []),
      ].map((tensor) => ({ ...tensor, life: "parameter" as const })),
      { name: "tokens", shape: [tokens, width], life: "pass" },
      { name: "units", shape: [tokens, width], life: "saved" },
      { name: "norms", shape: [tokens], life: "saved" },
      { name: "unitRows", shape: [rows, width], life: "saved" },
      { name: "rowNorms", shape: [rows], life: "saved" },
      { name: "dUnits", shape: [tokens, width], life: "pass" },
      { name: "dRows", shape: [rows, width], life: "pass" },
      ...(bias ? [{ name: "cosines", shape: [tokens, rows], life: "saved" } as const] : []),
    ],
    forward(c) {
      const m = matrices(c);
      const logits = matrixOf(c.logits, c.tokens, c.rows);
      return [
        gemm(tokensOf(c).x, m.projection, m.tokens),
        unitRows([c.tokens, width], { x: m.tokens, y: m.units, norms: c.tensor("norms") }),
        unitRows([c.rows, width], {
          x: c.tensor("embedding"),
          y: m.rows,
          norms: c.tensor("rowNorms"),
        }),
        gemm(m.units, m.rows, logits, { transB: true }),
        temper(c.tokens * c.rows, { z: c.logits, temperature: c.tensor("temperature") }),
        ...(bias
          ? [
            copyBytes(WORD * c.tokens * c.rows, c.logits, c.tensor("cosines")),
            biasActivation(logits, matrixOf(c.tensor("bias"), 1, c.rows), undefined),
          ]
          : []),
      ];
    },
    backward(c) {
      const m = matrices(c);
      const { x, dx } = tokensOf(c);
      const dLogits = matrixOf(c.dLogits, c.tokens, c.rows);
      const dProjection = matrixOf(c.gradient("projection"), c.modelDim, width);
      return [
        ...(bias ? [columnSum(dLogits, matrixOf(c.gradient("bias"), 1, c.rows))] : []),
        temper(c.tokens * c.rows, {
          z: bias ? c.tensor("cosines") : c.logits,
          temperature: c.tensor("temperature"),
          dz: c.dLogits,
          dTemperature: c.gradient("temperature"),
        }),
        gemm(dLogits, m.rows, m.dUnits),
        gemm(dLogits, m.units, m.dRows, { transA: true }),
        unitRowsGrad([c.rows, width], {
          y: m.rows,
          norms: c.tensor("rowNorms"),
          dy: m.dRows,
          dx: c.gradient("embedding"),
        }),
        unitRowsGrad([c.tokens, width], {
          y: m.units,
          norms: c.tensor("norms"),
          dy: m.dUnits,
          dx: m.dUnits,
        }),
        gemm(x, m.dUnits, dProjection, { transA: true }),
        gemm(m.dUnits, m.projection, dx, { transB: true, add: c.accumulate }),
      ];
    },
    flops({ tokens, modelDim, rows }) {
      const forward = 2 * tokens * width * (modelDim + rows);
      return { forward, backward: 2 * forward };
    },
  };
}
