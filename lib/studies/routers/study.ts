/** Routers on the same tokens: loads, imbalance, and losses. @module */
import {
  aCount,
  anEngine,
  anything,
  expect,
  listOf,
  maybe,
  options,
  record,
} from "../../arguments/mod.ts";
import { type Gate, hashTable, importance, type LayerConfig } from "../../blocks/mod.ts";
import type { Engine } from "../../engine.ts";
import { createLayer, type MoeLayer, randomNormal, type Run } from "../../layer/mod.ts";
import { commonText } from "../../timeline/chart/facts.ts";
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";
import { RouterStudy } from "./result.ts";
import type { RouterRow } from "./row.ts";

const ROUTER_STUDY_OPTIONS = options({
  layer: record(
    "sizes of a layer, such as { tokens: 64, modelDim: 16, hiddenDim: 32, experts: 8 }",
    {},
  ),
  gates: record("gates by name, such as { top2: topK({ k: 2 }) }", {}),
  skews: maybe(listOf(anything, "exponents")),
  steps: maybe(aCount),
});

/** Tokens and routers. */
export interface RouterStudyOptions {
  /** The layer of all gates; its gate and losses are replaced. */
  readonly layer: Omit<LayerConfig, "gate" | "losses">;
  /** By the names under which they are shown. */
  readonly gates: Readonly<Record<string, Gate>>;
  /**
   * How far all tokens are shifted in one direction, in deviations of their values; numbers of tokens follow a power
   * law the steeper the larger it is. Default 0, 1 and 2.
   */
  readonly skews?: readonly number[];
  /** Passes before, in which a gate with an update adapts; default 60. */
  readonly steps?: number;
}

/**
 * Routes the same tokens with each gate, more and more of them alike.
 *
 * ```ts
 * import { expertChoice, openEngine, topK } from "@schemoe/lab";
 * import { routerStudy } from "@schemoe/lab/studies";
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
 * const gates = { best: topK({ k: 2 }), experts: expertChoice({ k: 2 }) };
 * const layer = { tokens: 64, modelDim: 16, hiddenDim: 8, experts: 8 };
 * const { rows } = await routerStudy(engine, { layer, gates, skews: [0, 2] });
 * console.assert(rows.find((row) => row.router === "experts")!.imbalance === 1);
 * ```
 * @throws {SchemoeError} on an engine that computes no values, and without gates or skews.
 */
export async function routerStudy(
  engine: Engine,
  options: RouterStudyOptions,
): Promise<RouterStudy> {
  expect("routerStudy", "engine", engine, anEngine);
  expect("routerStudy", "options", options, ROUTER_STUDY_OPTIONS);
  const { layer: config, gates, skews = [0, 1, 2], steps = 60 } = options;
  if (!engine.computes) fail(`an engine of the kind ${engine.kind} computes no loads`);
  if (Object.keys(gates).length === 0) fail("give gates by name");
  const odd = skews.find((skew) => !(skew >= 0 && skew < Infinity));
  if (skews.length === 0 || odd !== undefined) {
    fail(`skews must be a list of numbers of at least 0, got ${quoted(skews)}`);
  }
  const rows: RouterRow[] = [];
  const configurations: Run["configuration"][] = [];
  for (const [router, gate] of Object.entries(gates)) {
    // a loss of weight 0 is computed and adds nothing
    const losses = gate.scores === undefined ? [] : [importance({ weight: 0 })];
    for (const skew of skews) {
      using layer = createLayer(engine, { ...config, gate, losses });
      setTokens(layer, skew);
      for (let step = 0; gate.update && step < steps; step++) {
        await layer.forward({ results: false });
        await layer.backward({ results: false });
      }
      const run = await layer.forward();
      configurations.push(run.configuration);
      const loads = summed(run.loads!, engine.topology.ranks);
      rows.push({
        router,
        skew,
        loads,
        imbalance: imbalanceOf(loads),
        importance: mean(run.losses?.importance ?? [NaN]),
      });
    }
  }
  const adapted = `${steps} passes before for gates with an update`;
  return new RouterStudy(rows, [`${commonText(configurations)} · ${adapted}`]);
}

/** Tokens shifted by a skew, and what else a gate wants to be given: token numbers and their table. */
function setTokens(layer: MoeLayer, skew: number): void {
  const { layer: { tokens, modelDim, experts, gate, gateRows, topology: { ranks } } } = layer;
  const direction = randomNormal(modelDim, { seed: 11 });
  const x = randomNormal(ranks * tokens * modelDim, { seed: 12 })
    .map((value, i) => value + skew * direction[i % modelDim]);
  const shape = { tokens, modelDim, experts, rows: gateRows };
  const table = gate.tensors?.(shape).find(({ name }) => name === "table");
  if (!table) return void layer.set({ x });
  const [vocabulary, k] = table.shape;
  const places = randomNormal(2 * ranks * tokens, { seed: 13 });
  // the quotient of two normal numbers, as an angle, is uniform
  const uniform = (i: number) => Math.atan(places[2 * i] / places[2 * i + 1]) / Math.PI + 0.5;
  const number = (i: number) =>
    Math.min(vocabulary - 1, Math.floor(vocabulary * uniform(i) ** (1 + 2 * skew)));
  layer.set({
    x,
    "gate.table": hashTable({ vocabulary, experts, k }),
    "gate.tokenIds": Int32Array.from({ length: ranks * tokens }, (_, i) => number(i)),
  });
}

function summed(loads: Int32Array, ranks: number): number[] {
  const rows = loads.length / ranks;
  return Array.from(
    { length: rows },
    (_, e) => Array.from({ length: ranks }, (_, r) => loads[r * rows + e]).reduce((a, b) => a + b),
  );
}

const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((a, b) => a + b) / values.length;

function imbalanceOf(loads: readonly number[]): number {
  const average = mean(loads);
  return average > 0 ? Math.max(...loads) / average : 1;
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot study the routers: ${problem}`);
}
