/** A shared expert before, after and behind the all-to-alls. @module */
import { aLayerConfig, anEngine, expect } from "../arguments/mod.ts";
import type { LayerConfig } from "../blocks/mod.ts";
import type { Engine } from "../engine.ts";
import { createLayer, type PassChoices, type Run } from "../layer/mod.ts";
import { optSche } from "../schedulers/mod.ts";
import type { Scheduler } from "../schedulers/types.ts";
import { SchemoeError, type Task, type TaskGraph } from "../types.ts";

/** Where the shared expert runs: nowhere, before everything, behind transfers, after the chunks. */
export type SharedPlace = "without" | "before" | "hidden" | "after";

/** One place in one pass. */
export interface SharedRow {
  /** Where the shared expert ran. */
  readonly place: SharedPlace;
  /** Which pass it is. */
  readonly pass: "forward" | "backward";
  /** Seconds. */
  readonly makespan: number;
  /** Seconds over those without a shared expert. */
  readonly exposed: number;
  /** The run, with its timeline. */
  readonly run: Run;
}

/**
 * Both passes of a layer without its shared expert, and with it in three places, all else in the order of `optSche`.
 *
 * ```ts
 * import { openEngine } from "@schemoe/lab";
 * import { sharedExpertStudy } from "@schemoe/lab/studies";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const sizes = { tokens: 1024, modelDim: 256, hiddenDim: 256, experts: 8 };
 * const rows = await sharedExpertStudy(engine, { ...sizes, shared: { hiddenDim: 256 } });
 * console.assert(rows.length === 8);
 * ```
 * @param choices default `pipe` in 4 chunks; the scheduler is that of the study.
 * @throws {SchemoeError} for a layer without a shared expert.
 */
export async function sharedExpertStudy(
  engine: Engine,
  config: LayerConfig,
  choices: Omit<PassChoices, "scheduler"> = { allToAll: "pipe", chunks: 4 },
): Promise<SharedRow[]> {
  expect("sharedExpertStudy", "engine", engine, anEngine);
  expect("sharedExpertStudy", "config", config, aLayerConfig);
  const { shared, ...without } = config;
  if (!shared) throw new SchemoeError("Cannot study the shared expert: the layer has none");
  const rows: SharedRow[] = [];
  const alone = { forward: 0, backward: 0 };
  for (const place of ["without", "before", "hidden", "after"] as const) {
    using layer = createLayer(engine, place === "without" ? without : config);
    const given = { ...choices, scheduler: schedulerOf(place), name: place };
    for (const pass of ["forward", "backward"] as const) {
      const run = await layer[pass](given);
      const { makespan } = run;
      if (place === "without") alone[pass] = makespan;
      rows.push({ place, pass, makespan, exposed: makespan - alone[pass], run });
    }
  }
  return rows;
}

function schedulerOf(place: SharedPlace): Scheduler {
  if (place === "without" || place === "hidden") return optSche;
  return {
    name: `optSche, shared expert ${place}`,
    order: (graph, costs) => moved(graph, optSche.order(graph, costs) as readonly Task[], place),
  };
}

/** The order with the shared expert's tasks first, or as late as others allow. */
function moved(graph: TaskGraph, order: readonly Task[], place: "before" | "after"): Task[] {
  const own = new Set(order.filter(({ label }) => ["S", "Si", "Sw"].includes(label)));
  const first = order.filter((task) => own.has(task)).toSorted((a, b) => a.id - b.id);
  const others = order.filter((task) => !own.has(task));
  if (place === "before") return [...first, ...others];
  // last comes what needs the shared expert, directly or not, in the order of the graph
  const late = new Set<number>([...own].map(({ id }) => id));
  for (const { id, after } of graph.tasks) if (after.some((one) => late.has(one))) late.add(id);
  const waiting = graph.tasks.filter(({ id }) => late.has(id));
  return [...others.filter(({ id }) => !late.has(id)), ...waiting];
}
