/** Does the work of all phases and looks at the process now and then. @module */
import { type Growth, growthOf, leaksOf } from "./growth.ts";
import type { Phase } from "./phases.ts";
import { type Usage, usageNow } from "./process.ts";

/** A phase with what it took. */
export interface Soaked {
  readonly name: string;
  readonly count: number;
  readonly seconds: number;
  /** By the share of the phase that was done. */
  readonly usage: readonly (Usage & { readonly done: number })[];
  readonly growth: Growth;
  readonly leaks: readonly (keyof Usage)[];
}

/** How often a soak looks, what growth is no leak, and who is told. */
export interface SoakOptions {
  /** Looks in a phase, the first one before it begins. */
  readonly looks: number;
  readonly allowed: Growth;
  readonly progress?: (name: string, done: number, usage: Usage) => void;
}

/** Runs phases one after another in this process. */
export async function soak(phases: readonly Phase[], options: SoakOptions): Promise<Soaked[]> {
  const soaked: Soaked[] = [];
  for (const phase of phases) soaked.push(await soakPhase(phase, options));
  return soaked;
}

async function soakPhase(
  { name, count, begin }: Phase,
  { looks, allowed, progress }: SoakOptions,
): Promise<Soaked> {
  const usage: (Usage & { done: number })[] = [];
  const look = (done: number) => {
    const now = { ...usageNow(), done: done / count };
    usage.push(now);
    progress?.(name, done, now);
  };
  const began = performance.now();
  const work = begin();
  try {
    let next = 0;
    for (let number = 0; number < count; number++) {
      if (number >= next) {
        look(number);
        next = Math.ceil(usage.length * count / looks);
      }
      await work.once(number);
    }
    look(count);
  } finally {
    work.end();
  }
  const growth = growthOf(usage);
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  return { name, count, seconds, usage, growth, leaks: leaksOf(growth, allowed) };
}
