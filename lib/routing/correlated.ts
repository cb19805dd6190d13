/** Routings in which the tokens of a node prefer the same experts. @module */
import { SchemoeError } from "../types.ts";
import { cumulate, drawn, shuffled, traceSizes } from "./draw.ts";
import type { RouterTrace, TraceSizes } from "./types.ts";
import { quoted } from "../words.ts";

/** How nodes and their experts go together. */
export interface CorrelatedOptions extends TraceSizes {
  /** Nodes, which divide ranks and experts. */
  readonly nodes: number;
  /**
   * Part of the tokens that choose among the experts of one node only, from 0 (all choose among all) to 1.
   */
  readonly locality: number;
  /**
   * Which node's experts a node's tokens prefer: its `own` (what topology-aware gates aim at, the
   * default) or `other` ones, a permutation of the nodes that the seed draws.
   */
  readonly prefers?: "own" | "other";
}

/**
 * Experts lie in equal runs on the nodes, in order; a part of each node's tokens chooses among those of
 * one node.
 * @throws {SchemoeError} naming what is wrong, such as experts that the nodes do not divide.
 */
export function correlatedRouting(options: CorrelatedOptions): RouterTrace {
  const { nodes, locality, prefers = "own", experts, ranks, topK = 1, seed = 1 } = traceSizes(
    options,
  );
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot make the routing: ${problem}`);
  };
  if (!Number.isInteger(nodes) || nodes < 1) {
    fail(`nodes must be a positive integer, got ${quoted(nodes)}`);
  }
  if (experts % nodes || ranks % nodes) {
    fail(`${nodes} nodes must divide ${experts} experts and ${ranks} ranks`);
  }
  if (!(typeof locality === "number" && locality >= 0 && locality <= 1)) {
    fail(`locality must be from 0 to 1, got ${quoted(locality)}`);
  }
  if (prefers !== "own" && prefers !== "other") {
    fail(`prefers must be own or other, got ${quoted(prefers)}`);
  }
  const each = experts / nodes;
  if (topK > each && locality > 0) fail(`topK is ${topK}, a node has ${each} experts`);
  const all = cumulate(new Float64Array(experts).fill(1));
  const order = shuffled(nodes, seed);
  // each node prefers the next one in a random ring
  const next = new Int32Array(nodes);
  order.forEach((node, i) => next[node] = order[(i + 1) % nodes]);
  return drawn(`${prefers} node ${locality}`, options, (rank, uniform) => {
    const node = Math.floor(rank / (ranks / nodes));
    const begin = (prefers === "own" ? node : next[node]) * each;
    const near = cumulate(
      Float64Array.from({ length: experts }, (_, e) => e >= begin && e < begin + each ? 1 : 0),
    );
    return () => uniform() < locality ? near : all;
  });
}
