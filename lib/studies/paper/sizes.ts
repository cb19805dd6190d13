/** Figure 9: all-to-alls by size on ScheMoE's testbed. @module */
import * as allToAlls from "../../alltoall/mod.ts";
import { simulate } from "../../engines/mod.ts";
import { GraphBuilder } from "../../graph/builder.ts";
import { buildProgram } from "../../program/mod.ts";
import { testbed } from "../../testbeds/mod.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import type { Topology } from "../../types.ts";

/** Microseconds of each all-to-all at one size. */
export interface SizeRow {
  /** Bytes that each rank has for all others and itself. */
  readonly bytes: number;
  readonly linear: number;
  readonly hierarchical1d: number;
  readonly hierarchical2d: number;
  readonly pipe: number;
}

const NAMES = ["linear", "hierarchical1d", "hierarchical2d", "pipe"] as const;
const KIB = 1024;

/** 1 KiB to 1 GiB, fourfold each. */
export const SIZES: readonly number[] = Array.from({ length: 11 }, (_, i) => KIB * 4 ** i);

/** Seconds of one all-to-all alone; every rank has `bytes` bytes, an equal part for each. */
export function allToAllSeconds(topology: Topology, algorithm: AllToAll, bytes: number): number {
  const g = new GraphBuilder(topology, "forward", 1);
  g.allToAll({
    label: "A",
    chunk: 0,
    stage: 0,
    after: [],
    algorithm,
    sliceBytes: Math.ceil(bytes / topology.ranks),
    input: { buffer: "input", offset: 0 },
    output: { buffer: "output", offset: 0 },
    scratch: "scratch",
  });
  const graph = g.build({});
  const { end } = simulate(buildProgram(graph, graph.tasks, "alone"), topology);
  return end.reduce((a, b) => Math.max(a, b), 0) * 1e-9;
}

/** All sizes under the paper's four all-to-alls. */
export function paperSizes(topology: Topology = testbed("2080ti-ib100").topology): SizeRow[] {
  return SIZES.map((bytes) => {
    const times = NAMES.map((name) => [
      name,
      1e6 * allToAllSeconds(topology, allToAlls[name], bytes),
    ]);
    return { bytes, ...Object.fromEntries(times) };
  });
}
