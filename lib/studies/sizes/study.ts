/** All-to-alls of equal slices by size: where each wins and why. @module */
import {
  aFlag,
  anything,
  aTopology,
  expect,
  listOf,
  maybe,
  options,
  something,
} from "../../arguments/mod.ts";
import * as allToAlls from "../../alltoall/mod.ts";
import { testbed } from "../../testbeds/mod.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import { SchemoeError, type Topology } from "../../types.ts";
import { didYouMean, quoted } from "../../words.ts";
import { allToAllSeconds } from "./alone.ts";
import { emulatedSeconds } from "./emulate.ts";
import { type AllToAllSizeRow, AllToAllSizes } from "./result.ts";

const ALL_TO_ALL_SIZES_OPTIONS = options({
  topology: maybe(aTopology),
  sizes: maybe(listOf(anything, "numbers of bytes")),
  allToAlls: maybe(listOf(something, "all-to-alls")),
  emulated: maybe(aFlag),
});

/** What is compared. */
export interface AllToAllSizesOptions {
  /** Default ScheMoE's testbed, 8 nodes of 4. */
  readonly topology?: Topology;
  /** Bytes that each rank holds, an equal part for each; default 1 KiB to 1 GiB, fourfold each. */
  readonly sizes?: readonly number[];
  /** Built-in ones or values; default the four of ScheMoE's figure 9. */
  readonly allToAlls?: readonly (AllToAll | string)[];
  /** Measures each on emulated links of the CPU engine too, see {@linkcode allToAllSizes}; default false. */
  readonly emulated?: boolean;
}

const KIB = 1024;

/** 1 KiB to 1 GiB, fourfold each. */
export const SIZES: readonly number[] = Array.from({ length: 11 }, (_, i) => KIB * 4 ** i);

const NAMES = ["linear", "hierarchical1d", "hierarchical2d", "pipe"];

/**
 * Times of all-to-alls by size, simulated and, if asked for, measured on emulated links of the CPU engine, each
 * split into what its messages take to start and what its bytes take: the two reasons why one of them wins.
 *
 * The CPU engine emulates sizes that memory does not hold: a byte stands for as many as it takes to stay below
 * 1 MiB a rank, its links being slower by as much, and all times of small sizes are stretched so that an exchange
 * lasts long enough to be paced. Rows give times without that factor.
 *
 * ```ts
 * import { allToAllSizes } from "@schemoe/lab/studies";
 * const study = await allToAllSizes({ sizes: [1 << 12, 1 << 28] });
 * console.assert(study.best.map((row) => row.allToAll).join() === "hierarchical2d,pipe");
 * ```
 * @throws {SchemoeError} for an unknown name, or a size that is no positive integer.
 */
export async function allToAllSizes(options: AllToAllSizesOptions = {}): Promise<AllToAllSizes> {
  expect("allToAllSizes", "options", options, ALL_TO_ALL_SIZES_OPTIONS);
  const { topology = testbed("2080ti-ib100").topology, sizes = SIZES, emulated = false } = options;
  const algorithms = (options.allToAlls ?? NAMES).map((value) =>
    typeof value === "string" ? named(value) : value
  );
  const odd = sizes.find((bytes) => !(Number.isInteger(bytes) && bytes > 0));
  if (odd !== undefined || sizes.length === 0) {
    throw new SchemoeError(
      `Cannot compare the all-to-alls: sizes must be positive integers, got ${
        odd === undefined ? "none" : quoted(odd)
      }`,
    );
  }
  const rows: AllToAllSizeRow[] = [];
  for (const bytes of sizes) {
    for (const algorithm of algorithms) {
      const seconds = allToAllSeconds(topology, algorithm, bytes);
      const startUp = allToAllSeconds(withoutBytes(topology), algorithm, bytes);
      const measured = emulated
        ? { measured: await emulatedSeconds(topology, { algorithm, bytes, seconds }) }
        : {};
      rows.push({ allToAll: algorithm.name, bytes, seconds, startUp, ...measured });
    }
  }
  return new AllToAllSizes(topology, rows);
}

function named(name: string): AllToAll {
  const all = allToAlls as unknown as Record<string, AllToAll>;
  const found = Object.hasOwn(all, name) ? all[name] : undefined;
  if (typeof found?.plan === "function") return found;
  const names = Object.keys(all).filter((key) => typeof all[key]?.plan === "function");
  throw new SchemoeError(
    `Unknown all-to-all "${name}": choose one of ${names.join(", ")}` + didYouMean(name, names),
  );
}

/** The same world with links on which bytes take no time. */
function withoutBytes({ links, nic: _, spine: _s, ...world }: Topology): Topology {
  const free = ({ alpha }: { alpha: number }) => ({ alpha, beta: 0 });
  const { intra, inter, local } = links;
  return { ...world, links: { intra: free(intra), inter: free(inter), local: free(local) } };
}
