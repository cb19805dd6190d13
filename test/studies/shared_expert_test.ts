import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { openEngine, SchemoeError } from "../../mod.ts";
import { sharedExpertStudy } from "../../lib/studies/mod.ts";

const SIZES = { tokens: 1024, modelDim: 256, hiddenDim: 256, experts: 8 };

Deno.test("sharedExpertStudy() moves only the shared expert: behind transfers it costs the least", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const rows = await sharedExpertStudy(engine, { ...SIZES, shared: { hiddenDim: 256 } });
  const of = (pass: string, place: string) =>
    rows.find((row) => row.pass === pass && row.place === place)!;
  for (const pass of ["forward", "backward"]) {
    const [without, before, hidden, after] = ["without", "before", "hidden", "after"]
      .map((place) => of(pass, place));
    assertEquals(without.exposed, 0);
    for (const { makespan } of [before, after]) assert(hidden.makespan <= makespan * (1 + 1e-9));
    assert(before.exposed > 1e-6, "compute before the first transfer is exposed");
    assertAlmostEquals(before.exposed, before.makespan - without.makespan, 1e-12);
  }
  const { run } = of("forward", "before");
  const { order } = run.ran.at(-1)!.program;
  assertEquals(order[0].name, "S");
  const last = of("forward", "after").run.ran.at(-1)!.program.order;
  assertEquals(last.slice(-2).map(({ name }) => name), ["S", "combine"]);
});

Deno.test("sharedExpertStudy() needs a shared expert", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  await assertRejects(() => sharedExpertStudy(engine, SIZES), SchemoeError, "the layer has none");
});
