import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { linear, topology } from "../../mod.ts";
import { proveAllToAll } from "../../lib/alltoall/mod.ts";
import { relayed, secondsOnLinks, tecclTable, twoDgx2 } from "../../lib/studies/mod.ts";

Deno.test("tecclTable(): a proven plan without a solver meets TE-CCL's at every size, near the bound", () => {
  const { topology: world } = twoDgx2();
  // 1024 slices in 8 parts, of which those across take two or three hops
  assert(proveAllToAll(relayed, world).moves > 8 * 1024);
  const rows = tecclTable();
  assertEquals(rows.length, 11);
  for (const { us, publishedUs, boundUs } of rows) assert(boundUs <= us && us <= publishedUs);
  const [last] = rows.slice(-1);
  assert(last.us < 1.005 * last.boundUs && rows[0].us < 1.02 * rows[0].boundUs);
});

Deno.test("secondsOnLinks() serves a link part after part, and lets alpha keep none busy", () => {
  const world = topology({ nodes: 1, ranksPerNode: 3 });
  // one link out of each rank, and one in
  const link = { alpha: 1, beta: 0.5 };
  const graph = { links: Array(6).fill(link), route: (from: number, to: number) => [from, 3 + to] };
  // ranks 0 and 1 send their second slices of 4 bytes from 2 to 4; both are at rank 2's link at 5, which takes one
  // until 7 and the other until 9
  assertAlmostEquals(secondsOnLinks(linear, world, { graph, sliceBytes: 4 }), 10);
});
