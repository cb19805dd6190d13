import type { AllToAll } from "./types.ts";
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
    const all = size * ranks;
    const block = size * size;
    // A leader's slices, by: member and destination; node and member; node; destination member.
    const gathered = (m: number, to = 0, count = ranks) => scratch(m * ranks + to, count);
    const out = (n: number, m = 0, count = block) => scratch(all + n * block + m * size, count);
    const arrived = (n: number, at = 0, count = block) => scratch(2 * all + n * block + at, count);
    const sorted = (to: number, from = 0, count = ranks) =>
      scratch(3 * all + to * ranks + from, count);
    const members = range(size - 1, (i) => i + 1);
    const others = range(nodes, (n) => n).filter((n) => n !== node);
    const leading = <T>(count: number, make: (i: number) => T[]) =>
      local === 0 ? range(count, make).flat() : [];
    const gather = leading(1, () => [
      copy(input(0, ranks), gathered(0)),
      ...members.map((m) => receive(gathered(m), leader + m)),
    ]);
    const layout = leading(nodes * size, (i) => {
      const [n, m] = [Math.floor(i / size), i % size];
      return [copy(gathered(m, n * size, size), out(n, m, size))];
    });
    const exchange = leading(1, () => [
      copy(out(node), arrived(node)),
      ...others.flatMap((n) => [send(out(n), n * size), receive(arrived(n), n * size)]),
    ]);
    const restore = leading(all, (i) => {
      const [to, from] = [Math.floor(i / ranks), i % ranks];
      const at = (from % size) * size + to;
      return [copy(arrived(Math.floor(from / size), at, 1), sorted(to, from, 1))];
    });
    const scatter = leading(1, () => [
      copy(sorted(0), output(0, ranks)),
      ...members.map((m) => send(sorted(m), leader + m)),
    ]);
    const [up, down] = [[send(input(0, ranks), leader)], [receive(output(0, ranks), leader)]];
    return [
      { name: "gather", lane: "intra", steps: local ? up : gather },
      { name: "layout", lane: "intra", steps: layout },
      { name: "exchange", lane: widestLane(topology), steps: exchange },
      { name: "restore", lane: "intra", steps: restore },
      { name: "scatter", lane: "intra", steps: local ? down : scatter },
    ];
  },
  ways: ({ ranksPerNode: size }) => (source, destination, move) => {
    const [first, last] = [source - source % size, destination - destination % size];
    move(0, source, first);
    move(1, first, first);
    move(2, first, last);
    move(3, last, last);
    move(4, last, destination);
  },
};
