/** The tensors that gates and experts get to see, and their names for the tasks that use them. @module */
import { elementBytes, type Layer } from "../blocks/mod.ts";
import { host } from "../kernels/mod.ts";
import { elements, elementSize, layerTensors, type TensorTable } from "../memory/mod.ts";
import type { ExpertContext } from "../blocks/experts/types.ts";
import type { ParameterShape, SavedShape } from "../blocks/types.ts";
import type { Life } from "../types.ts";
import type { Matrix } from "../kernels/types.ts";
import type { GraphBuilder } from "./builder.ts";
import { declareScores, scoresByActivation } from "./score_buffers.ts";
import type { SlotRun } from "./slot_runs.ts";
import type { Way } from "./way.ts";

const tables = new WeakMap<Layer, TensorTable>();

/** The tensors of a layer, made once. */
export function tensorsOf(layer: Layer): TensorTable {
  let table = tables.get(layer);
  if (!table) tables.set(layer, table = layerTensors(layer));
  return table;
}

/** The tensors of a layer's expert. */
interface ExpertShapes {
  readonly parameters: ReadonlyMap<string, ParameterShape>;
  readonly saved: ReadonlyMap<string, SavedShape>;
}

const shapes = new WeakMap<Layer, ExpertShapes>();

/** The tensors of a layer's expert by name, asked once. */
function shapesOf(layer: Layer): ExpertShapes {
  let known = shapes.get(layer);
  if (!known) {
    const { rowDim: modelDim, hiddenDim, expert } = layer;
    const byName = <T extends { readonly name: string }>(list: readonly T[]) =>
      new Map(list.map((tensor) => [tensor.name, tensor]));
    known = {
      parameters: byName(expert.parameters({ modelDim, hiddenDim })),
      saved: byName(expert.saved({ modelDim, hiddenDim })),
    };
    shapes.set(layer, known);
  }
  return known;
}

/**
 * Name of the buffer of sent or returned rows: on one rank in one chunk they lie as the expert's own rows do,
 * and are these.
 */
export const rowsBuffer = (
  { layer, chunks }: Pick<Way, "layer" | "chunks">,
  name: string,
  own: string,
): string => layer.topology.ranks === 1 && chunks.length === 1 ? own : name;

/** Tensors of rows that an expert reads and writes besides its saved activations. */
const ROWS = ["x", "y", "dx", "dy"] as const;

/** Declares the experts' buffers of a pass, and says which of them a task of theirs may name. */
export function declareExperts(
  g: GraphBuilder,
  way: Way,
  /** Of the rows that experts give: `saved` where backward reads them where they are. */
  outputLife: Life = "pass",
): { readonly forward: string[]; readonly backward: string[] } {
  const { layer } = way;
  const { rowDim: modelDim } = layer;
  const table = tensorsOf(layer);
  const forward = g.pass === "forward";
  const rows = (name: string, columns: number, life: Life) =>
    g.buffer(name, () => elementBytes(layer) * way.rows.room * columns, life).buffer;
  const lives = { x: "saved", y: outputLife, dx: "pass", dy: "pass" } as const;
  const own = ROWS.filter((name) => forward ? name === "x" || name === "y" : name !== "y")
    .map((name) => rows(`expert.${name}`, modelDim, lives[name]));
  const known = shapesOf(layer);
  const saved = [...known.saved.values()]
    .map(({ name, columns, life = "saved" }) => rows(`expert.saved.${name}`, columns, life));
  const names = [...known.parameters.keys()];
  const parameters = names.map((name) => g.tensor(table, `experts.${name}`).buffer);
  const gradients = forward
    ? []
    : names.map((name) => g.tensor(table, `grad.experts.${name}`).buffer);
  const shared = [...own, ...saved, ...parameters, ...declareScores(g, way)];
  return { forward: shared, backward: [...shared, ...gradients] };
}

/** Name of the buffer of guests' weights, or of their gradients. */
export const guestBuffer = (prefix: "" | "grad.", name: string): string =>
  `guests.${prefix}${name}`;

/** Describes the rows of one chunk in some slots of a rank, and the tensors of their experts. */
export function expertContext(
  way: Way,
  { chunk, rank, run }: { readonly chunk: number; readonly rank: number; readonly run: SlotRun },
): ExpertContext {
  const { layer } = way;
  const { expert, rowDim: modelDim, hiddenDim, dtype } = layer;
  const { count: groups, slot } = run;
  const table = tensorsOf(layer);
  const shape = { modelDim, hiddenDim };
  const all = way.rows.matrix(chunk, rank);
  const ranges = all.ranges &&
    (groups === all.groups ? all.ranges : all.ranges.slice(slot, slot + groups));
  const rows = groups === all.groups || !ranges
    ? all.rows
    : ranges.reduce((sum, range) => sum + range.rows, 0);
  const first = all.first + (ranges ?? all.counted ? 0 : slot * all.stride);
  const rowsOf = (name: string, columns: number, type = dtype): Matrix => ({
    buffer: `expert.${name}`,
    dtype: type,
    offset: elementSize(type) * first * columns,
    ...(ranges ? { ranges } : {}),
    ...(all.counted ? { counted: all.counted } : {}),
    rows,
    columns,
    ld: columns,
    groups,
    stride: all.stride * columns,
  });
  const weights = (prefix: "" | "grad.", name: string): Matrix => {
    const found = shapesOf(layer).parameters.get(name);
    if (!found) throw new Error(`expert "${expert.name}" has no parameter "${name}"`);
    const tensor = `${prefix}experts.${name}`;
    const { dtype } = table.get(tensor);
    const size = elements(found.shape);
    const [rows, columns] = found.shape.length === 1 ? [1, found.shape[0]] : found.shape;
    return {
      buffer: run.guests ? guestBuffer(prefix, name) : tensor,
      dtype: dtype as Matrix["dtype"],
      offset: elementSize(dtype) * run.index * size,
      rows,
      columns,
      ld: columns,
      groups,
      stride: size,
    };
  };
  const saved = (name: string): Matrix => {
    const found = shapesOf(layer).saved.get(name);
    if (!found) throw new Error(`expert "${expert.name}" saves nothing called "${name}"`);
    return rowsOf(`saved.${name}`, found.columns);
  };
  return {
    shape,
    experts: groups,
    firstExpert: run.expert,
    // each expert is in one wave alone
    first: (chunk === 0 || way.chunks[chunk].experts !== undefined) && !way.reassociate,
    saved,
    x: rowsOf("x", modelDim),
    y: rowsOf("y", modelDim),
    dx: rowsOf("dx", modelDim),
    dy: rowsOf("dy", modelDim),
    ...(scoresByActivation(layer)
      ? {
        scores: {
          weights: rowsOf("weights", 1, "float32"),
          dWeights: rowsOf("dWeights", 1, "float32"),
        },
      }
      : {}),
    parameter: (name) => weights("", name),
    gradient: (name) => weights("grad.", name),
    host,
  };
}
