/** All that a pass can choose from. @module */
import { aCandidate, aTopology, expect, oneOf, record, something } from "../../arguments/mod.ts";
import type { Compressor } from "../../compressors/types.ts";
import type { Costs } from "../../costs/types.ts";
import * as schedulers from "../../schedulers/mod.ts";
import type { Scheduler } from "../../schedulers/types.ts";
import { type Pass, SchemoeError, type TaskGraph, type Topology } from "../../types.ts";
import { quoted } from "../../words.ts";
import { BUILT_IN } from "../built_in.ts";
import type { CompressorPair, PassChoices } from "../choices.ts";

const CANDIDATES_OF_PASS = oneOf(["forward", "backward", "step"]);
const CANDIDATES_OF_OPTIONS = record("an object { topology, capacity }", {
  topology: aTopology,
  capacity: something,
});

/** One way to run a pass. */
export type Candidate = Required<
  Pick<PassChoices, "scheduler" | "allToAll" | "chunks" | "compressor">
>;

/** Values of each choice; default the built-in ones that give orders of their own and take no search. */
export interface Grid {
  /** Schedulers, by value or name. */
  readonly schedulers?: readonly NonNullable<PassChoices["scheduler"]>[];
  /**
   * All-to-alls, by value or name; default `linear` and `pairwise`, over several nodes of several ranks also `pipe`
   * and two of `hierarchical2d`.
   */
  readonly allToAlls?: readonly NonNullable<PassChoices["allToAll"]>[];
  /** Numbers of chunks; those above the places of an expert are left out. Default 1, 2, 4 and 8. */
  readonly chunks?: readonly number[];
  /** Codecs, or pairs of them, by value or name; default `none` alone, since others change the results. */
  readonly compressors?: readonly (Compressor | string | CompressorPair)[];
}

/** Built-in schedulers that search or order as `optSche`, and those that do so in the forward pass. */
const LEFT_OUT = ["exact", "pipeMoE"];
const BACKWARD = ["weightGradLast"];
/** Which of equally fast ones comes first: in this order, then all others. */
const FIRST = ["sequential", "optSche", "tutel", "fasterMoE", "fsMoE", "criticalPath"];
const SCHEDULERS = [...FIRST, ...BUILT_IN.scheduler].filter((name, at, all) =>
  all.indexOf(name) === at && !LEFT_OUT.includes(name) && !BACKWARD.includes(name)
);
const ALL_TO_ALLS = {
  nodes: ["linear", "pipe", "hierarchical2d", "hierarchical2dPipelined", "pairwise"],
  node: ["linear", "pairwise"],
} as const;
const CHUNKS = [1, 2, 4, 8];

/**
 * Candidates of a pass; what the user chose himself stays as it is.
 * @throws {SchemoeError} where no number of chunks fits.
 */
export function candidatesOf(pass: Pass, options: {
  readonly fixed?: PassChoices;
  readonly grid?: Grid;
  readonly topology: Topology;
  /** Places of an expert, of which each chunk has at least one. */
  readonly capacity: number;
  /** What schedulers that go by times go by; default what the layer knows when it runs. */
  readonly costs?: Costs;
}): Candidate[] {
  expect("candidatesOf", "pass", pass, CANDIDATES_OF_PASS);
  expect("candidatesOf", "options", options, CANDIDATES_OF_OPTIONS);
  const { fixed = {}, grid = {}, topology, capacity, costs } = options;
  const { nodes, ranksPerNode, ranks } = topology;
  const several = nodes > 1 && ranksPerNode > 1;
  const schedulers = fixed.scheduler !== undefined && fixed.scheduler !== "auto"
    ? [fixed.scheduler]
    : (grid.schedulers ?? builtIn(pass, fixed))
      .map((scheduler) => costs ? byCosts(scheduler, costs) : scheduler);
  const allToAlls = fixed.allToAll !== undefined
    ? [fixed.allToAll]
    : grid.allToAlls ?? (several ? ALL_TO_ALLS.nodes : ALL_TO_ALLS.node);
  const compressors = fixed.compressor !== undefined
    ? [fixed.compressor]
    : grid.compressors ?? ["none"];
  const chunks = fixed.chunks !== undefined ? [fixed.chunks] : grid.chunks ?? CHUNKS;
  const candidates: Candidate[] = [];
  for (const allToAll of allToAlls) {
    for (const compressor of compressors) {
      for (const count of chunks) {
        for (const scheduler of schedulers) {
          const byPeers = nameOf(scheduler) === "fasterMoE" && count !== 1;
          // a backward pass is split as forward was: by peers or, with no more chunks than places, by capacity
          const peers = pass === "backward" ? Math.min(ranks, capacity) : ranks;
          const most = byPeers ? peers : capacity;
          if (typeof count === "number" && count > most) continue;
          candidates.push({ scheduler, allToAll, chunks: count, compressor });
        }
      }
    }
  }
  if (candidates.length === 0) {
    throw new SchemoeError(
      `Cannot tune the pass: no candidate has chunks for ${capacity} places an expert, of ${
        chunks.map(quoted).join(", ")
      }`,
    );
  }
  return candidates;
}

/** Those that split a pass in a way of their own would change the bits of chunks that the user chose. */
function builtIn(pass: Pass, { chunks = 1 }: PassChoices): readonly string[] {
  const all = [...SCHEDULERS, ...(pass === "backward" ? BACKWARD : [])];
  return chunks === 1 ? all : all.filter((name) => {
    const { chunking } = (schedulers as unknown as Record<string, Scheduler>)[name];
    return chunking === undefined;
  });
}

/** A scheduler that goes by these times on every engine, so that what was predicted is what runs. */
function byCosts(scheduler: NonNullable<PassChoices["scheduler"]>, costs: Costs) {
  const known: Readonly<Record<string, unknown>> = schedulers;
  const made = (typeof scheduler === "string" ? known[scheduler] : scheduler) as Scheduler;
  // those of one parameter do not look at times
  if (typeof made?.order !== "function" || made.order.length < 2) return scheduler;
  return {
    name: made.name,
    ...(made.reassociate ? { reassociate: true } : {}),
    ...(made.chunking ? { chunking: (chunks: number) => made.chunking!(chunks) } : {}),
    order: (graph: TaskGraph) => made.order(graph, costs),
  };
}

export const nameOf = (value: unknown): string =>
  typeof value === "object" && value !== null && "name" in value ? `${value.name}` : `${value}`;

/** `optSche + pipe + none, 4 chunks`. */
export function candidateName(candidate: Candidate): string {
  expect("candidateName", "candidate", candidate, aCandidate);
  const { scheduler, allToAll, compressor, chunks } = candidate;
  const pair = typeof compressor === "object" && !("name" in compressor)
    ? `${nameOf(compressor.dispatch ?? "none")}/${nameOf(compressor.combine ?? "none")}`
    : nameOf(compressor);
  const split = typeof chunks === "number"
    ? `${chunks} ${chunks === 1 ? "chunk" : "chunks"}`
    : chunks.name;
  return `${nameOf(scheduler)} + ${nameOf(allToAll)} + ${pair}, ${split}`;
}
