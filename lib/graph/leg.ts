/**
 * One way of the rows of a chunk: compress, all-to-all, decompress.
 * @module
 */
import type { Kernel, Task } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { LegBlocks } from "./leg_blocks.ts";
import type { Leg, Way } from "./way.ts";
import { isPlain } from "./wire.ts";

/** Stages that a leg takes: compress, all-to-all, decompress. */
export const LEG_STAGES = 3;

/**
 * Adds the tasks of a leg; none where the rows are where they belong. A rank's own rows lie as they travel:
 * with the codec `none` they are sent from and received to where they are, and no task compresses or
 * decompresses them.
 *
 * @returns the tasks that whatever comes next waits for.
 */
export function addLeg(g: GraphBuilder, way: Way, leg: Leg): Task[] {
  const { number, chunk, stage, compressor } = leg;
  const plain = isPlain(compressor);
  if (plain && leg.from === leg.to) return [...leg.after];
  const parts = new LegBlocks(g, way, leg);
  const beside = besideBlocks(g, leg);
  const all = beside ? [{ leg, parts }, beside] : [{ leg, parts }];
  const [encoded, decoded] = [
    all.filter(({ parts }) => !parts.sentAsTheyLie),
    all.filter(({ parts }) => !parts.receivedAsTheyLie),
  ];
  const traffic = (of: typeof all) => of.reduce((sum, { parts }) => sum + parts.traffic, 0);
  const common = { chunk, lane: "compute" as const };
  let after = leg.after;
  if (encoded.length > 0) {
    after = [g.add({
      ...common,
      kind: "compress",
      label: `C${number}`,
      stage,
      after,
      bytes: traffic(encoded),
      uses: encoded.flatMap(({ leg, parts }) => [leg.from, parts.input, ...others(parts, "in")]),
      kernels: eachRank((rank) => encoded.flatMap(({ parts }) => parts.encode(rank))),
    })];
  }
  const arrived = g.allToAll({
    label: `A${number}`,
    chunk,
    stage: stage + 1,
    after,
    algorithm: way.allToAll,
    ...parts.slices,
    scratch: `${g.pass}.A${number}.scratch.${chunk}`,
    ...(beside
      ? {
        beside: {
          ...beside.parts.slices,
          scratch: `${g.pass}.A${number}.${beside.leg.name}.scratch.${chunk}`,
        },
      }
      : {}),
  });
  if (decoded.length === 0) return arrived;
  return [g.add({
    ...common,
    kind: "decompress",
    label: `D${number}`,
    stage: stage + 2,
    after: arrived,
    bytes: traffic(decoded),
    uses: decoded.flatMap(({ leg, parts }) => [leg.to, parts.output, ...others(parts, "out")]),
    kernels: eachRank((rank) => decoded.flatMap(({ parts }) => parts.decode(rank))),
  })];
}

/** Buffers of a side besides those of its rows and its wire. */
const others = (parts: LegBlocks, side: "in" | "out"): string[] => [
  ...parts.staging(side),
  ...parts.floats(side),
  ...parts.routing(side),
];

/** What travels beside a leg; none where it is where it belongs. */
function besideBlocks(g: GraphBuilder, { beside, ...leg }: Leg) {
  if (!beside || beside.from === beside.to) return undefined;
  const { way, ...own } = beside;
  const other: Leg = { ...leg, ...own };
  return { leg: other, parts: new LegBlocks(g, way, other) };
}

/** Kernels of a rank, made once. */
export function eachRank(make: (rank: number) => Kernel[]): (rank: number) => readonly Kernel[] {
  const kept = new Map<number, Kernel[]>();
  return (rank) => {
    const kernels = kept.get(rank) ?? make(rank);
    kept.set(rank, kernels);
    return kernels;
  };
}
