/**
 * Names and sizes of the buffers of a layer, and the views of them that gates and experts get.
 * @module
 */
import { elementBytes, type Layer } from "../blocks/mod.ts";
import type { ElementType, ExpertContext, GateContext, Matrix } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { firstRow, rowsOfExpert, type Way } from "./leg.ts";
import { raggedRows } from "./ragged.ts";

export const WORD = 4;

/** Elements of a parameter of one expert. */
export const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Type of an expert's parameter or gradient: gradients of vectors are sums, and stay float32. */
export const parameterType = (
  { dtype }: Layer,
  name: string,
  shape: readonly number[],
): ElementType => name.startsWith("grad.") && shape.length === 1 ? "float32" : dtype;

/** Buffer of the gradient of the gate's weights, summed over ranks. */
export const GATE_GRADIENT = "grad.gate.weight";

/** Declares the gate's buffers and describes them. */
export function gateContext(g: GraphBuilder, layer: Layer): GateContext {
  const { tokens, modelDim, experts, topK } = layer;
  const buffer = (name: string, count: number) => g.buffer(name, WORD * count);
  return {
    ...{ tokens, modelDim, experts, topK, dtype: layer.dtype },
    batchPrioritized: layer.batchPrioritized,
    auxWeight: layer.auxWeight,
    x: g.buffer("x", elementBytes(layer) * tokens * modelDim),
    weight: buffer("gate.weight", experts * modelDim),
    scores: buffer("gate.scores", tokens * experts),
    logits: buffer("gate.logits", tokens * experts),
    choices: buffer("gate.choices", tokens * topK),
    weights: buffer("gate.weights", tokens * topK),
    positions: buffer("gate.positions", tokens * topK),
    loads: buffer("gate.loads", experts),
    auxLoss: buffer("auxLoss", 1),
    dWeights: buffer("gate.dWeights", tokens * topK),
    dx: g.buffer("grad.x", elementBytes(layer) * tokens * modelDim),
    // this rank's part; one rank alone has the sum
    dWeight: buffer(layer.topology.ranks > 1 ? "gate.partial" : GATE_GRADIENT, experts * modelDim),
    accumulate: layer.prescore,
  };
}

/** Declares the experts' buffers and describes the rows of one chunk on one rank. */
export function expertContext(
  g: GraphBuilder,
  way: Way,
  chunk: number,
  rank: number,
): ExpertContext {
  const { layer, capacity } = way;
  const { topology: { ranks }, localExperts: groups, expert, modelDim, hiddenDim } = layer;
  const ragged = raggedRows(way);
  const ranges = ragged?.ranges(chunk, rank);
  const first = ranges ? 0 : firstRow(way, chunk, rank);
  const rows = ragged?.rowsOf(chunk, rank) ?? rowsOfExpert(way, chunk, rank);
  const all = ragged?.room() ?? groups * capacity * ranks;
  const shape = { modelDim, hiddenDim };
  const { dtype } = layer;
  const bytes = elementBytes(layer);
  const rowsOf = (name: string, columns: number): Matrix => {
    const stride = ranges ? NaN : capacity * ranks * columns;
    const { buffer } = g.buffer(`expert.${name}`, bytes * all * columns);
    return {
      buffer,
      dtype,
      offset: bytes * first * columns,
      ...(ranges ? { ranges } : {}),
      rows,
      columns,
      ld: columns,
      groups,
      stride,
    };
  };
  const weights = (prefix: string, name: string): Matrix => {
    const found = expert.parameters(shape).find((p) => p.name === name);
    if (!found) throw new Error(`expert "${expert.name}" has no parameter "${name}"`);
    const stride = elements(found.shape);
    const [rows, columns] = found.shape.length === 1 ? [1, found.shape[0]] : found.shape;
    const type = parameterType(layer, `${prefix}experts.${name}`, found.shape);
    const size = type === "bfloat16" ? 2 : WORD;
    const { buffer } = g.buffer(`${prefix}experts.${name}`, size * groups * stride);
    return { buffer, dtype: type, offset: 0, rows, columns, ld: columns, groups, stride };
  };
  const saved = (name: string): Matrix => {
    const found = expert.saved(shape).find((s) => s.name === name);
    if (!found) throw new Error(`expert "${expert.name}" saves nothing called "${name}"`);
    return rowsOf(`saved.${name}`, found.columns);
  };
  return {
    ...{ shape, experts: groups, firstExpert: rank * groups, first: chunk === 0, saved },
    x: rowsOf("x", modelDim),
    y: rowsOf("y", modelDim),
    dx: rowsOf("dx", modelDim),
    dy: rowsOf("dy", modelDim),
    parameter: (name) => weights("", name),
    gradient: (name) => weights("grad.", name),
    host: (run) => g.host(run),
  };
}
