/** Durations of the operations of runs, without waiting. @module */
import { trafficOf } from "../costs/mod.ts";
import type { EventTable, Program } from "../engine.ts";
import type { Launch } from "../costs/types.ts";
import type { Task } from "../types.ts";

/** One operation of a run, in seconds. */
export interface Observed {
  readonly task: Task;
  readonly rank: number;
  /** When all that it needs was there: its lane, what it waits for, and of a phase its peers. */
  readonly base: number;
  /** From the last of its own lane and its dependencies on until it began, or posted: its peers apart. */
  readonly launch: number;
  /** What that last one was: nothing, on its own lane, or on another one. */
  readonly after: keyof Launch;
  /** Seconds from its beginning, or its post, until its peers were there. */
  readonly wait: number;
  /** When it began to work, its peers being there. */
  readonly begun: number;
  readonly end: number;
  /** What it was paced to take, 0 for as fast as it goes. */
  readonly paced: number;
}

/**
 * What an operation takes from when it began to work. One that is paced ends on time though it began late, and the next
 * one makes up for what was late: it takes its pace, or longer.
 */
export const takenBy = ({ begun, end, paced }: Observed): number => Math.max(paced, end - begun);

const SECONDS = 1e-9;

/** Operations of a run. */
export function observe(program: Program, events: EventTable): Observed[] {
  const { ranks } = program.graph.topology;
  const at = new Map<number, number>();
  for (let i = 0; i < events.position.length; i++) {
    at.set(events.position[i] * ranks + events.rank[i], i);
  }
  const end = (position: number, rank: number) => events.end[at.get(position * ranks + rank)!];
  const lanes = new Map<string, number>();
  const observed: Observed[] = [];
  for (const [position, task] of program.order.entries()) {
    const own = new Float64Array(ranks);
    const after: Observed["after"][] = [];
    for (let rank = 0; rank < ranks; rank++) {
      const lane = lanes.get(`${task.lane} ${rank}`) ?? 0;
      const waits = program.waits[position].reduce((most, p) => Math.max(most, end(p, rank)), 0);
      own[rank] = Math.max(lane, waits);
      after[rank] = waits > lane ? "wait" : lane > 0 ? "next" : "begin";
    }
    const pattern = task.transfers && trafficOf(program.graph.topology, task).pattern;
    for (let rank = 0; rank < ranks; rank++) {
      let base = own[rank];
      for (const peer of Array.from(pattern?.peers(rank) ?? [])) base = Math.max(base, own[peer]);
      const i = at.get(position * ranks + rank)!;
      observed.push({
        task,
        rank,
        base: base * SECONDS,
        end: events.end[i] * SECONDS,
        wait: events.wait[i] * SECONDS,
        begun: (events.start[i] + events.wait[i]) * SECONDS,
        paced: (events.paced?.[i] ?? 0) * SECONDS,
        launch: Math.max(0, events.start[i] - own[rank]) * SECONDS,
        after: after[rank],
      });
      lanes.set(`${task.lane} ${rank}`, events.end[i]);
    }
  }
  return observed;
}

/** Seconds that two stretches of time have in common. */
export const overlapOf = (a: Observed, b: Observed): number =>
  Math.max(0, Math.min(a.end, b.end) - Math.max(a.begun, b.begun));
