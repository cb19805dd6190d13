/** The tensors that gates and experts get to see, and their names for the tasks that use them. @module */
import { elementBytes, type Layer } from "../blocks/mod.ts";
import { host } from "../kernels/mod.ts";
import { elements, layerTensors, type TensorTable } from "../memory/mod.ts";
import type { ExpertContext } from "../blocks/experts/types.ts";
import type { ParameterShape, SavedShape } from "../blocks/types.ts";
import type { Life } from "../types.ts";
import type { Matrix } from "../kernels/types.ts";
import type { GraphBuilder } from "./builder.ts";
import type { Way } from "./leg.ts";

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
  const shared = [...own, ...saved, ...parameters];
  return { forward: shared, backward: [...shared, ...gradients] };
}

/** Describes the rows of one chunk on one rank, and the tensors of its experts. */
export function expertContext(way: Way, chunk: number, rank: number): ExpertContext {
  const { layer } = way;
  const { localExperts: groups, expert, rowDim: modelDim, hiddenDim, dtype } = layer;
  const table = tensorsOf(layer);
  const shape = { modelDim, hiddenDim };
  const matrix = way.rows.matrix(chunk, rank);
  const rowsOf = (name: string, columns: number): Matrix => ({
    buffer: `expert.${name}`,
    dtype,
    offset: elementBytes(layer) * matrix.first * columns,
    ...(matrix.ranges ? { ranges: matrix.ranges } : {}),
    rows: matrix.rows,
    columns,
    ld: columns,
    groups,
    stride: matrix.stride * columns,
  });
  const weights = (prefix: string, name: string): Matrix => {
    const found = shapesOf(layer).parameters.get(name);
    if (!found) throw new Error(`expert "${expert.name}" has no parameter "${name}"`);
    const buffer = `${prefix}experts.${name}`;
    const [rows, columns] = found.shape.length === 1 ? [1, found.shape[0]] : found.shape;
    return {
      buffer,
      dtype: table.get(buffer).dtype as Matrix["dtype"],
      offset: 0,
      rows,
      columns,
      ld: columns,
      groups,
      stride: elements(found.shape),
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
    firstExpert: layer.groups.place(rank) * groups,
    first: chunk === 0 && !way.reassociate,
    saved,
    x: rowsOf("x", modelDim),
    y: rowsOf("y", modelDim),
    dx: rowsOf("dx", modelDim),
    dy: rowsOf("dy", modelDim),
    parameter: (name) => weights("", name),
    gradient: (name) => weights("grad.", name),
    host,
  };
}
