/** Systems that fit times of stages and solve for the number of chunks. @module */
import { aMoeLayer, expect } from "../../arguments/mod.ts";
import type { Run } from "../../layer/mod.ts";
import {
  type CostedGraph,
  fitChunkTimes,
  fsMoeChunks,
  pipeMoeChunks,
  type StageFits,
} from "../../schedulers/mod.ts";
import { SchemoeError } from "../../types.ts";
import type { Baseline, StepLayer } from "./types.ts";

/** Largest degree that both systems consider. */
const MOST = 8;

/**
 * How PipeMoE would run a layer (Shi et al., INFOCOM'23): start-up and rate of all-to-all and experts, fitted to tasks
 * measured alone, give the degree of a closed form; one degree for both passes, over NCCL's all-to-all.
 *
 * ```ts
 * import { createLayer, openEngine } from "@schemoe/lab";
 * import { fsMoeChoice, pipeMoeChoice } from "@schemoe/lab/adaptive";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 4 });
 * for (const baseline of [await pipeMoeChoice(layer), await fsMoeChoice(layer)]) {
 *   await layer.forward(baseline.forward);
 *   await layer.backward(baseline.backward);
 * }
 * ```
 */
export async function pipeMoeChoice(layer: StepLayer): Promise<Baseline> {
  expect("pipeMoeChoice", "layer", layer, aMoeLayer);
  const fits = await fitsOf(layer, "linear");
  const chunks = fits ? pipeMoeChunks({ ...fits.forward, most: fits.most }).chunks : 1;
  const choices = { scheduler: "pipeMoE", allToAll: "linear", chunks };
  return { name: "PipeMoE", forward: choices, backward: choices, trials: [] };
}

/**
 * How FSMoE would run a layer (Pan et al., ASPLOS'25): the phases between nodes and inside them are pipelined apart, so
 * the two-level all-to-all stands for its all-gather, all-to-all and reduce-scatter; each pass has a degree of its own.
 */
export async function fsMoeChoice(layer: StepLayer): Promise<Baseline> {
  expect("fsMoeChoice", "layer", layer, aMoeLayer);
  const common = { scheduler: "fsMoE", allToAll: "hierarchical2d" };
  const fits = await fitsOf(layer, "hierarchical2d");
  if (!fits) {
    const whole = { ...common, chunks: 1 };
    return { name: "FSMoE", forward: whole, backward: whole, trials: [] };
  }
  const { forward, backward, allReduce, most } = fits;
  const chosen = fsMoeChunks({
    allToAll: forward.inter,
    allGather: forward.intraOut,
    reduceScatter: forward.intraBack,
    expert: forward.expert,
    expertBackward: backward.expert,
    allReduce,
    most,
  });
  return {
    name: "FSMoE",
    forward: { ...common, chunks: chosen.forward.chunks },
    backward: { ...common, chunks: chosen.backward.chunks },
    trials: [],
  };
}

interface LayerFits {
  readonly forward: StageFits;
  readonly backward: StageFits;
  /** Seconds of the reductions of gradients. */
  readonly allReduce: number;
  readonly most: number;
}

/** Fits to both passes in one chunk and in two; undefined where an expert has one place, which cannot be split. */
async function fitsOf(layer: StepLayer, allToAll: string): Promise<LayerFits | undefined> {
  const one = await bothPasses(layer, allToAll, 1);
  if (one.capacity < 2) return undefined;
  const two = await bothPasses(layer, allToAll, 2);
  const { graph, costs } = one.backward;
  const allReduce = graph.tasks.filter(({ kind }) => kind === "allReduce")
    .reduce((sum, task) => sum + costs.seconds(task), 0);
  return {
    forward: fitChunkTimes(one.forward, two.forward),
    backward: fitChunkTimes(one.backward, two.backward),
    allReduce,
    most: Math.min(MOST, one.capacity),
  };
}

async function bothPasses(layer: StepLayer, allToAll: string, chunks: number) {
  const choices = { allToAll, chunks, bound: true, results: false };
  const forward = await layer.forward(choices);
  const backward = await layer.backward(choices);
  return {
    forward: costed(forward),
    backward: costed(backward),
    capacity: Number(forward.configuration.capacity),
  };
}

function costed(run: Run): CostedGraph {
  const { program, costs } = run.ran.at(-1)!;
  if (!costs) throw new SchemoeError(`Cannot fit stages: no task of "${run.name}" was measured`);
  return { graph: program.graph, costs };
}
