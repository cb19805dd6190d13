/**
 * Training of models: data, runs with their curves, and runs beside each other.
 *
 * ```ts
 * import { randomTokens, textData } from "@schemoe/lab/training";
 * console.assert(textData("abc".repeat(99)).vocabulary === 3);
 * console.assert(randomTokens({ vocabulary: 7 }).vocabulary === 7);
 * ```
 * @module
 */
export type { BatchOptions, TrainingData } from "./data.ts";
export { randomTokens } from "./random_tokens.ts";
export { type TextData, textData, textFile, type TextOptions } from "./text.ts";
export { train } from "./train.ts";
export type { TrainingProgress, TrainOptions } from "./options.ts";
export { type TrainingRecord, TrainingRun } from "./result.ts";
export type { History } from "./history.ts";
export type { SpeedRow, StepRow, ValidationRow } from "./step_row.ts";
export { validationLoss, type ValidationOptions } from "./validate.ts";
export { compareTraining, type CompareTrainingOptions } from "./compare.ts";
export { type ComparedRun, type ComparisonRow, TrainingComparison } from "./comparison.ts";
export { ngramLoss } from "./ngram.ts";
export { savedComparison } from "./saved.ts";
