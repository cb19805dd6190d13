/** What gates made of kernels have in common: logits from tokens, and a routing from logits. @module */
import { checkFields } from "../../arguments/mod.ts";
import {
  chooseTopK,
  type Chosen,
  dropPadding,
  gateGrad,
  matrixOf,
  placeChoices,
  positions,
  route,
  routeGrad,
  softmax,
} from "../../kernels/mod.ts";
import type { GateScores } from "../../kernels/types.ts";
import type { Gate, GateContext, GateShape, GateTensor, GateUpdate } from "./types.ts";
import { type Kernel, SchemoeError } from "../../types.ts";
import { paddingTensor } from "./padding.ts";

/** How logits come from tokens, and gradients back. */
export interface Logits {
  /** Parameters that it adds to a gate of this shape, each with its deviation, such as `weight` [rows, modelDim]. */
  tensors(shape: GateShape): readonly GateTensor[];
  /** Writes `logits`. */
  forward(c: GateContext): readonly Kernel[];
  /** From `dLogits` to the gradients of its parameters and of `x`. */
  backward(c: GateContext): readonly Kernel[];
  /** Floating-point operations for the tokens of a rank in each pass. */
  flops(shape: GateShape): { forward: number; backward: number };
}

/** How logits become a routing. */
export interface RoutingOptions {
  readonly name: string;
  readonly k: number;
  readonly logits: Logits;
  readonly scores: GateScores;
  readonly normalize: boolean;
  readonly scale: number;
  readonly weighs: "output" | "input";
  readonly chosen: Chosen;
  readonly groups?: number;
  readonly groupLimit?: number;
  /** Whether `gate.selectionBias` moves the choice. */
  readonly selectionBias?: boolean;
  readonly identities?: number;
  readonly update?: GateUpdate;
  /** Tensors of the choice, and kernels that write `choices` before the weights are found. */
  readonly tensors?: (shape: GateShape) => readonly GateTensor[];
  readonly choose?: (c: GateContext) => readonly Kernel[];
  /** Whether a token has as many choices as there are experts, most of them none. */
  readonly dense?: boolean;
  readonly capacity?: Gate["capacity"];
  /** Whether `gate.padding` says which tokens go nowhere. */
  readonly padding?: boolean;
}

/** A gate of these parts. */
export function routed(options: RoutingOptions): Gate {
  const { name, k, logits, scores, weighs, identities = 0, update, dense = false } = options;
  const { capacity, padding = false } = options;
  return {
    name,
    k,
    weighs,
    scores,
    identities,
    ...(dense ? { slots: "experts" as const } : {}),
    ...(dense || padding ? { partial: true } : {}),
    ...(padding ? { padding } : {}),
    ...(update ? { update } : {}),
    fused: isPlain(options),
    ...(capacity ? { capacity } : {}),
    tensors: (shape) => [
      ...logits.tensors(shape),
      ...(options.selectionBias
        ? [{ name: "selectionBias", shape: [shape.rows], life: "state" } as const]
        : []),
      ...(padding ? [paddingTensor(shape)] : []),
      ...options.tensors?.(shape) ?? [],
    ],
    forward: (c) => [...logits.forward(c), ...routeTokens(c, options), ...place(c)],
    backward: (c) => [gradient(c, options), ...logits.backward(c)],
    flops: logits.flops,
  };
}

/** Scores, choices and weights. */
function routeTokens(c: GateContext, options: RoutingOptions): Kernel[] {
  if (isPlain(options)) {
    const { normalize } = options;
    return [softmax(c.tokens, c.rows, c.logits, c.scores), chooseTopK(c, { ...c, normalize })];
  }
  const shape = { ...c, k: c.topK };
  const bias = options.selectionBias ? c.tensor("selectionBias") : undefined;
  const { choose } = options;
  const given = route(shape, { ...options, chosen: "given" }, c);
  const dropped = c.padding ? [dropPadding(shape, { ...c, padding: c.padding })] : [];
  if (choose) {
    return [route(shape, { ...options, chosen: "nothing" }, c), ...choose(c), ...dropped, given];
  }
  const chosen = route(shape, options, { ...c, ...(bias ? { bias } : {}) });
  return c.padding ? [chosen, ...dropped, given] : [chosen];
}

/** A softmax top-k without further options, for which there are kernels of their own. */
function isPlain(options: RoutingOptions): boolean {
  const { scores, scale, chosen, groups = 1, groupLimit = groups } = options;
  const { selectionBias = false, identities = 0, dense = false, padding = false } = options;
  return scores === "softmax" && scale === 1 && chosen === "largest" && groupLimit === groups &&
    !(selectionBias || identities || dense || padding);
}

/** Positions in the experts; a routing of which all choices are rows needs no targets. */
function place(c: GateContext): Kernel[] {
  if (!c.partial) return [positions(c, c)];
  return [placeChoices({ ...c, k: c.topK }, c, c)];
}

/** Gradient of the logits. Of a softmax with at most the loss of GShard it is a kernel of its own. */
function gradient(c: GateContext, options: RoutingOptions): Kernel {
  const { gshard } = c.slopes;
  const { normalize } = options;
  if (isPlain(options) && gshard !== undefined) {
    return gateGrad(c, { ...c, normalize, auxWeight: gshard });
  }
  return routeGrad(
    { ...c, k: c.topK },
    { ...options, zWeight: c.slopes.zWeight },
    { ...c, ...c.slopes },
  );
}

/** The tokens and their gradient as matrices. */
export const tokensOf = (c: GateContext) => ({
  x: matrixOf(c.x, c.tokens, c.modelDim, c.dtype),
  dx: matrixOf(c.dx, c.tokens, c.modelDim, c.dtype),
});

/** Checks options of a gate. @throws {SchemoeError} for one that is not known. */
export function checkOptions(gate: string, others: object, known: readonly string[]): void {
  checkFields(others, known, { what: "options", fail: (problem) => failGate(gate, problem) });
}

/** @throws {SchemoeError} */
export function failGate(gate: string, problem: string): never {
  throw new SchemoeError(`Cannot make the gate ${gate}: ${problem}`);
}
