/** The task graph of a forward pass. @module */
import {
  aFlag,
  aLayer,
  expect,
  maybe,
  oneOf,
  options,
  record,
  something,
} from "../arguments/mod.ts";
import { addIdentity, checked, countRows, maxLoad } from "../kernels/mod.ts";
import { type Layer, ofRank } from "../blocks/mod.ts";
import { rowLayout } from "../memory/mod.ts";
import type { ExpertContext } from "../blocks/experts/types.ts";
import type { Kernel, Task, TaskGraph } from "../types.ts";
import { kernelsOf } from "../user_code.ts";
import { GraphBuilder } from "./builder.ts";
import { expertContext, tensorsOf } from "./contexts.ts";
import { forwardRows } from "./forward_rows.ts";
import { gateContext } from "./gate_context.ts";
import { identityShape } from "./identity_shape.ts";
import { addGate } from "./gate_tasks.ts";
import { endsOf } from "./latent.ts";
import { addShared, sharedCombine } from "./shared_tasks.ts";
import { LEG_STAGES } from "./leg.ts";
import type { Codecs, Way } from "./way.ts";
import { addWeightCopies, declareGuests } from "./guests.ts";
import { checkScoreGradient } from "./score_buffers.ts";
import { chunkRuns } from "./slot_runs.ts";
import { addGather, addMaxReduce } from "./reduce.ts";

const GATHERED_BUFFER_NAME = oneOf(["choices", "positions"]);
const GATE_GRAPH_OPTIONS = options({ gather: maybe(aFlag) });
const FORWARD_GRAPH_OPTIONS = record("options of a forward pass { layer, chunks, gate, ... }", {
  layer: aLayer,
  chunks: something,
});

const WORD = 4;

/** Options of a pass besides the layer. */
export interface PassOptions extends Omit<Way, "rows"> {
  /** Codec of the rows on their way to the experts, and back. */
  readonly compressor: Codecs;
  /** Choices, for captions and saved runs. */
  readonly configuration: TaskGraph["configuration"];
}

/** Name of the buffer with the choices, or their positions, of all ranks: int32 [ranks, tokens, topK]. */
export function gatheredBuffer(name: "choices" | "positions"): string {
  expect("gatheredBuffer", "name", name, GATHERED_BUFFER_NAME);
  return `gate.all.${name}`;
}

/**
 * The gate alone, with the loads that size the rows: the first Program of a routed capacity. That is the largest
 * load over all ranks (`gate.capacity`), or for a dropless layer all loads (`gate.allLoads`); with `gather` instead the
 * choices and positions of all, see {@linkcode gatheredBuffer}.
 */
export function gateGraph(
  layer: Layer,
  configuration: TaskGraph["configuration"],
  options: { readonly gather?: boolean } = {},
): TaskGraph {
  expect("gateGraph", "layer", layer, aLayer);
  expect("gateGraph", "configuration", configuration, something);
  expect("gateGraph", "options", options, GATE_GRAPH_OPTIONS);
  const { gather = false } = options;
  const g = new GraphBuilder(layer.topology, "forward", 0);
  const gate = addGate(g, layer);
  const { loads, targets, positions } = gateContext(g, layer);
  if (gather) {
    const place = { stage: 1, chunk: -1, after: [gate] };
    const count = layer.tokens * layer.topK;
    for (const [name, part] of [["choices", targets], ["positions", positions]] as const) {
      const all = g.buffer(gatheredBuffer(name), WORD * count * layer.topology.ranks, "output");
      addGather(g, { name, ...place }, { part, all, count });
    }
    return g.build(configuration);
  }
  if (layer.dropless) {
    addLoads(g, layer, gate);
    return g.build(configuration);
  }
  const table = tensorsOf(layer);
  const part = g.tensor(table, "gate.largestLoad");
  const counted = g.add({
    kind: "gate",
    label: "load",
    chunk: -1,
    stage: 1,
    after: [gate],
    uses: [loads, part],
    kernels: () => [maxLoad(layer.experts, loads, part)],
  });
  addMaxReduce(g, { name: "load", stage: 2, chunk: -1, after: [counted] }, {
    part,
    max: g.tensor(table, "gate.capacity"),
  });
  return g.build(configuration);
}

/** Tells all ranks the loads of all, after the gate. */
function addLoads(g: GraphBuilder, layer: Layer, gate: Task): Task {
  const part = gateContext(g, layer).loads;
  const all = g.tensor(tensorsOf(layer), "gate.allLoads");
  const place = { name: "load", stage: 1, chunk: -1, after: [gate] };
  return addGather(g, place, { part, all, count: layer.experts });
}

/** Stages of a chunk in the forward pass. */
const STAGE = {
  dispatch: 1,
  expert: 2 + LEG_STAGES,
  combine: 3 + 2 * LEG_STAGES,
};

/**
 * gate, dispatch, then for each chunk C1 A1 D1 E C2 A2 D2, then combine.
 * @param options.gate false when the gate has run already, in a Program of its own.
 */
export function forwardGraph(options: PassOptions & { readonly gate: boolean }): TaskGraph {
  expect("forwardGraph", "options", options, FORWARD_GRAPH_OPTIONS);
  const { layer, chunks, compressor, counted } = options;
  const { ranks } = layer.topology;
  checkScoreGradient(layer, compressor);
  const way: Way = { ...options, rows: rowLayout(options) };
  const g = new GraphBuilder(layer.topology, "forward", chunks.length);
  const { choices, weights, loads, x } = gateContext(g, layer);
  const rows = forwardRows(g, way, compressor);
  const copied = addWeightCopies(g, layer);
  const guests = declareGuests(g, layer, "").map(({ guests }) => guests);
  // a shared expert without a gate began the output
  const endsOn = (rank: number) =>
    endsOf(g, ofRank(layer, rank), { add: layer.shared?.gate === "none" });
  const ends = endsOf(g, layer, { add: layer.shared?.gate === "none" });
  const gate = options.gate ? [addGate(g, layer)] : [];
  const all = counted && ranks > 1 ? g.tensor(tensorsOf(layer), "gate.allLoads") : loads;
  const dispatch = g.add({
    kind: "dispatch",
    label: "dispatch",
    chunk: -1,
    stage: STAGE.dispatch,
    after: all === loads ? gate : [addLoads(g, layer, gate[0])],
    flops: ends.flops,
    bytes: rows.send.bytes,
    uses: [...rows.send.uses, x, ...ends.uses, ...(counted ? [all] : [])],
    kernels: (rank) => [
      ...(counted ? [countRows(counted[rank], all)] : []),
      ...endsOn(rank).before,
      ...rows.send.kernels(rank, { x: ends.from }),
    ],
  });
  const done: Task[] = [];
  for (let chunk = 0; chunk < chunks.length; chunk++) {
    const expert = g.add({
      kind: "expert",
      label: "E",
      chunk,
      stage: STAGE.expert,
      after: [...rows.out(chunk, [dispatch]), ...copied],
      ...expertWork(way, chunk, layer.expert.flops(rowShape(layer)).forward),
      uses: [...rows.experts, ...guests],
      kernels: expertKernels(g, way, chunk, (c) => checked(layer.expert.forward(c), [c.y])),
    });
    done.push(...rows.back(chunk, [expert]));
  }
  const shared = addShared(g, layer);
  const gated = sharedCombine(g, layer);
  const y = g.tensor(tensorsOf(layer), "y");
  g.add({
    kind: "combine",
    label: "combine",
    chunk: chunks.length,
    stage: STAGE.combine,
    after: [...done, ...shared],
    flops: ends.flops,
    bytes: rows.gather.bytes,
    uses: [...rows.gather.uses, x, choices, weights, y, ...gated.uses, ...ends.uses],
    kernels: (rank) => [
      ...rows.gather.kernels(rank, { y: ends.to, add: ends.add }),
      ...endsOn(rank).after,
      ...gated.kernels(rank),
      ...(layer.gate.identities
        ? [addIdentity(identityShape(ofRank(layer, rank)), { from: x, choices, weights, to: y })]
        : []),
    ],
  });
  return g.build(options.configuration);
}

/** Sizes of the experts as they see rows. */
export const rowShape = ({ rowDim: modelDim, hiddenDim }: Layer) => ({ modelDim, hiddenDim });

/** Work of the experts in a chunk, at so many operations a row. */
export function expertWork(
  { rows }: Way,
  chunk: number,
  perRow: number,
): Pick<Task, "flops" | "rankFlops"> {
  return {
    flops: perRow * rows.rowsIn(chunk),
    ...(rows.uneven ? { rankFlops: (rank) => perRow * rows.rowsIn(chunk, rank) } : {}),
  };
}

/** Kernels of an expert, made once a rank. */
export function expertKernels(
  g: GraphBuilder,
  way: Way,
  chunk: number,
  make: (context: ExpertContext) => readonly Kernel[],
): NonNullable<Task["kernels"]> {
  const kept = new Map<number, readonly Kernel[]>();
  const whose = `the expert "${way.layer.expert.name}"`;
  const made = (rank: number) =>
    chunkRuns(way.layer, way.chunks[chunk], rank).flatMap((run) =>
      ofRun(expertContext(way, { chunk, rank, run }))
    );
  const ofRun = (context: ExpertContext) => {
    return kernelsOf(whose, `${g.pass} pass`, () => make(context));
  };
  return (rank) => {
    const kernels = kept.get(rank) ?? made(rank);
    kept.set(rank, kernels);
    return kernels;
  };
}
