/**
 * Clusters by name, as topologies with the source of each number.
 *
 * ```ts
 * import { testbed } from "@schemoe/lab/testbeds";
 * console.assert(testbed("h100-ib400", { nodes: 2 }).topology.ranks === 16);
 * ```
 * @module
 */
export { DEFAULT_TESTBED, testbed, TESTBED_NAMES } from "./testbed.ts";
export type { Testbed, TestbedSize } from "./types.ts";
