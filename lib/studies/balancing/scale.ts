/** Uneven all-to-alls on worlds of hundreds to thousands of ranks, beside their bounds. @module */
import {
  aCount,
  aNumber,
  aText,
  atLeastZero,
  expect,
  listOf,
  maybe,
  options,
  record,
  something,
} from "../../arguments/mod.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import { shuffled } from "../../routing/draw.ts";
import { gravityTraffic } from "../../routing/matrix.ts";
import { zipfWeights } from "../../routing/zipf.ts";
import { DEFAULT_TESTBED, testbed } from "../../testbeds/mod.ts";
import { alignedText } from "../../timeline/table/aligned_text.ts";
import { compareAllToAlls } from "./compare.ts";

const SCALE_TEXT_ROWS = listOf(
  record("a row of allToAllsAtScale", {
    ranks: aNumber,
    allToAll: aText,
    seconds: aNumber,
    bound: aNumber,
  }),
  "rows of allToAllsAtScale",
);
const ALL_TO_ALLS_AT_SCALE_OPTIONS = options({
  ranks: maybe(listOf(aCount, "numbers of ranks")),
  testbed: maybe(aText),
  rows: maybe(aCount),
  rowBytes: maybe(aCount),
  exponent: maybe(atLeastZero),
  expert: maybe(aCount),
  allToAlls: maybe(listOf(something, "all-to-alls")),
});

/** Which worlds, and what is exchanged. */
export interface ScaleOptions {
  /** Sizes of the world, multiples of 8; default 512, 1024, 2048 and 4096. */
  readonly ranks?: readonly number[];
  /** Default `h200-ib400`. */
  readonly testbed?: string;
  /** Rows that each rank sends, tokens times k; default 32,768. */
  readonly rows?: number;
  /** Bytes of a row; default 14,336, 7168 values in bfloat16. */
  readonly rowBytes?: number;
  /** Zipf's exponent of what the ranks of a group get; default 0.8. */
  readonly exponent?: number;
  /** Neighbouring ranks that hold all experts together; default all ranks of the world. */
  readonly expert?: number;
  /** Built-in ones or values; default linear, pipe and those that plan by traffic. */
  readonly allToAlls?: readonly (AllToAll | string)[];
}

/** One all-to-all on one world. */
export interface ScaleRow {
  /** Ranks of the world. */
  readonly ranks: number;
  /** Name of the all-to-all. */
  readonly allToAll: string;
  /** Simulated time of the exchange. */
  readonly seconds: number;
  /** Largest bound that holds for every algorithm, and where it comes from. */
  readonly bound: number;
  /** Which rank, node or leaf the bound comes from. */
  readonly where: string;
  /** `seconds` over `bound`, at least 1. */
  readonly overBound: number;
  /** Phases of the plan. */
  readonly phases: number;
  /** Milliseconds of planning; measured on this machine. */
  readonly planningMs: number;
}

const RANKS = [512, 1024, 2048, 4096];
const PER_NODE = 8;
const NAMES = ["linear", "pipe", "balanced", "rails", "fast", "matchings"];

/**
 * Simulates one exchange on each world under several all-to-alls: every rank sends equally many rows, what the ranks of
 * a group get follows Zipf's law in an order of the group's own. Of each rank two sums are kept, never a matrix.
 *
 * ```ts
 * import { allToAllsAtScale } from "@schemoe/lab/studies";
 * const rows = allToAllsAtScale({ ranks: [512], expert: 64, rows: 1024, allToAlls: ["pipe", "rails"] });
 * console.assert(rows.every(({ seconds, bound }) => seconds >= bound));
 * ```
 * @throws {SchemoeError} for ranks that do not fill nodes of 8 or groups, and unknown names.
 */
export function allToAllsAtScale(options: ScaleOptions = {}): ScaleRow[] {
  expect("allToAllsAtScale", "options", options, ALL_TO_ALLS_AT_SCALE_OPTIONS);
  const { ranks: sizes = RANKS, rows = 32_768, rowBytes = 14_336, exponent = 0.8 } = options;
  return sizes.flatMap((ranks) => {
    const { topology } = testbed(options.testbed ?? DEFAULT_TESTBED, {
      nodes: ranks / PER_NODE,
      ranksPerNode: PER_NODE,
    });
    const { expert = ranks } = options;
    const received = new Float64Array(ranks);
    for (let first = 0; first < ranks; first += expert) {
      received.set(zipfWeights(shuffled(expert, 1 + first / expert), exponent), first);
    }
    const sent = new Float64Array(ranks).fill(rows);
    const traffic = gravityTraffic({ sent, received, bytesPerToken: rowBytes, expert });
    const { rows: found, bounds, bound } = compareAllToAlls(
      topology,
      traffic,
      options.allToAlls ?? NAMES,
    );
    const where = bounds.find(({ general, seconds }) => general && seconds === bound)?.where ?? "";
    return found.map((row): ScaleRow => ({ ranks, bound, where, ...row }));
  });
}

/** The same as lines of text, a row each. */
export function scaleText(rows: readonly ScaleRow[]): string {
  expect("scaleText", "rows", rows, SCALE_TEXT_ROWS);
  const ms = (seconds: number) => `${(1e3 * seconds).toFixed(2)} ms`;
  return alignedText([
    ["ranks", "all-to-all", "time", "bound", "over bound", "phases", "planning"],
    ...rows.map((row) => [
      `${row.ranks}`,
      row.allToAll,
      ms(row.seconds),
      ms(row.bound),
      row.overBound.toFixed(2),
      `${row.phases}`,
      `${row.planningMs.toFixed(0)} ms`,
    ]),
  ]);
}
