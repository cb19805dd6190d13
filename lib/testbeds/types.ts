/** A testbed. @module */
import type { Topology } from "../types.ts";

/** A cluster and where its numbers come from. */
export interface Testbed {
  readonly name: string;
  readonly topology: Topology;
  /** One line for each group of numbers. */
  readonly sources: readonly string[];
}

/** Sizes other than those of the publication. */
export interface TestbedSize {
  readonly nodes?: number;
  readonly ranksPerNode?: number;
}
