import type { AllToAll } from "../types.ts";
import { copy, input, output, receive, scratch, send } from "./slices.ts";
import { place, range, widestLane } from "./world.ts";

/**
 * 1DH (Nie et al., "HetuMoE", arXiv:2203.14685): each node's first rank gathers what its node sends, lays it
 * out by destination node, exchanges that with the other leaders, lays out what came by destination
 * rank and scatters it. One large message for each pair of nodes, but only one rank a node uses its
 * links, and everything passes through it.
 */
export const hierarchical1d: AllToAll = {
  name: "hierarchical1d",
  plan({ rank, topology }) {
    const { nodes, ranksPerNode: size, ranks, node, local } = place({ rank, topology });
    const leader = node * size;
    const lane = widestLane(topology);
    const all = size * ranks;
    // Slices of a leader: by source rank and destination; by node, source and destination; by destination.
    const gathered = (m: number, to: number, count = 1) => scratch(m * ranks + to, count);
    const out = (n: number, m: number, count: number) =>
      scratch(all + n * size * size + m * size, count);
    const arrived = (n: number, m = 0, to = 0, count = 1) =>
      scratch(2 * all + (n * size + m) * size + to, count);
    const sorted = (to: number, from: number, count = 1) =>
      scratch(3 * all + to * ranks + from, count);
    const members = range(size - 1, (i) => i + 1);
    const others = range(nodes, (n) => n).filter((n) => n !== node);
    const block = size * size;
    const isLeader = local === 0;
    const gather = isLeader
      ? [
        copy(input(0, ranks), gathered(0, 0, ranks)),
        ...members.map((m) => receive(gathered(m, 0, ranks), leader + m)),
      ]
      : [send(input(0, ranks), leader)];
    const layout = range(nodes * size, (i) => {
      const [n, m] = [Math.floor(i / size), i % size];
      return copy(gathered(m, n * size, size), out(n, m, size));
    });
    const exchange = [
      copy(out(node, 0, block), arrived(node, 0, 0, block)),
      ...others.flatMap((
        n,
      ) => [send(out(n, 0, block), n * size), receive(arrived(n, 0, 0, block), n * size)]),
    ];
    const restore = range(all, (i) => {
      const [to, from] = [Math.floor(i / ranks), i % ranks];
      return copy(arrived(Math.floor(from / size), from % size, to), sorted(to, from));
    });
    const scatter = isLeader
      ? [
        copy(sorted(0, 0, ranks), output(0, ranks)),
        ...members.map((m) => send(sorted(m, 0, ranks), leader + m)),
      ]
      : [receive(output(0, ranks), leader)];
    const leading = <T>(steps: T[]) => isLeader ? steps : [];
    return [
      { name: "gather", lane: "intra", steps: gather },
      { name: "layout", lane: "intra", steps: leading(layout) },
      { name: "exchange", lane, steps: leading(exchange) },
      { name: "restore", lane: "intra", steps: leading(restore) },
      { name: "scatter", lane: "intra", steps: scatter },
    ];
  },
};
