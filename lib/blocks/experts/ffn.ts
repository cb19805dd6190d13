/** The two-layer feed-forward expert. @module */
import { anything, expect, options } from "../../arguments/mod.ts";
import {
  type Activation,
  activationCode,
  activationGrad,
  biasActivation,
  columnSum,
  gemm,
} from "../../kernels/mod.ts";
import { countedExpert } from "./counted.ts";
import { scoringOf } from "./score_gradient.ts";
import type { Expert, ExpertContext, ScoreGradientOption } from "./types.ts";

const FFN_OPTIONS = options({ activation: anything, bias: anything, scoreGradient: anything });

/** Options of {@linkcode ffn}. */
export interface FfnOptions extends ScoreGradientOption {
  /** Default `relu`. */
  readonly activation?: Activation;
  /** Whether there are biases; default true. */
  readonly bias?: boolean;
}

/**
 * `act(x @ w1 + b1) @ w2 + b2` with w1 [M, H], b1 [H], w2 [H, M], b2 [M].
 *
 * ```ts
 * import { ffn } from "@schemoe/lab";
 * console.assert(ffn({ activation: "gelu", bias: false }).name === "ffn(gelu, no bias)");
 * ```
 * @throws {SchemoeError} for an unknown activation or score gradient.
 */
export function ffn(options: FfnOptions = {}): Expert {
  expect("ffn", "options", options, FFN_OPTIONS);
  const { activation = "relu", bias = true } = options;
  activationCode(activation);
  const scoring = scoringOf(options.scoreGradient);
  // Where ReLU is above 0 its argument is too, and identity changes nothing: h alone is kept then.
  const before = activation === "relu" || activation === "identity" ? "h" : "x1";
  return countedExpert({
    name: `ffn(${
      [activation, bias ? "" : "no bias", scoring.said].filter(Boolean).join(
        ", ",
      )
    })`,
    scoreGradient: scoring.chosen,
    parameters: ({ modelDim: m, hiddenDim: h }) => [
      { name: "w1", shape: [m, h] },
      ...(bias ? [{ name: "b1", shape: [h] }] : []),
      { name: "w2", shape: [h, m] },
      ...(bias ? [{ name: "b2", shape: [m] }] : []),
    ],
    saved: ({ hiddenDim }) => [
      ...(before === "h" ? [] : [{ name: before, columns: hiddenDim }]),
      { name: "h", columns: hiddenDim },
      { name: "d1", columns: hiddenDim, life: "pass" },
    ],
    forward(c) {
      const [x1, h] = [c.saved(before), c.saved("h")];
      const added = (name: string) => bias ? c.parameter(name) : undefined;
      return [
        gemm(c.x, c.parameter("w1"), x1, { bias: added("b1"), relu: activation === "relu" }),
        ...(before === "h" ? [] : [biasActivation(x1, undefined, h, activation)]),
        gemm(h, c.parameter("w2"), c.y, { bias: added("b2") }),
      ];
    },
    inputGrad(c) {
      const d1 = c.saved("d1");
      return [
        gemm(c.dy, c.parameter("w2"), d1, { transB: true }),
        ...scoring.kernels(c, { dA: d1, bias }),
        activationGrad(d1, c.saved(before), d1, activation),
        gemm(d1, c.parameter("w1"), c.dx, { transB: true }),
      ];
    },
    weightGrad(c) {
      const d1 = c.saved("d1");
      return [
        gemm(c.saved("h"), c.dy, c.gradient("w2"), { transA: true, add: !c.first }),
        gemm(c.x, d1, c.gradient("w1"), { transA: true, add: !c.first }),
        ...(bias ? biasGrads(c) : []),
      ];
    },
    flops({ modelDim, hiddenDim }) {
      const products = 4 * modelDim * hiddenDim;
      const weighing = scoring.flops({ modelDim, hiddenDim, bias });
      return { forward: products, inputGrad: products + weighing, weightGrad: products };
    },
  });
}

const biasGrads = (c: ExpertContext) => [
  columnSum(c.dy, c.gradient("b2"), { add: !c.first }),
  columnSum(c.saved("d1"), c.gradient("b1"), { add: !c.first }),
];
