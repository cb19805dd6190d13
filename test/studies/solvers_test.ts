import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { linear, topology } from "../../mod.ts";
import { proveAllToAll } from "../../lib/alltoall/mod.ts";
import {
  allGatherInSteps,
  checkExchange,
  checkSteps,
  DGX1,
  exchangeInSteps,
  relayed,
  RING4,
  scclTable,
  secondsOnLinks,
  STAR4,
  tecclTable,
  twoDgx2,
} from "../../lib/studies/mod.ts";

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

Deno.test("scclTable(): all-gathers on a DGX-1 with SCCL's steps and rounds, and 7/6 rounds a chunk at best", () => {
  const rows = scclTable();
  assertEquals(rows.map(({ steps, rounds, chunks }) => [steps, rounds, chunks]), [[2, 3, 2], [
    3,
    7,
    6,
  ]]);
  for (const { schedule, steps, rounds, boundRounds } of rows) {
    assertEquals(checkSteps(DGX1, schedule!), undefined);
    assertEquals(schedule!.rounds.length, steps);
    assertEquals(schedule!.rounds.reduce((a, b) => a + b), rounds);
    // the second is as short as any can be
    assert(boundRounds <= rounds);
  }
  assertEquals(rows[1].boundRounds, 7);
  // one step reaches only neighbours; 2 steps with 4 rounds for 3 chunks are unsatisfiable
  assertEquals(allGatherInSteps(DGX1, { chunks: 1, rounds: [9], tries: 5 }), undefined);
  for (const rounds of [[1, 3], [2, 2], [3, 1]]) {
    assertEquals(allGatherInSteps(DGX1, { chunks: 3, rounds, tries: 30 }), undefined);
  }
});

Deno.test("checkSteps() names a chunk that was not there, a full link and what is missing", () => {
  const { schedule } = scclTable()[0];
  const [first, second] = schedule!.steps;
  const check = (...steps: (typeof first)[]) => checkSteps(DGX1, { ...schedule!, steps });
  assert(/^rank \d lacks chunk \d+ in step 0$/.test(check(second, first)!));
  assert(
    /^link \d to \d moves too many chunks in step 1$/.test(check(first, [...second, ...second])!),
  );
  assert(/^rank 0 has \d+ of 16 chunks$/.test(check(first, second.filter(({ to }) => to > 0))!));
  assert(check(first)!.startsWith("1 steps have"));
});

Deno.test("exchangeInSteps() has SCCL's all-to-alls on a ring and a star of four, and none with fewer rounds", () => {
  for (const [lanes, rounds] of [[RING4, [1, 1]], [STAR4, [2, 2]]] as const) {
    const schedule = exchangeInSteps(lanes, rounds)!;
    assertEquals(checkExchange(lanes, schedule), undefined);
    assertEquals(schedule.steps.length, 2);
    const [first, second] = schedule.steps;
    const other = (...steps: (typeof first)[]) => checkExchange(lanes, { ...schedule, steps });
    assert(/ lacks chunk \d+ in step 0$/.test(other(second, first)!));
    assert(/^rank \d has \d of 4 chunks$/.test(other(first, [])!));
    // opposite ranks have no link to each other
    for (let each = 1; each < 9; each++) assertEquals(exchangeInSteps(lanes, [each]), undefined);
  }
  // a leaf sends two slices on in the first step, and gets two in the second
  for (const rounds of [[1, 2], [2, 1], [1, 3], [3, 1]]) {
    assertEquals(exchangeInSteps(STAR4, rounds), undefined);
  }
});
