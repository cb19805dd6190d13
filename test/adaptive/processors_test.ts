import { assert, assertEquals } from "@std/assert";
import { topology } from "../../mod.ts";
import { crowds } from "../../lib/adaptive/crowds.ts";
import { processorsOf } from "../../lib/adaptive/processors.ts";
import { openSimulator, simulate } from "../../lib/engines/mod.ts";
import type { Turns } from "../../lib/types.ts";

const world = topology({ nodes: 2, ranksPerNode: 2, processor: { alpha: 0, flopRate: 3e10 } });
const measured = (capacity: number, turns?: Turns) =>
  crowds(openSimulator(world)).map((crowd) => {
    const sharing = { of: [0, 0, 0, 0], capacity: [capacity], ...(turns ? { turns } : {}) };
    const run = () => simulate(crowd.program, { ...world, sharing });
    return { crowd, runs: [run(), run(), run()] };
  });

Deno.test("processorsOf() takes the slice from runs in which threads waited, and no more processors than there are", () => {
  const found = measured(2, { slice: 3e-3, transfers: "first" });
  // in one run the kernel let all begin at once
  const long = found.find(({ crowd }) => crowd.products === 1)!;
  long.runs[1] = { ...long.runs[1], start: long.runs[1].start.map(() => 0) };
  const { turns } = processorsOf(found, { threads: 2, paced: false })!;
  assertEquals([turns!.count, turns!.transfers], [2, "first"]);
  assert(Math.abs(turns!.slice! / 3e-3 - 1) < 0.05, `${turns!.slice}`);
  assertEquals(processorsOf(found, { threads: 2, paced: true })!.turns!.transfers, undefined);
});

Deno.test("processorsOf() tells kernels in a queue from those that share evenly", () => {
  const queue = processorsOf(measured(1, { transfers: "inTurn" }), { paced: false })!;
  assertEquals(queue.turns, { count: 1, transfers: "inTurn" });
  assertEquals(processorsOf(measured(1), { paced: false })!.turns, undefined);
});
