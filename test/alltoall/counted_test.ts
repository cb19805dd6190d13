import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type AllToAll,
  BUILT_IN,
  linear,
  pairwise,
  SchemoeError,
  testbed,
  type Topology,
  topology,
} from "../../mod.ts";
import * as allToAlls from "../../lib/alltoall/mod.ts";
import type { TrafficMatrix } from "../../lib/alltoall/mod.ts";
import { countedTraffic } from "../../lib/alltoall/counted/mod.ts";
import { plansOf } from "../../lib/alltoall/known.ts";
import { trafficOf } from "../../lib/costs/mod.ts";
import { makeMeetings } from "../../lib/engines/simulate/meeting.ts";
import { everyRank } from "../../lib/engines/simulate/columns.ts";
import { simulate } from "../../lib/engines/mod.ts";
import { uniforms } from "../../lib/random.ts";
import { allToAllBound } from "../../lib/alltoall/mod.ts";
import { unevenExchange, unevenProgram } from "../../lib/studies/balancing/exchange.ts";

const ALGORITHMS = BUILT_IN.allToAll.map((name) =>
  (allToAlls as unknown as Record<string, AllToAll>)[name]
);

/** Whether worlds that are too large for a proof can be simulated: slices go straight, by routes, or on known ways. */
function reachesFar(algorithm: AllToAll): boolean {
  if (algorithm.routed || algorithm.ways) return true;
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  return algorithm.plan({ rank: 0, topology: world }).every(({ steps }) =>
    steps.every((step) =>
      (step.kind === "receive" || step.from.buffer === "input") &&
      (step.kind === "send" || step.to.buffer === "output")
    )
  );
}

/** Whether slices within groups of 64 ranks pass by ranks of other groups. */
function leavesGroups({ ways }: AllToAll, world: Topology): boolean {
  let left = false;
  const way = ways?.(world);
  for (let to = 0; way && to < 64; to++) way(63, to, (_, a, b) => left ||= a >= 64 || b >= 64);
  return left;
}

function randomTraffic(ranks: number, seed: number): TrafficMatrix {
  const uniform = uniforms(seed);
  const table = Float64Array.from(
    { length: ranks * ranks },
    () => uniform() < 0.3 ? 0 : Math.floor(9000 * uniform() ** 4) + 1,
  );
  return { ranks, bytes: (source, destination) => table[source * ranks + destination] };
}

const counted = (algorithm: AllToAll, world: Topology, traffic: TrafficMatrix) =>
  countedTraffic({
    algorithm,
    topology: world,
    traffic,
    plans: plansOf(algorithm, world, algorithm.byTraffic ? traffic : undefined),
  });

Deno.test("countedTraffic() counts what the transfers of all ranks move, and who meets whom", () => {
  for (const [seed, [nodes, ranksPerNode]] of [[1, 4], [2, 1], [3, 2], [2, 4], [4, 3]].entries()) {
    for (const spine of [undefined, { oversubscription: 2, rails: true }]) {
      const world = topology({ nodes, ranksPerNode, ...(spine ? { spine } : {}) });
      const traffic = randomTraffic(world.ranks, seed + 1);
      for (const algorithm of ALGORITHMS) {
        const { tasks } = unevenExchange(world, algorithm, traffic);
        const patterns = counted(algorithm, world, traffic);
        assertEquals(patterns.length, tasks.length);
        const named = new Map(patterns.map((pattern, i) => [pattern, tasks[i].name]));
        const columns = everyRank(world);
        const listed = new Map(tasks.map((task) => [trafficOf(world, task).pattern, task.name]));
        const [byNodes, byLists] = [makeMeetings(named, columns), makeMeetings(listed, columns)];
        const posts = Float64Array.from({ length: world.ranks }, uniforms(seed + 7));
        for (const [i, task] of tasks.entries()) {
          const { pattern } = trafficOf(world, task);
          for (let rank = 0; rank < world.ranks; rank++) {
            assertEquals(patterns[i].of(rank), pattern.of(rank), `${algorithm.name} ${rank}`);
            assertEquals([...Array.from(patterns[i].peers(rank))], [
              ...Array.from(pattern.peers(rank)),
            ]);
          }
          const [a, b] = [new Float64Array(world.ranks), new Float64Array(world.ranks)];
          byNodes.get(patterns[i])!.latest(posts, a);
          byLists.get(pattern)!.latest(posts, b);
          assertEquals(a, b);
        }
      }
    }
  }
});

Deno.test("uneven all-to-alls are simulated on 512 ranks, planned ones too, none faster than the bound", () => {
  const { topology: world } = testbed("h200-ib400", { nodes: 64, ranksPerNode: 8 });
  const { ranks } = world;
  // half of the groups of 64 ranks have something for a few
  const bytes = (from: number, to: number) =>
    from >> 6 === to >> 6 && (from >> 6) % 2 === 0 ? 4096 * (1 + ((from * 31 + to * 7) % 5)) : 0;
  const traffic = { ranks, bytes };
  const bound = allToAllBound(world, traffic);
  for (const algorithm of ALGORITHMS.filter((one) => one !== pairwise && reachesFar(one))) {
    const { end } = simulate(unevenProgram(world, algorithm, traffic), world);
    assert(1e-9 * end.reduce((a, b) => Math.max(a, b)) >= bound, algorithm.name);
    if (leavesGroups(algorithm, world)) continue;
    const silent = end.filter((_, i) => ((i % ranks) >> 6) % 2 === 1);
    assert(silent.every((time) => time === 0), `${algorithm.name}: ranks without bytes take time`);
  }
});

Deno.test("an algorithm that leaves out a receive, or passes slices on, is named on more than 256 ranks", () => {
  const world = topology({ nodes: 33, ranksPerNode: 8 });
  const traffic = { ranks: world.ranks, bytes: () => 1 };
  const deaf: AllToAll = {
    name: "deaf",
    plan: (at) =>
      linear.plan(at).map((phase) => ({
        ...phase,
        steps: phase.steps.filter((step) => at.rank !== 9 || step.kind !== "receive"),
      })),
  };
  const run = (algorithm: AllToAll) => simulate(unevenProgram(world, algorithm, traffic), world);
  assertThrows(
    () => run(deaf),
    SchemoeError,
    `the all-to-all "deaf": rank 9 receives 0 slices in phase "inter", in which 263 are sent to it`,
  );
  const around: AllToAll = {
    name: "around",
    plan: (at) =>
      linear.plan(at).map((phase) => ({
        ...phase,
        steps: phase.steps.map((step) =>
          step.kind === "receive"
            ? { ...step, to: { buffer: "scratch" as const, index: step.peer } }
            : step
        ),
      })),
  };
  assertThrows(() => run(around), SchemoeError, "passes slices on by other ranks");
});
