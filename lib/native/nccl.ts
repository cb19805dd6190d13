/**
 * Where NCCL is: given, in the environment, where the loader looks, or in a Python package.
 * @module
 */
import type { NativeSymbols } from "./library.ts";
import { FailureRecord } from "./failure.ts";
import { inPythonPackages } from "./python_packages.ts";
import { variable } from "./variable.ts";

/** A library of NCCL that can be used. */
export interface Nccl {
  readonly path: string;
  /** Such as 2.30.7. */
  readonly version: string;
}

/** Where the package nvidia-nccl-cu12 or -cu13 keeps it, below a folder of packages. */
const IN_PACKAGE = "nvidia/nccl/lib/libnccl.so.2";
const MOST_BYTES = 4096;

/**
 * The library at a path, or at `SCHEMOE_NCCL` of the environment; without either the newest of the one
 * that the loader finds and those in Python's folders of packages.
 *
 * @throws {SchemoeError} when there is none, or it is too old or lacks an entry.
 */
export function findNccl(library: NativeSymbols, path?: string): Nccl {
  const given = path ?? variable("SCHEMOE_NCCL");
  if (given) return openNccl(library, given);
  const found: Nccl[] = [];
  let missing: unknown;
  for (const candidate of ["", ...inPythonPackages(IN_PACKAGE)]) {
    try {
      found.push(openNccl(library, candidate));
    } catch (error) {
      missing ??= error;
    }
  }
  if (found.length === 0) throw missing;
  return found.reduce((best, one) => newer(one, best) ? one : best);
}

function openNccl(library: NativeSymbols, path: string): Nccl {
  const version = new Uint32Array(1);
  const file = new Uint8Array(MOST_BYTES);
  const failure = new FailureRecord();
  const name = new TextEncoder().encode(`${path}\0`);
  failure.unwrap(
    library.schemoe_nccl(name, version, file, BigInt(MOST_BYTES), failure.bytes),
  );
  const [number] = version;
  return {
    path: new TextDecoder().decode(file.subarray(0, file.indexOf(0))),
    version: [Math.floor(number / 10000), Math.floor(number / 100) % 100, number % 100].join("."),
  };
}

function newer({ version: a }: Nccl, { version: b }: Nccl): boolean {
  const [x, y] = [a, b].map((text) => text.split(".").map(Number));
  const at = x.findIndex((part, i) => part !== y[i]);
  return at >= 0 && x[at] > y[at];
}
