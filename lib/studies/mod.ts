/**
 * Studies over many runs: what if a size or a link were another, what Theorem 1 loses, published testbeds.
 *
 * ```ts
 * import { testbed } from "@schemoe/lab/studies";
 * console.assert(testbed("2080ti-ib100", { nodes: 8 }).topology.ranks === 32);
 * ```
 * @module
 */
export { whatIf, type WhatIfOptions, type WhatIfSetup } from "./what_if.ts";
export { WhatIf, type WhatIfRow } from "./what_if_result.ts";
export type { Crossing } from "./what_if_crossings.ts";
export type { Setup, Vary } from "./what_if_vary.ts";
export type { CodecStudyRow } from "./codecs/row.ts";
export { codecStudy, type CodecStudyOptions } from "./codecs/study.ts";
export { type CodecData, codecRows, dispatchedRows } from "./codecs/data.ts";
export { CodecStudy } from "./codecs/result.ts";
export { type ValueError, valueError } from "./codecs/error.ts";
export {
  type ChainTimes,
  type LossOptions,
  type Theorem1Loss,
  theorem1Loss,
  Theorem1Losses,
  theorem1Losses,
} from "./theorem1_loss.ts";
export {
  type AllToAllComparison,
  type AllToAllRow,
  compareAllToAlls,
} from "./balancing/compare.ts";
export type { Decomposition } from "./balancing/decomposition.ts";
export { jointGraph, type JointOptions } from "./balancing/joint_graph.ts";
export { compareJoint, type JointRow } from "./balancing/joint.ts";
export {
  compareDispatch,
  type Copies,
  type DispatchRow,
  nodeCombineProgram,
  nodeDispatchProgram,
} from "./balancing/node_aware.ts";
export { type ReplayOptions, replayRouting, type ReplayRow } from "./balancing/replay.ts";
export { allToAllSizes, type AllToAllSizesOptions } from "./sizes/study.ts";
export type { AllToAllSizeRow, AllToAllSizes, Win } from "./sizes/result.ts";
export { type LinkGraph, secondsOnLinks } from "./solvers/links.ts";
export { exchangeInSteps, RING4, STAR4 } from "./solvers/exchanges.ts";
export {
  allGatherInSteps,
  checkExchange,
  checkSteps,
  DGX1,
  type Lanes,
  type ScclRow,
  scclTable,
  type StepMove,
  type StepSchedule,
} from "./solvers/sccl.ts";
export { relayed, type TecclRow, tecclTable, twoDgx2 } from "./solvers/teccl.ts";
export {
  allToAllsAtScale,
  type ScaleOptions,
  type ScaleRow,
  scaleText,
} from "./balancing/scale.ts";
export { SkewCosts, skewCosts, type SkewOptions, type SkewRow } from "./balancing/skew.ts";
export { gradientStudy, type GradientStudyOptions } from "./gradients/study.ts";
export { type GradientRow, GradientStudy } from "./gradients/result.ts";
export { routerStudy, type RouterStudyOptions } from "./routers/study.ts";
export type { RouterRow } from "./routers/row.ts";
export type { RouterStudy } from "./routers/result.ts";
export { sharedExpertStudy, type SharedPlace, type SharedRow } from "./shared_expert.ts";
export { type Testbed, testbed, TESTBED_NAMES, type TestbedSize } from "../testbeds/mod.ts";
