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
  const common = { chunk, bytes: parts.traffic, lane: "compute" as const };
  let after = leg.after;
  if (!parts.sentAsTheyLie) {
    after = [g.add({
      ...common,
      kind: "compress",
      label: `C${number}`,
      stage,
      after,
      uses: [
        leg.from,
        parts.input,
        ...parts.staging("in"),
        ...parts.floats("in"),
        ...parts.routing("in"),
      ],
      kernels: eachRank((rank) => parts.encode(rank)),
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
  });
  if (parts.receivedAsTheyLie) return arrived;
  return [g.add({
    ...common,
    kind: "decompress",
    label: `D${number}`,
    stage: stage + 2,
    after: arrived,
    uses: [
      leg.to,
      parts.output,
      ...parts.staging("out"),
      ...parts.floats("out"),
      ...parts.routing("out"),
    ],
    kernels: eachRank((rank) => parts.decode(rank)),
  })];
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
