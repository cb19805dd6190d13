/**
 * Checks of `exact` and of the bounds on random instances: a test runs a few, `lib/tasks/bench/exact.ts`
 * as many as are asked for.
 */
import { lowerBound } from "../../costs/mod.ts";
import { simulate } from "../../engines/mod.ts";
import { buildProgram } from "../../program/mod.ts";
import * as schedulers from "../../schedulers/mod.ts";
import type { Pass } from "../../types.ts";
import type { Scheduler } from "../../schedulers/types.ts";
import {
  type Instance,
  type Phases,
  randomInstance,
  randomNumbers,
  unequalRanks,
} from "./exact_instances.ts";
import { exhaustive, exhaustiveRanks, makespanOf } from "./exact_oracle.ts";

/** Relative difference of two ways to add up the same times. */
const ROUNDING = 1e-9;

/** Result of a check. */
export interface Report {
  readonly instances: number;
  /** How to make again the instances on which it failed. */
  readonly failures: string[];
  /** Distances of the optimum to the lower bound, sorted. */
  readonly gaps: number[];
}

/** How many instances, and which. */
export interface CheckOptions {
  readonly count: number;
  readonly seed?: number;
}

const PASSES: readonly Pass[] = ["forward", "backward"];
const PHASES: readonly Phases[] = ["single", "pipe", "2dh"];

const exceeds = (a: number, b: number) => a > b * (1 + ROUNDING) + 1e-15;

/** `exact` against every order there is: two chunks, three lanes. */
export function checkExhaustive({ count, seed = 1 }: CheckOptions): Report {
  return check({ count, seed }, (random, i) => {
    const instance = randomInstance(random, {
      chunks: 2,
      phases: PHASES[1 + i % 2],
      uneven: i % 4 < 2,
      around: i % 3 === 0,
    });
    return { instance, optimum: () => exhaustive(instance.graph, instance.costs).seconds };
  });
}

/** `exact` against a search that only gives up what is too long already: three chunks. */
export function checkPlainSearch({ count, seed = 2 }: CheckOptions): Report {
  return check({ count, seed }, (random, i) => {
    const instance = randomInstance(random, {
      chunks: 3,
      phases: PHASES[i % 3],
      uneven: i % 2 === 0,
    });
    // a limit just above what it must find, so that it has to find it
    const optimum = (exact: number) =>
      exhaustive(instance.graph, instance.costs, { prune: true, atMost: exact * (1 + 1e-6) })
        .seconds;
    return { instance, optimum };
  });
}

/** `exact` against every order on four ranks whose times all differ. */
export function checkRanks({ count, seed = 3 }: CheckOptions): Report {
  return check({ count, seed }, (random, i) => {
    const instance = unequalRanks(random, { sameChunks: i % 2 === 0 });
    return { instance, optimum: () => exhaustiveRanks(instance.graph, instance.costs) };
  });
}

/** `exact` against Theorem 1 inside its assumption. */
export function checkTheorem({ count, seed = 4 }: CheckOptions): Report {
  return check({ count, seed }, (random, i) => {
    const instance = randomInstance(random, { chunks: 2 + i % 3, symmetric: true });
    return { instance, optimum: () => makespanBy(schedulers.optSche, instance) };
  });
}

/** No scheduler is better than `exact`, and no bound above any of them. */
export function checkOthers({ count, seed = 5 }: CheckOptions): Report {
  const others = (Object.values(schedulers) as object[]).filter((value): value is Scheduler =>
    "order" in value
  )
    .filter((value) => value !== schedulers.exact);
  return check({ count, seed }, (random, i) => {
    const instance = randomInstance(random, {
      chunks: 1 + i % 3,
      pass: PASSES[i % 2],
      phases: PHASES[Math.floor(i / 2) % 3],
      uneven: i % 5 === 0,
      around: i % 4 === 0,
    });
    const best = () => Math.min(...others.map((scheduler) => makespanBy(scheduler, instance)));
    return { instance, optimum: best, lessIsFine: true };
  });
}

/**
 * No bound is above a simulated run: four ranks that all differ, each with a processor of its own or
 * sharing one or two of random capacities, evenly or in turns, in the order of any scheduler.
 */
export function checkSimulated({ count, seed = 6 }: CheckOptions): Report {
  const random = randomNumbers(seed);
  const failures: string[] = [];
  const gaps: number[] = [];
  const all = (Object.values(schedulers) as object[])
    .filter((value): value is Scheduler => "order" in value);
  for (let i = 0; i < count; i++) {
    const { graph, costs } = unequalRanks(random, { sameChunks: i % 2 === 0 });
    const of = [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1]][i % 3];
    const evenly = { of, capacity: [0.5 + 3 * random(), 0.5 + 3 * random()] };
    const transfers = [undefined, "inTurn", "first"] as const;
    const threads = { slice: 0.2 + 3 * random(), transfers: transfers[Math.floor(3 * random())] };
    const queue = { transfers: transfers[Math.floor(2 * random())] };
    const turns = [undefined, threads, queue][Math.floor(3 * random())];
    const sharing = turns ? { ...evenly, turns } : evenly;
    const world = i % 4 === 0 ? graph.topology : { ...graph.topology, sharing };
    const scheduler = all[Math.floor(random() * all.length)];
    const placed = { ...graph, topology: world };
    const program = buildProgram(placed, scheduler.order(placed, costs), scheduler.name);
    const { end } = simulate(program, world, { costs });
    const makespan = end.reduce((latest, time) => Math.max(latest, time), 0) * 1e-9;
    const { seconds, limit } = lowerBound(placed, costs);
    if (exceeds(seconds, makespan)) {
      failures.push(
        `${scheduler.name} takes ${makespan}, below ${seconds} of ${limit}: instance ${i}`,
      );
    }
    gaps.push(makespan / seconds - 1);
  }
  return { instances: count, failures, gaps: gaps.sort((a, b) => a - b) };
}

/** Makespan of a scheduler's order, without edges of its own. */
export function makespanBy(scheduler: Scheduler, { graph, costs }: Instance): number {
  const schedule = scheduler.order(graph, costs);
  return makespanOf(graph, costs, "order" in schedule ? schedule.order : schedule);
}

function check(
  { count, seed }: { count: number; seed: number },
  make: (random: () => number, i: number) => {
    readonly instance: Instance;
    /** Least makespan otherwise found, given that of `exact`. */
    readonly optimum: (exact: number) => number;
    /** `exact` may be better. */
    readonly lessIsFine?: boolean;
  },
): Report {
  const random = randomNumbers(seed);
  const failures: string[] = [];
  const gaps: number[] = [];
  for (let i = 0; i < count; i++) {
    const { instance, optimum, lessIsFine } = make(random, i);
    const { graph, costs, text } = instance;
    const found = schedulers.exactSchedule(graph, costs, { timeLimit: 60 });
    const least = optimum(found.seconds);
    const bound = lowerBound(graph, costs).seconds;
    const problems = [
      [!found.proven, "is not proven"],
      [exceeds(found.seconds, least), `is longer than ${least}`],
      [!lessIsFine && exceeds(least, found.seconds), `is shorter than ${least}`],
      [
        Math.abs(makespanOf(graph, costs, found.order) - found.seconds) > ROUNDING * found.seconds,
        "is not what its order takes",
      ],
      [exceeds(bound, found.seconds), `is below the bound ${bound}`],
    ].flatMap(([wrong, problem]) => wrong ? [problem] : []);
    if (problems.length > 0) {
      failures.push(`exact takes ${found.seconds}, ${problems.join(", ")}: ${text}`);
    }
    gaps.push(bound > 0 ? found.seconds / bound - 1 : 0);
  }
  return { instances: count, failures, gaps: gaps.sort((a, b) => a - b) };
}
