/** The task graph of a forward pass. @module */
import {
  combineRows,
  dispatchRows,
  fillSlots,
  maxLoad,
  type Places,
  placeTokens,
} from "../kernels/mod.ts";
import { elementBytes, type Layer } from "../blocks/mod.ts";
import { mostPeers, rowSlices } from "../chunking/peer_groups.ts";
import {
  type Compressor,
  type Kernel,
  SchemoeError,
  type Task,
  type TaskGraph,
  type View,
} from "../types.ts";
import { callUser } from "../user_code.ts";
import { GraphBuilder } from "./builder.ts";
import { addLeg } from "./add_leg.ts";
import { LEG_STAGES, type Way } from "./leg.ts";
import { raggedRows } from "./ragged.ts";
import { addGatherLoads, addMaxReduce } from "./reduce.ts";
import { expertContext, gateContext, WORD } from "./tensors.ts";

/** What a pass needs to know besides the layer. */
export interface PassOptions extends Way {
  /** Codec of the rows on their way to the experts, and back. */
  readonly compressor: { readonly dispatch: Compressor; readonly combine: Compressor };
  readonly configuration: TaskGraph["configuration"];
}

/**
 * The gate alone, with what the rows depend on: the first Program of a routed capacity. That is the largest
 * load over all ranks (`gate.capacity`), or for a dropless layer all loads (`gate.allLoads`).
 */
export function gateGraph(layer: Layer, configuration: TaskGraph["configuration"]): TaskGraph {
  const g = new GraphBuilder(layer.topology, "forward", 0);
  const gate = addGate(g, layer);
  const { loads } = gateContext(g, layer);
  if (layer.dropless) {
    const { experts, topology: { ranks } } = layer;
    const table = g.buffer("gate.allLoads", WORD * ranks * experts);
    addGatherLoads(
      g,
      { name: "load", stage: 1, chunk: -1, after: [gate] },
      { loads, table, experts },
    );
    return g.build(configuration);
  }
  const part = g.buffer("gate.load", WORD);
  const max = g.buffer("gate.capacity", WORD);
  const counted = g.add({
    ...{ kind: "gate", label: "load", chunk: -1, stage: 1, after: [gate] },
    kernels: () => [maxLoad(layer.experts, loads, part)],
  });
  addMaxReduce(g, { name: "load", stage: 2, chunk: -1, after: [counted] }, { part, max });
  return g.build(configuration);
}

/** Stages of a chunk in the forward pass. */
const STAGE = {
  dispatch: 1,
  out: 2,
  expert: 2 + LEG_STAGES,
  back: 3 + LEG_STAGES,
  combine: 3 + 2 * LEG_STAGES,
};

/**
 * gate, dispatch, then for each chunk C1 A1 D1 E C2 A2 D2, then combine.
 * @param options.gate false when the gate has run already, in a Program of its own.
 */
export function forwardGraph(options: PassOptions & { readonly gate: boolean }): TaskGraph {
  const { layer, chunks, compressor } = options;
  const g = new GraphBuilder(layer.topology, "forward", chunks.length);
  const gate = gateContext(g, layer);
  const sent = g.buffer(rowsBuffer(options, "forward.sent", "expert.x"), rowBytes(options));
  const returned = g.buffer(rowsBuffer(options, "forward.returned", "expert.y"), rowBytes(options));
  const { choices, positions, weights, x } = gate;
  const dispatch = g.add({
    ...{ kind: "dispatch", label: "dispatch", chunk: -1, stage: STAGE.dispatch },
    after: options.gate ? [addGate(g, layer)] : [],
    bytes: 2 * rowBytes(options),
    kernels: (rank) =>
      dispatchTokens(g, options, rank, {
        ...{ x, weights: layer.prescore ? weights : undefined, out: sent },
        fill: true,
      }),
  });
  const done: Task[] = [];
  for (let chunk = 0; chunk < chunks.length; chunk++) {
    const arrived = addLeg(g, options, {
      ...{ number: 1, chunk, stage: STAGE.out, after: [dispatch], compressor: compressor.dispatch },
      ...{ from: sent.buffer, to: expertContext(g, options, chunk, 0).x.buffer },
    });
    const expert = g.add({
      ...{ kind: "expert", label: "E", chunk, stage: STAGE.expert, after: arrived },
      ...expertWork(options, chunk, layer.expert.flops(layer).forward),
      kernels: expertKernels(g, options, chunk, (context) => layer.expert.forward(context)),
    });
    done.push(...addLeg(g, options, {
      ...{ number: 2, chunk, stage: STAGE.back, after: [expert], compressor: compressor.combine },
      ...{ from: expertContext(g, options, chunk, 0).y.buffer, to: returned.buffer },
    }));
  }
  const tokenBytes = elementBytes(layer) * layer.tokens * layer.modelDim;
  const y = g.buffer("y", tokenBytes);
  g.add({
    ...{
      kind: "combine",
      label: "combine",
      chunk: chunks.length,
      stage: STAGE.combine,
      after: done,
    },
    bytes: rowBytes(options) + tokenBytes,
    kernels: (rank) => [
      combineRows(placesOf(options, rank), {
        ...{ rows: returned, choices, positions, y },
        weights: layer.prescore ? undefined : weights,
      }),
    ],
  });
  return g.build(options.configuration);
}

/** Rows of a rank as the routing kernels see them. */
export function placesOf(way: Pick<Way, "layer" | "chunks" | "loads">, rank: number): Places {
  const { dtype, tokens, modelDim: columns, topK, experts } = way.layer;
  const firstRows = raggedRows(way)?.firstRows(rank);
  const chunks = rowSlices(way.chunks);
  return { dtype, tokens, columns, topK, experts, chunks, ...(firstRows ? { firstRows } : {}) };
}

/** Tokens to their places; `fill` finds out first which choice takes each, where the kernel needs that. */
export function dispatchTokens(
  g: GraphBuilder,
  way: Way,
  rank: number,
  { fill, x, weights, out }: { fill: boolean; x: View; weights?: View; out: View },
): Kernel[] {
  const places = placesOf(way, rank);
  const { choices, positions } = gateContext(g, way.layer);
  if (way.loads) return [placeTokens(places, { x, choices, positions, weights, out })];
  const slots = g.buffer("slots", WORD * way.layer.experts * way.capacity);
  return [
    ...(fill ? [fillSlots(places, { choices, positions, slots })] : []),
    dispatchRows(places, { x, slots, weights, out }),
  ];
}

/**
 * Name of the buffer of sent or returned rows: on one rank in one chunk they lie as the expert's own
 * rows do, and are these.
 */
export const rowsBuffer = (
  { layer, chunks }: Pick<Way, "layer" | "chunks">,
  name: string,
  own: string,
): string => layer.topology.ranks === 1 && chunks.length === 1 ? own : name;

/** Bytes of all rows that a rank sends, uncompressed. */
export const rowBytes = ({ layer, capacity, loads }: Way): number =>
  elementBytes(layer) * layer.modelDim *
  (loads ? layer.tokens * layer.topK : layer.experts * capacity);

/** Rows that the experts of the busiest rank get in a chunk. */
const chunkRows = ({ layer, chunks, loads }: Way, chunk: number): number =>
  raggedRows({ layer, chunks, loads })?.busiest(chunk) ??
    layer.localExperts * mostPeers(chunks[chunk], layer.topology.ranks) *
      (chunks[chunk].end - chunks[chunk].begin);

/** Work of the experts in a chunk, at so many operations a row. */
export function expertWork(
  way: Way,
  chunk: number,
  perRow: number,
): Pick<Task, "flops" | "rankFlops"> {
  const rows = raggedRows(way);
  return {
    flops: perRow * chunkRows(way, chunk),
    ...(rows ? { rankFlops: (rank) => perRow * rows.rowsOf(chunk, rank) } : {}),
  };
}

/** Kernels of an expert, made once a rank, because those that call JavaScript are registered. */
export function expertKernels(
  g: GraphBuilder,
  way: Way,
  chunk: number,
  make: (context: ReturnType<typeof expertContext>) => ReturnType<NonNullable<Task["kernels"]>>,
): NonNullable<Task["kernels"]> {
  const kept = new Map<number, ReturnType<typeof make>>();
  const whose = `the expert "${way.layer.expert.name}"`;
  const made = (rank: number) => {
    const kernels = callUser(
      whose,
      `${g.pass} pass`,
      () => make(expertContext(g, way, chunk, rank)),
    );
    if (Array.isArray(kernels as unknown)) return kernels;
    throw new SchemoeError(
      `Cannot use ${whose}: its ${g.pass} pass gives ${kernels}, not an array of kernels`,
    );
  };
  return (rank) => {
    const kernels = kept.get(rank) ?? made(rank);
    kept.set(rank, kernels);
    return kernels;
  };
}

function addGate(g: GraphBuilder, layer: Layer): Task {
  const context = gateContext(g, layer);
  return g.add({
    ...{ kind: "gate", label: "gate", chunk: -1, stage: 0, after: [] },
    flops: layer.gate.flops(layer).forward,
    kernels: () => layer.gate.forward(context),
  });
}
