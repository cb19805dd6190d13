/** Sizes for the kernels of experts without computation. @module */
import type { Layer } from "../blocks/mod.ts";

/** Sizes of the choices of a rank's tokens. */
export const identityShape = ({ dtype, tokens, modelDim: columns, experts, topK: k }: Layer) => ({
  dtype,
  tokens,
  columns,
  experts,
  k,
});
