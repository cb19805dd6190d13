/** Which ranks of each node the tokens go to. @module */
import type { TokenGroup } from "../alltoall/token_groups.ts";
import { SchemoeError } from "../types.ts";
import type { RouterTrace } from "./types.ts";

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
export function tokenGroups(
  trace: RouterTrace,
  { ranksPerNode: m, rankOf }: {
    readonly ranksPerNode: number;
    readonly rankOf?: (expert: number, source: number) => number;
  },
): RoutedGroup[] {
  const { ranks, experts, topK } = trace;
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
  const groups: RoutedGroup[] = [];
  for (let source = 0; source < ranks; source++) {
    const choices = trace.choices(source);
    const byNode = Array.from({ length: ranks / m }, () => new Map<number, number[]>());
    const masks = new Int32Array(ranks / m);
    for (let token = 0; token < trace.tokens(source); token++) {
      masks.fill(0);
      for (let i = token * topK; i < (token + 1) * topK; i++) {
        if (choices[i] < 0) continue;
        const rank = owner(choices[i], source);
        if (!(Number.isInteger(rank) && rank >= 0 && rank < ranks)) {
          fail(`expert ${choices[i]} is on rank ${rank} of ${ranks}`);
        }
        masks[Math.floor(rank / m)] |= 1 << rank % m;
      }
      masks.forEach((mask, node) => {
        if (mask === 0) return;
        const tokens = byNode[node].get(mask);
        if (tokens) tokens.push(token);
        else byNode[node].set(mask, [token]);
      });
    }
    byNode.forEach((masks, node) => {
      for (const [mask, tokens] of masks) {
        const places = Array.from({ length: m }, (_, i) => i).filter((i) => mask & 1 << i);
        const own = places.map((i) => node * m + i);
        groups.push({ source, node, ranks: own, tokens: Int32Array.from(tokens) });
      }
    });
  }
  return groups;
}
