/** Placements that every reference case is computed under: copies, other ranks, uneven ones. @module */
import type { Placement } from "../placements/mod.ts";

/** Six for a group of so many ranks, which divide the experts. */
export function placementCases(experts: number, ranks: number): Placement[] {
  const local = experts / ranks;
  const all = Array.from({ length: experts }, (_, e) => e);
  const own = Array.from({ length: ranks }, (_, r) => all.slice(r * local, (r + 1) * local));
  const cases: Record<string, number[][]> = {
    hot: own.map((list) => [...new Set([...list, 0, experts - 1])]),
    reversed: own.map((_, r) => own[ranks - 1 - r]),
    shifted: own.map((list) => list.map((e) => (e + 1) % experts)),
    elsewhere: own.map((_, r) => [...own[(r + 1) % ranks], ...own[(r + 2) % ranks]]),
    first: own.map((_, r) => r === 0 ? all : []),
    everywhere: own.map(() => all),
  };
  return Object.entries(cases).map(([name, slots]) => ({ name, experts, slots }));
}
