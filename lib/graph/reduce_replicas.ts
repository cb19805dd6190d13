/** Sums of gradients over the ranks that hold copies of the same experts. @module */
import type { Layer } from "../blocks/mod.ts";
import { sumRanks } from "../kernels/mod.ts";
import { elementSize } from "../memory/mod.ts";
import type { ElementType } from "../kernels/types.ts";
import type { Lane, Task, Transfer, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { tensorsOf } from "./contexts.ts";
import {
  digitOf,
  type Level,
  levelName,
  levelsAmong,
  membersOf,
  sharesOf,
  widestLane,
} from "./levels.ts";
import type { Place } from "./reduce.ts";

/** A gradient on each rank, and the part of it that each replica adds up. */
interface Gradient {
  readonly view: View;
  readonly bytes: number;
  readonly dtype: ElementType;
  readonly shares: ReturnType<typeof sharesOf>;
  /** Parts of others that arrive at each level. */
  readonly arrived: readonly View[];
}

/**
 * Adds up the gradients of all parameters of the experts over their replicas, in the order of the groups, so
 * that all copies get the same bits: each replica receives its share of all parts, adds them and sends the sum
 * to all others. Among many replicas it does so level by level (`levelsAmong`).
 */
export function addReplicaReduce(g: GraphBuilder, layer: Layer, place: Place): Task {
  const { groups } = layer;
  const { name, chunk } = place;
  const bytes = layer.expert.parameters({ modelDim: layer.rowDim, hiddenDim: layer.hiddenDim })
    .reduce((sum, { name }) => sum + bytesOf(layer, name), 0);
  const levels = levelsAmong(groups.count, { ...nearby(layer), bytes });
  const gradients = gradientsOf(g, layer, name, levels);
  const at = ({ bytes }: Gradient, view: View, index: number): View => ({
    ...view,
    offset: view.offset + bytes * index,
  });
  const own = (rank: number) => groups.copy(rank);
  const stage = (number: number) => place.stage + number / levels.length;
  /** Transfers of all gradients between a rank and the replicas of a level. */
  const exchange = (
    level: Level,
    rank: number,
    make: (gradient: Gradient, replica: { index: number; rank: number }) => Transfer[],
  ) => {
    const found: Transfer[] = [];
    const replicas = groups.replicas(rank);
    for (const index of membersOf(level, own(rank))) {
      for (const gradient of gradients) {
        const made = make(gradient, { index, rank: replicas[index] });
        for (const one of made) if (one.bytes > 0) found.push(one);
      }
    }
    return found;
  };
  let last: Task | undefined;
  const common = (depth: number, label: string, number: number) => ({
    chunk,
    label,
    name: `${name} ${label}${levelName(levels, depth)}`,
    stage: stage(number),
    after: last ? [last] : place.after,
    uses: gradients.flatMap(({ view, arrived }) => [view, arrived[depth]]),
  });
  for (const [depth, level] of levels.entries()) {
    last = g.add({
      ...common(depth, "AR1", 2 * depth),
      kind: "allReduce",
      lane: level.lane,
      transfers: (rank) =>
        exchange(level, rank, (gradient, { index, rank: peer }) => {
          const { view, shares, bytes, arrived } = gradient;
          const part = shares.of(index, depth + 1);
          const from = at(gradient, view, part.begin);
          const place = digitOf(level, index) * shares.nominal[depth];
          const to = at(gradient, arrived[depth], place);
          if (peer === rank) return [{ kind: "copy", peer, bytes: bytes * part.size, from, to }];
          const received = shares.of(own(rank), depth + 1).size;
          return [
            { kind: "send", peer, bytes: bytes * part.size, from },
            { kind: "receive", peer, bytes: bytes * received, to },
          ];
        }),
    });
    const each = (gradient: Gradient) => level.size * gradient.shares.nominal[depth];
    last = g.add({
      ...common(depth, "sum", 2 * depth + 1),
      kind: "gate",
      flops: gradients.reduce((sum, gradient) => sum + each(gradient), 0),
      bytes: gradients.reduce((sum, gradient) => sum + each(gradient) * gradient.bytes, 0),
      kernels: (rank) =>
        gradients.flatMap((gradient) => {
          const { view, shares, arrived, dtype } = gradient;
          const { begin, size: count } = shares.of(own(rank), depth + 1);
          if (count === 0) return [];
          const stride = shares.nominal[depth];
          const out = at(gradient, view, begin);
          const ranks = level.size;
          return [sumRanks({ ranks, count, stride, parts: arrived[depth], out, dtype })];
        }),
    });
  }
  for (const [passed, level] of levels.toReversed().entries()) {
    const depth = levels.length - 1 - passed;
    last = g.add({
      ...common(depth, "AR2", 2 * levels.length + passed),
      kind: "allReduce",
      lane: level.lane,
      transfers: (rank) =>
        exchange(level, rank, (gradient, { index, rank: peer }) => {
          if (peer === rank) return [];
          const { view, bytes, shares } = gradient;
          const [sent, received] = [own(rank), index].map((one) => shares.of(one, depth + 1));
          const [from, to] = [sent, received].map(({ begin }) => at(gradient, view, begin));
          return [
            { kind: "send", peer, bytes: bytes * sent.size, from },
            { kind: "receive", peer, bytes: bytes * received.size, to },
          ];
        }),
    });
  }
  return last!;
}

/** Bytes of the gradient of a parameter of all experts of a rank. */
function bytesOf(layer: Layer, parameter: string): number {
  const table = tensorsOf(layer);
  const tensor = `grad.experts.${parameter}`;
  return table.localElements(tensor) * elementSize(table.get(tensor).dtype as ElementType);
}

function gradientsOf(
  g: GraphBuilder,
  layer: Layer,
  name: string,
  levels: readonly Level[],
): Gradient[] {
  const { expert, rowDim: modelDim, hiddenDim } = layer;
  const table = tensorsOf(layer);
  return expert.parameters({ modelDim, hiddenDim }).map((parameter) => {
    const tensor = `grad.experts.${parameter.name}`;
    const dtype = table.get(tensor).dtype as ElementType;
    const bytes = elementSize(dtype);
    const shares = sharesOf(levels, table.localElements(tensor));
    const arrived = levels.map(({ size }, depth) => {
      const room = `${name}.shares.${parameter.name}${levelName(levels, depth)}`;
      return g.buffer(room, bytes * size * shares.nominal[depth], "pass");
    });
    return { view: g.tensor(table, tensor), bytes, dtype, shares, arrived };
  });
}

/** How many replicas are in one node, 1 where that differs, and the lane of the links between the others. */
function nearby({ groups, topology }: Layer): { inside: number; lane: Lane } {
  const { ranks, ranksPerNode } = topology;
  const found = new Set<number>();
  for (let rank = 0; rank < ranks; rank++) {
    if (groups.copy(rank) !== 0) continue;
    const nodes = new Map<number, number>();
    for (const replica of groups.replicas(rank)) {
      const node = Math.floor(replica / ranksPerNode);
      nodes.set(node, (nodes.get(node) ?? 0) + 1);
    }
    for (const count of nodes.values()) found.add(count);
  }
  const inside = found.size === 1 ? [...found][0] : 1;
  return { inside, lane: inside === groups.count ? "intra" : widestLane(topology) };
}
