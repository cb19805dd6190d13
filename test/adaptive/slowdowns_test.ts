import { assert, assertEquals } from "@std/assert";
import { believed, slowdownsOf, weightedMedian } from "../../lib/adaptive/collect.ts";
import type { Observed } from "../../lib/adaptive/observe.ts";
import type { Task } from "../../lib/types.ts";

const compute = { kind: "expert", lane: "compute" } as Task;
const transfer = { kind: "allToAll", lane: "inter", transfers: () => [] } as unknown as Task;
const one = (task: Task, begun: number, seconds: number): Observed => ({
  ...{ task, rank: 0, base: begun, launch: 0, after: "next", wait: 0, paced: 0 },
  ...{ begun, end: begun + seconds },
});

/** Computations of 1 s each as a profile has them, every second one beside a transfer that covers it. */
function run(seconds: { readonly alone: number; readonly beside: number }): Observed[] {
  const all: Observed[] = [];
  for (let i = 0, time = 0; i < 10; i++, time += 10) {
    const taken = i % 2 ? seconds.beside : seconds.alone;
    all.push(one(compute, time, taken));
    if (i % 2) all.push(one(transfer, time, taken));
  }
  return all;
}
const slowdown = (observed: Observed[]) => weightedMedian(slowdownsOf([observed], () => 1).compute);

Deno.test("slowdownsOf() tells what transfers cost from what slows all computation of the runs down", () => {
  assert(Math.abs(slowdown(run({ alone: 1, beside: 1.5 })) - 1.5) < 1e-9);
  assert(Math.abs(slowdown(run({ alone: 1.2, beside: 1.8 })) - 1.5) < 1e-9);
  assertEquals(believed(slowdown(run({ alone: 1.4, beside: 1.4 }))), 1);
});

Deno.test("slowdownsOf() goes by the profile where transfers are beside all computation", () => {
  const beside = [one(compute, 0, 2), one(transfer, 0, 2)];
  assert(Math.abs(slowdown(beside) - 2) < 1e-9);
});
