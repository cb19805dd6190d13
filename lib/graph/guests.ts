/** Weights and gradients of experts that are computed elsewhere than where their parameters are. @module */
import type { Layer } from "../blocks/mod.ts";
import { copyBytes, sumRanks } from "../kernels/mod.ts";
import { elements, elementSize } from "../memory/mod.ts";
import type { ElementType } from "../kernels/types.ts";
import type { Lane, Task, Transfer, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { guestBuffer, tensorsOf } from "./contexts.ts";

/** A parameter of the experts of a rank: its tensor, and where guests' copies lie. */
interface Parameter {
  readonly own: View;
  readonly guests: View;
  readonly count: number;
  /** Bytes of one expert's. */
  readonly bytes: number;
  readonly name: string;
  readonly dtype: ElementType;
}

/** Declares the buffers of guests' weights, or gradients. */
export function declareGuests(g: GraphBuilder, layer: Layer, prefix: "" | "grad."): Parameter[] {
  const { placed, expert, rowDim: modelDim, hiddenDim } = layer;
  if (!placed) return [];
  const table = tensorsOf(layer);
  return expert.parameters({ modelDim, hiddenDim }).map(({ name, shape }) => {
    const tensor = `${prefix}experts.${name}`;
    const count = elements(shape);
    const dtype = table.get(tensor).dtype as ElementType;
    const bytes = elementSize(dtype) * count;
    const size = placed.mostGuests * bytes;
    const life = prefix === "" ? "saved" : "pass";
    const guests = g.buffer(guestBuffer(prefix, name), size, life);
    return { name, dtype, count, bytes, own: g.tensor(table, tensor), guests };
  });
}

const at = (view: View, bytes: number): View => ({ ...view, offset: view.offset + bytes });

/** Lanes of a world, each with the pairs of ranks whose link it is. */
function lanesOf({ topology, placed, groups }: Layer) {
  const node = (rank: number) => Math.floor(rank / topology.ranksPerNode);
  const inside = (a: number, b: number) => node(a) === node(b);
  const lanes: { lane: Lane; has: (a: number, b: number) => boolean }[] = [
    { lane: "intra", has: inside },
    { lane: "inter", has: (a, b) => !inside(a, b) },
  ];
  const ranks = Array.from({ length: groups.size * groups.count }, (_, rank) => rank);
  return lanes.filter(({ has }) =>
    ranks.some((rank) => placed!.guests(rank).some((e) => has(rank, placed!.home(rank, e))))
  );
}

/** Sends of a rank for, or to, the ranks where each of its own experts is a guest, and the other way round. */
function guestTransfers(
  layer: Layer,
  rank: number,
  has: (a: number, b: number) => boolean,
  make: {
    own: (expert: number, holder: number) => Transfer[];
    guest: (guest: number, home: number, expert: number) => Transfer[];
  },
): Transfer[] {
  const { placed, groups, localExperts } = layer;
  const first = groups.place(rank) * localExperts;
  const found: Transfer[] = [];
  for (let expert = first; expert < first + localExperts; expert++) {
    for (const holder of placed!.holders(rank, expert)) {
      if (holder !== rank && has(rank, holder)) found.push(...make.own(expert, holder));
    }
  }
  for (const [guest, expert] of placed!.guests(rank).entries()) {
    const home = placed!.home(rank, expert);
    if (has(rank, home)) found.push(...make.guest(guest, home, expert));
  }
  return found;
}

/** Copies the weights of guests; whatever computes experts waits for the tasks given back. */
export function addWeightCopies(g: GraphBuilder, layer: Layer): Task[] {
  const { placed, groups, localExperts } = layer;
  if (!placed) return [];
  const parameters = declareGuests(g, layer, "");
  const local = (rank: number, expert: number) => expert - groups.place(rank) * localExperts;
  return lanesOf(layer).map(({ lane, has }) =>
    g.add({
      kind: "allReduce",
      label: "W",
      name: `weights ${lane}`,
      chunk: -1,
      stage: 0,
      after: [],
      lane,
      uses: parameters.flatMap(({ own, guests }) => [own, guests]),
      transfers: (rank) =>
        guestTransfers(layer, rank, has, {
          own: (expert, peer) =>
            parameters.map(({ own, bytes }) => ({
              kind: "send",
              peer,
              bytes,
              from: at(own, local(rank, expert) * bytes),
            })),
          guest: (guest, peer) =>
            parameters.map(({ guests, bytes }) => ({
              kind: "receive",
              peer,
              bytes,
              to: at(guests, guest * bytes),
            })),
        }),
    })
  );
}

/**
 * Returns the gradients of guests to the ranks with the parameters, and adds them there: that of the rank itself first,
 * if it has the expert, then the others by rank.
 */
export function addGradientReturns(
  g: GraphBuilder,
  layer: Layer,
  { stage, chunk, after }: {
    readonly stage: number;
    readonly chunk: number;
    readonly after: readonly Task[];
  },
): Task[] {
  const { placed, groups, localExperts } = layer;
  if (!placed) return [...after];
  const ranks = Array.from({ length: groups.size * groups.count }, (_, rank) => rank);
  const own = (rank: number) =>
    Array.from({ length: localExperts }, (_, i) => groups.place(rank) * localExperts + i);
  /** Whether an expert's gradient is a sum over copies. */
  const parts = (rank: number, expert: number) => {
    const { length } = placed.holders(rank, expert);
    return length > 1 ? length : 0;
  };
  /** Parts before those of an expert, among all of its rank. */
  const firsts = ranks.map((rank) => {
    const before = [0];
    for (const expert of own(rank)) before.push(before.at(-1)! + parts(rank, expert));
    return before;
  });
  const most = firsts.reduce((m, list) => Math.max(m, list.at(-1)!), 0);
  const gradients = declareGuests(g, layer, "grad.").map((gradient) => ({
    ...gradient,
    parts: g.buffer(`guests.parts.${gradient.name}`, most * gradient.bytes, "pass"),
  }));
  const local = (rank: number, expert: number) => expert - groups.place(rank) * localExperts;
  /** Where the part of a holder lies on the rank of the parameters. */
  const part = (rank: number, expert: number, holder: number) =>
    firsts[rank][local(rank, expert)] + placed.holders(rank, expert).indexOf(holder);
  const uses = gradients.flatMap(({ own, guests, parts }) => [own, guests, parts]);
  const common = { chunk, uses };
  const returned = lanesOf(layer).map(({ lane, has }) =>
    g.add({
      ...common,
      kind: "allReduce",
      label: "GR",
      name: `gradients ${lane}`,
      stage,
      after,
      lane,
      transfers: (rank) =>
        guestTransfers(layer, rank, has, {
          own: (expert, peer) =>
            gradients.map(({ own, parts: all, bytes }) => ({
              kind: "receive",
              peer,
              bytes,
              to: parts(rank, expert)
                ? at(all, part(rank, expert, peer) * bytes)
                : at(own, local(rank, expert) * bytes),
            })),
          guest: (guest, peer) =>
            gradients.map(({ guests, bytes }) => ({
              kind: "send",
              peer,
              bytes,
              from: at(guests, guest * bytes),
            })),
        }),
    })
  );
  if (most === 0) return returned;
  const summed = (rank: number) => own(rank).filter((expert) => parts(rank, expert) > 0);
  const words = gradients.reduce((sum, { count }) => sum + count, 0);
  const busiest = Math.max(...ranks.map((rank) => firsts[rank].at(-1)!));
  return [g.add({
    ...common,
    kind: "gate",
    label: "sum",
    name: "gradients sum",
    stage: stage + 1,
    after: [...after, ...returned],
    flops: busiest * words,
    bytes: busiest * gradients.reduce((sum, { bytes }) => sum + bytes, 0),
    kernels: (rank) =>
      summed(rank).flatMap((expert) =>
        gradients.flatMap(({ own, parts: all, count, bytes, dtype }) => {
          const out = at(own, local(rank, expert) * bytes);
          const first = at(all, firsts[rank][local(rank, expert)] * bytes);
          const kept = placed.holders(rank, expert)[0] === rank
            ? [copyBytes(bytes, out, first)]
            : [];
          const sum = sumRanks({
            ranks: parts(rank, expert),
            count,
            stride: count,
            parts: first,
            out,
            dtype,
          });
          return [...kept, sum];
        })
      ),
  })];
}
