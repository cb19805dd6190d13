/** Simulated ranks: all, or one node's for every node. @module */
import { type RankTraffic, SchemoeError, type Topology, type TrafficPattern } from "../../types.ts";
import type { Columns } from "./meeting.ts";

/** Every rank in a column of its own. */
export function everyRank(topology: Topology): Columns {
  return {
    ranks: Uint32Array.from({ length: topology.ranks }, (_, rank) => rank),
    of: (rank) => rank,
    all: true,
  };
}

/**
 * The ranks of node 0, each for all ranks of the same place in their nodes.
 * @throws {SchemoeError} when processors or speeds differ from node to node.
 */
export function oneNode(topology: Topology): Columns {
  const { ranksPerNode, sharing, speed } = topology;
  if (sharing) fail("ranks share processors");
  const odd = speed?.findIndex((factor, rank) => factor !== speed[rank % ranksPerNode]) ?? -1;
  if (odd >= 0) {
    fail(
      `rank ${odd} has speed ${speed![odd]}, rank ${odd % ranksPerNode} has ${
        speed![odd % ranksPerNode]
      }`,
    );
  }
  const ranks = Uint32Array.from({ length: ranksPerNode }, (_, rank) => rank);
  return { ranks, of: (rank) => rank % ranksPerNode, all: topology.nodes === 1 };
}

/**
 * Compares some ranks of other nodes with their representatives. A complete check would list the
 * transfers of all ranks, which is what representatives are there to avoid.
 *
 * @throws {SchemoeError} naming a rank that moves something else.
 */
export function checkRepresentatives(
  topology: Topology,
  patterns: ReadonlyMap<TrafficPattern, string>,
  columns: Columns,
): void {
  const { nodes, ranksPerNode, ranks } = topology;
  const checked = new Set([
    ranks - 1,
    ranks - ranksPerNode,
    Math.floor(nodes / 2) * ranksPerNode + Math.floor(ranksPerNode / 2),
  ]);
  const places = (peers: ArrayLike<number>) =>
    [...new Set(Array.from(peers, (rank) => columns.of(rank)))].sort((a, b) => a - b).join();
  for (const rank of checked) {
    for (const [pattern, name] of patterns) {
      const like = columns.of(rank);
      const same = sameTraffic(pattern.of(rank), pattern.of(like)) &&
        places(pattern.peers(rank)) === places(pattern.peers(like));
      if (!same) fail(`in task ${name} rank ${rank} moves something else than rank ${like}`);
    }
  }
}

const sameTraffic = (a: RankTraffic, b: RankTraffic) => JSON.stringify(a) === JSON.stringify(b);

function fail(problem: string): never {
  throw new SchemoeError(
    `Cannot simulate one node for all: ${problem}; simulate every rank (representatives: false)`,
  );
}
