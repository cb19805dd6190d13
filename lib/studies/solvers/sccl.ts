/** SCCL's all-gathers on a DGX-1, found by chance in seconds, and checks of schedules step by step. @module */
import {
  aCount,
  anInteger,
  aSize,
  expect,
  listOf,
  manyAtMost,
  maybe,
  options,
  record,
  someLanes,
} from "../../arguments/mod.ts";
import { uniforms } from "../../random.ts";

const A_STEP_SCHEDULE = record("a schedule of steps { chunks, rounds, steps }", {
  chunks: aCount,
  rounds: listOf(aCount, "numbers of rounds"),
  steps: listOf(
    listOf(record("a move { chunk, from, to }", { chunk: aSize, from: aSize, to: aSize }), "moves"),
    "steps",
  ),
});
const ALL_GATHER_IN_STEPS_OPTIONS = options({
  chunks: manyAtMost,
  rounds: listOf(aCount, "numbers of rounds"),
  seed: maybe(anInteger),
  tries: maybe(aCount),
});

/** A schedule in synchronous steps: in each one every rank gets chunks that its neighbours had before it. */
export interface StepSchedule {
  /** Chunks of each rank. */
  readonly chunks: number;
  /** Rounds of each step: a link moves as many chunks in it as it has lanes, times these. */
  readonly rounds: readonly number[];
  /** By step: chunk `source * chunks + number`, from neighbour to rank. */
  readonly steps: readonly (readonly StepMove[])[];
}

/** One chunk over one link. */
export interface StepMove {
  /** Number of the chunk: `source * chunks + number`. */
  readonly chunk: number;
  /** Neighbour that has it. */
  readonly from: number;
  /** Rank that gets it. */
  readonly to: number;
}

/** Lanes of a link between two ranks, [ranks][ranks]. */
export type Lanes = readonly (readonly number[])[];

/** NVLinks between the eight V100 of a DGX-1. */
export const DGX1: Lanes = [
  [0, 1, 1, 2, 2, 0, 0, 0],
  [1, 0, 2, 1, 0, 2, 0, 0],
  [1, 2, 0, 2, 0, 0, 1, 0],
  [2, 1, 2, 0, 0, 0, 0, 1],
  [2, 0, 0, 0, 0, 1, 1, 2],
  [0, 2, 0, 0, 1, 0, 2, 1],
  [0, 0, 1, 0, 1, 2, 0, 2],
  [0, 0, 0, 1, 2, 1, 2, 0],
];

/** Steps, rounds and chunks that SCCL's solver found to be the best there are. */
const PUBLISHED = [
  { steps: 2, rounds: 3, chunks: 2 },
  { steps: 3, rounds: 7, chunks: 6 },
] as const;

/** A point of SCCL's table. */
export interface ScclRow {
  /** Steps of the schedule, each of which starts its links anew. */
  readonly steps: number;
  /** Rounds of all steps together. */
  readonly rounds: number;
  /** Chunks of each rank. */
  readonly chunks: number;
  /** A schedule with these, checked; undefined where none was found. */
  readonly schedule?: StepSchedule;
  /** Rounds that no all-gather of so many chunks can do without. */
  readonly boundRounds: number;
}

/**
 * SCCL's best all-gathers on a DGX-1 (msccl-tools 030a750, SYNTHESIS.md): for each a schedule with as few steps and
 * rounds, found without its solver.
 *
 * ```ts
 * import { scclTable } from "@schemoe/lab/studies";
 * console.assert(scclTable().every(({ schedule }) => schedule !== undefined));
 * ```
 */
export function scclTable(): ScclRow[] {
  const degree = DGX1.reduce(
    (least, row) => Math.min(least, row.reduce((a, b) => a + b)),
    Infinity,
  );
  return PUBLISHED.map(({ steps, rounds, chunks }) => {
    const boundRounds = Math.ceil((DGX1.length - 1) * chunks / degree);
    for (const split of splits(rounds, steps)) {
      const schedule = allGatherInSteps(DGX1, { chunks, rounds: split, tries: TRIES_OF_A_SPLIT });
      if (!schedule) continue;
      return { steps, rounds, chunks, schedule, boundRounds };
    }
    return { steps, rounds, chunks, boundRounds };
  });
}

/** All ways to give each step at least one round, the most even ones first. */
function splits(rounds: number, steps: number): number[][] {
  if (steps === 1) return [[rounds]];
  const found: number[][] = [];
  for (let first = 1; first <= rounds - steps + 1; first++) {
    for (const rest of splits(rounds - first, steps - 1)) found.push([first, ...rest]);
  }
  const squares = (list: number[]) => list.reduce((sum, value) => sum + value * value, 0);
  return found.sort((a, b) => squares(a) - squares(b));
}

const TRIES_OF_A_SPLIT = 300;

const TRIES = 20_000;

/**
 * An all-gather whose rank gets, step after step, as many chunks as a matching of those that it lacks to its links
 * brings, the rarest first with some chance; tried until all have all.
 *
 * Each rank must get `(ranks - 1) chunks` over its lanes, so rounds for each chunk are at least their quotient: 7/6 on
 * a DGX-1, which SCCL (msccl-tools, SYNTHESIS.md) meets in 3 steps with 7 rounds for 6 chunks.
 *
 * ```ts
 * import { allGatherInSteps, checkSteps, DGX1 } from "@schemoe/lab/studies";
 * const schedule = allGatherInSteps(DGX1, { chunks: 2, rounds: [1, 2] })!;
 * console.assert(schedule.steps.length === 2 && checkSteps(DGX1, schedule) === undefined);
 * ```
 * @returns undefined where none was found, which does not prove that there is none.
 */
export function allGatherInSteps(lanes: Lanes, options: {
  readonly chunks: number;
  readonly rounds: readonly number[];
  readonly seed?: number;
  readonly tries?: number;
}): StepSchedule | undefined {
  expect("allGatherInSteps", "lanes", lanes, someLanes);
  expect("allGatherInSteps", "options", options, ALL_GATHER_IN_STEPS_OPTIONS);
  const { chunks, rounds, seed = 1, tries = TRIES } = options;
  const uniform = uniforms(seed);
  const ranks = lanes.length;
  for (let i = 0; i < tries; i++) {
    const held = Array.from({ length: ranks }, (_, rank) => {
      const own = new Uint8Array(ranks * chunks);
      own.fill(1, rank * chunks, (rank + 1) * chunks);
      return own;
    });
    const steps = rounds.map((count) => {
      const before = held.map((own) => own.slice());
      const holders = new Float64Array(ranks * chunks);
      for (const own of before) own.forEach((has, chunk) => holders[chunk] += has);
      const moves: StepMove[] = [];
      for (let to = 0; to < ranks; to++) {
        const order = Array.from({ length: ranks * chunks }, (_, chunk) => chunk)
          .filter((chunk) => !before[to][chunk])
          .map((chunk) => ({ chunk, key: holders[chunk] + 2 * uniform() }))
          .sort((a, b) => a.key - b.key).map(({ chunk }) => chunk);
        for (const [from, list] of matched(order, { lanes: lanes[to], count, before, uniform })) {
          for (const chunk of list) {
            moves.push({ chunk, from, to });
            held[to][chunk] = 1;
          }
        }
      }
      return moves;
    });
    if (held.every((own) => own.every((has) => has === 1))) return { chunks, rounds, steps };
  }
  return undefined;
}

/** Most chunks over the links of a rank, each link as often as it may (augmenting ways); chunks by neighbour. */
function matched(
  order: readonly number[],
  { lanes, count, before, uniform }: {
    lanes: readonly number[];
    count: number;
    before: readonly Uint8Array[];
    uniform: () => number;
  },
): Map<number, number[]> {
  const neighbours = lanes.flatMap((width, from) => width ? [from] : [])
    .map((from) => ({ from, key: uniform() })).sort((a, b) => a.key - b.key)
    .map(({ from }) => from);
  const taken = new Map(neighbours.map((from) => [from, [] as number[]]));
  const place = (chunk: number, seen: Set<number>): boolean => {
    for (const from of neighbours) {
      if (!before[from][chunk] || seen.has(from)) continue;
      seen.add(from);
      const list = taken.get(from)!;
      if (list.length < lanes[from] * count) {
        list.push(chunk);
        return true;
      }
      for (let i = 0; i < list.length; i++) {
        if (!place(list[i], seen)) continue;
        list[i] = chunk;
        return true;
      }
    }
    return false;
  };
  for (const chunk of order) place(chunk, new Set());
  return taken;
}

/** What is wrong with an all-gather in steps, or undefined: a chunk that was not there, a link that moves too many. */
export function checkSteps(lanes: Lanes, schedule: StepSchedule): string | undefined {
  expect("checkSteps", "lanes", lanes, someLanes);
  expect("checkSteps", "schedule", schedule, A_STEP_SCHEDULE);
  return check(lanes, schedule, () => true);
}

/** The same of an all-to-all, whose chunk `source * ranks + destination` must get to its destination. */
export function checkExchange(lanes: Lanes, schedule: StepSchedule): string | undefined {
  expect("checkExchange", "lanes", lanes, someLanes);
  expect("checkExchange", "schedule", schedule, A_STEP_SCHEDULE);
  return check(lanes, schedule, (rank, chunk) => chunk % lanes.length === rank);
}

function check(
  lanes: Lanes,
  { chunks, rounds, steps }: StepSchedule,
  wants: (rank: number, chunk: number) => boolean,
): string | undefined {
  const ranks = lanes.length;
  const held = Array.from(
    { length: ranks },
    (_, rank) => new Set(Array.from({ length: chunks }, (_, i) => rank * chunks + i)),
  );
  if (steps.length !== rounds.length) return `${steps.length} steps have ${rounds.length} rounds`;
  for (const [step, moves] of steps.entries()) {
    const used = new Map<string, number>();
    for (const { chunk, from, to } of moves) {
      if (!held[from].has(chunk)) return `rank ${from} lacks chunk ${chunk} in step ${step}`;
      const link = `${from} to ${to}`;
      used.set(link, (used.get(link) ?? 0) + 1);
      if (used.get(link)! > lanes[from][to] * rounds[step]) {
        return `link ${link} moves too many chunks in step ${step}`;
      }
    }
    for (const { chunk, to } of moves) held[to].add(chunk);
  }
  for (const [rank, own] of held.entries()) {
    const wanted = Array.from({ length: ranks * chunks }, (_, chunk) => chunk)
      .filter((chunk) => wants(rank, chunk));
    const got = wanted.filter((chunk) => own.has(chunk)).length;
    if (got < wanted.length) return `rank ${rank} has ${got} of ${wanted.length} chunks`;
  }
}
