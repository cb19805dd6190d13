/** The task graph of a backward pass. @module */
import { combineRows, rowDots } from "../kernels/mod.ts";
import { type Chunk, SchemoeError, type Task, type TaskGraph } from "../types.ts";
import { byPeers } from "../chunking/peer_groups.ts";
import { elementBytes } from "../blocks/mod.ts";
import { GraphBuilder } from "./builder.ts";
import { addLeg } from "./add_leg.ts";
import {
  dispatchTokens,
  expertKernels,
  expertWork,
  type PassOptions,
  placesOf,
  rowBytes,
  rowsBuffer,
} from "./forward.ts";
import { LEG_STAGES } from "./leg.ts";
import { addAllReduce } from "./reduce.ts";
import { expertContext, GATE_GRADIENT, gateContext, WORD } from "./tensors.ts";

/** A backward pass: codecs are named after the forward exchange whose gradient they carry. */
export interface BackwardPassOptions extends PassOptions {
  /** Chunks of the forward pass, which laid out the rows that combine kept. */
  readonly forwardChunks: readonly Chunk[];
}

const STAGE = {
  combine: 0,
  out: 1,
  inputGrad: 1 + LEG_STAGES,
  weightGrad: 2 + LEG_STAGES,
  back: 3 + LEG_STAGES,
  gate: 3 + 2 * LEG_STAGES,
  reduce: 5 + 2 * LEG_STAGES,
};

/**
 * combine, then for each chunk C1 A1 D1 Ei (Ew) C2 A2 D2, then dispatch; the gate's gradient and its
 * all-reduce (where there are several ranks) depend on combine alone, or with prescore on dispatch.
 *
 * @throws {SchemoeError} when the expert has no backward, or when one pass is split by groups of peers
 * and the other by capacity.
 */
export function backwardGraph(options: BackwardPassOptions): TaskGraph {
  const { layer, chunks, compressor } = options;
  const { expert } = layer;
  const { inputGrad, weightGrad } = expert;
  if (!inputGrad || !weightGrad) {
    throw new SchemoeError(`Cannot run backward: the expert "${expert.name}" is forward only`);
  }
  if (byPeers(chunks) !== byPeers(options.forwardChunks)) {
    const [now, before] = byPeers(chunks)
      ? ["groups of peers", "capacity"]
      : ["capacity", "groups of peers"];
    throw new SchemoeError(
      `Cannot run backward: it is split by ${now} and forward was by ${before}, which keeps rows in another order; ` +
        `split both in the same way`,
    );
  }
  const g = new GraphBuilder(layer.topology, "backward", chunks.length);
  const sent = g.buffer(rowsBuffer(options, "backward.sent", "expert.dy"), rowBytes(options));
  const returned = g.buffer(
    rowsBuffer(options, "backward.returned", "expert.dx"),
    rowBytes(options),
  );
  const combine = addCombineGrad(g, options, sent.buffer);
  const done: Task[] = [];
  let weights: Task | undefined;
  for (let chunk = 0; chunk < chunks.length; chunk++) {
    const flops = expert.flops(layer);
    const context = expertContext(g, options, chunk, 0);
    const arrived = addLeg(g, options, {
      ...{ number: 1, chunk, stage: STAGE.out, after: [combine], compressor: compressor.combine },
      ...{ from: sent.buffer, to: context.dy.buffer },
    });
    const input = g.add({
      ...{ kind: "expertInputGrad", label: "Ei", chunk, stage: STAGE.inputGrad, after: arrived },
      ...expertWork(options, chunk, flops.inputGrad),
      kernels: expertKernels(g, options, chunk, (c) => inputGrad.call(expert, c)),
    });
    weights = g.add({
      ...{ kind: "expertWeightGrad", label: "Ew", chunk, stage: STAGE.weightGrad },
      after: weights ? [input, weights] : [input],
      ...expertWork(options, chunk, flops.weightGrad),
      kernels: expertKernels(g, options, chunk, (c) => weightGrad.call(expert, c)),
    });
    done.push(...addLeg(g, options, {
      ...{ number: 2, chunk, stage: STAGE.back, after: [input], compressor: compressor.dispatch },
      ...{ from: context.dx.buffer, to: returned.buffer },
    }));
  }
  const gate = layer.prescore
    ? addGateGrad(g, options, [addDispatchGrad(g, options, done)])
    : addGateGrad(g, options, [combine]);
  if (!layer.prescore) addDispatchGrad(g, options, [gate, ...done]);
  if (layer.topology.ranks > 1) {
    const count = layer.experts * layer.modelDim;
    addAllReduce(
      g,
      { name: "grad.gate", stage: STAGE.reduce, chunk: chunks.length, after: [gate] },
      { part: gateContext(g, layer).dWeight, sum: g.buffer(GATE_GRADIENT, WORD * count), count },
    );
  }
  return g.build(options.configuration);
}

/** Gradient of combine: rows of dy, times their weights, and the gradient of the weights. */
function addCombineGrad(g: GraphBuilder, options: BackwardPassOptions, sent: string): Task {
  const { layer, forwardChunks } = options;
  const { choices, positions, weights, dWeights } = gateContext(g, layer);
  const dy = g.buffer("dy", elementBytes(layer) * layer.tokens * layer.modelDim);
  const kept = rowsBuffer({ layer, chunks: forwardChunks }, "forward.returned", "expert.y");
  const rows = g.buffer(kept, rowBytes(options));
  const scale = layer.prescore ? undefined : weights;
  const forward = { ...options, chunks: forwardChunks };
  const dots = (rank: number) =>
    rowDots(placesOf(forward, rank), {
      ...{ a: dy, rows, choices, positions, out: dWeights },
    });
  const out = { buffer: sent, offset: 0 };
  return g.add({
    ...{ kind: "combine", label: "combine", chunk: -1, stage: STAGE.combine, after: [] },
    bytes: 3 * rowBytes(options),
    kernels: (rank) => [
      ...(layer.prescore ? [] : [dots(rank)]),
      ...dispatchTokens(g, options, rank, { x: dy, weights: scale, out, fill: false }),
    ],
  });
}

/** Gradient of dispatch: sums the rows' gradients into that of x; with prescore also of the weights. */
function addDispatchGrad(
  g: GraphBuilder,
  options: BackwardPassOptions,
  after: readonly Task[],
): Task {
  const { layer, chunks } = options;
  const { prescore } = layer;
  const { x, dx, choices, positions, weights, dWeights } = gateContext(g, layer);
  const rows = g.buffer(rowsBuffer(options, "backward.returned", "expert.dx"), rowBytes(options));
  const common = { rows, choices, positions };
  return g.add({
    ...{ kind: "dispatch", label: "dispatch", chunk: chunks.length, after },
    stage: STAGE.gate + (prescore ? 0 : 1),
    bytes: (prescore ? 2 : 1) * rowBytes(options),
    kernels: (rank) => [
      ...(prescore ? [rowDots(placesOf(options, rank), { ...common, a: x, out: dWeights })] : []),
      combineRows(placesOf(options, rank), {
        ...common,
        y: dx,
        weights: prescore ? weights : undefined,
        add: !prescore,
      }),
    ],
  });
}

/** Gradient of the gate, this rank's part, added to or begun in that of x. */
function addGateGrad(
  g: GraphBuilder,
  { layer, chunks }: BackwardPassOptions,
  after: readonly Task[],
): Task {
  const context = gateContext(g, layer);
  return g.add({
    ...{ kind: "gate", label: "gate", chunk: chunks.length, after },
    stage: STAGE.gate + (layer.prescore ? 1 : 0),
    flops: layer.gate.flops(layer).backward,
    kernels: () => layer.gate.backward(context),
  });
}
