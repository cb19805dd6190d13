/** Which operations of a rank wait for which. @module */
import type { Step } from "./instance.ts";
import { LANE_COUNT } from "./lanes.ts";

/** Of each position: those that wait for it, the next on its lane (-1: none), and for how many it waits. */
export interface Followers {
  readonly successors: readonly (readonly number[])[];
  readonly next: Int32Array;
  readonly open: Uint16Array;
}

export function followersOf(steps: readonly Step[]): Followers {
  const successors: number[][] = steps.map(() => []);
  const next = new Int32Array(steps.length).fill(-1);
  const open = new Uint16Array(steps.length);
  const last = new Int32Array(LANE_COUNT).fill(-1);
  for (const [position, { lane, waits }] of steps.entries()) {
    if (last[lane] >= 0) next[last[lane]] = position;
    open[position] = waits.length + Number(last[lane] >= 0);
    last[lane] = position;
    for (const wait of waits) successors[wait].push(position);
  }
  return { successors, next, open };
}
