/** Tables by which token numbers choose experts. @module */
import { checkCount } from "./options.ts";
import { failGate } from "./routed.ts";

/** Sizes of a table. */
export interface HashTableOptions {
  /** Numbers that a token may have. */
  readonly vocabulary: number;
  /** Experts of the layer, at least `k`. */
  readonly experts: number;
  /** Experts of a token; default 1. */
  readonly k?: number;
  /** Default 1. */
  readonly seed?: number;
}

/**
 * A table [vocabulary, k] for `gate.table` of `hashed`: k different experts for each token number, at random but
 * the same for a seed (the random hash of Roller et al., arXiv 2106.04426).
 *
 * ```ts
 * import { hashTable } from "@schemoe/lab/blocks";
 * const table = hashTable({ vocabulary: 100, experts: 8, k: 2 });
 * console.assert(table.length === 200 && table[0] !== table[1]);
 * ```
 * @throws {SchemoeError} for a size that cannot be.
 */
export function hashTable(options: HashTableOptions): Int32Array<ArrayBuffer> {
  const { vocabulary, experts, k = 1, seed = 1 }: HashTableOptions = Object(options);
  for (const [name, value] of Object.entries({ vocabulary, experts, k })) {
    checkCount("hashed", name, value);
  }
  if (k > experts) failGate("hashed", `k ${k} is more than ${experts} experts`);
  const table = new Int32Array(vocabulary * k);
  const left = new Int32Array(experts);
  for (let id = 0; id < vocabulary; id++) {
    for (let e = 0; e < experts; e++) left[e] = e;
    for (let i = 0; i < k; i++) {
      const other = i + mixed(seed, id * k + i) % (experts - i);
      [left[i], left[other]] = [left[other], left[i]];
      table[id * k + i] = left[i];
    }
  }
  return table;
}

/** 32 well mixed bits of a place in a sequence (the finalizer of splitmix32). */
function mixed(seed: number, place: number): number {
  let z = (seed + Math.imul(place + 1, 0x9e3779b9)) >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
