/** Figure 9: all-to-alls by size on ScheMoE's testbed. @module */
import { aTopology, expect } from "../../arguments/mod.ts";
import * as allToAlls from "../../alltoall/mod.ts";
import { testbed } from "../../testbeds/mod.ts";
import type { Topology } from "../../types.ts";
import { allToAllSeconds } from "../sizes/alone.ts";
import { SIZES } from "../sizes/study.ts";

/** Microseconds of each all-to-all at one size. */
export interface SizeRow {
  /** Bytes that each rank has for all others and itself. */
  readonly bytes: number;
  /** `linear`, that of NCCL. */
  readonly linear: number;
  /** `hierarchical1d`, that of HetuMoE. */
  readonly hierarchical1d: number;
  /** `hierarchical2d`, that of Tutel and DeepSpeed. */
  readonly hierarchical2d: number;
  /** `pipe`, ScheMoE's Pipe-A2A. */
  readonly pipe: number;
}

const NAMES = ["linear", "hierarchical1d", "hierarchical2d", "pipe"] as const;
/** All sizes under the paper's four all-to-alls. */
export function paperSizes(topology: Topology = testbed("2080ti-ib100").topology): SizeRow[] {
  expect("paperSizes", "topology", topology, aTopology);
  return SIZES.map((bytes) => {
    const times = NAMES.map((name) => [
      name,
      1e6 * allToAllSeconds(topology, allToAlls[name], bytes),
    ]);
    return { bytes, ...Object.fromEntries(times) };
  });
}
