/** @module */
import { table } from "arquero";
import { type Loads, SchemoeError } from "../../types.ts";
import { factsOf } from "../chart/facts.ts";
import { type Picture, picture } from "../chart/picture.ts";
import { formatPercent } from "../table/format.ts";
import { type Timed, worldOf } from "../table/subject.ts";
import { heatMap, type HeatRow } from "./heat_map.ts";
import { quoted } from "../../words.ts";

/** Tokens that the experts of one layer got in one step, from whatever knows them. */
export interface TokenCounts {
  /**
   * Tokens of each rank and expert, a list of ranks after one another ([ranks, experts] as `run.loads` has
   * them), or `Loads`.
   */
  readonly loads?: Loads | ArrayLike<number>;
  /** Instead of loads: a routing, whose choices are counted. */
  readonly choices?: (rank: number) => ArrayLike<number>;
  /** Instead of both: [ranks, experts], as `Loads` has it. */
  readonly table?: ArrayLike<number>;
  /** Rows of a list of choices or loads. */
  readonly ranks?: number;
  /** Columns of the table. */
  readonly experts?: number;
  /** Default 0. */
  readonly layer?: number;
  /** Default: its place among those of the same layer. */
  readonly step?: number;
}

/** A training step: loads of each layer, [ranks, experts]. */
export interface StepCounts extends Timed {
  /** Number of the training step. */
  readonly step: number;
  /** Choices of each expert, by layer: [ranks, experts]. */
  readonly layerLoads?: readonly ArrayLike<number>[];
}

/** A row of counts. */
interface Counted {
  readonly layer: number;
  readonly step: number;
  readonly tokens: Float64Array;
}

/** Rows that a picture shows. */
const MOST = 64;

/**
 * Which experts the tokens go to: a heat map with a row for each layer and step, and a column for each expert,
 * coloured by its tokens relative to the mean expert. The table has `layer`, `step`, `expert`, `tokens` and
 * `over_mean` (1 is balance, null where there are no tokens). Beside each row stands the fullest expert over
 * the mean one (the factor by which it holds its rank up) and how many experts get nothing.
 *
 * @param counts one or a list of: runs of a layer, training steps of a model, routings (`zipfRouting`, those of
 * `parseMegatronTrace`), or objects of your own.
 * @param of a run of which title and lines say what was run.
 *
 * ```ts
 * import { tokenMap } from "@schemoe/lab/timeline";
 * import { loadsOf, zipfRouting } from "@schemoe/lab/routing";
 * const steps = [1, 2, 3].map((seed) => zipfRouting({ ranks: 2, tokens: 64, experts: 4, exponent: 1, seed }));
 * const { table } = tokenMap(steps);
 * console.assert(table.numRows() === 3 * 4);
 * console.assert(table.get("tokens", 0) === loadsOf(steps[0]).table[0] + loadsOf(steps[0]).table[4]);
 * ```
 * @throws {SchemoeError} for nothing to count, a negative count, or layers of other numbers of experts.
 */
export function tokenMap(
  counts: TokenCounts | StepCounts | readonly (TokenCounts | StepCounts)[],
  options: { readonly title?: string; readonly of?: Timed } = {},
): Picture {
  const list = Array.isArray(counts) ? counts as readonly TokenCounts[] : [counts as TokenCounts];
  if (list.length === 0) {
    throw new SchemoeError("Cannot draw the token map: give a list of at least one run or routing");
  }
  const next = new Map<number, number>();
  const rows = list.flatMap(layersOf).map(({ given, item }) => {
    const { layer = 0, step = next.get(layer) ?? 0, tokens } = counted(given, item);
    next.set(layer, step + 1);
    return { layer, step, tokens };
  }).toSorted((a, b) => a.layer - b.layer || a.step - b.step);
  const experts = rows[0].tokens.length;
  const odd = rows.find(({ tokens }) => tokens.length !== experts);
  if (odd) {
    throw new SchemoeError(
      `Cannot draw the token map: layer ${odd.layer}, step ${odd.step} has ${odd.tokens.length} experts, ` +
        `layer ${rows[0].layer}, step ${rows[0].step} has ${experts}`,
    );
  }
  const drawn = rows.map(rowOf);
  const cells = rows.flatMap(({ layer, step, tokens }, i) =>
    Array.from(
      tokens,
      (count, expert) => ({ layer, step, expert, count, over: drawn[i].over[expert] }),
    )
  );
  const run = options.of ?? runOf(list);
  return picture({
    doing: "draw the token map",
    label: "Tokens of each expert",
    title: options.title ?? "Tokens by layer, step and expert",
    lines: run ? factsOf(run) : [],
    summary: summaryOf(drawn, experts),
    note:
      `colour: tokens over the mean of the experts of the row, max: the fullest one · ${experts} experts${
        drawn.length > MOST ? ` · the first ${MOST} of ${drawn.length} rows` : ""
      }`,
    table: table({
      layer: cells.map(({ layer }) => layer),
      step: cells.map(({ step }) => step),
      expert: cells.map(({ expert }) => expert),
      tokens: cells.map(({ count }) => count),
      over_mean: cells.map(({ over }) => Number.isNaN(over) ? null : over),
    }),
    draw: (space) => heatMap(drawn.slice(0, MOST), space),
  });
}

/** The layers of a training step one by one, anything else as it is. */
function layersOf(given: TokenCounts | StepCounts, item: number) {
  const { layerLoads, step } = Object(given) as Partial<StepCounts>;
  if (!layerLoads) return [{ given: given as TokenCounts, item }];
  const ranks = worldOf(given as StepCounts)?.ranks ?? 1;
  return layerLoads.map((table, layer): { given: TokenCounts; item: number } => ({
    item,
    given: { table, layer, step, ranks, experts: table.length / ranks },
  }));
}

/** Tokens of each expert over all ranks. */
function counted(
  given: TokenCounts,
  item: number,
): Omit<Counted, "step"> & { readonly step?: number } {
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot draw the token map: item ${item} ${problem}`);
  };
  if (typeof given !== "object" || given === null) {
    fail(`is ${quoted(given)}, not a run or a routing`);
  }
  const { layer = 0, step } = given;
  const { experts, list } = countsOf(given) ??
    fail("has no loads, choices or table; a simulated run has none, for nothing was routed");
  if (!(Number.isInteger(experts) && experts > 0 && list.length % experts === 0)) {
    fail(`has ${list.length} counts for ${experts} experts`);
  }
  const tokens = new Float64Array(experts);
  for (let i = 0; i < list.length; i++) {
    if (!(list[i] >= 0)) fail(`has ${list[i]} tokens for expert ${i % experts}`);
    tokens[i % experts] += list[i];
  }
  return { layer, step, tokens };
}

/** Counts of ranks and experts, and the number of experts. */
function countsOf(given: TokenCounts): { experts: number; list: ArrayLike<number> } | undefined {
  const { loads, choices, ranks, experts, table } = given;
  if (table && experts) return { experts, list: table };
  if (loads && "table" in loads) return { experts: loads.experts, list: loads.table };
  const own = (given as { setup?: { layer: { gateRows: number } } }).setup?.layer.gateRows;
  if (loads) return { experts: experts ?? own ?? loads.length, list: loads };
  if (!choices || !ranks || !experts) return undefined;
  const list = new Float64Array(experts);
  for (let rank = 0; rank < ranks; rank++) {
    for (const expert of Array.from(choices(rank))) list[expert]++;
  }
  return { experts, list };
}

function rowOf({ layer, step, tokens }: Counted): HeatRow {
  const sum = tokens.reduce((total, count) => total + count, 0);
  const mean = sum / tokens.length;
  const over = Array.from(tokens, (count) => mean > 0 ? count / mean : NaN);
  return {
    layer,
    step,
    tokens,
    over,
    most: mean > 0 ? over.reduce((a, b) => Math.max(a, b), 0) : 0,
    dead: tokens.reduce((count, value) => count + Number(value === 0), 0),
  };
}

/** The run among what was given, if it is one. */
const runOf = (counts: readonly object[]): Timed | undefined =>
  counts.find((given) => "timeline" in given) as Timed | undefined;

function summaryOf(rows: readonly HeatRow[], experts: number): string {
  const worst = rows.reduce((a, b) => b.most > a.most ? b : a);
  const dead = rows.reduce((sum, row) => sum + row.dead, 0) / (rows.length * experts);
  return `The fullest expert has up to ${
    worst.most.toFixed(2)
  } times the mean (layer ${worst.layer}, ` +
    `step ${worst.step}); ${formatPercent(dead)} of experts and steps get no tokens.`;
}
