/** What tells two schedules apart. @module */
import { aProgram, expect, listOf, record, something } from "../../arguments/mod.ts";
import type { Program } from "../../engine.ts";
import { type Lane, LANES } from "../../types.ts";
import type { Run } from "../run.ts";

const ORDER_OF_RUN = record("a run, such as await layer.forward()", {
  ran: listOf(record("a Program that ran { program }", { program: aProgram }), "Programs that ran"),
  configuration: something,
});

/**
 * What each lane runs, in order, what each task waits for in the others, and how the pass is split: runs for which all
 * that is equal differ in nothing. Waits that others imply count for nothing, and so does the order among lanes.
 */
export function orderOf(run: Run): string {
  expect("orderOf", "run", run, ORDER_OF_RUN);
  const { ran, configuration } = run;
  const split = SPLIT.map((field) => configuration[field]);
  return [...split, ...ran.map(({ program }) => lanesOf(program))].join("\n");
}

/** What tasks of one name are, in graphs of one layer. */
const SPLIT = ["allToAll", "compressor", "chunks", "chunking", "weightGradients"];

/** Of each lane its tasks, each with the number of tasks of every lane that are done before it begins. */
function lanesOf({ order, waits }: Program): string {
  const lanes = new Map<Lane, string[]>(LANES.map((lane) => [lane, []]));
  const places: number[] = [];
  const before: number[][] = [];
  const last = new Map<Lane, number>();
  for (const [at, { lane, name }] of order.entries()) {
    const own = LANES.indexOf(lane);
    const previous = last.get(lane);
    const known = [...waits[at], ...(previous === undefined ? [] : [previous])];
    const done = LANES.map((_, i) => known.reduce((most, p) => Math.max(most, before[p][i]), 0));
    for (const p of known) {
      const i = LANES.indexOf(order[p].lane);
      done[i] = Math.max(done[i], places[p] + 1);
    }
    const list = lanes.get(lane)!;
    places[at] = list.length;
    before[at] = done;
    list.push(`${name} ${done.filter((_, i) => i !== own).join()}`);
    last.set(lane, at);
  }
  return [...lanes].map(([lane, list]) => `${lane}: ${list.join(", ")}`).join("\n");
}
