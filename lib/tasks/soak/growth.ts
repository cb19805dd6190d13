/** Whether what a process takes is level. @module */
import { type Usage, USAGES } from "./process.ts";

/** How much more is taken in the last quarter of a series than in its second one, by the medians. */
export type Growth = Readonly<Record<keyof Usage, number>>;

/** Growth from the second quarter, when all is warm, to the last one. */
export function growthOf(series: readonly Usage[]): Growth {
  const quarter = (first: number, of: keyof Usage) => {
    const part = series.slice(
      Math.floor(series.length * first / 4),
      Math.floor(series.length * (first + 1) / 4),
    );
    return part.map((usage) => usage[of]).sort((a, b) => a - b)[Math.floor(part.length / 2)];
  };
  return Object.fromEntries(
    USAGES.map((of) => [of, quarter(3, of) - quarter(1, of)]),
  ) as Growth;
}

const MIB = 2 ** 20;

/**
 * What may grow without being a leak: pages that the allocator keeps, and code that V8 compiles as it finds out
 * what is hot. Descriptors and threads may not.
 */
export const ALLOWED: Growth = {
  resident: 4 * MIB,
  heap: MIB,
  external: MIB / 4,
  descriptors: 0,
  threads: 0,
};

/** The same for a soak so short that it ends before all is warm. */
export const ALLOWED_SHORT: Growth = { ...ALLOWED, resident: 24 * MIB, heap: 4 * MIB };

/** Kinds of usage that grew by more than is allowed. */
export const leaksOf = (growth: Growth, allowed: Growth): (keyof Usage)[] =>
  USAGES.filter((of) => growth[of] > allowed[of]);
