/** What calibration runs: layers and all-to-alls of many sizes. @module */
import * as allToAlls from "../alltoall/mod.ts";
import type { LayerConfig } from "../blocks/mod.ts";
import { GraphBuilder } from "../graph/builder.ts";
import { buildProgram } from "../program/mod.ts";
import type { AllToAll } from "../alltoall/types.ts";
import { capacitySlices, peerGroups } from "../chunking/mod.ts";
import type { Chunking } from "../chunking/types.ts";
import type { Compressor } from "../compressors/types.ts";
import type { Engine, Program } from "../engine.ts";
import type { Topology } from "../types.ts";

/** One layer under one choice, forward and backward, one task after another. */
export interface LayerStep {
  readonly config: LayerConfig;
  readonly chunks: Chunking;
  readonly allToAll: string;
  readonly compressor: Compressor | string;
  /** The first that measures a kind of work: needed whatever it takes. */
  readonly needed: boolean;
}

/**
 * Parts of tokens, width and hidden width of the layers that are measured: each more and less than given, and such that
 * round sizes become others, of which kernels that work in whole tiles compute more than is needed.
 */
const SIZES = [
  [1, 1, 1],
  [0.27, 1, 1],
  [1, 0.53, 1],
  [0.5, 1, 0.53],
  [2, 1, 1],
  [0.55, 0.53, 1.97],
  [0.5, 1.47, 1],
];
const ALGORITHMS = ["linear", "pipe", "hierarchical2d", "pairwise"] as const;
const CHUNKS = 4;
const GROUPS = 2;
const KIB = 1024;

/** So many chunks, or fewer where an expert has fewer places. */
export const atMost = (chunks: number): Chunking => ({
  name: `at most ${chunks} chunks`,
  split: (at) => capacitySlices(Math.min(chunks, at.capacity)).split(at),
});

/** Sizes that fill an engine of this kind for milliseconds. */
export function defaultLayer({ kind, topology: { ranks } }: Engine): LayerConfig {
  const experts = 2 * ranks;
  return kind === "cuda"
    ? { tokens: 4096, modelDim: 1024, hiddenDim: 4096, experts }
    : { tokens: 256, modelDim: 128, hiddenDim: 256, experts };
}

/** The most telling steps first, since time may run out. */
export function layerSteps(
  layer: LayerConfig,
  codecs: readonly (Compressor | string)[],
): LayerStep[] {
  const even = (value: number) => Math.max(32, 32 * Math.round(value / 32));
  const configs = SIZES.map(([tokens, model, hidden]) => ({
    ...layer,
    tokens: Math.max(8, 8 * Math.round(layer.tokens * tokens / 8)),
    modelDim: even(layer.modelDim * model),
    hiddenDim: even(layer.hiddenDim * hidden),
  }));
  const steps: LayerStep[] = [];
  // groups of peers gather tokens for copies of experts by kernels of their own
  const copied = layer.parallel !== undefined || layer.placement !== undefined;
  for (const chunks of [1, CHUNKS]) {
    for (const [i, config] of configs.entries()) {
      const allToAll = ALGORITHMS[(i + chunks) % ALGORITHMS.length];
      const needed = i === 0 && chunks === 1;
      steps.push({ config, chunks: atMost(chunks), allToAll, compressor: "none", needed });
      if (copied && chunks === 1) {
        const groups = peerGroups(GROUPS);
        steps.push({ config, chunks: groups, allToAll: "linear", compressor: "none", needed });
      }
    }
  }
  for (const [i, config] of configs.entries()) {
    for (const [j, compressor] of codecs.entries()) {
      const allToAll = ALGORITHMS[(i + j) % ALGORITHMS.length];
      const chunks = atMost(i % 2 ? CHUNKS : 1);
      steps.push({ config, allToAll, compressor, chunks, needed: i === 0 });
    }
  }
  return steps;
}

/** All-to-alls alone, by algorithm and bytes of a rank, the smallest first. */
export function exchangePrograms(topology: Topology, most: number): Program[] {
  const programs: Program[] = [];
  for (let bytes = 4 * KIB; bytes <= most; bytes *= 4) {
    for (const name of ALGORITHMS) programs.push(exchange(topology, allToAlls[name], bytes));
  }
  return programs;
}

/** Exchanges in a chain, so that what lies between two is seen. */
const IN_A_ROW = 3;

function exchange(topology: Topology, algorithm: AllToAll, bytes: number): Program {
  const g = new GraphBuilder(topology, "forward", IN_A_ROW);
  let after: readonly ReturnType<typeof g.add>[] = [];
  for (let chunk = 0; chunk < IN_A_ROW; chunk++) {
    after = g.allToAll({
      label: "A",
      chunk,
      stage: 0,
      after,
      algorithm,
      sliceBytes: Math.ceil(bytes / topology.ranks),
      input: g.buffer(`input ${chunk}`, bytes + topology.ranks),
      output: g.buffer(`output ${chunk}`, bytes + topology.ranks),
      scratch: `scratch ${chunk}`,
    });
  }
  const graph = g.build({});
  return buildProgram(graph, graph.tasks, "alone");
}
