/** One layer of each model on clusters of many sizes, simulated. @module */
import { aCount, anything, aText, expect, listOf, maybe, options } from "../../arguments/mod.ts";
import { swiglu } from "../../blocks/mod.ts";
import { modelCosts } from "../../costs/mod.ts";
import { openSimulator } from "../../engines/mod.ts";
import type { PassChoices } from "../../layer/choices.ts";
import { createLayer } from "../../layer/create_layer.ts";
import type { Run } from "../../layer/run.ts";
import { communication, progress } from "../../timeline/mod.ts";
import { DEFAULT_TESTBED, testbed } from "../../testbeds/mod.ts";
import { SchemoeError } from "../../types.ts";
import { type Model, model, MODEL_NAMES } from "./published.ts";
import { quoted } from "../../words.ts";

const SIMULATE_MODELS_OPTIONS = options({
  models: maybe(listOf(aText, "names of models")),
  ranks: maybe(listOf(aCount, "numbers of ranks")),
  testbed: maybe(aText),
  tokens: maybe(aCount),
  choices: anything,
});

/** Options of the simulation. */
export interface ModelsOptions {
  /** Default all. */
  readonly models?: readonly string[];
  /** Sizes of the world, multiples of 8; default 8, 64, 512 and 4096. */
  readonly ranks?: readonly number[];
  /** Default `h200-ib400`. */
  readonly testbed?: string;
  /** Tokens of a rank; default 4096. */
  readonly tokens?: number;
  /** Default optSche over pipe in 4 chunks. */
  readonly choices?: PassChoices;
}

/** One model on one world: times of one layer. */
export interface ModelRow {
  /** Name of the model. */
  readonly model: string;
  /** Ranks of the world. */
  readonly ranks: number;
  /** Ranks of an expert group, at most all. */
  readonly expertParallel: number;
  /** Copies of each expert. */
  readonly copies: number;
  /** Milliseconds of the forward pass of one layer. */
  readonly forwardMs: number;
  /** Milliseconds of its backward pass. */
  readonly backwardMs: number;
  /** Part of the communication of both passes that hides behind computation. */
  readonly hidden: number;
  /** Both passes over their lower bound. */
  readonly overBound: number;
  /** Adding up the gradients of copies, alone; a step of several micro-batches does it once. */
  readonly reductionMs: number;
  /** Memory of a rank for the layer and both passes in a world of one group: parameters, gradients, all buffers. */
  readonly memoryGB: number;
  /** Where the size of the groups is from. */
  readonly groups: string;
}

const RANKS = [8, 64, 512, 4096];
const PER_NODE = 8;
const CHOICES: PassChoices = { scheduler: "optSche", allToAll: "pipe", chunks: 4 };

/**
 * A table of models and worlds in the groups their reports use, in bfloat16 with SwiGLU experts at a capacity
 * factor of 1; one node stands for all.
 *
 * ```ts
 * import { simulateModels } from "@schemoe/lab/models";
 * const [row] = await simulateModels({ models: ["qwen3-30b-a3b"], ranks: [16], tokens: 256 });
 * console.assert(row.expertParallel === 16 && row.forwardMs > 0);
 * ```
 * @throws {SchemoeError} for an unknown model or testbed, and ranks that do not fill nodes of 8.
 */
export async function simulateModels(options: ModelsOptions = {}): Promise<ModelRow[]> {
  expect("simulateModels", "options", options, SIMULATE_MODELS_OPTIONS);
  const { models = MODEL_NAMES, ranks = RANKS, testbed: cluster = DEFAULT_TESTBED } = options;
  const { tokens = 4096, choices = CHOICES } = options;
  const odd = ranks.find((count) => !Number.isInteger(count) || count < 1 || count % PER_NODE);
  if (odd !== undefined) {
    throw new SchemoeError(
      `Cannot simulate the models: ranks must be multiples of ${PER_NODE}, got ${quoted(odd)}`,
    );
  }
  const known = models.map(model);
  const line = progress(known.length * ranks.length, "models");
  const rows: ModelRow[] = [];
  for (const given of known) {
    const { name, expertParallel, sources } = given;
    const memory = new Map<number, number>();
    for (const count of ranks) {
      const expert = Math.min(expertParallel, count);
      const passes = (world: number) =>
        passesOf(given, { cluster, tokens, choices, ranks: world, expert });
      const { runs } = await passes(count);
      // buffers of larger worlds take every rank's plan to size
      if (!memory.has(expert)) {
        const { layer } = await passes(Math.max(expert, PER_NODE));
        memory.set(expert, layer.memory().peak / 1e9);
      }
      rows.push({
        model: name,
        ranks: count,
        expertParallel: expert,
        copies: count / expert,
        ...timesOf(runs),
        memoryGB: memory.get(expert)!,
        groups: sources.groups,
      });
      line.advance(1, `${name} on ${count}`);
    }
  }
  await line.done();
  return rows;
}

/** Both passes of a layer on so many ranks. */
async function passesOf(
  { layer: layerOf }: Model,
  { cluster, tokens, choices, ranks, expert }: {
    readonly cluster: string;
    readonly tokens: number;
    readonly choices: PassChoices;
    readonly ranks: number;
    readonly expert: number;
  },
) {
  const { topology } = testbed(cluster, { nodes: ranks / PER_NODE, ranksPerNode: PER_NODE });
  using engine = openSimulator(topology, { representatives: true });
  const layer = createLayer(engine, {
    ...layerOf({ tokens, dtype: "bfloat16", routing: { capacityFactor: 1 } }),
    // biases would add nothing to be seen, but pieces of unequal sizes
    parallel: { expert },
    expert: swiglu(),
  });
  return { layer, runs: [await layer.forward(choices), await layer.backward(choices)] };
}

function timesOf(runs: readonly Run[]) {
  const [forward, backward] = runs;
  const parts = runs.map((run) => communication(run));
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const total = sum(parts.map((part) => part.total));
  const { graph } = backward.ran[0].program;
  const costs = modelCosts(graph.topology, { representatives: representativesOf(graph.topology) });
  const reduction = graph.tasks.filter(({ name }) => name.startsWith("grad.experts"));
  return {
    forwardMs: 1e3 * forward.makespan,
    backwardMs: 1e3 * backward.makespan,
    hidden: total > 0 ? sum(parts.map((part) => part.hidden)) / total : 1,
    overBound: sum(runs.map((run) => run.makespan)) / sum(runs.map((run) => run.bound!)),
    reductionMs: 1e3 * sum(reduction.map((task) => costs.seconds(task))),
  };
}

const representativesOf = ({ ranksPerNode }: { readonly ranksPerNode: number }) =>
  Array.from({ length: ranksPerNode }, (_, rank) => rank);
