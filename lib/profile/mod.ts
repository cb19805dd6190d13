/**
 * Machine profiles: times of a machine for each kind of work, fitted to measurements, and costs by them.
 *
 * ```ts
 * import { relativeFit } from "@schemoe/lab/adaptive";
 * const [alpha, beta] = relativeFit([[1, 10], [1, 100]], [12, 102]);
 * console.assert(Math.abs(alpha - 2) < 1e-9 && Math.abs(beta - 1) < 1e-9);
 * ```
 * @module
 */
export type {
  Correction,
  Estimate,
  FitQuality,
  KindFit,
  LinkEstimate,
  LinksFit,
  MachineProfile,
  ProcessorsFit,
} from "./types.ts";
export { profileCosts, profiledTopology } from "./costs.ts";
export { loadProfile, parseProfile, PROFILE_FORMAT, PROFILE_VERSION, saveProfile } from "./file.ts";
export { corrected, fitSamples, type Fitted } from "./fit.ts";
export { relativeFit } from "./least_squares.ts";
export { kindOf, phaseWorkOf, type Sample, workOf } from "./samples.ts";
export { median, quantile, relativeSpread } from "./statistics.ts";
