import { assert, assertEquals, assertThrows } from "@std/assert";
import { SchemoeError, testbed, topology } from "../../mod.ts";
import {
  type Collective,
  type CollectivePhase,
  copy,
  input,
  nodeCombine,
  nodeDispatch,
  output,
  type Phase,
  proveCollective,
  receive,
  type Reduce,
  reduce,
  scratch,
  send,
  type TokenGroup,
} from "../../lib/alltoall/mod.ts";
import { correlatedRouting, tokenGroups, zipfRouting } from "../../lib/routing/mod.ts";
import { generator, Interleaver } from "./interleave.ts";
import { mutate } from "./mutate.ts";

const WORLDS = [[1, 1], [1, 3], [2, 1], [2, 2], [3, 2], [2, 3], [2, 4], [4, 3]] as const;

/** Some of the sets of ranks of each node, for each source. */
function randomGroups(nodes: number, m: number, random: () => number): TokenGroup[] {
  const groups: TokenGroup[] = [];
  for (let source = 0; source < nodes * m; source++) {
    for (let node = 0; node < nodes; node++) {
      for (let mask = 1; mask < 1 << m; mask++) {
        if (random() < 0.5) continue;
        const ranks = Array.from({ length: m }, (_, i) => node * m + i).filter((_, i) =>
          mask & 1 << i
        );
        groups.push({ source, node, ranks });
      }
    }
  }
  return groups;
}

const made = (
  make: typeof nodeDispatch,
  [nodes, m]: readonly [number, number],
  random: () => number,
) => {
  const world = topology({ nodes, ranksPerNode: m });
  const collective = make(world, randomGroups(nodes, m, random));
  const plans = Array.from(
    { length: world.ranks },
    (_, rank) => collective.plan({ rank, topology: world }),
  );
  return { world, collective, plans };
};

Deno.test("nodeDispatch() and nodeCombine() are proven, and right under random interleavings", () => {
  const random = generator(3);
  for (const make of [nodeDispatch, nodeCombine]) {
    for (const size of WORLDS) {
      const { world, collective, plans } = made(make, size, random);
      assertEquals(proveCollective(collective, world).ranks, world.ranks);
      const executor = new Interleaver(plans, collective);
      for (let i = 0; i < 10; i++) assert(executor.run(random), `${make.name} on ${size}`);
    }
  }
});

/** One change to a sum, or to any other step. */
function mutant(plans: readonly (readonly CollectivePhase[])[], random: () => number) {
  const below = (n: number) => Math.floor(random() * n);
  if (random() < 0.5) return mutate(plans as readonly (readonly Phase[])[], random);
  const copied = structuredClone(plans) as { steps: Reduce[]; lane: string }[][];
  const sums = copied.flat().filter(({ lane }) => lane === "compute").flatMap(({ steps }) => steps);
  if (sums.length === 0) return undefined;
  const sum = sums[below(sums.length)] as unknown as { from: { buffer: "input"; index: number }[] };
  const at = below(sum.from.length);
  const kinds: Record<string, () => void> = {
    "drop an addend": () => void sum.from.splice(at, 1),
    "add one twice": () => void sum.from.push({ ...sum.from[at] }),
    "add another": () => void (sum.from[at].index += random() < 0.5 ? 1 : -1),
    "add of another buffer": () => void (sum.from[at].buffer = "input"),
    "change the order": () => void sum.from.reverse(),
  };
  const kind = Object.keys(kinds)[below(5)];
  kinds[kind]();
  return { kind, plans: copied as unknown as Phase[][] };
}

Deno.test("proveCollective() decides about 600 mutants as 50 random interleavings of each do", () => {
  const random = generator(20261128);
  const counts = { right: 0, wrong: 0 };
  const kinds = new Map<string, Set<boolean>>();
  while (counts.right + counts.wrong < 600) {
    const make = random() < 0.3 ? nodeDispatch : nodeCombine;
    const size = WORLDS[1 + Math.floor(random() * (WORLDS.length - 2))];
    const { world, collective, plans } = made(make, size, random);
    const changed = mutant(plans, random);
    if (!changed) continue;
    const executor = new Interleaver(changed.plans, collective);
    let right = true;
    for (let i = 0; i < 50 && right; i++) right = executor.run(random);
    let accepted = true;
    try {
      proveCollective({ ...collective, plan: ({ rank }) => changed.plans[rank] }, world);
    } catch (error) {
      assert(error instanceof SchemoeError, `${error}`);
      // refused for their form, though they would add up
      if (/adds fewer than two slices|there are sums/.test(error.message)) continue;
      accepted = false;
    }
    assertEquals(accepted, right, `${changed.kind} of ${make.name} on ${size}`);
    counts[right ? "right" : "wrong"]++;
    kinds.set(changed.kind, (kinds.get(changed.kind) ?? new Set()).add(right));
  }
  assert(counts.right >= 50 && counts.wrong >= 250, JSON.stringify(counts));
  for (const kind of ["drop an addend", "add one twice"]) assert(kinds.get(kind)!.has(false), kind);
  assertEquals([...kinds.get("change the order")!], [true]);
});

const WORLD = topology({ nodes: 1, ranksPerNode: 2 });

/** The sum of both ranks' slices on rank 0, with other steps of rank 0. */
const toZero = (
  sums: CollectivePhase["steps"],
  more: Partial<Collective> & { after?: readonly number[] } = {},
): Collective => ({
  name: "to zero",
  inputs: () => 1,
  outputs: (rank) => rank === 0 ? 1 : 0,
  terms: () => [[0, 0], [1, 0]],
  plan: ({ rank }) => [
    { lane: "intra", steps: [rank ? send(input(0), 0) : receive(scratch(0), 1)] },
    { lane: "compute", after: more.after ?? [0], steps: rank ? [] : sums },
  ],
  ...more,
});

Deno.test("proveCollective() names rank, phase and what is wrong in a sum", () => {
  const right = reduce([input(0), scratch(0)], output(0));
  assertEquals(proveCollective(toZero([right]), WORLD).moves, 2);
  const fails = (collective: Collective, part: string) =>
    assertThrows(() => proveCollective(collective, WORLD), SchemoeError, part);
  fails(
    toZero([reduce([input(0), input(0)], output(0))]),
    `Cannot use the collective "to zero": rank 0 ends with slice 0 of rank 0's input too much and ` +
      `slice 0 of rank 1's input missing in the sum in slice 0 of its output, written in phase "compute"`,
  );
  fails(
    toZero([reduce([input(0), scratch(0), scratch(0)], output(0))]),
    "slice 0 of rank 1's input too much in the sum",
  );
  fails(
    toZero([]),
    "never writes slice 0 of its output: the sum of slice 0 of rank 0's input, slice 0 of",
  );
  fails(toZero([reduce([input(0), scratch(1)], output(0))]), "reads scratch slice 1 in phase");
  fails(toZero([right], { after: [] }), 'while another step in phase "intra" may write it');
  fails(toZero([reduce([input(0)], output(0))]), "adds fewer than two slices");
  fails(toZero([reduce([input(0), input(1)], output(0))]), "names input slice 1 of 1");
  fails(toZero([copy(input(0), output(0))]), "has a copy; on the lane compute there are sums");
  fails(
    toZero([], { plan: ({ rank }) => [{ lane: "intra", steps: rank ? [] : [right] }] }),
    "adds on the lane intra",
  );
  fails(toZero([{ ...right, part: [0, 2] }]), "moves the part 0,2 of 1");
});

Deno.test("proveCollective() refuses counts and terms that are none, and sums that race", () => {
  const right = reduce([input(0), scratch(0)], output(0));
  const cases: [Partial<Collective>, string][] = [
    [{ inputs: () => NaN }, "rank 0 has NaN inputs, an integer of at least 0 is needed"],
    [{ outputs: () => -1 }, "rank 0 has -1 outputs"],
    [{ terms: () => [] }, "rank 0 says nothing of what belongs into slice 0 of its output"],
    // by its number alone, the second slice of rank 0 would be the first of rank 1
    [
      { terms: () => [[0, 0], [0, 1]] },
      "wants input slice 1 of rank 0 in slice 0 of its output; it has 1",
    ],
    [
      { terms: () => [[0, 0], [2, 0]] },
      "wants input slice 0 of rank 2 in slice 0 of its output; there are 2 ranks",
    ],
    [{ terms: () => [[0, 0], 1] as unknown as [[number, number]] }, "a term is [rank, input]"],
    [{ terms: () => [[0, 0], [1, 0.5]] }, "wants input slice 0.5 of rank 1"],
  ];
  for (const [more, message] of cases) {
    assertThrows(() => proveCollective(toZero([right], more), WORLD), SchemoeError, message);
  }
  assertThrows(
    () => proveCollective(toZero([right, right]), WORLD),
    SchemoeError,
    'writes slice 0 twice in phase "compute"',
  );
  // over one of its own terms: nobody else reads that
  const inPlace: Collective = {
    ...toZero([]),
    plan: ({ rank }) => [
      { lane: "intra", steps: [rank ? send(input(0), 0) : receive(scratch(0), 1)] },
      { lane: "compute", steps: rank ? [] : [reduce([input(0), scratch(0)], scratch(0))] },
      { lane: "intra", name: "out", steps: rank ? [] : [copy(scratch(0), output(0))] },
    ],
  };
  assertEquals(proveCollective(inPlace, WORLD).moves, 3);
});

Deno.test("parts of sums are proven: halves that are added apart, and one that is added twice", () => {
  const half = (part: readonly [number, number]): Reduce => ({
    ...reduce([input(0), scratch(0)], output(0)),
    part,
  });
  const halves = (...parts: (readonly [number, number])[]) => toZero(parts.map(half), { parts: 2 });
  assertEquals(proveCollective(halves([0, 1], [1, 2]), WORLD).moves, 4);
  assertThrows(() => proveCollective(halves([0, 1]), WORLD), SchemoeError, "never writes slice 0");
});

Deno.test("tokenGroups(): each token once for each node that it goes to, with its ranks there", () => {
  const trace = zipfRouting({ ranks: 6, tokens: 40, experts: 12, topK: 3, exponent: 0.8 });
  const groups = tokenGroups(trace, { ranksPerNode: 2 });
  for (let rank = 0; rank < 6; rank++) {
    const choices = trace.choices(rank);
    for (let token = 0; token < 40; token++) {
      const mine = groups.filter(({ source, tokens }) => source === rank && tokens.includes(token));
      const ranks = new Set(Array.from(choices.subarray(3 * token, 3 * token + 3), (e) => e >> 1));
      assertEquals(mine.flatMap(({ ranks }) => ranks), [...ranks].sort());
      assertEquals(new Set(mine.map(({ node }) => node)).size, mine.length);
    }
  }
  const fails = (m: number, part: string) =>
    assertThrows(() => tokenGroups(trace, { ranksPerNode: m }), SchemoeError, part);
  // each node has all experts, so nothing crosses
  const near = (expert: number, source: number) => 2 * (source >> 1) + expert % 2;
  const groupsNear = tokenGroups(trace, { ranksPerNode: 2, rankOf: near });
  assert(groupsNear.every(({ source, node }) => source >> 1 === node));
  assertThrows(
    () => tokenGroups(trace, { ranksPerNode: 2, rankOf: () => 6 }),
    SchemoeError,
    "is on rank 6 of 6",
  );
  fails(4, "nodes of 4 do not divide 6 ranks");
  assertThrows(
    () => nodeDispatch(WORLD, [{ source: 0, node: 0, ranks: [1, 0] }]),
    SchemoeError,
    "group 0 goes from rank 0 to 1, 0 of node 0; give rising ranks",
  );
});

Deno.test("64 ranks: one message for each pair of ranks and direction, and a proof in time", () => {
  const { topology: world } = testbed("h200-ib400", { nodes: 8, ranksPerNode: 8 });
  const sizes = { ranks: 64, tokens: 64, experts: 64, topK: 4 };
  const trace = correlatedRouting({ ...sizes, nodes: 8, locality: 0.5 });
  const dispatch = nodeDispatch(world, tokenGroups(trace, { ranksPerNode: 8 }));
  proveCollective(dispatch, world);
  for (const rank of [0, 17, 63]) {
    for (const { name, steps } of dispatch.plan({ rank, topology: world })) {
      const peers = steps.flatMap((step) => step.kind === "send" ? [step.peer] : []);
      assertEquals(new Set(peers).size, peers.length);
      if (name === "between") assert(peers.every((peer) => peer % 8 === rank % 8 && peer !== rank));
      else assert(peers.every((peer) => peer >> 3 === rank >> 3));
    }
  }
});
