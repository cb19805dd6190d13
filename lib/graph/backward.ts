/** The task graph of a backward pass. @module */
import { aLayer, expect, record, something } from "../arguments/mod.ts";
import { checked } from "../kernels/mod.ts";
import { type Chunk, SchemoeError, type Task, type TaskGraph } from "../types.ts";
import { SPLIT_NAMES, splitKind } from "../chunking/split.ts";
import { rowLayout } from "../memory/mod.ts";
import { BACKWARD_STAGE, backwardRows } from "./backward_rows.ts";
import { GraphBuilder } from "./builder.ts";
import { expertKernels, expertWork, type PassOptions, rowShape } from "./forward.ts";
import { addLatentGrad } from "./latent.ts";
import { addGateSums } from "./gate_tasks.ts";
import { addSharedGrad } from "./shared_tasks.ts";
import { checkScoreGradient } from "./score_buffers.ts";
import type { Way } from "./way.ts";
import { addGradientReturns, declareGuests } from "./guests.ts";
import { addReplicaReduce } from "./reduce_replicas.ts";
import { addZeroGradients } from "./zero_gradients.ts";

const BACKWARD_GRAPH_OPTIONS = record("options of a backward pass { layer, chunks, ... }", {
  layer: aLayer,
  chunks: something,
});

/** A backward pass: codecs are named after the forward exchange whose gradient they carry. */
export interface BackwardPassOptions extends PassOptions {
  /** Chunks of the forward pass, which laid out the rows that combine kept. */
  readonly forwardChunks: readonly Chunk[];
}

/**
 * combine, then for each chunk C1 A1 D1 Ei (Ew) C2 A2 D2, then dispatch; the gate's gradient and its
 * all-reduce (where there are several ranks) depend on combine alone, or with prescore on dispatch (where tokens
 * cross once, or activations give them, on the gradients of the weights, which come back with the rows). Where
 * several ranks hold copies of an expert, the copies' gradients are added up after the last Ew. Each Ew comes
 * after that of the chunk before it, or with `reassociate` after a task that sets the gradients to 0, and with waves of
 * experts after none.
 *
 * @throws {SchemoeError} when the expert has no backward, or when one pass is split by groups of peers or waves of
 * experts and the other is not.
 */
export function backwardGraph(options: BackwardPassOptions): TaskGraph {
  expect("backwardGraph", "options", options, BACKWARD_GRAPH_OPTIONS);
  const { layer, chunks } = options;
  const { expert } = layer;
  const { inputGrad, weightGrad } = expert;
  const parameters = expert.parameters(layer).map(({ name }) => name);
  if (!inputGrad || !weightGrad) {
    throw new SchemoeError(`Cannot run backward: the expert "${expert.name}" is forward only`);
  }
  checkScoreGradient(layer, options.compressor);
  const [kind, kindBefore] = [splitKind(chunks), splitKind(options.forwardChunks)];
  if (kind !== kindBefore) {
    const [now, before] = [SPLIT_NAMES[kind], SPLIT_NAMES[kindBefore]];
    throw new SchemoeError(
      `Cannot run backward: it is split by ${now} and forward was by ${before}, which keeps rows in another order; ` +
        `split both in the same way`,
    );
  }
  // each expert is in one of them alone
  const waves = kind === "experts";
  const way: Way = { ...options, rows: rowLayout(options) };
  const g = new GraphBuilder(layer.topology, "backward", chunks.length);
  const rows = backwardRows(g, way, options);
  const guests = (["", "grad."] as const).flatMap((prefix) =>
    declareGuests(g, layer, prefix).map(({ guests }) => guests)
  );
  const experts = [...rows.experts, ...guests];
  const done: Task[] = [];
  const weights: Task[] = [];
  const zero = options.reassociate
    ? [
      addZeroGradients(g, layer, {
        after: [rows.combine],
        stage: BACKWARD_STAGE.out,
        names: parameters,
      }),
    ]
    : undefined;
  for (let chunk = 0; chunk < chunks.length; chunk++) {
    const flops = expert.flops(rowShape(layer));
    const input = g.add({
      kind: "expertInputGrad",
      label: "Ei",
      chunk,
      stage: BACKWARD_STAGE.inputGrad,
      after: rows.out(chunk),
      ...expertWork(way, chunk, flops.inputGrad),
      uses: experts,
      kernels: expertKernels(
        g,
        way,
        chunk,
        (c) => checked(inputGrad.call(expert, c), c.scores ? [c.dx, c.scores.dWeights] : [c.dx]),
      ),
    });
    weights.push(g.add({
      kind: "expertWeightGrad",
      label: "Ew",
      chunk,
      stage: BACKWARD_STAGE.weightGrad,
      after: [input, ...(zero ?? (waves ? [] : weights.slice(-1)))],
      ...expertWork(way, chunk, flops.weightGrad),
      uses: experts,
      kernels: expertKernels(
        g,
        way,
        chunk,
        (c) => checked(weightGrad.call(expert, c), parameters.map(c.gradient)),
      ),
    }));
    done.push(...rows.back(chunk, [input]));
  }
  const complete = zero || waves ? weights : weights.slice(-1);
  const gathered = addGradientReturns(g, layer, {
    stage: BACKWARD_STAGE.reduce,
    chunk: chunks.length,
    after: complete,
  });
  if (layer.groups.count > 1) {
    const stage = BACKWARD_STAGE.reduce + (layer.placed ? 2 : 0);
    const place = { stage, chunk: chunks.length, after: gathered };
    addReplicaReduce(g, layer, { ...place, name: "grad.experts" });
  }
  const shared = addSharedGrad(g, layer, BACKWARD_STAGE.reduce);
  const { gate, last } = rows.finish({ shared, done });
  addLatentGrad(g, layer, { stage: BACKWARD_STAGE.reduce, after: [last] });
  addGateSums(g, layer, { stage: BACKWARD_STAGE.reduce, after: [gate] });
  return g.build(options.configuration);
}
