/** Sums of gradients over the ranks that hold copies of the same experts. @module */
import type { Layer } from "../blocks/mod.ts";
import { sumRanks } from "../kernels/mod.ts";
import { elementSize } from "../memory/mod.ts";
import type { ElementType } from "../kernels/types.ts";
import type { Lane, Task, Transfer, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { tensorsOf } from "./contexts.ts";
import { widestLane } from "./levels.ts";
import type { Place } from "./reduce.ts";

/** A gradient on each rank, and the part of it that each replica adds up. */
interface Gradient {
  readonly view: View;
  readonly count: number;
  readonly bytes: number;
  readonly dtype: ElementType;
  /** Elements of a share. */
  readonly share: number;
  readonly shares: View;
}

/**
 * Adds up the gradients of all parameters of the experts over their replicas, in the order of the groups, so
 * that all copies get the same bits: each replica receives its share of all parts, adds them and sends the sum
 * to all others.
 */
export function addReplicaReduce(g: GraphBuilder, layer: Layer, place: Place): Task {
  const { groups } = layer;
  const { name, stage, chunk, after } = place;
  const lane = laneOf(layer);
  const gradients = gradientsOf(g, layer, name);
  const begin = ({ share, count }: Gradient, i: number) => Math.min(i * share, count);
  const size = (gradient: Gradient, i: number) => begin(gradient, i + 1) - begin(gradient, i);
  const at = ({ bytes }: Gradient, view: View, index: number): View => ({
    ...view,
    offset: view.offset + bytes * index,
  });
  const own = (rank: number) => groups.copy(rank);
  const common = { chunk, uses: gradients.flatMap(({ view, shares }) => [view, shares]) };
  /** Transfers of all gradients between a rank and each of its replicas. */
  const exchange = (
    rank: number,
    make: (gradient: Gradient, replica: { index: number; rank: number }) => Transfer[],
  ) => {
    const found: Transfer[] = [];
    for (const [index, peer] of groups.replicas(rank).entries()) {
      for (const gradient of gradients) {
        for (const one of make(gradient, { index, rank: peer })) if (one.bytes > 0) found.push(one);
      }
    }
    return found;
  };
  const scatter = g.add({
    ...common,
    kind: "allReduce",
    label: "AR1",
    name: `${name} AR1`,
    stage,
    after,
    lane,
    transfers: (rank) =>
      exchange(rank, (gradient, { index, rank: peer }) => {
        const { view, shares, share, bytes } = gradient;
        const from = at(gradient, view, begin(gradient, index));
        const to = at(gradient, shares, index * share);
        const [sent, received] = [size(gradient, index), size(gradient, own(rank))];
        if (peer === rank) return [{ kind: "copy", peer, bytes: bytes * sent, from, to }];
        return [
          { kind: "send", peer, bytes: bytes * sent, from },
          { kind: "receive", peer, bytes: bytes * received, to },
        ];
      }),
  });
  const most = gradients.reduce((sum, { share }) => sum + share, 0);
  const added = g.add({
    ...common,
    kind: "gate",
    label: "sum",
    name: `${name} sum`,
    stage: stage + 1,
    after: [scatter],
    flops: groups.count * most,
    bytes: gradients.reduce((sum, { share, bytes }) => sum + groups.count * share * bytes, 0),
    kernels: (rank) =>
      gradients.filter((gradient) => size(gradient, own(rank)) > 0).map((gradient) =>
        sumRanks({
          ranks: groups.count,
          count: size(gradient, own(rank)),
          stride: gradient.share,
          parts: gradient.shares,
          out: at(gradient, gradient.view, begin(gradient, own(rank))),
          dtype: gradient.dtype,
        })
      ),
  });
  return g.add({
    ...common,
    kind: "allReduce",
    label: "AR2",
    name: `${name} AR2`,
    stage: stage + 2,
    lane,
    after: [added],
    transfers: (rank) =>
      exchange(rank, (gradient, { index, rank: peer }) => {
        if (peer === rank) return [];
        const { view, bytes } = gradient;
        const mine = own(rank);
        return [
          {
            kind: "send",
            peer,
            bytes: bytes * size(gradient, mine),
            from: at(gradient, view, begin(gradient, mine)),
          },
          {
            kind: "receive",
            peer,
            bytes: bytes * size(gradient, index),
            to: at(gradient, view, begin(gradient, index)),
          },
        ];
      }),
  });
}

function gradientsOf(g: GraphBuilder, layer: Layer, name: string): Gradient[] {
  const { groups, expert, rowDim: modelDim, hiddenDim } = layer;
  const table = tensorsOf(layer);
  return expert.parameters({ modelDim, hiddenDim }).map((parameter) => {
    const tensor = `grad.experts.${parameter.name}`;
    const count = table.localElements(tensor);
    const dtype = table.get(tensor).dtype as ElementType;
    const bytes = elementSize(dtype);
    const share = Math.ceil(count / groups.count);
    return {
      view: g.tensor(table, tensor),
      count,
      bytes,
      dtype,
      share,
      shares: g.buffer(`${name}.shares.${parameter.name}`, bytes * groups.count * share, "pass"),
    };
  });
}

/** The lane of the links between replicas: inside a node only where all copies are in one. */
function laneOf({ groups, topology }: Layer): Lane {
  const nodes = new Set(
    groups.replicas(0).map((rank) => Math.floor(rank / topology.ranksPerNode)),
  );
  return nodes.size > 1 ? widestLane(topology) : "intra";
}
