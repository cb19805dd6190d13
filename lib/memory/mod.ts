/**
 * Names, shapes, types, placement and life of buffers, the layout of rows, and which buffers share memory.
 *
 * ```ts
 * import { layerTensors } from "@schemoe/lab/memory";
 * import { resolveLayer } from "@schemoe/lab/blocks";
 * import { topology } from "@schemoe/lab";
 * const world = topology({ nodes: 1, ranksPerNode: 2 });
 * const layer = resolveLayer({ tokens: 8, modelDim: 16, hiddenDim: 32, experts: 4 }, world);
 * console.assert(layerTensors(layer).localBytes("x") === 4 * 8 * 16);
 * ```
 * @module
 */
export { type MemoryPlan, memoryPlan } from "./plan.ts";
export type { LegOf, LegRows, Piece, RowLayout, RowsOf, TakenPlace } from "./rows.ts";
export { rowLayout } from "./layout.ts";
export { countedRows } from "./counted.ts";
export {
  type GatheredChoices,
  NO_PLACE,
  NODE_TABLES,
  type NodeChunk,
  type NodeRows,
  nodeRows,
  type NodeTable,
  type NodeWay,
  runOf,
} from "./node_rows.ts";
export { layerTensors } from "./layer_tensors.ts";
export { gateTensors, rowChoicesOf, targetsOf, tokenTable } from "./gate_tensors.ts";
export { latentParameters } from "./latent_tensors.ts";
export { sharedParameters } from "./shared_tensors.ts";
export {
  type Copies,
  elements,
  elementSize,
  type Tensor,
  TensorTable,
  type TensorType,
} from "./tensors.ts";
