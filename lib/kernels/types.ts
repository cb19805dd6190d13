/** Operands of kernels: matrices, their rows and elements, codecs and scores by name. @module */
import type { CountedRows, View } from "../types.ts";

/** Type of the elements of a buffer. */
export type ElementType = "float32" | "bfloat16";

/** Rows that belong to one group of a matrix. */
export interface RowRange {
  /** Index of the first row. */
  readonly first: number;
  /** Number of rows; 0 is allowed. */
  readonly rows: number;
}

/**
 * Matrix of `groups` experts: element (g, i, j) is the one `g stride + i ld + j` after `offset`.
 *
 * With `ranges` (the rows of a dropless layer) groups have numbers of rows of their own: those of group g
 * are `ranges[g].rows` from `ranges[g].first` on, element (i, j) of them all being the one `i ld + j`
 * after `offset`; `rows` is their sum and `stride` NaN, so that code which does not know of it fails. With `counted`
 * nobody knows the ranges before the Program runs.
 */
export interface Matrix extends View {
  /** Default `float32`. */
  readonly dtype?: ElementType;
  /** Rows of each group, where they differ. */
  readonly ranges?: readonly RowRange[];
  /** In place of `ranges`, where rows are counted as the Program runs. */
  readonly counted?: CountedRows;
  /** Rows of a group; with `ranges` or `counted` of all groups. */
  readonly rows: number;
  /** Columns. */
  readonly columns: number;
  /** Elements from row to row. */
  readonly ld: number;
  /** Number of groups: experts, or 1. */
  readonly groups: number;
  /** Elements from group to group. */
  readonly stride: number;
}

/** A codec of the native library, by its name in the table `CODECS` of `lib/kernels/codecs.ts`. */
export interface NativeCodec {
  /** Its name. */
  readonly codec: string;
  /** Parameter of the codec, such as bits a value; default the least. */
  readonly parameter?: number;
  /** Rounds at random, with bits that depend on it, where the codec can; default 0: to nearest. */
  readonly seed?: number;
}

/** How the logits of a gate become scores. */
export type GateScores = "softmax" | "sigmoid" | "sqrtSoftplus" | "softmaxOfChosen" | "relu";
