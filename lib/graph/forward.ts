/** The task graph of a forward pass. @module */
import {
  addIdentity,
  checked,
  combineRows,
  dispatchRows,
  fill as fillValues,
  fillSlots,
  maxLoad,
  placeTokens,
} from "../kernels/mod.ts";
import { elementBytes, type Layer, ofRank } from "../blocks/mod.ts";
import { rowLayout } from "../memory/mod.ts";
import type { ExpertContext } from "../blocks/experts/types.ts";
import type { Compressor } from "../compressors/types.ts";
import { type Kernel, SchemoeError, type Task, type TaskGraph, type View } from "../types.ts";
import { callUser } from "../user_code.ts";
import { GraphBuilder } from "./builder.ts";
import { declareExperts, expertContext, rowsBuffer, tensorsOf } from "./contexts.ts";
import { gateContext } from "./gate_context.ts";
import { addGate } from "./gate_tasks.ts";
import { endsOf } from "./latent.ts";
import { addShared, sharedCombine } from "./shared_tasks.ts";
import { addLeg, LEG_STAGES, type Way } from "./leg.ts";
import { addWeightCopies, declareGuests } from "./guests.ts";
import { rowChoices } from "./placed.ts";
import { slotRuns } from "./slot_runs.ts";
import { addGatherLoads, addMaxReduce } from "./reduce.ts";

const WORD = 4;

/** Options of a pass besides the layer. */
export interface PassOptions extends Omit<Way, "rows"> {
  /** Codec of the rows on their way to the experts, and back. */
  readonly compressor: { readonly dispatch: Compressor; readonly combine: Compressor };
  readonly configuration: TaskGraph["configuration"];
}

/**
 * The gate alone, with the loads that size the rows: the first Program of a routed capacity. That is the largest
 * load over all ranks (`gate.capacity`), or for a dropless layer all loads (`gate.allLoads`).
 */
export function gateGraph(layer: Layer, configuration: TaskGraph["configuration"]): TaskGraph {
  const g = new GraphBuilder(layer.topology, "forward", 0);
  const gate = addGate(g, layer);
  const { loads } = gateContext(g, layer);
  const table = tensorsOf(layer);
  if (layer.dropless) {
    addGatherLoads(
      g,
      { name: "load", stage: 1, chunk: -1, after: [gate] },
      { loads, table: g.tensor(table, "gate.allLoads"), experts: layer.experts },
    );
    return g.build(configuration);
  }
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
  const way: Way = { ...options, rows: rowLayout(options) };
  const g = new GraphBuilder(layer.topology, "forward", chunks.length);
  const gate = gateContext(g, layer);
  const sent = rowsBuffer(options, "forward.sent", "expert.x");
  const returned = rowsBuffer(options, "forward.returned", "expert.y");
  const uses = declareExperts(g, way, returned === "expert.y" ? "saved" : "pass");
  if (sent !== "expert.x") g.buffer(sent, () => rowBytes(way), "pass");
  if (returned !== "expert.y") g.buffer(returned, () => rowBytes(way), "saved");
  const { choices, weights, x } = gate;
  const placed = rowChoices(g, way);
  const copied = addWeightCopies(g, layer);
  const guests = declareGuests(g, layer, "").map(({ guests }) => guests);
  const spread = dispatchTokens(g, way, { fill: true });
  const out = { buffer: sent, offset: 0 };
  const scale = layer.prescore ? weights : undefined;
  // a shared expert without a gate began the output
  const endsOn = (rank: number) =>
    endsOf(g, ofRank(layer, rank), { add: layer.shared?.gate === "none" });
  const ends = endsOf(g, layer, { add: layer.shared?.gate === "none" });
  const dispatch = g.add({
    kind: "dispatch",
    label: "dispatch",
    chunk: -1,
    stage: STAGE.dispatch,
    after: options.gate ? [addGate(g, layer)] : [],
    flops: ends.flops,
    bytes: 2 * rowBytes(way),
    uses: [...spread.uses, x, weights, out, ...ends.uses],
    kernels: (rank) => [
      ...endsOn(rank).before,
      ...spread.kernels(rank, { x: ends.from, weights: scale, out }),
    ],
  });
  const done: Task[] = [];
  for (let chunk = 0; chunk < chunks.length; chunk++) {
    const arrived = addLeg(g, way, {
      number: 1,
      chunk,
      stage: STAGE.out,
      after: [dispatch],
      compressor: compressor.dispatch,
      from: sent,
      to: "expert.x",
    });
    const expert = g.add({
      kind: "expert",
      label: "E",
      chunk,
      stage: STAGE.expert,
      after: [...arrived, ...copied],
      ...expertWork(way, chunk, layer.expert.flops(rowShape(layer)).forward),
      uses: [...uses.forward, ...guests],
      kernels: expertKernels(g, way, chunk, (c) => checked(layer.expert.forward(c), [c.y])),
    });
    done.push(...addLeg(g, way, {
      number: 2,
      chunk,
      stage: STAGE.back,
      after: [expert],
      compressor: compressor.combine,
      from: "expert.y",
      to: returned,
    }));
  }
  const shared = addShared(g, layer);
  const gated = sharedCombine(g, layer);
  const y = g.tensor(tensorsOf(layer), "y");
  const rows = { buffer: returned, offset: 0 };
  g.add({
    kind: "combine",
    label: "combine",
    chunk: chunks.length,
    stage: STAGE.combine,
    after: [...done, ...shared],
    flops: ends.flops,
    bytes: rowBytes(way) + elementBytes(layer) * layer.tokens * layer.rowDim,
    uses: [
      rows,
      x,
      choices,
      placed.choices,
      placed.positions,
      weights,
      y,
      ...gated.uses,
      ...ends.uses,
    ],
    kernels: (rank) => [
      combineRows(way.rows.places(rank), {
        rows,
        choices: placed.choices,
        positions: placed.positions,
        y: ends.to,
        weights: layer.prescore ? undefined : weights,
        add: ends.add,
      }),
      ...endsOn(rank).after,
      ...gated.kernels(rank),
      ...(layer.gate.identities
        ? [addIdentity(identityShape(ofRank(layer, rank)), { from: x, choices, weights, to: y })]
        : []),
    ],
  });
  return g.build(options.configuration);
}

/** Sizes and views for the kernels of experts without computation. */
export const identityShape = ({ dtype, tokens, modelDim: columns, experts, topK: k }: Layer) => ({
  dtype,
  tokens,
  columns,
  experts,
  k,
});

/** The rows that a dispatch kernel reads and writes. */
interface DispatchedRows {
  readonly x: View;
  readonly weights?: View;
  readonly out: View;
}

/** Tokens to their places; `fill` finds out first which choice takes each, where the kernel needs that. */
export function dispatchTokens(
  g: GraphBuilder,
  way: Way,
  { fill }: { readonly fill: boolean },
): { readonly uses: View[]; readonly kernels: (rank: number, at: DispatchedRows) => Kernel[] } {
  const { layer } = way;
  const { targets, positions: own } = gateContext(g, layer);
  const { choices, positions, kernels: placed } = rowChoices(g, way);
  const before = (rank: number) => fill ? placed(rank) : [];
  if (way.loads) {
    // where tokens need not take all places, the others are zeros
    const words = rowBytes(way) / WORD;
    const zeros = (out: View) => way.limit === undefined ? [] : [fillValues(words, out, 0)];
    return {
      uses: [targets, own, choices, positions],
      kernels: (rank, at) => [
        ...before(rank),
        ...zeros(at.out),
        placeTokens(way.rows.places(rank), { ...at, choices, positions }),
      ],
    };
  }
  const slots = g.buffer("slots", WORD * layer.slots * way.capacity);
  return {
    uses: [targets, own, choices, positions, slots],
    kernels: (rank, at) => {
      const places = way.rows.places(rank);
      return [
        ...before(rank),
        ...(fill ? [fillSlots(places, { choices, positions, slots })] : []),
        dispatchRows(places, { ...at, slots }),
      ];
    },
  };
}

/** Bytes of all rows that a rank sends, uncompressed. */
export const rowBytes = ({ layer, rows }: Way): number =>
  elementBytes(layer) * layer.rowDim * rows.sent;

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
    slotRuns(way.layer, rank).flatMap((run) => ofRun(expertContext(way, { chunk, rank, run })));
  const ofRun = (context: ExpertContext) => {
    const kernels = callUser(whose, `${g.pass} pass`, () => make(context));
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
