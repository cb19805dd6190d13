/** What the graphs of a step are made for, and where it is cut into Programs. @module */
import type { Layer } from "../blocks/mod.ts";
import type { PassRows } from "../chunking/slot_loads.ts";
import type { PassOptions } from "../graph/mod.ts";
import type { Dispatch } from "../layer/dispatch.ts";
import type { NodeRows } from "../memory/mod.ts";
import type { Chunk } from "../types.ts";
import type { ModelShape } from "./config.ts";
import type { StepParts } from "./step_parts.ts";

/** Rows of a Mixture-of-Experts layer in a microbatch, and how they are split. */
export interface MoeRows {
  readonly rows: PassRows;
  readonly chunks: readonly Chunk[];
  /** Present where each token crosses once to a node. */
  readonly node?: NodeRows;
}

/** How the exchanges of all layers are made. */
export interface StepOptions
  extends Pick<PassOptions, "allToAll" | "compressor" | "configuration" | "reassociate"> {
  readonly dispatch: Dispatch;
  /** Of a Mixture-of-Experts layer, by its place among the blocks, in a microbatch. */
  readonly rowsOf: (block: number, microbatch: number) => MoeRows;
  /** What earlier graphs of the same model were made of; default nothing. */
  readonly parts?: StepParts;
  /** Which of the Programs of a step, see `programsOf`; default 0. */
  readonly program?: number;
  /** Buffers that several Programs use, so that they keep what they hold. */
  readonly kept?: ReadonlySet<string>;
}

/** A layer whose gate ends a Program, since the rows of the next one are those that it chose. */
export interface Cut {
  readonly block: number;
  readonly microbatch: number;
}

/** Whether the rows of a layer depend on its routing, and nothing counts them as the Program runs. */
export const isRouted = (
  { dropless }: Layer,
  dispatch: Dispatch,
  counted?: PassRows["counted"],
): boolean => (dropless || dispatch === "node") && !counted;

/** What the Programs of a step but the last end with, in turn: none where rows are known before or counted in it. */
export const cutsOf = (
  { layers, microbatches }: Pick<ModelShape, "layers" | "microbatches">,
  dispatch: Dispatch,
  countedOf: (block: number) => PassRows["counted"] = () => undefined,
): readonly Cut[] =>
  Array.from(
    { length: microbatches },
    (_, microbatch) =>
      layers.flatMap((layer, block) =>
        "moe" in layer && isRouted(layer.moe, dispatch, countedOf(block))
          ? [{ block, microbatch }]
          : []
      ),
  ).flat();
