/** The graphs of a stack of layers. @module */
import { backwardGraph, type BackwardPassOptions } from "./backward.ts";
import { GraphBuilder } from "./builder.ts";
import { forwardGraph, gateGraph, type PassOptions } from "./forward.ts";
import type { NodeRows } from "../memory/mod.ts";
import { addAllReduce } from "./reduce.ts";
import { type Segment, stackGraph } from "./stack.ts";
import type { Pass, Task, TaskGraph, Topology } from "../types.ts";

const WORD = 4;

/** Work before the experts of a layer, which takes time and changes no values. */
export interface Attention {
  /** Operations of a rank in the forward pass; backward takes twice as many. */
  readonly flops: number;
  /** Bytes of memory traffic of a rank, likewise; default 0. */
  readonly bytes?: number;
  /** Parameters whose gradients are summed over all ranks in backward; default 0. */
  readonly parameters?: number;
}

/** Number of layers, and the attention between them. */
export interface StackShape {
  /** Number of layers. */
  readonly layers: number;
  /** Work before the experts of each layer; default none. */
  readonly attention?: Attention;
  /** Pieces into which each reduction of attention's gradients is cut. */
  readonly gradientChunks: number;
}

/** Position of a segment. */
interface Place {
  readonly pass: Pass;
  readonly layer: number;
  readonly topology: Topology;
}

/** All layers forward, first to last. */
export function forwardStack(pass: PassOptions, shape: StackShape): TaskGraph {
  const segments: Segment[] = [];
  const { topology } = pass.layer;
  for (let l = 0; l < shape.layers; l++) {
    segments.push(...attentionSegment({ pass: "forward", layer: l, topology }, shape));
    const graph = forwardGraph({ ...pass, gate: true, scope: `L${l}.` });
    segments.push({ ...layerSegment(graph, l, shape.layers), exits: [graph.tasks.at(-1)!] });
  }
  return stackGraph(segments, pass.configuration);
}

/**
 * A Program of a forward pass whose rows depend on routings: the layer of the gate that ended the one before, laid out as
 * `pass.node` says, then the next layer up to its gate, whose choices are gathered.
 * @param program from 0, up to the number of layers.
 */
export function forwardStackPart(
  pass: PassOptions,
  shape: StackShape,
  program: number,
): TaskGraph {
  const segments: Segment[] = [];
  const { layer, configuration } = pass;
  if (program > 0) {
    const before = program - 1;
    const graph = forwardGraph({ ...pass, gate: false, scope: `L${before}.` });
    segments.push({ ...layerSegment(graph, before, shape.layers), exits: [graph.tasks.at(-1)!] });
  }
  if (program < shape.layers) {
    const { topology } = layer;
    segments.push(...attentionSegment({ pass: "forward", layer: program, topology }, shape));
    const graph = gateGraph(layer, configuration, { gather: true });
    segments.push({ ...layerSegment(graph, program, shape.layers), exits: [] });
  }
  return stackGraph(segments, configuration);
}

/**
 * All layers backward, last to first.
 * @param nodes where rows cross once to a node: those of each layer.
 */
export function backwardStack(
  pass: BackwardPassOptions,
  shape: StackShape,
  nodes?: readonly NodeRows[],
): TaskGraph {
  const segments: Segment[] = [];
  const { topology } = pass.layer;
  for (let l = shape.layers - 1; l >= 0; l--) {
    const own = nodes ? { node: nodes[l] } : {};
    const graph = backwardGraph({ ...pass, ...own, scope: `L${l}.` });
    // the gradient of x is complete when both dispatch and gate have added theirs
    const exits = graph.tasks.filter(({ label }) => label === "dispatch" || label === "gate");
    segments.push({ ...layerSegment(graph, l, shape.layers), exits });
    segments.push(...attentionSegment({ pass: "backward", layer: l, topology }, shape));
  }
  return stackGraph(segments, pass.configuration);
}

function layerSegment(graph: TaskGraph, layer: number, layers: number) {
  // between layers: x is kept for backward, and its gradient only as long as the pass
  const lives = {
    ...(layer > 0 ? { x: "saved", "grad.x": "pass" } as const : {}),
    ...(layer < layers - 1 ? { y: "saved", dy: "pass" } as const : {}),
  };
  return { graph, layer, prefix: `L${layer}.`, shared: sharedBuffers(layer, layers), lives };
}

function attentionSegment({ pass, layer, topology }: Place, shape: StackShape): Segment[] {
  const { attention, gradientChunks } = shape;
  if (!attention) return [];
  const g = new GraphBuilder(topology, pass, 0, layer);
  const times = pass === "forward" ? 1 : 2;
  const { flops, bytes = 0, parameters = 0 } = attention;
  const task = g.add({
    kind: "opaque",
    label: "attention",
    chunk: -1,
    stage: 0,
    after: [],
    flops: times * flops,
    bytes: times * bytes,
  });
  if (pass === "backward" && parameters > 0) addReductions(g, task, parameters, gradientChunks);
  return [{ graph: g.build({}), layer, prefix: `L${layer}.attention.`, exits: [task] }];
}

/** The gradients of attention's parameters in pieces, each summed over all ranks. */
function addReductions(g: GraphBuilder, after: Task, parameters: number, pieces: number): void {
  for (let piece = 0; piece < pieces; piece++) {
    const begin = Math.floor(parameters * piece / pieces);
    const count = Math.floor(parameters * (piece + 1) / pieces) - begin;
    if (count === 0) continue;
    const at = { offset: WORD * begin };
    const part = { ...g.buffer("partial", WORD * parameters, "pass"), ...at };
    const sum = { ...g.buffer("grad", WORD * parameters, "gradient"), ...at };
    const name = `grad[${piece}]`;
    addAllReduce(g, { name, stage: 1 + 3 * piece, chunk: -1, after: [after] }, {
      part,
      sum,
      count,
    });
  }
}

/** Buffers of a layer that are those of its neighbours: input and output, and their gradients. */
function sharedBuffers(layer: number, layers: number): Record<string, string> {
  return {
    x: layer > 0 ? `L${layer - 1}.y` : "x",
    ...(layer === layers - 1 ? { y: "y", dy: "dy" } : { dy: `L${layer + 1}.grad.x` }),
    ...(layer === 0 ? { "grad.x": "grad.x" } : {}),
  };
}
