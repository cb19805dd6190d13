import { assert, assertEquals, assertThrows } from "@std/assert";
import { type AllToAll, BUILT_IN, type Phase, SchemoeError, topology } from "../../mod.ts";
import {
  copy,
  input,
  output,
  proveAllToAll,
  receive,
  scratch,
  send,
} from "../../lib/alltoall/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";
import * as builtIn from "../../lib/alltoall/mod.ts";
import { generator, Interleaver } from "./interleave.ts";
import { mutate } from "./mutate.ts";

const all = BUILT_IN.allToAll.map((name) => (builtIn as unknown as Record<string, AllToAll>)[name]);
const plansOf = (algorithm: AllToAll, nodes: number, ranksPerNode: number) => {
  const world = topology({ nodes, ranksPerNode });
  return Array.from(
    { length: world.ranks },
    (_, rank) => algorithm.plan({ rank, topology: world }),
  );
};
const accepts = (plans: readonly (readonly Phase[])[]) => {
  try {
    proveAllToAll(
      { name: "mutant", plan: ({ rank }) => plans[rank] },
      topology({ nodes: 1, ranksPerNode: plans.length }),
    );
    return true;
  } catch (error) {
    assert(error instanceof SchemoeError, `${error}`);
    return false;
  }
};

Deno.test("proveAllToAll() accepts every built-in in all worlds up to 6 x 6", () => {
  for (const algorithm of all) {
    for (let nodes = 1; nodes <= 6; nodes++) {
      for (let ranksPerNode = 1; ranksPerNode <= 6; ranksPerNode++) {
        assertEquals(
          proveAllToAll(algorithm, topology({ nodes, ranksPerNode })).ranks,
          nodes * ranksPerNode,
        );
      }
    }
  }
});

Deno.test("every built-in is right under random interleavings", () => {
  const random = generator(7);
  for (const algorithm of all) {
    for (const [nodes, ranksPerNode] of [[1, 1], [1, 3], [3, 1], [2, 2], [2, 3], [3, 2], [2, 4]]) {
      const executor = new Interleaver(plansOf(algorithm, nodes, ranksPerNode));
      for (let i = 0; i < 10; i++) {
        assert(executor.run(random), `${algorithm.name} on ${nodes} x ${ranksPerNode}`);
      }
    }
  }
});

Deno.test("proveAllToAll() decides about 1200 mutants as 50 random interleavings of each do", () => {
  const random = generator(20240607);
  const worlds = [[1, 2], [2, 1], [1, 3], [2, 2], [1, 4], [2, 3], [3, 2], [1, 5], [4, 2]];
  const counts = { right: 0, wrong: 0 };
  const kinds = new Map<string, number>();
  while (counts.right + counts.wrong < 1200) {
    const algorithm = all[Math.floor(random() * all.length)];
    const [nodes, ranksPerNode] = worlds[Math.floor(random() * worlds.length)];
    const mutant = mutate(plansOf(algorithm, nodes, ranksPerNode), random);
    if (!mutant) continue;
    const executor = new Interleaver(mutant.plans);
    let right = true;
    for (let i = 0; i < 50 && right; i++) right = executor.run(random);
    const what = `${mutant.kind} of ${algorithm.name} on ${nodes} x ${ranksPerNode}`;
    assertEquals(accepts(mutant.plans), right, `${what}: ${JSON.stringify(mutant.plans)}`);
    counts[right ? "right" : "wrong"]++;
    kinds.set(mutant.kind, (kinds.get(mutant.kind) ?? 0) + 1);
  }
  assert(counts.right >= 50 && counts.wrong >= 500, JSON.stringify(counts));
  assertEquals(kinds.size, 11);
});

/** Two ranks that exchange directly, with one thing changed. */
const exchange = (
  change: (
    rank: number,
    plan: { lane: "intra"; name?: string; after?: number[]; steps: unknown[] }[],
  ) => unknown,
) => ({
  name: "mine",
  plan({ rank }: { rank: number }) {
    const peer = 1 - rank;
    const steps = [
      copy(input(rank), output(rank)),
      send(input(peer), peer),
      receive(output(peer), peer),
    ];
    const plan = [{ lane: "intra" as const, steps: steps as unknown[] }];
    return (change(rank, plan) ?? plan) as Phase[];
  },
});

Deno.test("proveAllToAll() names rank, phase and slice of what is wrong", () => {
  const world = topology({ nodes: 1, ranksPerNode: 2 });
  const cases: [ReturnType<typeof exchange>, string][] = [
    [exchange((_, [p]) => void p.steps.splice(0, 1)), "rank 0 never writes slice 0 of its output"],
    [
      exchange((rank, [p]) => void (rank && p.steps.splice(1, 1))),
      'rank 1 sends 0 times to rank 0 in phase "intra", and rank 0 receives 1 time',
    ],
    [
      exchange((rank, [p]) => void (rank && p.steps.splice(2, 1))),
      'rank 0 sends 1 time to rank 1 in phase "intra", and rank 1 receives 0 times',
    ],
    [
      exchange((rank, [p]) => {
        p.steps.push(send(input(0), 1 - rank), receive(output(1 - rank), 1 - rank));
      }),
      'rank 0 receives slice 1 twice in phase "intra"',
    ],
    [
      exchange((rank, [p]) => void (p.steps[1] = send(input(rank), 1 - rank))),
      "rank 0 ends with slice 1 of rank 1's input in slice 1",
    ],
    [
      exchange((rank, [p]) => void (p.steps[0] = copy(scratch(0), output(rank)))),
      'rank 0 reads scratch slice 0 in phase "intra" before',
    ],
    [exchange((rank, [p]) => void (p.steps[1] = send(input(0), rank))), "rank 0 sends to itself"],
    [
      exchange((rank, [p]) => [
        { ...p, steps: [copy(input(0, 2), scratch(0, 2))], name: "pack" },
        {
          ...p,
          after: [],
          steps: p.steps.map((s) =>
            rank === 1 && (s as { kind: string }).kind === "copy" ? copy(scratch(1), output(1)) : s
          ),
        },
      ]),
      'rank 1 reads scratch slice 1 in phase "intra" while another step in phase "pack" may write it',
    ],
    [
      exchange((_, [p]) => [{ ...p, after: [0] }]),
      "rank 0 lets phase 0 come after 0, which is not an earlier one",
    ],
    [exchange((_, [p]) => [p, p]), 'two phases called "intra"'],
    [
      exchange((rank, [p]) => rank ? [p, { lane: "intra", name: "more", steps: [] }] : [p]),
      "rank 1 has other phases than rank 0",
    ],
    [exchange(() => []), "rank 0 has no phases"],
    [exchange((_, [p]) => [{ ...p, lane: "outer" }]), 'puts phase 0 on the lane "outer"'],
    [exchange((_, [p]) => void p.steps.push({ kind: "put" })), 'a step of kind "put"'],
    [
      exchange((_, [p]) => void p.steps.push(copy(input(0), output(2)))),
      'names output slice 2 of 2 in phase "intra"',
    ],
    [
      exchange((_, [p]) =>
        void p.steps.push(copy(input(0), { buffer: "room" as "scratch", index: 0 }))
      ),
      'the buffer "room"',
    ],
    [exchange((_, [p]) => void p.steps.push(copy(input(0, 2), output(0)))), "copies 2 slices to 1"],
    [exchange((_, [p]) => void p.steps.push(send(input(0), 2))), "has no peer 2 of 2 ranks"],
    [
      exchange((rank, [p]) => void (rank && (p.steps[2] = receive(output(0, 2), 0)))),
      'rank 1 receives 2 slices from rank 0 in phase "intra", which sends 1',
    ],
  ];
  for (const [algorithm, message] of cases) {
    const error = assertThrows(() => proveAllToAll(algorithm, world), SchemoeError, message);
    assertEquals(
      error.message.startsWith('Cannot use the all-to-all "mine": rank '),
      true,
      error.message,
    );
  }
});

Deno.test("proveAllToAll() accepts input overwritten once sent, unused scratch and the same value written again later", () => {
  const world = topology({ nodes: 1, ranksPerNode: 2 });
  const harmless = exchange((rank, [p]) => [
    { ...p, steps: [...p.steps, copy(scratch(5), scratch(6))] },
    { ...p, name: "later", steps: [copy(output(0), input(1)), copy(output(1), input(0))] },
    { ...p, name: "again", steps: [copy(input(1 - rank), output(rank))] },
  ]);
  assertEquals(proveAllToAll(harmless, world).phases, 3);
});

Deno.test("proveAllToAll() refuses unordered uses of memory of which one writes, whatever the values", () => {
  const world = topology({ nodes: 1, ranksPerNode: 2 });
  const cases: [ReturnType<typeof exchange>, string][] = [
    [
      exchange((rank, [p]) => void p.steps.push(copy(input(rank), output(rank)))),
      'rank 0 writes slice 0 twice in phase "intra", in no order; write each slice once',
    ],
    [
      exchange((rank, [p]) => [
        p,
        { ...p, name: "beside", after: [], steps: [copy(input(rank), output(rank))] },
      ]),
      'rank 0 writes slice 0 twice, in phase "intra" and in phase "beside", of which none comes after',
    ],
    [
      exchange((rank, [p]) => {
        const peer = 1 - rank;
        p.steps.push(send(input(peer), peer), receive(output(peer), peer));
      }),
      'receives slice 1 twice in phase "intra", in no order',
    ],
    [
      // what is read from it later is any of them: the write is at fault, not the read
      exchange((rank, [p]) => [
        {
          ...p,
          name: "pack",
          steps: [copy(input(rank), scratch(0)), copy(input(1 - rank), scratch(0))],
        },
        { ...p, steps: [p.steps[0], send(scratch(0), 1 - rank), p.steps[2]] },
      ]),
      'rank 0 writes scratch slice 0 twice in phase "pack", in no order',
    ],
    [
      // nobody needs what is written there
      exchange((_, [p]) =>
        void p.steps.push(copy(input(0), scratch(0)), copy(input(1), scratch(0)))
      ),
      'rank 0 writes scratch slice 0 twice in phase "intra"',
    ],
    [
      // sent, and overwritten with what it holds: a buffer used again too early
      exchange((rank, [p]) => [
        { ...p, name: "pack", steps: [copy(input(1 - rank), scratch(0))] },
        { ...p, steps: [p.steps[0], send(scratch(0), 1 - rank), p.steps[2]] },
        { ...p, name: "reuse", after: [0], steps: [copy(input(1 - rank), scratch(0))] },
      ]),
      'reads scratch slice 0 in phase "intra" while another step in phase "reuse" may write it',
    ],
    [
      exchange((
        _,
        [p],
      ) => [p, {
        ...p,
        name: "shift",
        steps: [copy(input(0), input(1)), copy(input(1), scratch(0))],
      }]),
      'rank 0 reads and writes input slice 1 in phase "shift", in no order',
    ],
    [
      // a copy of several slices over a part of itself
      exchange((
        _,
        [p],
      ) => [p, { ...p, name: "shift", steps: [copy(scratch(0, 2), scratch(1, 2))] }]),
      'rank 0 reads and writes scratch slice 1 in phase "shift", in no order',
    ],
  ];
  for (const [algorithm, message] of cases) {
    assertThrows(() => proveAllToAll(algorithm, world), SchemoeError, message);
  }
});

Deno.test("a wrong plan is refused when a graph is built of it", () => {
  const g = new GraphBuilder(topology({ nodes: 1, ranksPerNode: 2 }), "forward", 1);
  const at = (buffer: string) => ({ buffer, offset: 0 });
  assertThrows(
    () =>
      g.allToAll({
        label: "A1",
        chunk: 0,
        stage: 0,
        after: [],
        sliceBytes: 8,
        scratch: "s",
        algorithm: exchange((_, [p]) => void p.steps.splice(0, 1)),
        input: at("in"),
        output: at("out"),
      }),
    SchemoeError,
    "never writes slice 0",
  );
});
