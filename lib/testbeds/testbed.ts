import { aCount, expect, maybe, options } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import { NVLINK } from "./nvlink.ts";
import { dgx2, rtx2080ti } from "./published.ts";
import type { Testbed, TestbedSize } from "./types.ts";
import { didYouMean, quoted } from "../words.ts";

const TESTBED_SIZE = options({ nodes: maybe(aCount), ranksPerNode: maybe(aCount) });

const TESTBEDS: ReadonlyMap<string, (size: TestbedSize) => Testbed> = new Map([
  ["2080ti-ib100", rtx2080ti],
  ["dgx2-ib", dgx2],
  ...NVLINK,
]);

/** Names of all testbeds. */
export const TESTBED_NAMES: readonly string[] = [...TESTBEDS.keys()];

/** The one that the simulator takes when it is given sizes alone. */
export const DEFAULT_TESTBED = "h200-ib400";

/**
 * A cluster by its name. Published ones: `2080ti-ib100` (ScheMoE's) and `dgx2-ib` (links of a DGX-2, GEMM
 * of an A6000). Current ones, put together from what NCCL and SimAI reckon with, from specifications and
 * measurements: `a100-ib200`, `h100-ib400`, `h200-ib400` and `b200-ib400`, with NVLink inside nodes of
 * eight and a network card for each GPU. Links and rates do not change with the size.
 * Rates of computation of the current ones are those of bfloat16, whatever the `dtype` of a layer: give it
 * `dtype: "bfloat16"`, without which it sends twice the bytes at the same rate of computation.
 * Rails and oversubscription are added as `{ ...topology, spine: { oversubscription: 2, rails: true } }`.
 *
 * ```ts
 * import { testbed } from "@schemoe/lab";
 * const { topology, sources } = testbed("2080ti-ib100");
 * console.assert(topology.ranks === 32 && sources.length === 4);
 * console.assert(testbed("h200-ib400", { nodes: 16 }).topology.ranks === 128);
 * ```
 * @throws {SchemoeError} for an unknown name, or a size that is no positive integer.
 */
export function testbed(name: string, size: TestbedSize = {}): Testbed {
  expect("testbed", "size", size, TESTBED_SIZE);
  const make = TESTBEDS.get(name);
  if (!make) {
    throw new SchemoeError(
      `Unknown testbed ${quoted(name)}: choose one of ${TESTBED_NAMES.join(", ")}${
        didYouMean(name, TESTBED_NAMES)
      }`,
    );
  }
  return make(size);
}
