import { assert, assertEquals } from "@std/assert";
import { promising } from "../../lib/layer/auto/corrected.ts";
import type { Candidate, Predicted } from "../../lib/layer/mod.ts";

const predicted = (seconds: number, choices: Omit<Candidate, "compressor">, kept = false) => ({
  ...{ seconds, kept, bound: 0 },
  choices: { ...choices, compressor: "none" },
});

/** Twelve orders over pipe that are predicted to be fastest, and four over linear that are. */
const RANKED: Predicted[] = [
  ...["optSche", "fsMoE", "criticalPath"].flatMap((scheduler, i) =>
    [4, 8, 2, 1].map((chunks, j) =>
      predicted(1 + 0.01 * (4 * j + i), { scheduler, allToAll: "pipe", chunks })
    )
  ),
  ...[4, 2, 8, 1].map((chunks, i) =>
    predicted(1.3 + 0.01 * i, { scheduler: "tutel", allToAll: "linear", chunks }, true)
  ),
  ...[4, 2].map((chunks, i) =>
    predicted(1.32 + 0.01 * i, { scheduler: "optSche", allToAll: "linear", chunks })
  ),
].toSorted((a, b) => a.seconds - b.seconds);

/** In which order they are tried, where they take what `truth` says. */
function trials(truth: (one: Predicted) => number, candidates: number): Predicted[] {
  const tried = new Map<Predicted, number>();
  for (const one of promising(RANKED, { tried, candidates })) tried.set(one, truth(one));
  return [...tried.keys()];
}

Deno.test("promising() begins with the best prediction and the best baseline, and tries all baselines", () => {
  const order = trials(({ seconds }) => seconds, 3);
  assertEquals(order[0], RANKED[0]);
  assertEquals(order[1], RANKED.find(({ kept }) => kept));
  assertEquals(order.filter(({ kept }) => kept).length, 4);
  assertEquals(order.length, 7);
  // where predictions hold, those that follow are the next ones
  assertEquals(order.filter(({ kept }) => !kept), RANKED.slice(0, 3));
});

Deno.test("promising() leaves an all-to-all about which predictions are wrong after few trials", () => {
  const pipe = ({ choices }: Predicted) => choices.allToAll === "pipe";
  const truth = (one: Predicted) => one.seconds * (pipe(one) ? 1.6 : 1);
  const best = RANKED.reduce((a, b) => truth(b) < truth(a) ? b : a);
  const order = trials(truth, 6);
  assert(order.indexOf(best) <= 5, order.map(({ choices }) => choices.scheduler).join());
  // orders over linear that are not among the first six predictions are tried, most of those over pipe are not
  assertEquals(order.filter((one) => !pipe(one)).length, 6);
  assert(order.filter(pipe).length <= 4, `${order.filter(pipe).length}`);
});

Deno.test("promising() gives no candidate twice, and one that is to be first before all others", () => {
  const tried = new Map<Predicted, number>();
  const first = RANKED[9];
  for (const one of promising(RANKED, { tried, candidates: 100, first })) {
    assert(!tried.has(one));
    tried.set(one, one.seconds);
  }
  assertEquals([...tried.keys()][0], first);
  assertEquals(tried.size, RANKED.length);
});
