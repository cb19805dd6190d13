import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { type EventTable, simulate } from "../../lib/engines/mod.ts";
import {
  hierarchical2d,
  linear,
  pipe,
  SchemoeError,
  testbed,
  topology,
  type TopologyOptions,
} from "../../mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { completeExchange, countTransfers, lowerBound, modelCosts } from "../../lib/costs/mod.ts";
import { GraphBuilder } from "../../lib/graph/builder.ts";
import { passes } from "./simulate_worlds.ts";

/** Seconds until the last operation ends. */
const makespan = ({ end }: EventTable) => end.reduce((a, b) => Math.max(a, b)) * 1e-9;

const UNIT = {
  inter: { alpha: 1, beta: 1 },
  intra: { alpha: 0, beta: 0 },
  processor: { alpha: 0, flopRate: 1, byteRate: 1 },
};

/** End of each rank's part of one phase in which `[from, to]` send 4 bytes. */
function ends(options: TopologyOptions, sends: readonly (readonly [number, number])[]): number[] {
  const world = topology({ ...UNIT, ...options });
  const g = new GraphBuilder(world, "forward", 1);
  g.add({
    kind: "allToAll",
    label: "A",
    chunk: 0,
    stage: 0,
    after: [],
    lane: "inter",
    transfers: (rank) =>
      sends.filter((pair) => pair.includes(rank)).map(([from, to]) => ({
        kind: from === rank ? "send" as const : "receive" as const,
        bytes: 4,
        peer: from === rank ? to : from,
      })),
  });
  const graph = g.build({});
  const program = buildProgram(graph, graph.tasks, "test");
  const { end } = simulate(program, world);
  const bound = lowerBound(graph, modelCosts(world)).seconds;
  assert(bound <= Math.max(...end) * 1e-9 * (1 + 1e-9));
  return [...end].map((time) => Math.round(time) * 1e-9);
}

Deno.test("simulate() lets what crosses the spine share the uplinks of its leaf", () => {
  // 4 ranks below each leaf, whose uplinks carry 2 bytes/s
  const world = {
    nodes: 4,
    ranksPerNode: 2,
    spine: { oversubscription: 2, nodesPerLeaf: 2 },
  };
  // 1 s to start, then four at half their rate
  assertEquals(ends(world, [[0, 4], [1, 5], [2, 6], [3, 7]]).slice(0, 4), [9, 9, 9, 9]);
  assertEquals(ends(world, [[0, 4], [1, 5]]).slice(0, 2), [5, 5]);
  // below one leaf the spine is not used
  assertEquals(ends(world, [[0, 2], [1, 3]]).slice(0, 2), [5, 5]);
  // three share 2 bytes/s: 6 s
  const three = ends(world, [[0, 4], [1, 5], [2, 6]]);
  assertAlmostEquals(three[0], 7, 1e-6);
  // uplinks that are slower than a link: half a byte each second
  assertEquals(
    ends({ nodes: 2, ranksPerNode: 2, spine: { oversubscription: 4 } }, [[0, 2]])[0],
    9,
  );
});

Deno.test("simulate() carries ranks of equal place over their rail and others over the spine", () => {
  const world = { nodes: 2, ranksPerNode: 2, spine: { oversubscription: 2, rails: true } };
  assertEquals(ends(world, [[0, 2], [2, 0]]).slice(0, 3), [5, 0, 5]);
  // one of the rail's two cards sends across: its uplinks carry 1 byte/s
  assertEquals(ends(world, [[0, 3]])[0], 5);
  const both = ends(world, [[0, 3], [2, 1]]);
  assertEquals([both[0], both[2]], [9, 9]);
});

Deno.test("simulate() shares each of several cards among its neighbours, and its way across the spine", () => {
  const cards = { nodes: 2, ranksPerNode: 4, nic: { beta: 1, cards: 2 } };
  assertEquals(ends(cards, [[0, 4], [1, 5], [2, 6]]).slice(0, 4), [9, 9, 5, 0]);
  // one card of 1 byte/s for two ranks, uplinks of half a byte/s
  const slow = { nodes: 2, ranksPerNode: 2, nic: { beta: 1 }, spine: { oversubscription: 2 } };
  assertEquals(ends(slow, [[0, 2]])[0], 9);
  assertEquals(ends(slow, [[0, 2], [1, 3]]).slice(0, 2), [17, 17]);
});

Deno.test("simulate() with representatives equals the full one across a spine", () => {
  for (const rails of [false, true]) {
    for (const nic of [undefined, { beta: 1 / 24e9, cards: 2 }]) {
      const { topology: plain } = testbed("h100-ib400", { nodes: 4, ranksPerNode: 4 });
      const world = { ...plain, nic, spine: { oversubscription: 3, rails, nodesPerLeaf: 2 } };
      for (const algorithm of [linear, pipe, hierarchical2d]) {
        const [program] = passes(world, algorithm);
        const full = makespan(simulate(program, world));
        const some = makespan(simulate(program, world, { representatives: true }));
        assertAlmostEquals(full, some, 1e-9 * full, algorithm.name);
        assert(full >= makespan(simulate(program, { ...world, spine: undefined })) * (1 - 1e-9));
      }
    }
  }
});

Deno.test("completeExchange() crosses the spine as often as its transfers do", () => {
  for (const rails of [false, true]) {
    for (const nodesPerLeaf of [1, 2, 4]) {
      for (const nic of [undefined, { beta: 1, cards: 2 }]) {
        const spine = { oversubscription: 2, rails, nodesPerLeaf };
        const world = topology({ nodes: 4, ranksPerNode: 4, nic, spine });
        const sends = Array.from({ length: 16 }, (_, peer) => peer).filter((peer) => peer !== 5)
          .map((peer) => ({ kind: "send" as const, peer, bytes: 1 }));
        assertEquals(
          completeExchange(world).of(5).spine,
          countTransfers(world, 5, sends).spine,
          `${rails} ${nodesPerLeaf} ${nic?.cards}`,
        );
      }
    }
  }
});

Deno.test("topology() names what is wrong with cards and the spine", () => {
  const fails = (options: Partial<TopologyOptions>, part: string) =>
    assertThrows(() => topology({ nodes: 4, ranksPerNode: 4, ...options }), SchemoeError, part);
  fails({ nic: { beta: 1, cards: 3 } }, "nic.cards must be a divisor of the 4 ranks");
  fails(
    { spine: { oversubscription: 0.5 } },
    "spine.oversubscription must be a number of at least 1",
  );
  fails({ spine: { oversubscription: 2, nodesPerLeaf: 3 } }, "spine.nodesPerLeaf");
  fails(
    { spine: { oversubscription: 2, rail: true } as never },
    '"spine.rail" is none of its fields',
  );
  fails({ name: 5 as never }, "name must be text");
});
