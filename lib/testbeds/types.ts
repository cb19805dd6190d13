/** A testbed. @module */
import type { Topology } from "../types.ts";

/** A cluster and where its numbers come from. */
export interface Testbed {
  /** Such as `h200-ib400`. */
  readonly name: string;
  /** Links and processors of that many nodes. */
  readonly topology: Topology;
  /** One line for each group of numbers. */
  readonly sources: readonly string[];
}

/** Sizes other than those of the publication. */
export interface TestbedSize {
  /** Machines; default as published. */
  readonly nodes?: number;
  /** GPUs of each; default as published. */
  readonly ranksPerNode?: number;
}
