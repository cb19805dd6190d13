import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  correlatedRouting,
  driftingRouting,
  imbalanceOf,
  loadsOf,
  type RouterTrace,
  uniformRouting,
  zipfRouting,
} from "../../lib/routing/mod.ts";
import { SchemoeError } from "../../mod.ts";

const SIZES = { ranks: 4, tokens: 512, experts: 16, topK: 4, seed: 3 };

/** Fails unless each token of each rank has topK different experts. */
function assertDistinct(trace: RouterTrace): void {
  for (let rank = 0; rank < trace.ranks; rank++) {
    const choices = trace.choices(rank);
    assertEquals(choices.length, trace.tokens(rank) * trace.topK);
    for (let at = 0; at < choices.length; at += trace.topK) {
      const own = choices.subarray(at, at + trace.topK);
      assertEquals(new Set(own).size, trace.topK);
      assert(own.every((expert) => expert >= 0 && expert < trace.experts));
    }
  }
}

Deno.test("made-up routings give each token different experts, the same whichever rank is asked first", () => {
  for (
    const make of [
      () => uniformRouting(SIZES),
      () => zipfRouting({ ...SIZES, exponent: 1.2 }),
      () => zipfRouting({ ...SIZES, exponent: 8, topK: 16 }),
      () => driftingRouting({ ...SIZES, exponent: 1, step: 35, period: 10 }),
      () => correlatedRouting({ ...SIZES, nodes: 2, locality: 0.5 }),
    ]
  ) {
    const trace = make();
    assertDistinct(trace);
    assertEquals(make().choices(3), trace.choices(3));
    assert(trace.choices(0).some((expert, i) => expert !== trace.choices(1)[i]));
  }
});

Deno.test("zipfRouting() has shares in proportion to powers, uniform at exponent 0", () => {
  const sizes = { ranks: 2, tokens: 40_000, experts: 8, topK: 1 };
  const shares = (exponent: number) => {
    const { table } = loadsOf(zipfRouting({ ...sizes, exponent }));
    return Array.from({ length: 8 }, (_, e) => (table[e] + table[8 + e]) / 80_000)
      .sort((a, b) => b - a);
  };
  const harmonic = Array.from({ length: 8 }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b);
  shares(1).forEach((share, i) => assert(Math.abs(share - 1 / (i + 1) / harmonic) < 0.01));
  shares(0).forEach((share) => assert(Math.abs(share - 1 / 8) < 0.01));
  const skew = [0, 0.4, 0.8, 1.2].map((exponent) =>
    imbalanceOf(loadsOf(zipfRouting({ ...SIZES, exponent }))).expert
  );
  assertEquals(skew.toSorted((a, b) => a - b), skew);
});

Deno.test("driftingRouting() begins as one power law and has become another after a period", () => {
  const at = (step: number) =>
    loadsOf(driftingRouting({ ...SIZES, exponent: 1.2, step, period: 100 })).table;
  const distance = (a: Int32Array, b: Int32Array) =>
    a.reduce((sum, load, i) => sum + Math.abs(load - b[i]), 0);
  assertEquals(at(0), loadsOf(zipfRouting({ ...SIZES, exponent: 1.2 })).table);
  assert(distance(at(0), at(5)) < distance(at(0), at(50)));
  assert(distance(at(0), at(50)) < distance(at(0), at(100)));
});

Deno.test("correlatedRouting() keeps tokens on the node they prefer", () => {
  const within = (locality: number, prefers: "own" | "other") => {
    const { table } = loadsOf(correlatedRouting({ ...SIZES, nodes: 2, locality, prefers }));
    let own = 0;
    table.forEach((load, i) => {
      const [rank, expert] = [Math.floor(i / 16), i % 16];
      if (Math.floor(rank / 2) === Math.floor(expert / 8)) own += load;
    });
    return own / table.reduce((a, b) => a + b);
  };
  assertEquals(within(1, "own"), 1);
  assertEquals(within(1, "other"), 0);
  assert(Math.abs(within(0, "own") - 0.5) < 0.03);
  assert(Math.abs(within(0.5, "own") - 0.75) < 0.03);
});

Deno.test("made-up routings name what is wrong", () => {
  const fails = (run: () => unknown, part: string) => assertThrows(run, SchemoeError, part);
  fails(() => uniformRouting({ ...SIZES, topK: 17 }), "topK is 17, there are 16 experts");
  fails(() => uniformRouting({ ...SIZES, tokens: 0 }), "tokens must be a positive integer");
  fails(() => zipfRouting({ ...SIZES, exponent: -1 }), "exponent must be");
  fails(() => driftingRouting({ ...SIZES, exponent: 1, step: 0, period: 0 }), "period must be");
  fails(() => correlatedRouting({ ...SIZES, nodes: 3, locality: 0 }), "3 nodes must divide");
  fails(() => correlatedRouting({ ...SIZES, nodes: 2, locality: 2 }), "locality must be");
});
