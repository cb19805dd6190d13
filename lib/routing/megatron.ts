/** Router traces as Megatron-LM writes them (`--moe-routing-trace-path`). @module */
import { aSize, aText, aTrace, expect, maybe, options } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import { cannotRead, linesOf, type TextSource } from "./numbers.ts";
import type { RouterTrace } from "./types.ts";
import { quoted } from "../words.ts";
import { parseJson } from "../files/json.ts";

const MEGATRON_TRACE_AT = options({ step: maybe(aSize), block: maybe(aText), layer: maybe(aSize) });

/** The routing of one layer in one step, of all ranks whose lines were given. */
export interface TracedRouting extends RouterTrace {
  /** Training step, as in the file. */
  readonly step: number;
  /** `decoder` or `mtp`. */
  readonly block: string;
  /** Number of the layer, as in the file. */
  readonly layer: number;
}

/** The fields of a line that are read. */
interface Line {
  readonly step: number;
  readonly block: string;
  readonly layer: number;
  readonly mtp_idx?: number;
  readonly rank: number;
  readonly num_tokens?: number;
  readonly topk: number;
  readonly top_indices: readonly (readonly number[])[];
}

/**
 * Routings from the lines of Megatron's `router_trace_rank*.jsonl`: one JSON object for each step, block, layer
 * and rank, with `top_indices` [tokens][topk]. Give the lines of all ranks, in any order; the result is in
 * order of step, block and layer. Ranks are numbered as they are in the files, from 0 without gaps.
 *
 * ```ts
 * import { loadsOf, parseMegatronTrace } from "@schemoe/lab/routing";
 * const line = { step: 0, block: "decoder", layer: 3, num_tokens: 2, topk: 1 };
 * const [routing] = parseMegatronTrace(
 *   [{ ...line, rank: 0, top_indices: [[1], [0]] }, { ...line, rank: 1, top_indices: [[1], [1]] }]
 *     .map((object) => JSON.stringify(object)).join("\n"),
 *   { experts: 2 },
 * );
 * console.assert(loadsOf(routing).table.join() === "1,1,0,2");
 * ```
 * @param options.experts of the model; the lines do not say.
 * @throws {SchemoeError} naming the line that cannot be used, or the rank that is missing.
 */
export function parseMegatronTrace(
  text: string,
  options: TextSource & { readonly experts: number },
): TracedRouting[] {
  const { experts, ...source } = Object(options) as typeof options;
  const fail = failing(source);
  if (!Number.isInteger(experts) || experts < 1) {
    fail(`experts must be a positive integer, got ${quoted(experts)}`);
  }
  const groups = new Map<string, { first: Line; ranks: Map<number, Int32Array> }>();
  for (const { line: number, text: written } of linesOf(text, { comments: false })) {
    const line = parseLine(written, { number, experts, fail });
    const { step, block, layer, mtp_idx } = line;
    const key = JSON.stringify([step, block, mtp_idx ?? null, layer]);
    let group = groups.get(key);
    if (!group) groups.set(key, group = { first: line, ranks: new Map() });
    if (group.ranks.has(line.rank)) {
      fail(`line ${number} repeats step ${step}, ${block} layer ${layer} of rank ${line.rank}`);
    }
    if (line.topk !== group.first.topk) {
      fail(`line ${number} has topk ${line.topk}, an earlier rank has ${group.first.topk}`);
    }
    group.ranks.set(line.rank, Int32Array.from(line.top_indices.flat()));
  }
  if (groups.size === 0) fail("there are no lines");
  const order = (line: Line) => line.mtp_idx ?? -1;
  return [...groups.values()]
    .sort(({ first: a }, { first: b }) =>
      a.step - b.step || Number(a.block > b.block) - Number(a.block < b.block) ||
      order(a) - order(b) || a.layer - b.layer
    )
    .map(({ first, ranks }) => routing(first, ranks, { experts, fail }));
}

/**
 * A routing as such lines, a line for each rank in order; the inverse of {@linkcode parseMegatronTrace}.
 * @param at step and layer that the lines name; default those of the routing if it has any, else 0.
 * @throws {SchemoeError} for a token with fewer experts than others, which such lines cannot say.
 */
export function megatronTrace(
  trace: RouterTrace & Partial<Pick<TracedRouting, "step" | "block" | "layer">>,
  at: { readonly step?: number; readonly block?: string; readonly layer?: number } = {},
): string {
  expect("megatronTrace", "trace", trace, aTrace);
  expect("megatronTrace", "at", at, MEGATRON_TRACE_AT);
  const { step = 0, block = "decoder", layer = 0 } = { ...trace, ...at };
  const { ranks, topK: topk } = trace;
  const lines = Array.from({ length: ranks }, (_, rank) => {
    const choices = trace.choices(rank);
    const none = choices.indexOf(-1);
    if (none >= 0) {
      throw new SchemoeError(
        `Cannot write the router trace: token ${
          Math.floor(none / topk)
        } of rank ${rank} has fewer than ${topk} experts`,
      );
    }
    const num_tokens = trace.tokens(rank);
    const top_indices = Array.from(
      { length: num_tokens },
      (_, token) => Array.from(choices.subarray(token * topk, (token + 1) * topk)),
    );
    return JSON.stringify({ step, block, layer, rank, num_tokens, topk, top_indices });
  });
  return lines.map((line) => line + "\n").join("");
}

function routing(
  first: Line,
  ranks: ReadonlyMap<number, Int32Array>,
  { experts, fail }: { readonly experts: number; readonly fail: Fail },
) {
  const { step, block, layer, topk, mtp_idx } = first;
  const where = `step ${step}, ${block}${
    mtp_idx === undefined ? "" : ` ${mtp_idx}`
  } layer ${layer}`;
  for (let rank = 0; rank < ranks.size; rank++) {
    if (!ranks.has(rank)) fail(`${where} has lines of ${ranks.size} ranks, none of rank ${rank}`);
  }
  const of = (rank: number) => {
    const choices = ranks.get(rank);
    if (!choices) return fail(`${where} has no rank ${rank}`);
    return choices;
  };
  return {
    name: where,
    step,
    block,
    layer,
    experts,
    topK: topk,
    ranks: ranks.size,
    tokens: (rank: number) => of(rank).length / topk,
    choices: (rank: number) => of(rank).slice(),
  };
}

function parseLine(
  text: string,
  { number, experts, fail }: {
    readonly number: number;
    readonly experts: number;
    readonly fail: Fail;
  },
): Line {
  let line: Line;
  try {
    line = parseJson(text);
  } catch (cause) {
    return fail(`line ${number} is no JSON: ${quoted(text.slice(0, SHOWN))}`, cause);
  }
  if (typeof line !== "object" || line === null) fail(`line ${number} is no object`);
  for (const field of ["step", "layer", "rank", "topk", "mtp_idx", "num_tokens"] as const) {
    const value = line[field];
    if (value === undefined && (field === "mtp_idx" || field === "num_tokens")) continue;
    if (!Number.isSafeInteger(value) || Number(value) < (field === "topk" ? 1 : 0)) {
      fail(`line ${number} has ${field} ${quoted(value)}`);
    }
  }
  const { top_indices: rows, topk, block, num_tokens } = line;
  if (typeof block !== "string") fail(`line ${number} has no block`);
  if (!Array.isArray(rows)) fail(`line ${number} has no top_indices`);
  if (num_tokens !== undefined && num_tokens !== rows.length) {
    fail(`line ${number} has num_tokens ${num_tokens} and top_indices of ${rows.length} tokens`);
  }
  for (const [token, row] of rows.entries()) {
    if (!Array.isArray(row) || row.length !== topk) {
      fail(`line ${number} has not ${topk} experts for token ${token}`);
    }
    const odd = row.findIndex((e: unknown) =>
      !(Number.isInteger(e) && Number(e) >= 0 && Number(e) < experts)
    );
    if (odd >= 0) {
      fail(`line ${number} sends token ${token} to expert ${quoted(row[odd])} of ${experts}`);
    }
    if (new Set(row).size !== topk) fail(`line ${number} sends token ${token} to an expert twice`);
  }
  return line;
}

/** Characters of a line that an error shows. */
const SHOWN = 40;

type Fail = (problem: string, cause?: unknown) => never;

const failing = (source: TextSource): Fail => (problem, cause) => {
  throw new SchemoeError(`${cannotRead("the router trace", source)}: ${problem}`, { cause });
};
