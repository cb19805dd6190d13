/** How much moves in a communication task: counts of messages and bytes by kind of link. @module */
import {
  aFunction,
  aSize,
  atLeastZero,
  aTopology,
  aTransferTask,
  expect,
  maybe,
  options,
  someTransfers,
} from "../arguments/mod.ts";
import type {
  LinkTraffic,
  RankTraffic,
  Task,
  Topology,
  Traffic,
  TrafficPattern,
  Transfer,
} from "../types.ts";
import { cardsPerNode, crossing, ranksPerLeaf } from "./spine.ts";

const COMPLETE_EXCHANGE_OPTIONS = options({
  slices: maybe(atLeastZero),
  copied: maybe(atLeastZero),
});

/** Counts the transfers of one rank; a slice is one byte. */
export function countTransfers(
  topology: Topology,
  rank: number,
  transfers: Iterable<Pick<Transfer, "kind" | "peer" | "bytes">>,
): RankTraffic {
  expect("countTransfers", "topology", topology, aTopology);
  expect("countTransfers", "rank", rank, aSize);
  expect("countTransfers", "transfers", transfers, someTransfers);
  const { ranksPerNode } = topology;
  const node = Math.floor(rank / ranksPerNode);
  const links = { intra: noTraffic(), inter: noTraffic() };
  const crosses = crossing(topology);
  let copied = 0;
  let spine = 0;
  for (const { kind, peer, bytes } of transfers) {
    const link = Math.floor(peer / ranksPerNode) === node ? links.intra : links.inter;
    if (kind === "copy") copied += bytes;
    else if (kind === "send") {
      link.sends++;
      link.sent += bytes;
      if (crosses && link === links.inter && crosses(rank, peer)) spine += bytes;
    } else {
      link.receives++;
      link.received += bytes;
    }
  }
  return crosses ? { copied, ...links, spine } : { copied, ...links };
}

const noTraffic = (): { -readonly [K in keyof LinkTraffic]: number } => ({
  sends: 0,
  sent: 0,
  receives: 0,
  received: 0,
});

/** Other ranks that a rank's transfers name, each once, in rising order. */
export function peersOf(rank: number, transfers: Iterable<Pick<Transfer, "peer">>): Int32Array {
  expect("peersOf", "rank", rank, aSize);
  expect("peersOf", "transfers", transfers, someTransfers);
  const peers = new Set<number>();
  for (const { peer } of transfers) peers.add(peer);
  peers.delete(rank);
  return Int32Array.from(peers).sort();
}

const listed = new WeakMap<Task, WeakMap<Topology, Traffic>>();

/** Traffic of a communication task: as it declares, or counted from its transfers. */
export function trafficOf(topology: Topology, task: Task): Traffic {
  expect("trafficOf", "topology", topology, aTopology);
  expect("trafficOf", "task", task, aTransferTask);
  if (task.traffic) return task.traffic;
  let known = listed.get(task);
  if (!known) listed.set(task, known = new WeakMap());
  let traffic = known.get(topology);
  if (!traffic) {
    known.set(topology, traffic = listedTraffic(topology, task.transfers!));
  }
  return traffic;
}

/** Traffic of transfers that are listed when it is asked for. */
export function listedTraffic(
  topology: Topology,
  transfers: (rank: number) => readonly Pick<Transfer, "kind" | "peer" | "bytes">[],
): Traffic {
  expect("listedTraffic", "topology", topology, aTopology);
  expect("listedTraffic", "transfers", transfers, aFunction);
  const counted = new Map<number, RankTraffic>();
  const pattern: TrafficPattern = {
    of(rank) {
      let traffic = counted.get(rank);
      if (!traffic) counted.set(rank, traffic = countTransfers(topology, rank, transfers(rank)));
      return traffic;
    },
    peers: (rank) => peersOf(rank, transfers(rank)),
  };
  return { sliceBytes: 1, pattern };
}

/** Every rank sends `slices` (default 1) slices to every other one, and copies as many if it says so. */
export function completeExchange(
  topology: Topology,
  options: { slices?: number; copied?: number } = {},
): TrafficPattern {
  expect("completeExchange", "topology", topology, aTopology);
  expect("completeExchange", "options", options, COMPLETE_EXCHANGE_OPTIONS);
  const { slices = 1, copied = 0 } = options;
  let patterns = complete.get(topology);
  if (!patterns) complete.set(topology, patterns = new Map());
  const key = `${slices} ${copied}`;
  let pattern = patterns.get(key);
  if (!pattern) patterns.set(key, pattern = exchangeOf(topology, slices, copied));
  return pattern;
}

const complete = new WeakMap<Topology, Map<string, TrafficPattern>>();

/** Ranks that each rank reaches without the spine, itself and its node included. */
function belowLeaf(topology: Topology): number {
  const { ranksPerNode, spine } = topology;
  if (!spine!.rails) return ranksPerLeaf(topology);
  return ranksPerNode + ranksPerLeaf(topology) - ranksPerNode / cardsPerNode(topology);
}

function exchangeOf(topology: Topology, slices: number, copied: number): TrafficPattern {
  const { ranks, ranksPerNode } = topology;
  const link = (count: number): LinkTraffic => ({
    sends: count,
    receives: count,
    sent: count * slices,
    received: count * slices,
  });
  const all = { copied, intra: link(ranksPerNode - 1), inter: link(ranks - ranksPerNode) };
  const same = topology.spine ? { ...all, spine: (ranks - belowLeaf(topology)) * slices } : all;
  return {
    of: () => same,
    peers: (rank) => {
      const peers = new Int32Array(ranks - 1);
      for (let i = 0; i < ranks - 1; i++) peers[i] = i < rank ? i : i + 1;
      return peers;
    },
  };
}
