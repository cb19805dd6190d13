/** How the gradients of rows get to the experts, and those of their inputs back to the tokens. @module */
import { addIdentity, combineRows, identityDots, rowDots } from "../kernels/mod.ts";
import { elementBytes, type Layer, ofRank } from "../blocks/mod.ts";
import { rowLayout } from "../memory/mod.ts";
import type { Chunk, Kernel, Task } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { declareExperts, rowsBuffer, tensorsOf } from "./contexts.ts";
import { dispatchTokens, rowBytes } from "./dispatch.ts";
import { identityShape } from "./identity_shape.ts";
import { gateContext } from "./gate_context.ts";
import { addGateGrad } from "./gate_tasks.ts";
import { endsOf } from "./latent.ts";
import { addLeg, LEG_STAGES } from "./leg.ts";
import type { Codecs, Way } from "./way.ts";
import type { NodeWay } from "./node_buffers.ts";
import { NodeLegs } from "./node_legs.ts";
import { rowChoices } from "./placed.ts";
import { type RowScores, rowScores } from "./row_scores.ts";
import { SCORE_BUFFERS, scoresByActivation } from "./score_buffers.ts";

/** Stages of a backward pass. */
export const BACKWARD_STAGE = {
  combine: 0,
  out: 1,
  inputGrad: 1 + LEG_STAGES,
  weightGrad: 2 + LEG_STAGES,
  back: 3 + LEG_STAGES,
  gate: 3 + 2 * LEG_STAGES,
  reduce: 5 + 2 * LEG_STAGES,
};

/** Rows of a backward pass. */
export interface BackwardRows {
  /** Buffers that experts name. */
  readonly experts: readonly string[];
  /** The task that sends them. */
  readonly combine: Task;
  /** To the experts, and back. */
  out(chunk: number): Task[];
  back(chunk: number, after: readonly Task[]): Task[];
  /** The gate's gradient, and that of dispatch. */
  finish(after: Record<"shared" | "done", readonly Task[]>): Record<"gate" | "last", Task>;
}

/** What a backward pass is besides its way. */
interface Backward {
  readonly compressor: Codecs;
  readonly forwardChunks: readonly Chunk[];
}

/** Rows of a backward pass, which cross for each choice, or once to a node. */
export const backwardRows = (g: GraphBuilder, way: Way, of: Backward): BackwardRows =>
  way.node ? onceANode(g, { ...way, node: way.node }, of.compressor) : eachChoice(g, way, of);

function eachChoice(
  g: GraphBuilder,
  way: Way,
  { compressor, forwardChunks }: Backward,
): BackwardRows {
  const { layer } = way;
  const kept = rowsBuffer({ layer, chunks: forwardChunks }, "forward.returned", "expert.y");
  const scores = rowScores(g, way);
  const sent = rowsBuffer(way, "backward.sent", "expert.dy");
  const returned = rowsBuffer(way, "backward.returned", "expert.dx");
  const { backward: experts } = declareExperts(g, way);
  if (sent !== "expert.dy") g.buffer(sent, () => rowBytes(way), "pass");
  if (returned !== "expert.dx") g.buffer(returned, () => rowBytes(way), "pass");
  const combine = addCombineGrad(g, way, { forwardChunks, kept, sent, scores });
  return {
    experts,
    combine,
    out: (chunk) =>
      addLeg(g, way, {
        number: 1,
        ...{ chunk, stage: BACKWARD_STAGE.out, after: [combine], compressor: compressor.combine },
        ...{ from: sent, to: "expert.dy" },
        ...(scores ? { beside: scores.out } : {}),
      }),
    back: (chunk, after) =>
      addLeg(g, way, {
        number: 2,
        ...{ chunk, stage: BACKWARD_STAGE.back, after, compressor: compressor.dispatch },
        ...{ from: "expert.dx", to: returned },
        ...(scores ? { beside: scores.back } : {}),
      }),
    finish({ shared, done }) {
      if (layer.prescore) {
        const stage = BACKWARD_STAGE.gate;
        const last = addDispatchGrad(g, way, { stage, after: [...shared, ...done], returned });
        return { last, gate: addGateGrad(g, layer, { stage: stage + 1, after: [last] }) };
      }
      const stage = BACKWARD_STAGE.gate + (scores ? 1 : 0);
      const weights = scores
        ? addWeightsGrad(g, way, { after: done, gather: scores.gather })
        : combine;
      const gate = addGateGrad(g, layer, { stage, after: [...shared, weights] });
      const after = [gate, ...done];
      return { gate, last: addDispatchGrad(g, way, { stage: stage + 1, after, returned }) };
    },
  };
}

/** Gradients of the weights of choices, which came back beside those of the rows. */
function addWeightsGrad(
  g: GraphBuilder,
  { layer }: Way,
  { after, gather }: { readonly after: readonly Task[]; readonly gather: RowScores["gather"] },
): Task {
  const { x, choices, dWeights } = gateContext(g, layer);
  const dy = g.tensor(tensorsOf(layer), "dy");
  return g.add({
    kind: "combine",
    label: "weights",
    chunk: g.chunks,
    stage: BACKWARD_STAGE.gate,
    after,
    bytes: gather.bytes,
    uses: [...gather.uses, dWeights, dy, x, choices],
    kernels: (rank) => [...gather.kernels(rank, dWeights), ...ownDots(g, layer, rank)],
  });
}

/** Gradients of the weights of experts without computation, whose output is the token. */
function ownDots(g: GraphBuilder, layer: Layer, rank: number): Kernel[] {
  if (!layer.gate.identities) return [];
  const { x: b, choices, dWeights: out } = gateContext(g, layer);
  const a = g.tensor(tensorsOf(layer), "dy");
  return [identityDots(identityShape(ofRank(layer, rank)), { a, b, choices, out })];
}

/**
 * Gradients of outputs cross once and are multiplied by the weights where the experts are; the gradients of the weights
 * are found there too, and come back beside those of the rows.
 */
function onceANode(g: GraphBuilder, way: NodeWay, codecs: Codecs): BackwardRows {
  const { layer } = way;
  const { x, dx, choices, weights, dWeights } = gateContext(g, layer);
  const dy = g.tensor(tensorsOf(layer), "dy");
  const { backward: experts } = declareExperts(g, way);
  const scores = scoresByActivation(layer);
  const legs = new NodeLegs(g, way, { out: codecs.combine, back: codecs.dispatch });
  const ends = endsOf(g, layer, { add: false });
  const combine = g.add({
    kind: "combine",
    label: "combine",
    chunk: -1,
    stage: BACKWARD_STAGE.combine,
    after: [],
    flops: ends.flops,
    bytes: legs.sendBytes,
    uses: [
      ...[...legs.sendUses, ...ends.uses, dy, weights, "expert.dy"],
      ...(scores ? [SCORE_BUFFERS.weights] : []),
    ],
    kernels: (rank) => [
      ...endsOf(g, ofRank(layer, rank), { add: false }).before,
      ...legs.clear("expert.dy"),
      ...(scores ? legs.clearWeights() : []),
      ...legs.send(rank, { x: ends.from, weights }),
    ],
  });
  const leg = (chunk: number, stage: number, after: readonly Task[]) => ({ chunk, stage, after });
  const shape = (rank: number) => identityShape(ofRank(layer, rank));
  return {
    experts,
    combine,
    out: (chunk) =>
      legs.out({
        ...leg(chunk, BACKWARD_STAGE.out, [combine]),
        ...{ rows: "expert.dy", weighted: !scores },
      }, scores ? "weights" : "slopes"),
    back: (chunk, after) =>
      legs.back({
        ...leg(chunk, BACKWARD_STAGE.back, after),
        ...{ rows: "expert.dx", weighted: false },
      }, scores ? "weights" : "slopes"),
    finish({ shared, done }) {
      const found = g.add({
        kind: "combine",
        label: "weights",
        chunk: g.chunks,
        stage: BACKWARD_STAGE.gate,
        after: done,
        bytes: legs.weightBytes,
        uses: [...legs.weightUses, dWeights, dy, x, choices],
        kernels: (rank) => [
          ...legs.gatherWeights(rank, dWeights),
          ...ownDots(g, layer, rank),
        ],
      });
      const stage = BACKWARD_STAGE.gate + 1;
      const gate = addGateGrad(g, layer, { stage, after: [...shared, found] });
      const ends = endsOf(g, layer, { add: true });
      const last = g.add({
        kind: "dispatch",
        label: "dispatch",
        chunk: g.chunks,
        stage: stage + 1,
        after: [gate, ...done],
        flops: ends.flops,
        bytes: legs.sendBytes / 2 + elementBytes(layer) * layer.tokens * layer.rowDim,
        uses: [...legs.gatherUses, dx, dy, choices, weights, ...ends.uses],
        kernels: (rank) => [
          ...legs.gather(rank, { y: ends.to, add: ends.add }),
          ...endsOf(g, ofRank(layer, rank), { add: true }).after,
          ...(layer.gate.identities
            ? [addIdentity(shape(rank), { from: dy, choices, weights, to: dx })]
            : []),
        ],
      });
      return { gate, last };
    },
  };
}

/**
 * Gradient of combine: rows of dy, times their weights, and the gradient of the weights; where that comes from activations
 * rows and weights apart.
 */
function addCombineGrad(
  g: GraphBuilder,
  way: Way,
  { forwardChunks, kept, sent, scores }: {
    readonly forwardChunks: readonly Chunk[];
    readonly kept: string;
    readonly sent: string;
    readonly scores: RowScores | undefined;
  },
): Task {
  const { layer } = way;
  const { x, choices, weights, dWeights } = gateContext(g, layer);
  const { choices: targets, positions } = rowChoices(g, way);
  const dy = g.tensor(tensorsOf(layer), "dy");
  const ends = endsOf(g, layer, { add: false });
  const before = rowLayout({ ...way, chunks: forwardChunks });
  const rows = layer.prescore || scores ? undefined : g.buffer(kept, () => rowBytes(way), "saved");
  const spread = dispatchTokens(g, way, { fill: false });
  const out = { buffer: sent, offset: 0 };
  const scale = layer.prescore || scores ? undefined : weights;
  return g.add({
    kind: "combine",
    label: "combine",
    chunk: -1,
    stage: BACKWARD_STAGE.combine,
    after: [],
    flops: ends.flops,
    bytes: scores ? 2 * rowBytes(way) + scores.send.bytes : 3 * rowBytes(way),
    uses: [
      ...spread.uses,
      ...ends.uses,
      x,
      dy,
      choices,
      targets,
      weights,
      dWeights,
      out,
      ...(rows ? [rows] : []),
      ...(scores ? scores.send.uses : []),
    ],
    kernels: (rank) => [
      ...endsOf(g, ofRank(layer, rank), { add: false }).before,
      ...(rows
        ? [rowDots(before.places(rank), {
          a: ends.from,
          rows,
          choices: targets,
          positions,
          out: dWeights,
        })]
        : []),
      ...(rows ? ownDots(g, layer, rank) : []),
      ...spread.kernels(rank, { x: ends.from, weights: scale, out }),
      ...(scores ? scores.send.kernels(rank, weights) : []),
    ],
  });
}

/** Gradient of dispatch: sums the rows' gradients into that of x; with prescore also of the weights. */
function addDispatchGrad(
  g: GraphBuilder,
  way: Way,
  { stage, after, returned }: {
    readonly stage: number;
    readonly after: readonly Task[];
    readonly returned: string;
  },
): Task {
  const { layer, chunks } = way;
  const { prescore } = layer;
  const { x, dx, choices, weights, dWeights } = gateContext(g, layer);
  const { choices: targets, positions } = rowChoices(g, way);
  const dy = g.tensor(tensorsOf(layer), "dy");
  const add = !prescore || layer.shared !== undefined;
  const ends = endsOf(g, layer, { add });
  const sent = layer.latentDim === undefined ? x : g.tensor(tensorsOf(layer), "latent.x");
  const rows = { buffer: returned, offset: 0 };
  const common = { rows, choices: targets, positions };
  return g.add({
    kind: "dispatch",
    label: "dispatch",
    chunk: chunks.length,
    after,
    stage,
    flops: ends.flops,
    bytes: (prescore ? 2 : 1) * rowBytes(way),
    uses: [rows, x, dx, dy, choices, targets, positions, weights, dWeights, sent, ...ends.uses],
    kernels: (rank) => {
      const places = way.rows.places(rank);
      const dots = prescore ? [rowDots(places, { ...common, a: sent, out: dWeights })] : [];
      const scale = prescore ? weights : undefined;
      const combined = combineRows(places, {
        ...common,
        y: ends.to,
        weights: scale,
        add: ends.add,
      });
      const { after } = endsOf(g, ofRank(layer, rank), { add });
      if (!layer.gate.identities) return [...dots, combined, ...after];
      const shape = identityShape(ofRank(layer, rank));
      const own = prescore ? [identityDots(shape, { a: x, b: dy, choices, out: dWeights })] : [];
      return [
        ...dots,
        ...own,
        combined,
        ...after,
        addIdentity(shape, { from: dy, choices, weights, to: dx }),
      ];
    },
  });
}
