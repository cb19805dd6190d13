/** What the graphs of a step are made for, and where it is cut into Programs. @module */
import type { PassRows } from "../chunking/slot_loads.ts";
import type { PassOptions } from "../graph/mod.ts";
import type { Chunk } from "../types.ts";
import type { ModelShape } from "./config.ts";

/** Rows of a Mixture-of-Experts layer in a microbatch, and how they are split. */
export interface MoeRows {
  readonly rows: PassRows;
  readonly chunks: readonly Chunk[];
}

/** How the exchanges of all layers are made. */
export interface StepOptions
  extends Pick<PassOptions, "allToAll" | "compressor" | "configuration" | "reassociate"> {
  /** Of a Mixture-of-Experts layer, by its place among the blocks, in a microbatch. */
  readonly rowsOf: (block: number, microbatch: number) => MoeRows;
  /** Which of the Programs of a step, see `programsOf`; default 0. */
  readonly program?: number;
  /** Buffers that several Programs use, so that they keep what they hold. */
  readonly kept?: ReadonlySet<string>;
}

/** A dropless layer whose gate ends a Program, since the rows of the next one are those that it chose. */
export interface Cut {
  readonly block: number;
  readonly microbatch: number;
}

/** What the Programs of a step but the last end with, in turn: none where rows do not depend on routings. */
export const cutsOf = ({ layers, microbatches }: ModelShape): readonly Cut[] =>
  Array.from(
    { length: microbatches },
    (_, microbatch) =>
      layers.flatMap((layer, block) =>
        "moe" in layer && layer.moe.dropless ? [{ block, microbatch }] : []
      ),
  ).flat();
