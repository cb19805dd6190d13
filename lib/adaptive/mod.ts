/**
 * Measure, fit, predict, choose: machine profiles, and choices made by them.
 *
 * ```ts
 * import { openEngine } from "@schemoe/lab";
 * import { calibrate } from "@schemoe/lab/adaptive";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const profile = await calibrate(engine, { codecs: [] });
 * console.assert(profile.links.quality.r2 > 0.999 && profile.processors === undefined);
 * ```
 * @module
 */
export { calibrate, type CalibrateOptions } from "./calibrate.ts";
export { driftOf } from "./reuse.ts";
export { COMPARED, predictionQuality, type QualityOptions } from "./quality.ts";
export { type KindError, PredictionQuality, type QualityRow } from "./quality_result.ts";
export { type Agreement, kendallTau, type Ranked, regretOf } from "./ranking.ts";
export { atSpeed } from "./speed.ts";
export { randomShapes } from "./shapes.ts";
export * from "../profile/mod.ts";
export { tune, type TuneOptions } from "./tune.ts";
export type { SearchOptions } from "./tuner.ts";
export {
  type PassTuning,
  Tuned,
  type TunedPasses,
  type TunedRow,
  type TunedVariant,
  type Variant,
} from "./tune_result.ts";
export { type AllowedCodecs, allowedCodecs } from "./codec_error.ts";
export type { Baseline, Choices, StepLayer, TrialStep } from "./baselines/types.ts";
export { type FasterMoeChoice, fasterMoeChoice } from "./baselines/faster_moe.ts";
export { stepSeconds, tutelSearch } from "./baselines/tutel.ts";
export { fsMoeChoice, pipeMoeChoice } from "./baselines/fitted.ts";
export {
  type FlowMoeChoice,
  type FlowMoeOptions,
  flowMoeSearch,
  type FlowMoeTrial,
} from "./baselines/flow_moe.ts";
