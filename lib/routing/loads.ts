/** From routings to loads, and loads as text. @module */
import { aTrace, expect, someLoads } from "../arguments/mod.ts";
import { type Loads, SchemoeError } from "../types.ts";
import { cannotRead, linesOf, parseNumbers, type TextSource } from "./numbers.ts";
import { quoted } from "../words.ts";
import type { RouterTrace } from "./types.ts";

/**
 * Tokens that each rank sends to each expert; a choice of -1 is none.
 * @throws {SchemoeError} for a choice of an expert that there is not.
 */
export function loadsOf(trace: RouterTrace): Loads {
  expect("loadsOf", "trace", trace, aTrace);
  const { ranks, experts } = trace;
  const table = new Int32Array(ranks * experts);
  for (let rank = 0; rank < ranks; rank++) {
    const choices = trace.choices(rank);
    for (let i = 0; i < choices.length; i++) {
      const expert = choices[i];
      if (expert >= 0 && expert < experts) table[rank * experts + expert]++;
      else if (expert !== -1) {
        throw new SchemoeError(
          `Cannot count the loads: rank ${rank} sends token ${
            Math.floor(i / trace.topK)
          } to expert ${expert} of ${experts}`,
          { rank },
        );
      }
    }
  }
  return { ranks, experts, table };
}

/** How uneven loads are: the fullest expert's and the fullest rank's load over the mean one's. */
export function imbalanceOf(of: Loads): { expert: number; rank: number } {
  expect("imbalanceOf", "of", of, someLoads);
  const { ranks, experts, table } = of;
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
export function loadsCsv(of: Loads): string {
  expect("loadsCsv", "of", of, someLoads);
  const { ranks, experts, table } = of;
  return Array.from(
    { length: ranks },
    (_, rank) => table.subarray(rank * experts, (rank + 1) * experts).join() + "\n",
  ).join("");
}

/**
 * Loads from CSV: a line of all experts for each rank, or, with the first line `rank,expert,tokens`, one
 * line for each pair with tokens.
 *
 * ```ts
 * import { loadsCsv, parseLoads } from "@schemoe/lab/routing";
 * const loads = parseLoads("rank,expert,tokens\n0,1,3\n1,0,2\n");
 * console.assert(loadsCsv(loads) === "0,3\n2,0\n");
 * ```
 * Empty lines and lines that begin with `#` are skipped.
 *
 * @throws {SchemoeError} naming the line and value that are wrong.
 */
export function parseLoads(text: string, source: TextSource = {}): Loads {
  const fail = (problem: string): never => {
    throw new SchemoeError(`${cannotRead("the loads", source)}: ${problem}`);
  };
  const lines = linesOf(text);
  const [heading] = lines;
  const long = heading?.text.replaceAll(/\s/g, "") === "rank,expert,tokens";
  if (heading && !long && /^[^\d.+-]/.test(heading.text)) {
    fail(
      `line ${heading.line} is ${
        quoted(heading.text)
      }, neither the heading "rank,expert,tokens" nor tokens of a rank`,
    );
  }
  const rows = parseNumbers(long ? lines.slice(1) : lines, "the loads", source);
  for (const { line, values } of rows) {
    const odd = values.findIndex((v) => !Number.isInteger(v));
    if (odd >= 0) {
      fail(`line ${line} has a number that is no integer: ${values[odd]} in place ${odd + 1}`);
    }
    const large = values.findIndex((v) => v > MOST);
    if (large >= 0) {
      fail(`line ${line} has ${values[large]} in place ${large + 1}, more than 2^31 - 1`);
    }
  }
  if (!long) {
    const experts = rows[0].values.length;
    const odd = rows.find(({ values }) => values.length !== experts);
    if (odd) {
      fail(
        `line ${odd.line} has ${odd.values.length} numbers, line ${rows[0].line} has ${experts}`,
      );
    }
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
  if (ranks * experts > MOST_LOADS) {
    const { line } = rows.find(({ values }) =>
      values[0] === ranks - 1 || values[1] === experts - 1
    )!;
    fail(
      `line ${line} makes a table of ${ranks} ranks and ${experts} experts, more than ${MOST_LOADS} loads`,
    );
  }
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

/** Tokens that a load can say. */
const MOST = 2 ** 31 - 1;
/** Loads of a table: 65,536 ranks with 2,048 experts. */
const MOST_LOADS = 2 ** 27;
