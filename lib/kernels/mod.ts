/**
 * The kernels that experts, gates and graphs are written with: small functions that describe one call
 * of the native library each.
 *
 * ```ts
 * import { gemm, matrixOf } from "@schemoe/lab/kernels";
 * const matrix = (buffer: string, rows: number, columns: number) => matrixOf({ buffer, offset: 0 }, rows, columns);
 * console.assert(gemm(matrix("x", 4, 8), matrix("w", 8, 2), matrix("y", 4, 2)).name === "gemm");
 * ```
 * @module
 */
export type * from "./types.ts";
export { copyBytes, type CopyShape, placeCopies } from "./copies.ts";
export { elementsOf } from "./elements.ts";
export { type KernelName, KERNELS, TRANSFERS } from "./table.ts";
export {
  type Activation,
  activationCode,
  activationGrad,
  ACTIVATIONS,
  biasActivation,
  columnSum,
  gemm,
  glu,
  gluGrad,
  type Gluing,
  NONE,
  typeCode,
} from "./linear.ts";
export { type Arrangement, groupRows, ungroupRows } from "./arrange.ts";
export {
  combineRows,
  countRows,
  dispatchRows,
  fillSlots,
  type Places,
  placeTokens,
  rowDots,
} from "./routing.ts";
export { decodeRows, encodeRows, type RowNumbers, type Rows, type Wire } from "./codec.ts";
export { type CodecName, codecOf, CODECS } from "./codecs.ts";
export { auxLoss, type Choice, chooseTopK, gateGrad, maxLoad, positions, softmax } from "./gate.ts";
export {
  chooseTokens,
  type Chosen,
  countChoices,
  dropPadding,
  lookUpChoices,
  placeChoices,
  roundChoices,
  route,
  routeGrad,
  type RouteOptions,
  type RouteShape,
  scoresCode,
} from "./route.ts";
export { addNoise, noiseGrad, temper, unitRows, unitRowsGrad } from "./logits.ts";
export {
  balanceLoss,
  budgetBias,
  importanceLoss,
  loadLoss,
  type LossViews,
  quantileBias,
  quantileShift,
  signBias,
  zLoss,
} from "./gate_losses.ts";
export { addIdentity, gatedRows, identityDots, type IdentityShape } from "./identity.ts";
export { fill } from "./fill.ts";
export { fillNormal } from "./random.ts";
export {
  add,
  attend,
  attendGrad,
  type AttentionShape,
  crossEntropy,
  embed,
  type EmbeddingShape,
  embedGrad,
  norm,
  normGrad,
  type NormShape,
  normWeightGrad,
  rotary,
  type Typed,
} from "./training.ts";
export {
  adamwUpdate,
  clipScale,
  round,
  sgdUpdate,
  sumValues,
  type UpdateViews,
} from "./optimizers.ts";

export { checked, checkNumbers } from "./check.ts";
export { host } from "./host.ts";
export { matrixOf, readRows, rowsOfGroup, writeRows } from "./host_rows.ts";
export { type SourceCall, type SourceKernels, sourceKernels, type Span } from "./source.ts";
export { addSlices, maxRanks, type SliceSum, sumRanks } from "./reduce.ts";
export { productBytes } from "./traffic.ts";
export { type WeighRows, weighRows } from "./weigh.ts";
