import { assert, assertEquals, assertMatch } from "@std/assert";
import { createLayer } from "../../lib/layer/mod.ts";
import { ffn } from "../../lib/blocks/mod.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import { disturbance, explain } from "../../lib/timeline/mod.ts";
import type { Expert } from "../../lib/blocks/experts/types.ts";

const sizes = { tokens: 16, modelDim: 8, hiddenDim: 8, experts: 2 };

/** Does what `ffn` does, but something else holds the machine up for 60 ms in each chunk. */
const heldUp: Expert = {
  ...ffn(),
  name: "held up",
  forward(context) {
    const stall = context.host(() => new Promise((done) => setTimeout(done, 60)));
    return [stall, ...ffn().forward(context)];
  },
};

Deno.test("a paced run in which something took the machine says so first, and gives no advice", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, computation: "paced" });
  using layer = createLayer(engine, { ...sizes, expert: heldUp });
  const run = await layer.forward({ scheduler: "optSche", chunks: 2 });
  const found = disturbance(run)!;
  assertMatch(found.worst!.name, /^E\[/);
  assert(found.factor > 2);
  assertMatch(run.verdict, /^disturbed: tasks took up to [\d.]+x their paced time · makespan/);
  const [first, ...rest] = explain(run).sentences;
  assertMatch(first, /^Disturbed: .*E\[\d\] on rank \d: .* instead of /);
  assert(!/balance|no order helps|would|can win/.test(rest.join(" ")), rest.join(" "));
});

Deno.test("a run that nothing paces is never called disturbed, however slow", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, { ...sizes, expert: heldUp });
  const run = await layer.forward();
  assertEquals([disturbance(run), run.timeline.column("paced_ns")], [undefined, undefined]);
});
