/** Experts where they are without a placement. @module */
import { expect, manyAtMost } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import type { Placement } from "./types.ts";

/** Experts in equal runs on the ranks, in order, each once. @throws {SchemoeError} when they do not fit. */
export function identityPlacement(experts: number, ranks: number): Placement {
  expect("identityPlacement", "experts", experts, manyAtMost);
  expect("identityPlacement", "ranks", ranks, manyAtMost);
  if (experts % ranks) fail(`${ranks} ranks do not divide ${experts} experts`);
  const each = experts / ranks;
  const slots = Array.from(
    { length: ranks },
    (_, rank) => Array.from({ length: each }, (_, i) => rank * each + i),
  );
  return { name: "identity", experts, slots };
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot use the placement: ${problem}`);
}
