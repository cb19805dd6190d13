/** Cards, leaf switches and the spine between nodes. @module */
import { aSize, aSpinedTopology, aTopology, expect } from "../arguments/mod.ts";
import type { Topology } from "../types.ts";

/** Number of a rank's network card within its node; without cards each rank has its own. */
export function cardOf(topology: Topology, rank: number): number {
  expect("cardOf", "topology", topology, aTopology);
  expect("cardOf", "rank", rank, aSize);
  const { nic, ranksPerNode } = topology;
  const local = rank % ranksPerNode;
  return nic ? Math.floor(local * (nic.cards ?? 1) / ranksPerNode) : local;
}

/** Cards of a node. */
export function cardsPerNode(topology: Topology): number {
  expect("cardsPerNode", "topology", topology, aTopology);
  const { nic, ranksPerNode } = topology;
  return nic ? nic.cards ?? 1 : ranksPerNode;
}

/** Nodes below one leaf switch, or one set of rails. */
export function nodesPerLeaf(topology: Topology): number {
  expect("nodesPerLeaf", "topology", topology, aSpinedTopology);
  const { spine, nodes } = topology;
  return spine!.nodesPerLeaf ?? (spine!.rails ? nodes : 1);
}

/** Number of the leaf switch above a rank's card. */
export function leafOf(topology: Topology, rank: number): number {
  expect("leafOf", "topology", topology, aSpinedTopology);
  expect("leafOf", "rank", rank, aSize);
  const pod = Math.floor(Math.floor(rank / topology.ranksPerNode) / nodesPerLeaf(topology));
  return topology.spine!.rails ? pod * cardsPerNode(topology) + cardOf(topology, rank) : pod;
}

/** Whether a send to a rank of another node crosses the spine; undefined without one. */
export function crossing(topology: Topology): ((from: number, to: number) => boolean) | undefined {
  expect("crossing", "topology", topology, aTopology);
  return topology.spine && ((from, to) => leafOf(topology, from) !== leafOf(topology, to));
}

/** Seconds a byte of the uplinks that one rank brings to its leaf: with them it sends when all send. */
export function uplinkBeta(topology: Topology): number {
  expect("uplinkBeta", "topology", topology, aSpinedTopology);
  const { links, nic, spine, ranksPerNode } = topology;
  // what all cards below the leaf can send, over the ranks below it
  const own = nic
    ? Math.max(links.inter.beta, nic.beta * ranksPerNode / (nic.cards ?? 1))
    : links.inter.beta;
  return own * spine!.oversubscription;
}

/** Ranks below each leaf. */
export function ranksPerLeaf(topology: Topology): number {
  expect("ranksPerLeaf", "topology", topology, aSpinedTopology);
  const { nodes, ranksPerNode, spine } = topology;
  const perNode = spine!.rails ? ranksPerNode / cardsPerNode(topology) : ranksPerNode;
  return perNode * Math.min(nodes, nodesPerLeaf(topology));
}
