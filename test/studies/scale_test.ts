import { assert, assertEquals, assertThrows } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { gravityTraffic, loadsOf, trafficOfLoads, zipfRouting } from "../../lib/routing/mod.ts";
import { allToAllsAtScale, scaleText } from "../../lib/studies/mod.ts";

Deno.test("allToAllsAtScale() keeps to the bound on 512 ranks, and traffic inside nodes of other worlds is that of one", () => {
  const rows = allToAllsAtScale({ ranks: [512], expert: 64, rows: 4096 });
  assertEquals(rows.map(({ allToAll }) => allToAll), [
    ...["linear", "pipe", "balanced", "rails", "fast", "matchings"],
  ]);
  for (const { seconds, bound, overBound } of rows) {
    assert(seconds >= bound && Math.abs(overBound - seconds / bound) < 1e-9);
  }
  const of = (name: string) => rows.find(({ allToAll }) => allToAll === name)!.seconds;
  assert(of("fast") < of("rails") && of("rails") < of("linear") / 2, scaleText(rows));
  // groups of a node: nothing crosses, whatever the world
  const inside = (ranks: number) =>
    allToAllsAtScale({ ranks: [ranks], expert: 8, rows: 64, exponent: 0, allToAlls: ["fast"] })[0];
  assertEquals(inside(512).seconds, inside(8).seconds);
  assertEquals(scaleText(rows).split("\n").length, 7);
});

Deno.test("gravityTraffic() sends every token of a rank, in proportion to what others get", () => {
  const sent = [7, 0, 13, 40, 1, 9];
  const received = [1, 0, 2.5, 0, 3, 0.1];
  for (const expert of [6, 3]) {
    const traffic = gravityTraffic({ sent, received, bytesPerToken: 8, expert });
    for (let source = 0; source < 6; source++) {
      const first = source - source % expert;
      const all = received.slice(first, first + expert).reduce((a, b) => a + b);
      let sum = 0;
      for (let to = 0; to < 6; to++) {
        const bytes = traffic.bytes(source, to);
        sum += bytes;
        const share = to >= first && to < first + expert ? sent[source] * received[to] / all : 0;
        assert(bytes >= 0 && bytes % 8 === 0 && Math.abs(bytes / 8 - share) < 1 + 1e-9);
      }
      assertEquals(sum, 8 * sent[source]);
    }
  }
  const fails = (options: Partial<Parameters<typeof gravityTraffic>[0]>, part: string) =>
    assertThrows(
      () => gravityTraffic({ sent, received, bytesPerToken: 8, ...options }),
      SchemoeError,
      part,
    );
  fails({ received: [1] }, "6 ranks send and 1 get something");
  fails({ sent: [1, 2.5, 0, 0, 0, 0] }, "rank 1 sends 2.5, a whole number of tokens is needed");
  fails({ received: [1, 1, 1, -1, 1, 1] }, "rank 3 gets -1, a number of at least 0 is needed");
  fails({ expert: 4 }, "expert is 4, a divisor of the 6 ranks is needed");
  fails(
    { received: [0, 0, 0, 1, 1, 1], expert: 3 },
    "rank 0 sends 7 tokens, and no rank of its group gets any",
  );
});

Deno.test("trafficOfLoads() of groups of ranks stays in the group and moves every choice", () => {
  const loads = loadsOf(zipfRouting({ ranks: 8, tokens: 32, experts: 8, topK: 2, exponent: 1 }));
  const traffic = trafficOfLoads(loads, 1, { expert: 4 });
  for (let source = 0; source < 8; source++) {
    let sum = 0;
    for (let to = 0; to < 8; to++) {
      const bytes = traffic.bytes(source, to);
      sum += bytes;
      const each = source >> 2 === to >> 2
        ? loads.table[source * 8 + 2 * (to % 4)] + loads.table[source * 8 + 2 * (to % 4) + 1]
        : 0;
      assertEquals(bytes, each);
    }
    assertEquals(sum, 64);
  }
  assertThrows(
    () => trafficOfLoads(loads, 1, { expert: 3 }),
    SchemoeError,
    "a divisor of the 8 ranks",
  );
});
