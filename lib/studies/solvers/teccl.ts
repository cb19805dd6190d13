/** TE-CCL's all-to-all on two DGX-2, from a plan that takes no solver. @module */
import { expect, listOf, positive } from "../../arguments/mod.ts";
import { copy, input, output, receive, scratch, send } from "../../alltoall/mod.ts";
import type { AllToAll, Phase, Slice, Step } from "../../alltoall/types.ts";
import { topology } from "../../topology.ts";
import type { Topology } from "../../types.ts";
import { type LinkGraph, secondsOnLinks } from "./links.ts";

const TECCL_TABLE_SIZES = listOf(positive, "numbers of bytes");

const CHASSIS = 2;
const GPUS = 16;
/** Parts that the plan cuts slices into: so much earlier does the last hop begin. */
const PARTS = 8;

/** Each GPU to its switch and back; a link from each odd GPU to the even GPU before it in the other chassis. */
const SWITCH = { alpha: 0.35e-6, beta: 1 / 125e9 };
const ACROSS = { alpha: 2.6e-6, beta: 1 / 12.5e9 };

/** One size of the published table. */
export interface TecclRow {
  /** Bytes that each GPU holds. */
  readonly bytes: number;
  /** What TE-CCL's solver found in 1,000 to 1,600 s. */
  readonly publishedUs: number;
  /** The plan in the same model. */
  readonly us: number;
  /** Bytes across over the eight links, and the start-ups of a way from GPU to GPU where that is more. */
  readonly boundUs: number;
}

/** Microseconds by bytes: TE-CCL (MIT licence), output_provided of its experiments at c128bf2, all-to-all "Fast". */
const PUBLISHED: readonly (readonly [number, number])[] = [
  [1e3, 4.06],
  [4e3, 4.21],
  [16e3, 4.704],
  [64e3, 8.464],
  [256e3, 24],
  [1e6, 84.25],
  [4e6, 327],
  [16e6, 1292],
  [64e6, 5168],
  [256e6, 20608],
  [1e9, 80500],
];

/**
 * Even ranks give what goes to the other chassis to the odd rank beside them, odd ranks send that after their own,
 * and even ranks of the other chassis hand out what arrives. Parts of slices follow each other on that way.
 */
export const relayed: AllToAll = {
  name: "relayed",
  parts: PARTS,
  plan: ({ rank, topology: { ranksPerNode: m } }): Phase[] => {
    const first = Math.floor(rank / m) * m;
    const other = first ? 0 : m;
    const even = rank % 2 === 0;
    const [give, across, take, inside]: Step[][] = [[], [], [], []];
    const inParts = (steps: Step[], step: Step) => {
      for (let part = 0; part < PARTS; part++) steps.push({ ...step, part: [part, part + 1] });
    };
    for (let i = 0; i < m; i++) {
      const peer = other + i;
      // slices of the rank itself, and of the even rank beside an odd one
      if (even) inParts(give, send(input(peer), rank + 1));
      else inParts(give, receive(scratch(i), rank - 1));
    }
    const entry = other + rank % m - (even ? -1 : 1);
    for (const own of [true, false]) {
      for (let i = 0; i < m; i++) {
        if (!even) inParts(across, send(own ? input(other + i) : scratch(i), entry));
        else {
          const source = own ? entry : entry - 1;
          const at: Slice = first + i === rank ? output(source) : scratch(Number(own) * m + i);
          inParts(across, receive(at, entry));
          if (first + i !== rank) inParts(take, send(at, first + i));
        }
      }
    }
    for (let i = 0; i < m; i += 2) {
      // each even rank of the own chassis hands out what two ranks of the other one sent
      for (const source of [other + i + 1, other + i]) {
        if (first + i !== rank) inParts(take, receive(output(source), first + i));
      }
    }
    for (let i = 0; i < m; i++) {
      const peer = first + i;
      if (peer === rank) inside.push(copy(input(rank), output(rank)));
      else {
        inParts(inside, send(input(peer), peer));
        inParts(inside, receive(output(peer), peer));
      }
    }
    return [
      { name: "give", lane: "intra", after: [], steps: give },
      { name: "across", lane: "inter", after: [0], steps: across },
      { name: "inside", lane: "intra", after: [], steps: inside },
      { name: "take", lane: "intra", after: [1], steps: take },
    ];
  },
};

/** Two chassis of 16 GPUs, with the links of TE-CCL's model. */
export function twoDgx2(): { readonly topology: Topology; readonly graph: LinkGraph } {
  const ranks = CHASSIS * GPUS;
  const up = (rank: number) => rank;
  const down = (rank: number) => ranks + rank;
  const across = (rank: number) => 2 * ranks + (rank >> 1);
  const of = (count: number, link: typeof SWITCH) => Array.from({ length: count }, () => link);
  return {
    topology: topology({ nodes: CHASSIS, ranksPerNode: GPUS, intra: SWITCH, inter: ACROSS }),
    graph: {
      links: [...of(2 * ranks, SWITCH), ...of(ranks / 2, ACROSS)],
      route: (from, to) =>
        Math.floor(from / GPUS) === Math.floor(to / GPUS) ? [up(from), down(to)] : [across(from)],
    },
  };
}

/**
 * The published table beside the plan {@linkcode relayed} and a bound, all in TE-CCL's model.
 *
 * ```ts
 * import { tecclTable } from "@schemoe/lab/studies";
 * const rows = tecclTable([1e6]);
 * console.assert(rows[0].boundUs <= rows[0].us && rows[0].us <= rows[0].publishedUs);
 * ```
 * @param sizes of the table; default all.
 */
export function tecclTable(
  sizes: readonly number[] = PUBLISHED.map(([bytes]) => bytes),
): TecclRow[] {
  expect("tecclTable", "sizes", sizes, TECCL_TABLE_SIZES);
  const { topology: world, graph } = twoDgx2();
  const ranks = CHASSIS * GPUS;
  return PUBLISHED.filter(([bytes]) => sizes.includes(bytes)).map(([bytes, publishedUs]) => {
    const sliceBytes = bytes / ranks;
    const cut = GPUS * GPUS * sliceBytes * ACROSS.beta / (GPUS / 2);
    const way = ACROSS.alpha + 2 * SWITCH.alpha;
    return {
      bytes,
      publishedUs,
      us: 1e6 * secondsOnLinks(relayed, world, { graph, sliceBytes }),
      // half of the bytes must come from even ranks, whose way is two hops longer on each side
      boundUs: 1e6 * Math.max(cut + ACROSS.alpha, way + 2 * SWITCH.alpha),
    };
  });
}
