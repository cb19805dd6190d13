/** One routing under every scheduler and all-to-all. @module */
import {
  anEngine,
  anything,
  aTrace,
  expect,
  listOf,
  maybe,
  options,
  record,
  something,
} from "../../arguments/mod.ts";
import { replayed } from "../../blocks/mod.ts";
import type { LayerConfig } from "../../blocks/mod.ts";
import type { Engine } from "../../engine.ts";
import { BUILT_IN } from "../../layer/built_in.ts";
import type { PassChoices } from "../../layer/choices.ts";
import { createLayer } from "../../layer/create_layer.ts";
import type { RouterTrace } from "../../routing/types.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import type { Scheduler } from "../../schedulers/types.ts";

const REPLAY_ROUTING_OPTIONS = options({
  engine: anEngine,
  layer: record("sizes of a layer { modelDim, hiddenDim }", {
    modelDim: something,
    hiddenDim: something,
  }),
  schedulers: maybe(listOf(something, "schedulers")),
  allToAlls: maybe(listOf(something, "all-to-alls")),
  choices: anything,
});

/** What a routing is replayed with. */
export interface ReplayOptions {
  /** One that simulates or one that computes. */
  readonly engine: Engine;
  /** The layer without what the routing says; dropless unless it has a `routing`. */
  readonly layer: Omit<LayerConfig, "tokens" | "experts" | "gate">;
  /** Built-in ones or values; default all that need no plan of their own. */
  readonly schedulers?: readonly (Scheduler | string)[];
  /** Default all. */
  readonly allToAlls?: readonly (AllToAll | string)[];
  /** Chunks, and further choices of the passes; default 1 chunk. */
  readonly choices?: Omit<PassChoices, "scheduler" | "allToAll">;
}

/** One scheduler over one all-to-all. */
export interface ReplayRow {
  /** Name of the routing. */
  readonly routing: string;
  /** Name of the scheduler. */
  readonly scheduler: string;
  /** Name of the all-to-all. */
  readonly allToAll: string;
  /** Milliseconds of the forward pass. */
  readonly forwardMs: number;
  /** Milliseconds of the backward pass. */
  readonly backwardMs: number;
  /** Both passes over the lower bound of their tasks; absent where none was asked for. */
  readonly overBound?: number;
}

/**
 * Both passes of a layer whose tokens go where a routing says, under each scheduler and all-to-all.
 *
 * ```ts
 * import { openEngine } from "@schemoe/lab";
 * import { zipfRouting } from "@schemoe/lab/routing";
 * import { replayRouting } from "@schemoe/lab/studies";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const trace = zipfRouting({ ranks: 4, tokens: 64, experts: 8, topK: 2, exponent: 1 });
 * const rows = await replayRouting(trace, {
 *   engine,
 *   layer: { modelDim: 16, hiddenDim: 32 },
 *   schedulers: ["sequential", "optSche"],
 *   allToAlls: ["linear", "fast"],
 * });
 * console.assert(rows.length === 4 && rows.every(({ overBound }) => overBound! >= 1));
 * ```
 * @throws {SchemoeError} for a routing of another world, and unknown names.
 */
export async function replayRouting(
  trace: RouterTrace,
  of: ReplayOptions,
): Promise<ReplayRow[]> {
  expect("replayRouting", "trace", trace, aTrace);
  expect("replayRouting", "options", of, REPLAY_ROUTING_OPTIONS);
  const { engine, layer: config, ...options } = of;
  const { schedulers = BUILT_IN.scheduler, allToAlls = BUILT_IN.allToAll } = options;
  const made = {
    routing: { dropless: true },
    ...config,
    experts: trace.experts,
    gate: replayed({ trace }),
  };
  const tokens = Array.from({ length: trace.ranks }, (_, rank) => trace.tokens(rank));
  const even = tokens.every((count) => count === tokens[0]);
  using layer = createLayer(engine, even ? { ...made, tokens: tokens[0] } : { ...made, tokens });
  const rows: ReplayRow[] = [];
  for (const scheduler of schedulers) {
    for (const allToAll of allToAlls) {
      const choices = { ...options.choices, scheduler, allToAll };
      const runs = [await layer.forward(choices), await layer.backward(choices)];
      const [forward, backward] = runs.map(({ makespan }) => 1e3 * makespan);
      const bounds = runs.map(({ bound }) => bound);
      const bound = bounds.reduce(
        (sum: number | undefined, b) => sum === undefined || b === undefined ? undefined : sum + b,
        0,
      );
      rows.push({
        routing: trace.name,
        scheduler: typeof scheduler === "string" ? scheduler : scheduler.name,
        allToAll: typeof allToAll === "string" ? allToAll : allToAll.name,
        forwardMs: forward,
        backwardMs: backward,
        ...(bound ? { overBound: (forward + backward) / (1e3 * bound) } : {}),
      });
    }
  }
  return rows;
}
