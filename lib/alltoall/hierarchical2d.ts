import type { AllToAll, Phase, SliceWay } from "./types.ts";
import type { Topology } from "../types.ts";
import { copy, input, output, receive, scratch, send } from "./slices.ts";
import { place, range, widestLane } from "./world.ts";

/**
 * 2DH (Hwang et al., "Tutel", MLSys'23, section 3.4): stride copy, all-to-all inside the node, stride copy,
 * all-to-all among the ranks of equal place in all nodes. M (N - 1) times fewer messages between nodes
 * than {@linkcode linear}, each M times as large; all on one lane, as on Tutel's one NCCL stream.
 */
export const hierarchical2d: AllToAll = {
  name: "hierarchical2d",
  plan: (at) =>
    twoDimensions(at).map((phase): Phase => ({ ...phase, lane: widestLane(at.topology) })),
  ways: twoDimensionalWays,
};

/** How slices travel by {@linkcode twoDimensions}: inside the node to the place of the destination, then across. */
export function twoDimensionalWays({ ranksPerNode }: Topology): SliceWay {
  return (source, destination, move) => {
    const by = source - source % ranksPerNode + destination % ranksPerNode;
    move(0, source, source);
    move(1, source, by);
    move(2, by, by);
    move(3, by, destination);
  };
}

/** The phases of {@linkcode hierarchical2d}, each on the lane of its links. */
export function twoDimensions(at: Parameters<AllToAll["plan"]>[0]): Phase[] {
  const { nodes, ranksPerNode, ranks, node, local } = place(at);
  // By destination place, then node; received by source place, then destination node; by node, then place.
  const grouped = (m: number) => scratch(m * nodes, nodes);
  const received = (m: number) => scratch(ranks + m * nodes, nodes);
  const regrouped = (n: number) => scratch(2 * ranks + n * ranksPerNode, ranksPerNode);
  const inside = range(ranksPerNode, (m) => m).filter((m) => m !== local);
  const outside = range(nodes, (n) => n).filter((n) => n !== node);
  const pairs = range(ranks, (i) => ({ m: Math.floor(i / nodes), n: i % nodes }));
  return [
    {
      name: "stride 1",
      lane: "intra",
      steps: pairs.map(({ m, n }) => copy(input(n * ranksPerNode + m), scratch(m * nodes + n))),
    },
    {
      name: "intra",
      lane: "intra",
      steps: [
        copy(grouped(local), received(local)),
        ...inside.flatMap((m) => {
          const peer = node * ranksPerNode + m;
          return [send(grouped(m), peer), receive(received(m), peer)];
        }),
      ],
    },
    {
      name: "stride 2",
      lane: "intra",
      steps: pairs.map(({ m, n }) =>
        copy(scratch(ranks + m * nodes + n), scratch(2 * ranks + n * ranksPerNode + m))
      ),
    },
    {
      name: "inter",
      lane: nodes > 1 ? "inter" : "intra",
      steps: [
        copy(regrouped(node), output(node * ranksPerNode, ranksPerNode)),
        ...outside.flatMap((n) => {
          const peer = n * ranksPerNode + local;
          return [send(regrouped(n), peer), receive(output(n * ranksPerNode, ranksPerNode), peer)];
        }),
      ],
    },
  ];
}
