/** The fit of what passes before operations begin. @module */
import type { Costs, Launch } from "../costs/types.ts";
import { median, type ProcessorsFit } from "../profile/mod.ts";
import type { Measurement } from "./collect.ts";
import { freeProcessors } from "./free.ts";
import { observe } from "./observe.ts";

/** Seconds of one kind of launch: with a processor free, and the least of all. */
interface Launches {
  readonly free: number[];
  least: number;
}

/**
 * Seconds until operations began, medians: where lanes take turns of those for which a processor was free, and without
 * any the least of all. What is paced does not count, since it makes up for what was late.
 */
export function launchOf(
  measured: readonly Measurement[],
  processors?: ProcessorsFit,
): NonNullable<Costs["launch"]> {
  const found = { compute: noLaunches(), transfer: noLaunches() };
  const turns = processors?.turns;
  for (const { program, runs } of measured) {
    for (const run of runs.map((events) => observe(program, events))) {
      // kernels in a queue have begun
      const free = turns?.slice === undefined
        ? undefined
        : freeProcessors(run, { ...processors!, turns });
      for (const one of run) {
        if (one.paced > 0) continue;
        const launches = found[one.task.transfers ? "transfer" : "compute"][one.after];
        launches.least = Math.min(launches.least, one.launch);
        if (!free || free.before(one)) launches.free.push(one.launch);
      }
    }
  }
  const typical = ({ free, least }: Launches): number =>
    free.length > 0 ? median(free) : least < Infinity ? least : 0;
  const of = ({ begin, next, wait }: Record<keyof Launch, Launches>): Launch => ({
    begin: typical(begin),
    next: typical(next),
    wait: typical(wait),
  });
  return { compute: of(found.compute), transfer: of(found.transfer) };
}

const noLaunches = (): Record<keyof Launch, Launches> => ({
  begin: { free: [], least: Infinity },
  next: { free: [], least: Infinity },
  wait: { free: [], least: Infinity },
});
