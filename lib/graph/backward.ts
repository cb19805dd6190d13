/** The task graph of a backward pass. @module */
import { addIdentity, checked, combineRows, identityDots, rowDots } from "../kernels/mod.ts";
import { type Chunk, SchemoeError, type Task, type TaskGraph } from "../types.ts";
import { byPeers } from "../chunking/peer_groups.ts";
import { rowLayout } from "../memory/mod.ts";
import { ofRank } from "../blocks/mod.ts";
import { GraphBuilder } from "./builder.ts";
import { declareExperts, rowsBuffer, tensorsOf } from "./contexts.ts";
import {
  dispatchTokens,
  expertKernels,
  expertWork,
  identityShape,
  type PassOptions,
  rowBytes,
  rowShape,
} from "./forward.ts";
import { addLatentGrad, endsOf } from "./latent.ts";
import { gateContext } from "./gate_context.ts";
import { addGateGrad, addGateSums } from "./gate_tasks.ts";
import { addSharedGrad } from "./shared_tasks.ts";
import { addLeg, LEG_STAGES, type Way } from "./leg.ts";
import { addGradientReturns, declareGuests } from "./guests.ts";
import { rowChoices } from "./placed.ts";
import { addReplicaReduce } from "./reduce_replicas.ts";
import { addZeroGradients } from "./zero_gradients.ts";

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
 * all-reduce (where there are several ranks) depend on combine alone, or with prescore on dispatch. Where
 * several ranks hold copies of an expert, the copies' gradients are added up after the last Ew. Each Ew comes
 * after that of the chunk before it, or with `reassociate` after a task that sets the gradients to 0.
 *
 * @throws {SchemoeError} when the expert has no backward, or when one pass is split by groups of peers
 * and the other by capacity.
 */
export function backwardGraph(options: BackwardPassOptions): TaskGraph {
  const { layer, chunks, compressor } = options;
  const { expert } = layer;
  const { inputGrad, weightGrad } = expert;
  const parameters = expert.parameters(layer).map(({ name }) => name);
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
  const way: Way = { ...options, rows: rowLayout(options) };
  const g = new GraphBuilder(layer.topology, "backward", chunks.length);
  const kept = rowsBuffer({ layer, chunks: options.forwardChunks }, "forward.returned", "expert.y");
  const sent = rowsBuffer(options, "backward.sent", "expert.dy");
  const returned = rowsBuffer(options, "backward.returned", "expert.dx");
  const uses = declareExperts(g, way);
  if (sent !== "expert.dy") g.buffer(sent, () => rowBytes(way), "pass");
  if (returned !== "expert.dx") g.buffer(returned, () => rowBytes(way), "pass");
  const guests = (["", "grad."] as const).flatMap((prefix) =>
    declareGuests(g, layer, prefix).map(({ guests }) => guests)
  );
  const experts = [...uses.backward, ...guests];
  const combine = addCombineGrad(g, way, { forwardChunks: options.forwardChunks, kept, sent });
  const done: Task[] = [];
  const weights: Task[] = [];
  const zero = options.reassociate
    ? [addZeroGradients(g, layer, { after: [combine], stage: STAGE.out, names: parameters })]
    : undefined;
  for (let chunk = 0; chunk < chunks.length; chunk++) {
    const flops = expert.flops(rowShape(layer));
    const arrived = addLeg(g, way, {
      number: 1,
      chunk,
      stage: STAGE.out,
      after: [combine],
      compressor: compressor.combine,
      from: sent,
      to: "expert.dy",
    });
    const input = g.add({
      kind: "expertInputGrad",
      label: "Ei",
      chunk,
      stage: STAGE.inputGrad,
      after: arrived,
      ...expertWork(way, chunk, flops.inputGrad),
      uses: experts,
      kernels: expertKernels(g, way, chunk, (c) => checked(inputGrad.call(expert, c), [c.dx])),
    });
    weights.push(g.add({
      kind: "expertWeightGrad",
      label: "Ew",
      chunk,
      stage: STAGE.weightGrad,
      after: [input, ...(zero ?? weights.slice(-1))],
      ...expertWork(way, chunk, flops.weightGrad),
      uses: experts,
      kernels: expertKernels(
        g,
        way,
        chunk,
        (c) => checked(weightGrad.call(expert, c), parameters.map(c.gradient)),
      ),
    }));
    done.push(...addLeg(g, way, {
      number: 2,
      chunk,
      stage: STAGE.back,
      after: [input],
      compressor: compressor.dispatch,
      from: "expert.dx",
      to: returned,
    }));
  }
  const complete = zero ? weights : weights.slice(-1);
  const gathered = addGradientReturns(g, layer, {
    stage: STAGE.reduce,
    chunk: chunks.length,
    after: complete,
  });
  if (layer.groups.count > 1) {
    const stage = STAGE.reduce + (layer.placed ? 2 : 0);
    const place = { stage, chunk: chunks.length, after: gathered };
    addReplicaReduce(g, layer, { ...place, name: "grad.experts" });
  }
  const stage = STAGE.gate + (layer.prescore ? 1 : 0);
  const shared = addSharedGrad(g, layer, STAGE.reduce);
  let gate: Task;
  let last: Task;
  if (layer.prescore) {
    last = addDispatchGrad(g, way, { after: [...shared, ...done], returned });
    gate = addGateGrad(g, layer, { stage, after: [last] });
  } else {
    gate = addGateGrad(g, layer, { stage, after: [...shared, combine] });
    last = addDispatchGrad(g, way, { after: [gate, ...done], returned });
  }
  addLatentGrad(g, layer, { stage: STAGE.reduce, after: [last] });
  addGateSums(g, layer, { stage: STAGE.reduce, after: [gate] });
  return g.build(options.configuration);
}

/** Gradient of combine: rows of dy, times their weights, and the gradient of the weights. */
function addCombineGrad(
  g: GraphBuilder,
  way: Way,
  { forwardChunks, kept, sent }: {
    readonly forwardChunks: readonly Chunk[];
    readonly kept: string;
    readonly sent: string;
  },
): Task {
  const { layer } = way;
  const { x, choices, weights, dWeights } = gateContext(g, layer);
  const { choices: targets, positions } = rowChoices(g, way);
  const dy = g.tensor(tensorsOf(layer), "dy");
  const ends = endsOf(g, layer, { add: false });
  const before = rowLayout({ ...way, chunks: forwardChunks });
  const rows = layer.prescore ? undefined : g.buffer(kept, () => rowBytes(way), "saved");
  const spread = dispatchTokens(g, way, { fill: false });
  const out = { buffer: sent, offset: 0 };
  const scale = layer.prescore ? undefined : weights;
  return g.add({
    kind: "combine",
    label: "combine",
    chunk: -1,
    stage: STAGE.combine,
    after: [],
    flops: ends.flops,
    bytes: 3 * rowBytes(way),
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
      ...(rows && layer.gate.identities
        ? [
          identityDots(identityShape(ofRank(layer, rank)), { a: dy, b: x, choices, out: dWeights }),
        ]
        : []),
      ...spread.kernels(rank, { x: ends.from, weights: scale, out }),
    ],
  });
}

/** Gradient of dispatch: sums the rows' gradients into that of x; with prescore also of the weights. */
function addDispatchGrad(
  g: GraphBuilder,
  way: Way,
  { after, returned }: { readonly after: readonly Task[]; readonly returned: string },
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
    stage: STAGE.gate + (prescore ? 0 : 1),
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
