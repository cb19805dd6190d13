/** Reference training runs in `verify`: losses and norms of all steps, gradients of step 0, parameters at the end. @module */
import type { Engine } from "../../engine.ts";
import type { PassChoices } from "../../layer/mod.ts";
import type { ElementType } from "../../kernels/types.ts";
import { largestError } from "../../studies/golden.ts";
import {
  type GoldenTraining,
  type GoldenTrainingRun,
  runGoldenTraining,
} from "../../studies/golden_training.ts";
import { zeroGradients } from "../../studies/golden_zeros.ts";
import { SchemoeError } from "../../types.ts";

/** Results of a training run, under the names of the reference file. */
export interface CheckedTraining {
  readonly errors: Readonly<Record<string, number>>;
  readonly results: ReadonlyMap<string, Float32Array>;
}

/**
 * Runs a reference from its parameters on its tokens and compares. Errors of `loss`, `gradNorm` and `lr` are relative
 * to each step's value, those of `grad.NAME` and `final.NAME` to the tensor's largest entry.
 * @throws {SchemoeError} with a codec: the errors that it may cause over many steps have no bound.
 */
export async function checkTraining(
  engine: Engine,
  golden: GoldenTraining,
  choices: PassChoices,
): Promise<CheckedTraining> {
  if ((choices.compressor ?? "none") !== "none") {
    throw new SchemoeError(
      `Cannot verify the training run "${golden.name}" with the codec "${choices.compressor}": ` +
        "no bound of its errors over many steps is known; leave --compressor out for it",
    );
  }
  const run = await runGoldenTraining(engine, golden, choices);
  const curves = curvesOf(run);
  const expected = { loss: golden.loss, gradNorm: golden.gradNorm, lr: golden.rates };
  const errors: Record<string, number> = {};
  for (const [name, values] of Object.entries(expected)) {
    errors[name] = curves[name].reduce((most, value, step) => {
      const wanted = values[step];
      // a rate may be 0, a vocabulary of one token has no loss
      const error = wanted === 0 ? Math.abs(value) : Math.abs(value / wanted - 1);
      return Math.max(most, Number.isNaN(error) ? Infinity : error);
    }, 0);
  }
  const withZeros = zeroGradients(Object.entries(golden.gradients));
  const expectedOf = (prefix: string, values: Float32Array) =>
    prefix === "grad." ? withZeros(values) : values;
  const results = new Map<string, Float32Array>();
  for (const name of Object.keys(expected)) results.set(name, Float32Array.from(curves[name]));
  for (const [prefix, got, wanted] of tensorsOf(run, golden)) {
    for (const [name, values] of Object.entries(wanted)) {
      results.set(prefix + name, got[name]);
      errors[prefix + name] = largestError(got[name], expectedOf(prefix, values));
    }
  }
  return { errors, results };
}

const curvesOf = ({ steps }: GoldenTrainingRun): Record<string, number[]> => ({
  loss: steps.map(({ loss }) => loss!),
  gradNorm: steps.map(({ gradNorm }) => gradNorm!),
  lr: steps.map(({ rate }) => rate),
});

const tensorsOf = (run: GoldenTrainingRun, golden: GoldenTraining) =>
  [
    ["grad.", run.gradients, golden.gradients],
    ["final.", run.final, golden.final],
  ] as const;

/**
 * Largest errors in bfloat16, where rounding sends some tokens, whose scores are nearly equal, to other experts: entries of
 * the gradients of the gate and of those experts then differ by a share of the largest, while the loss hardly feels it
 * (at most 0.5 % in the three runs, norms 2.8 %, gates 25 %, other gradients 11 %, parameters 13 %).
 */
const BFLOAT16 = { loss: 1e-2, gradNorm: 5e-2, gate: 0.5, grad: 0.2, final: 0.25 };

/**
 * Largest error of each result that passes: what float32 gives is a tenth of it, but for `final` of AdamW, where a
 * gradient near epsilon makes a step of any size up to the rate; on a GPU sums have other orders.
 */
export function trainingBound(
  tensor: string,
  { engine, optimizer, dtype = "float32" }: {
    readonly engine: string;
    readonly optimizer: string;
    readonly dtype?: ElementType;
  },
): number {
  if (tensor === "lr") return 1e-12;
  if (dtype === "bfloat16") {
    if (tensor === "loss" || tensor === "gradNorm") return BFLOAT16[tensor];
    if (tensor.startsWith("final.")) return BFLOAT16.final;
    return tensor.includes(".gate.") ? BFLOAT16.gate : BFLOAT16.grad;
  }
  if (tensor === "loss") return engine === "cuda" ? 1e-5 : 2e-6;
  if (tensor === "gradNorm") return 5e-6;
  return tensor.startsWith("final.") && optimizer === "adamw" ? 5e-4 : 1e-5;
}
