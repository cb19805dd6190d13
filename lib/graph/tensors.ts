/**
 * Names and sizes of the buffers of a layer, and the views of them that gates and experts get.
 * @module
 */
import type { Layer } from "../layer/mod.ts";
import type { ExpertContext, GateContext, Matrix } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { firstRow, rowsOfExpert, type Way } from "./leg.ts";

export const WORD = 4;

/** Elements of a parameter of one expert. */
export const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Declares the gate's buffers and describes them. */
export function gateContext(g: GraphBuilder, layer: Layer): GateContext {
  const { tokens, modelDim, experts, topK } = layer;
  const buffer = (name: string, count: number) => g.buffer(name, WORD * count);
  return {
    ...{ tokens, modelDim, experts, topK },
    normalizeGate: layer.normalizeGate,
    batchPrioritized: layer.batchPrioritized,
    auxWeight: layer.auxWeight,
    x: buffer("x", tokens * modelDim),
    weight: buffer("gate.weight", experts * modelDim),
    scores: buffer("gate.scores", tokens * experts),
    logits: buffer("gate.logits", tokens * experts),
    choices: buffer("gate.choices", tokens * topK),
    weights: buffer("gate.weights", tokens * topK),
    positions: buffer("gate.positions", tokens * topK),
    loads: buffer("gate.loads", experts),
    auxLoss: buffer("auxLoss", 1),
    dWeights: buffer("gate.dWeights", tokens * topK),
    dx: buffer("grad.x", tokens * modelDim),
    dWeight: buffer("gate.partial", experts * modelDim),
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
  const first = firstRow(way, chunk, rank);
  const rows = rowsOfExpert(way, chunk, rank);
  const shape = { modelDim, hiddenDim };
  const rowsOf = (name: string, columns: number): Matrix => {
    const stride = capacity * ranks * columns;
    const { buffer } = g.buffer(`expert.${name}`, WORD * groups * stride);
    return {
      buffer,
      offset: WORD * first * columns,
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
    const { buffer } = g.buffer(`${prefix}experts.${name}`, WORD * groups * stride);
    return { buffer, offset: 0, rows, columns, ld: columns, groups, stride };
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
