import { assert, assertEquals } from "@std/assert";
import { bestKnown } from "../../lib/schedulers/exact/known.ts";
import { makeProblem } from "../../lib/schedulers/exact/problem.ts";
import { optSche } from "../../mod.ts";
import { timedGraph } from "../../lib/graph/mod.ts";

/** Outside the assumption of Theorem 1, whose order is not the best of the rules. */
const { graph, costs } = timedGraph({
  chunks: 3,
  times: { C1: 4, A1: 0, D1: 1, E: 1, C2: 0, A2: 4, D2: 2 },
});
const problem = makeProblem(graph, costs);
const theorem = () => {
  const order = optSche.order(graph, costs);
  return ("order" in order ? order.order : order).map(({ id }) => id);
};

Deno.test("bestKnown() has Theorem 1's order when there is no time", () => {
  const known = bestKnown(problem, costs, { bound: 0, expired: () => true });
  assertEquals(known.order, theorem());
});

Deno.test("bestKnown() has the best of all rules when there is time", () => {
  const [first, best] = [true, false].map((over) =>
    bestKnown(problem, costs, { bound: 0, expired: () => over })
  );
  assert(best.seconds < first.seconds, `${best.seconds} and ${first.seconds}`);
});

Deno.test("bestKnown() leaves a list by priority when time is up, and keeps what it has", () => {
  for (const looks of [1, 2, 3, 5, 8, 20, 40, 80]) {
    let left = looks;
    const known = bestKnown(problem, costs, { bound: 0, expired: () => left-- <= 0 });
    assertEquals(new Set(known.order).size, graph.tasks.length, `${looks} looks at the clock`);
    assert(known.seconds < Infinity);
  }
});

Deno.test("bestKnown() looks no further once an order meets the bound", () => {
  const { seconds } = bestKnown(problem, costs, { bound: 0, expired: () => true });
  let looks = 0;
  bestKnown(problem, costs, { bound: seconds, expired: () => ++looks < 0 });
  assertEquals(looks, 0);
});
