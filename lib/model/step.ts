/** One training step that ran. @module */
import { aNumber, expect, record as recordOf } from "../arguments/mod.ts";
import { Run, type RunRecord } from "../layer/mod.ts";
import { RUN_FIELDS } from "../layer/promised_run.ts";
import { promised } from "../timeline/chart/promised.ts";

const STEP = recordOf("a step { step, rate, values }", { step: aNumber, rate: aNumber });

/** Results of a step. */
export interface StepValues {
  /** Mean over ranks of cross entropy, and of the losses on the routing with their weights. */
  readonly loss: number;
  /** Of each rank, in nats a token. */
  readonly crossEntropy: readonly number[];
  /** Loss on the routing of each Mixture-of-Experts layer and rank, times their weights. */
  readonly auxLoss: readonly (readonly number[])[];
  /** Root of the sum of squares of all gradients, before clipping. */
  readonly gradNorm: number;
  /** Choices of each row of the gate before dropping, [ranks, rows], for each Mixture-of-Experts layer. */
  readonly loads: readonly Int32Array<ArrayBuffer>[];
}

/** A training step; `values` are there on an engine that computes. */
export class TrainingStep extends Run {
  /** Number of the step, from 0. */
  readonly step: number;
  /** Learning rate of the step. */
  readonly rate: number;
  /** Mean over ranks of cross entropy, and of the losses on the routing with their weights. */
  readonly loss?: number;
  /** Cross entropy of each rank, nats a token. */
  readonly crossEntropy?: readonly number[];
  /** Loss on the routing of each Mixture-of-Experts layer and rank, times their weights. */
  readonly auxLosses?: StepValues["auxLoss"];
  /** Root of the sum of squares of all gradients, before clipping. */
  readonly gradNorm?: number;
  /** Choices of each expert, by layer: [ranks, experts]. */
  readonly layerLoads?: StepValues["loads"];

  /** Made by `model.step`. */
  constructor(
    record: RunRecord,
    of: { step: number; rate: number; values?: StepValues },
  ) {
    super(record);
    expect("new TrainingStep", "of", of, STEP);
    const { step, rate, values } = of;
    this.step = step;
    this.rate = rate;
    this.loss = values?.loss;
    this.crossEntropy = values?.crossEntropy;
    this.auxLosses = values?.auxLoss;
    this.gradNorm = values?.gradNorm;
    this.layerLoads = values?.loads;
  }
}

/** Own fields of a step, those of every run besides. */
const FIELDS = [
  "step",
  "rate",
  "loss",
  "crossEntropy",
  "auxLosses",
  "gradNorm",
  "layerLoads",
] as const satisfies readonly (keyof TrainingStep)[];

/** A promise of a step. */
export const promisedStep: (promise: Promise<TrainingStep>) => Promise<TrainingStep> = promised({
  of: TrainingStep,
  fields: [...RUN_FIELDS, ...FIELDS],
  what: "step",
  call: "const step = await model.step(tokens)",
});
