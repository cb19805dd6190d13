import { assert, assertEquals } from "@std/assert";
import { topology } from "../../mod.ts";
import { crowdEvents, crowds } from "../../lib/adaptive/crowds.ts";
import { processorsOf } from "../../lib/adaptive/processors.ts";
import { taskSeconds } from "../../lib/costs/mod.ts";
import { openSimulator, simulate } from "../../lib/engines/mod.ts";
import type { Task, Turns } from "../../lib/types.ts";

const world = topology({ nodes: 2, ranksPerNode: 2, processor: { alpha: 0, flopRate: 3e10 } });
const measured = (capacity: number, turns?: Turns, transferWidth = 1) =>
  crowds(openSimulator(world)).map((crowd) => {
    const sharing = { of: [0, 0, 0, 0], capacity: [capacity], ...(turns ? { turns } : {}) };
    const costs = {
      source: "model",
      seconds: (task: Task, rank = 0) => taskSeconds(world, task, rank),
      width: ({ transfers }: Task) => transfers ? transferWidth : 1,
    };
    const run = () => simulate(crowd.program, { ...world, sharing }, { costs });
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

Deno.test("processorsOf() lets threads for each of which there is a processor wait for none, though they slow each other down", () => {
  const found = measured(3);
  assertEquals(Object.keys(processorsOf(found, { threads: 12, paced: false })!), ["capacity"]);
  assert(processorsOf(found, { threads: 11, paced: false })!.turns !== undefined);
});

Deno.test("processorsOf() tells kernels in a queue from those that share evenly", () => {
  const queue = processorsOf(measured(1, { transfers: "inTurn" }), { paced: false })!;
  assertEquals(queue.turns, { count: 1, transfers: "inTurn" });
  assertEquals(queue.transferWidth, 1 / world.ranks);
  assertEquals(processorsOf(measured(1), { paced: false })!.turns, undefined);
});

Deno.test("processorsOf() tells what transfers in a queue take from computation by what it loses beside them", () => {
  for (const width of [0.2, 0.1, 0.05]) {
    const { transferWidth } = processorsOf(measured(1, { transfers: "inTurn" }, width), {
      paced: false,
    })!;
    assert(Math.abs(transferWidth! / width - 1) < 0.1, `${width} found as ${transferWidth}`);
  }
  // alone they do not tell it: four transfers at once leave each other room
  const [narrow, wide] = [0.05, 0.2].map((width) =>
    measured(1, { transfers: "inTurn" }, width).find(({ crowd }) => crowd.products === 0)!
  );
  assertEquals(narrow.runs, wide.runs);
});

/** Runs on ranks of which every other one computes on the same processors. */
const onTwo = (capacity: number, turns?: Turns) => {
  const of = [0, 1, 0, 1];
  const engine = { ...openSimulator(world), processors: of };
  const sharing = { of, capacity: [capacity, capacity], ...(turns ? { turns } : {}) };
  return crowds(engine).map((crowd) => {
    const events = crowdEvents(engine, simulate(crowd.program, { ...world, sharing }));
    return { crowd, runs: [events] };
  });
};

Deno.test("crowds() on several processors are of the ranks of one, all others doing the same", () => {
  const found = onTwo(1);
  assertEquals(found.map(({ crowd }) => crowd.lanes), [1, 2, 6, 2, 0, 2]);
  for (const { crowd: { program }, runs: [{ rank, end }] } of found) {
    assertEquals(new Set(rank), new Set([0, 1]));
    assertEquals(end.length, 2 * program.order.length);
  }
});

Deno.test("processorsOf() finds what the ranks of one of several processors share", () => {
  const queue = processorsOf(onTwo(1, { transfers: "inTurn" }), { paced: false })!;
  assertEquals([queue.turns, queue.transferWidth], [{ count: 1, transfers: "inTurn" }, 1 / 2]);
  assertEquals(processorsOf(onTwo(1), { paced: false })!.turns, undefined);
  // enough for the lanes that multiply
  assertEquals(processorsOf(onTwo(2), { paced: false }), undefined);
});
