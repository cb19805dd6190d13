/** Times of a layer's passes over several ranks under one schedule. @module */
import type { EventTable, Program } from "../../engine.ts";
import type { MoeLayer, Run } from "../../layer/mod.ts";
import { hiddenFraction } from "../../timeline/mod.ts";
import type { Pass, Task } from "../../types.ts";
import { secondsOf } from "./parts.ts";
import { median } from "./report.ts";
import type { SeveralSchedule } from "./several_shapes.ts";

/** How often a pass runs, and how long before its times count. */
export interface Repetitions {
  readonly repetitions: number;
  /** Seconds of the same work before. */
  readonly warm: number;
}

/** Passes before times count, whatever they take: a Program's first run prepares its products. */
const FEWEST_WARM_UPS = 3;
/** Seconds that a pass may take. */
const TIME_LIMIT = 20;
const PASSES = ["forward", "backward"] as const;

/** One pass: medians in milliseconds, and the run whose makespan is the median. */
export interface PassTimes {
  readonly makespan: number;
  readonly wall: number;
  readonly hidden: number;
  readonly run: Run;
}

/** Both passes. */
export type SeveralTimes = Readonly<Record<"forward" | "backward", PassTimes>>;

/** Times of forward and backward in turn. */
export async function timeSchedule(
  layer: MoeLayer,
  { scheduler, chunks }: SeveralSchedule,
  { repetitions, warm }: Repetitions,
): Promise<SeveralTimes> {
  const choices = { scheduler, chunks, results: false, timeLimit: TIME_LIMIT };
  const ran: Record<"forward" | "backward", { run: Run; makespan: number; wall: number }[]> = {
    forward: [],
    backward: [],
  };
  const first = performance.now();
  for (let i = 0; ran.backward.length < repetitions; i++) {
    const counts = i >= FEWEST_WARM_UPS && performance.now() - first >= 1e3 * warm;
    for (const pass of PASSES) {
      const begin = performance.now();
      // in one chunk as in several, backward is split as forward was
      const run = pass === "forward" ? await layer.forward(choices) : await layer.backward(choices);
      const wall = performance.now() - begin;
      if (counts) ran[pass].push({ run, wall, makespan: makespanOf(run) });
    }
  }
  const of = (pass: Exclude<Pass, "step">): PassTimes => {
    const list = ran[pass];
    const makespan = median(list.map((one) => one.makespan));
    const { run } = list.find((one) => one.makespan === makespan)!;
    return {
      makespan,
      wall: median(list.map(({ wall }) => wall)),
      hidden: hiddenFraction(run.timeline),
      run,
    };
  };
  return { forward: of("forward"), backward: of("backward") };
}

/** Milliseconds of all Programs of a pass, without what the host does between them. */
const makespanOf = ({ ran }: Run): number =>
  ran.reduce((sum, { events }) => sum + 1e3 * secondsOf(events), 0);

/** Milliseconds of a pass's products and of its transfers, of a run in which nothing ran beside them. */
export interface Alone {
  /** Of the experts, on the rank that takes longest, task by task. */
  readonly products: number;
  /** From the last rank's begin to the last one's end, task by task. */
  readonly transfers: number;
  /** Tasks by label with their milliseconds, each as long as on the rank where it takes longest. */
  readonly parts: string;
}

/** Both of a run of the `sequential` scheduler in one chunk. */
export function aloneOf({ ran }: Run): Alone {
  let [products, transfers] = [0, 0];
  const parts = new Map<string, number>();
  for (const { program, events } of ran) {
    for (const [task, times] of byTask(program, events)) {
      const most = (of: (time: { start: number; end: number }) => number) =>
        Math.max(...times.map(of)) / 1e6;
      const took = task.transfers
        ? most(({ end }) => end) - most(({ start }) => start)
        : most(({ start, end }) => end - start);
      if (task.transfers) transfers += took;
      else if (/^expert/.test(task.kind)) products += took;
      parts.set(task.label, (parts.get(task.label) ?? 0) + took);
    }
  }
  const text = [...parts].map(([label, ms]) => `${label} ${ms.toFixed(3)}`).join(", ");
  return { products, transfers, parts: text };
}

function byTask(program: Program, { position, start, end }: EventTable) {
  const found = new Map<Task, { start: number; end: number }[]>();
  for (let i = 0; i < position.length; i++) {
    const task = program.order[position[i]];
    const list = found.get(task) ?? [];
    found.set(task, list);
    list.push({ start: start[i], end: end[i] });
  }
  return found;
}
