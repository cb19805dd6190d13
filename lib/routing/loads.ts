/** From routings to loads, and loads as text. @module */
import { type Loads, SchemoeError } from "../types.ts";
import { parseNumbers } from "./numbers.ts";
import type { RouterTrace } from "./types.ts";

/** Tokens that each rank sends to each expert; a choice of -1 is none. */
export function loadsOf(trace: RouterTrace): Loads {
  const { ranks, experts } = trace;
  const table = new Int32Array(ranks * experts);
  for (let rank = 0; rank < ranks; rank++) {
    for (const expert of trace.choices(rank)) if (expert >= 0) table[rank * experts + expert]++;
  }
  return { ranks, experts, table };
}

/** How uneven loads are: the fullest expert's and the fullest rank's load over the mean one's. */
export function imbalanceOf({ ranks, experts, table }: Loads): { expert: number; rank: number } {
  const perExpert = new Float64Array(experts);
  table.forEach((load, i) => perExpert[i % experts] += load);
  const mean = perExpert.reduce((a, b) => a + b, 0) / experts;
  const most = (values: Float64Array) => values.reduce((a, b) => Math.max(a, b), 0);
  if (mean === 0) return { expert: 1, rank: 1 };
  const perRank = new Float64Array(ranks);
  perExpert.forEach((load, e) => perRank[Math.floor(e * ranks / experts)] += load);
  return { expert: most(perExpert) / mean, rank: most(perRank) / (mean * experts / ranks) };
}

/** Loads as CSV, a line of all experts for each rank; the inverse of {@linkcode parseLoads}. */
export const loadsCsv = ({ ranks, experts, table }: Loads): string =>
  Array.from(
    { length: ranks },
    (_, rank) => table.subarray(rank * experts, (rank + 1) * experts).join() + "\n",
  ).join("");

/**
 * Loads from CSV: a line of all experts for each rank, or, with the first line `rank,expert,tokens`, one
 * line for each pair with tokens.
 *
 * ```ts
 * import { loadsCsv, parseLoads } from "@schemoe/lab/routing";
 * const loads = parseLoads("rank,expert,tokens\n0,1,3\n1,0,2\n");
 * console.assert(loadsCsv(loads) === "0,3\n2,0\n");
 * ```
 * @throws {SchemoeError} naming the line that is wrong.
 */
export function parseLoads(text: string): Loads {
  const lines = text.split(/\r?\n/);
  const long = lines[0].replaceAll(" ", "") === "rank,expert,tokens";
  const [first] = lines[0].split(",");
  if (!long && Number.isNaN(Number(first))) {
    fail(`line 1 is "${lines[0]}", neither the heading "rank,expert,tokens" nor tokens of a rank`);
  }
  const rows = parseNumbers(long ? lines.slice(1).join("\n") : text, "the loads", long ? 2 : 1);
  const whole = rows.find(({ values }) => !values.every((v) => Number.isInteger(v)));
  if (whole) fail(`line ${whole.line} has a number that is no integer`);
  if (!long) {
    const experts = rows[0].values.length;
    const odd = rows.find(({ values }) => values.length !== experts);
    if (odd) fail(`line ${odd.line} has ${odd.values.length} numbers, line 1 has ${experts}`);
    return {
      ranks: rows.length,
      experts,
      table: Int32Array.from(rows.flatMap(({ values }) => values)),
    };
  }
  const odd = rows.find(({ values }) => values.length !== 3);
  if (odd) fail(`line ${odd.line} has ${odd.values.length} numbers, not rank, expert, tokens`);
  const count = (at: number) =>
    1 + rows.reduce((most, { values }) => Math.max(most, values[at]), 0);
  const [ranks, experts] = [count(0), count(1)];
  const table = new Int32Array(ranks * experts);
  const seen = new Set<number>();
  for (const { line, values: [rank, expert, tokens] } of rows) {
    const at = rank * experts + expert;
    if (seen.has(at)) fail(`line ${line} gives rank ${rank}, expert ${expert} a second time`);
    seen.add(at);
    table[at] = tokens;
  }
  return { ranks, experts, table };
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot read the loads: ${problem}`);
}
