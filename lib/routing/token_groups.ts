/** Which ranks of each node the tokens go to. @module */
import { aCount, aFunction, aTrace, expect, maybe, options } from "../arguments/mod.ts";
import type { TokenGroup } from "../alltoall/token_groups.ts";
import { SchemoeError } from "../types.ts";
import type { RouterTrace } from "./types.ts";

const TOKEN_GROUPS_OPTIONS = options({ ranksPerNode: aCount, rankOf: maybe(aFunction) });

/** A group with its tokens. */
export interface RoutedGroup extends TokenGroup {
  /** Numbers of its tokens on their rank, rising. */
  readonly tokens: Int32Array;
}

/** Ranks of a node at most: sets of them are bits of an integer. */
const MOST_RANKS = 31;

/**
 * The tokens of each rank by the ranks of each node that they go to, in order of source, node and first token: a
 * token with experts on several nodes is in a group for each of them. Experts lie on the ranks in equal runs, unless
 * `rankOf` says which rank has one for the tokens of a rank.
 *
 * ```ts
 * import { tokenGroups, uniformRouting } from "@schemoe/lab/routing";
 * const trace = uniformRouting({ ranks: 4, tokens: 32, experts: 8, topK: 2 });
 * const groups = tokenGroups(trace, { ranksPerNode: 2 });
 * const copies = groups.reduce((sum, { tokens }) => sum + tokens.length, 0);
 * // one for each node, which is at most one for each choice
 * console.assert(copies >= 4 * 32 && copies <= 4 * 32 * 2);
 * ```
 * @throws {SchemoeError} for ranks that do not divide the experts, nodes that do not divide the ranks, or an expert
 * on no rank.
 */
export function tokenGroups(trace: RouterTrace, options: {
  readonly ranksPerNode: number;
  readonly rankOf?: (expert: number, source: number) => number;
}): RoutedGroup[] {
  expect("tokenGroups", "trace", trace, aTrace);
  expect("tokenGroups", "options", options, TOKEN_GROUPS_OPTIONS);
  const { ranksPerNode: m, rankOf } = options;
  const { ranks, experts } = trace;
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot group the tokens of the routing "${trace.name}": ${problem}`);
  };
  if (!rankOf && experts % ranks) fail(`${ranks} ranks do not divide ${experts} experts`);
  if (!(Number.isInteger(m) && m >= 1) || ranks % m) {
    fail(`nodes of ${m} do not divide ${ranks} ranks`);
  }
  if (m > MOST_RANKS) fail(`a node has at most ${MOST_RANKS} ranks, got ${m}`);
  const each = experts / ranks;
  const owner = rankOf ?? ((expert: number) => Math.floor(expert / each));
  /** Rank of an expert for the tokens of a source. */
  const rankOn = (expert: number, source: number) => {
    const rank = owner(expert, source);
    if (Number.isInteger(rank) && rank >= 0 && rank < ranks) return rank;
    return fail(`expert ${expert} is on rank ${rank} of ${ranks}`);
  };
  return Array.from({ length: ranks }, (_, source) => source).flatMap((source) =>
    groupsOf(trace, source, { nodes: ranks / m, m, rankOn })
  );
}

/** Groups of one rank, node by node. */
function groupsOf(
  trace: RouterTrace,
  source: number,
  { nodes, m, rankOn }: {
    readonly nodes: number;
    readonly m: number;
    readonly rankOn: (expert: number, source: number) => number;
  },
): RoutedGroup[] {
  const { experts, topK } = trace;
  const choices = trace.choices(source);
  const tokens = trace.tokens(source);
  /** Ranks that tokens go to, by expert; -1: not asked for yet. */
  const to = new Int32Array(experts).fill(-1);
  const numbers = Array.from({ length: nodes }, () => new Map<number, number>());
  const found: { readonly node: number; readonly mask: number; count: number }[] = [];
  const most = tokens * Math.min(topK, nodes);
  /** Token by token: the groups that it is in. */
  const [members, which] = [new Int32Array(most), new Int32Array(most)];
  let copies = 0;
  const masks = new Int32Array(nodes);
  for (let token = 0; token < tokens; token++) {
    for (let i = token * topK; i < (token + 1) * topK; i++) {
      const expert = choices[i];
      if (expert < 0) continue;
      if (!(to[expert] >= 0)) to[expert] = rankOn(expert, source);
      masks[Math.floor(to[expert] / m)] |= 1 << to[expert] % m;
    }
    for (let node = 0; node < nodes; node++) {
      const mask = masks[node];
      if (mask === 0) continue;
      masks[node] = 0;
      let number = numbers[node].get(mask);
      if (number === undefined) {
        numbers[node].set(mask, number = found.push({ node, mask, count: 0 }) - 1);
      }
      found[number].count++;
      members[copies] = token;
      which[copies++] = number;
    }
  }
  const lists = found.map(({ count }) => new Int32Array(count));
  const next = new Int32Array(found.length);
  for (let i = 0; i < copies; i++) lists[which[i]][next[which[i]]++] = members[i];
  return numbers.flatMap((of, node) =>
    Array.from(of, ([mask, number]) => {
      const own: number[] = [];
      for (let i = 0; i < m; i++) if (mask & 1 << i) own.push(node * m + i);
      return { source, node, ranks: own, tokens: lists[number] };
    })
  );
}
