/** Position of a rank in its world. @module */
import type { Phase } from "./types.ts";
import type { Topology } from "../types.ts";

/** Node and place in the node of a rank, and the sizes of both. */
export function place({ rank, topology }: { rank: number; topology: Topology }) {
  const { nodes, ranksPerNode, ranks } = topology;
  return {
    nodes,
    ranksPerNode,
    ranks,
    node: Math.floor(rank / ranksPerNode),
    local: rank % ranksPerNode,
  };
}

/** The lane of phases that use both kinds of link. */
export const widestLane = ({ nodes }: Topology): Phase["lane"] => nodes > 1 ? "inter" : "intra";

/** `[make(0), ..., make(count - 1)]`. */
export const range = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
