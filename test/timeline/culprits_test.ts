/** Who is named where a rank is slow and others pass its delay on. */
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { createLayer, explain, openEngine, topK, topology } from "../../mod.ts";
import { culpritsOf } from "../../lib/timeline/measures/culprits.ts";
import { exposure } from "../../lib/timeline/measures/exposure.ts";
import { stragglers } from "../../lib/timeline/measures/stragglers.ts";
import { operationsOf } from "../../lib/timeline/table/operations.ts";
import { type Row, timelineOf } from "./fixture.ts";

const step = (rank: number, row: Row): Row => ({ rank, node: rank >> 1, ...row });
const compute = (rank: number, start: number, end: number, name = "E[0]"): Row =>
  step(rank, { start, end, name });
const send = (
  rank: number,
  lane: "intra" | "inter",
  [start, wait, end]: readonly [number, number, number],
  deps = "E[0]",
): Row =>
  step(rank, { kind: "allToAll", label: "A", lane, name: `A[0] ${lane}`, start, wait, end, deps });

/** Rank 3 computes for 30, the others for 10; an exchange in each node takes 5, one between nodes 10. */
const passedOn = timelineOf([
  ...[0, 1, 2].map((rank) => compute(rank, 0, 10)),
  compute(3, 0, 30),
  ...[0, 1].map((rank) => send(rank, "intra", [10, 0, 15])),
  send(2, "intra", [10, 20, 35]),
  send(3, "intra", [30, 0, 35]),
  ...[0, 1].map((rank) => send(rank, "inter", [15, 20, 45], "A[0] intra")),
  ...[2, 3].map((rank) => send(rank, "inter", [35, 0, 45], "A[0] intra")),
]);

Deno.test("stragglers() blames the rank that held up the one that came last", () => {
  const [worst, ...others] = stragglers(passedOn).objects() as Record<string, number>[];
  assertEquals([worst.rank, worst.caused_ns, worst.last], [3, 60, 3]);
  assert(others.every(({ caused_ns, last }) => caused_ns === 0 && last === 0));
  const found = exposure(passedOn).objects() as { name: string; why: string }[];
  assertEquals(
    found.find(({ name }) => name === "A[0] inter")!.why,
    "waited for rank 2, the last to begin it, which rank 3 had held up",
  );
});

Deno.test("culpritsOf() divides a wait between a rank that was held up and the one that did it", () => {
  // rank 2 itself loses 7 after the exchange in its node, for which rank 3 made it wait for 20
  const operations = operationsOf(timelineOf([
    ...[0, 2].map((rank) => compute(rank, 0, 10)),
    compute(3, 0, 30),
    send(0, "intra", [10, 0, 15]),
    send(2, "intra", [10, 20, 35]),
    send(3, "intra", [30, 0, 35]),
    compute(0, 15, 18, "C[0]"),
    compute(2, 35, 45, "C[0]"),
    send(0, "inter", [18, 27, 50], "C[0]"),
    send(2, "inter", [45, 0, 50], "C[0]"),
  ].map((row, i) => i === 6 || i === 7 ? { ...row, deps: "A[0] intra" } : row)));
  const waiting = operations.all.find(({ rank, lane }) => rank === 0 && lane === "inter")!;
  assertEquals(culpritsOf(operations)(waiting), [{ rank: 3, ns: 20 }, { rank: 2, ns: 7 }]);
  const ahead = operations.all.find(({ rank, lane }) => rank === 2 && lane === "inter")!;
  assertEquals(culpritsOf(operations)(ahead), []);
});

Deno.test("the slow rank of 4, 16 and 64 is blamed for all waits, whatever the schedule", async () => {
  const choices = [
    {},
    ...["linear", "pipe", "hierarchical2d"].map((allToAll) => ({
      scheduler: "optSche",
      chunks: 4,
      allToAll,
    })),
  ] as Parameters<ReturnType<typeof createLayer>["forward"]>[0][];
  for (const [nodes, ranksPerNode, slow] of [[1, 4, 2], [2, 8, 13], [2, 8, 0], [8, 8, 37]]) {
    const ranks = nodes * ranksPerNode;
    const speed = Array.from({ length: ranks }, (_, rank) => rank === slow ? 0.3 : 1);
    const world = topology({ nodes, ranksPerNode, speed });
    using engine = openEngine({ kind: "simulate", topology: world });
    const sizes = { tokens: 256, modelDim: 64, hiddenDim: 256, experts: ranks };
    using layer = createLayer(engine, { ...sizes, gate: topK({ k: 2 }) });
    for (const choice of choices) {
      for (const run of [await layer.forward(choice), await layer.backward(choice)]) {
        const what = `${slow} of ${ranks}, ${JSON.stringify(choice)}`;
        const [worst, second] = stragglers(run).objects() as Record<string, number>[];
        assertEquals(worst.rank, slow, what);
        assertEquals(second.caused_ns, 0, what);
        const waited = (stragglers(run).array("waiting_ns") as number[]).reduce((a, b) => a + b, 0);
        assertAlmostEquals(worst.caused_ns, waited, 1e-3 * waited);
        const said = explain(run).sentences.find((text) => text.startsWith("Ranks wait"));
        if (said) assertMatch(said, new RegExp(`most for rank ${slow},`));
      }
    }
  }
});

Deno.test("explain() names all ranks of a slow node", async () => {
  const speed = Array.from({ length: 16 }, (_, rank) => rank >= 12 || rank === 2 ? 0.4 : 1);
  const world = topology({ nodes: 4, ranksPerNode: 4, speed });
  using engine = openEngine({ kind: "simulate", topology: world });
  using layer = createLayer(engine, { tokens: 256, modelDim: 64, hiddenDim: 256, experts: 16 });
  const { sentences } = explain(await layer.forward());
  assertMatch(
    sentences.find((text) => text.startsWith("Ranks wait"))!,
    /; ranks 2, 12–15 compute up to 150 % longer than the median rank: balance the ranks\.$/,
  );
});
