import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { heaviestMatching, matchingAbove } from "../../lib/alltoall/planned/matching.ts";
import { birkhoff, heavyStages } from "../../lib/alltoall/planned/stages.ts";
import { marginals } from "../../lib/alltoall/planned/flows.ts";
import { uniforms } from "../../lib/random.ts";

/** Square matrix with an empty diagonal, a part of the rest empty too. */
function randomMatrix(size: number, seed: number): Float64Array {
  const uniform = uniforms(seed);
  return Float64Array.from(
    { length: size * size },
    (_, i) => i % (size + 1) === 0 || uniform() < 0.2 ? 0 : Math.floor(1000 * uniform() ** 3) + 1,
  );
}

/** Largest sum of a matching, by trying all. */
function bestSum(matrix: Float64Array, size: number, row = 0, taken = 0): number {
  if (row === size) return 0;
  let best = -Infinity;
  for (let column = 0; column < size; column++) {
    if (taken & (1 << column)) continue;
    const rest = bestSum(matrix, size, row + 1, taken | (1 << column));
    best = Math.max(best, matrix[row * size + column] + rest);
  }
  return best;
}

Deno.test("heaviestMatching() finds the largest sum of all matchings", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const size = 1 + seed % 6;
    const matrix = randomMatrix(size, seed);
    const columns = heaviestMatching(matrix, size);
    assertEquals(new Set(columns).size, size);
    const sum = columns.reduce((all, column, row) => all + matrix[row * size + column], 0);
    assertEquals(sum, bestSum(matrix, size));
  }
});

Deno.test("matchingAbove() finds a matching where there is one, and none where there is none", () => {
  const matrix = Float64Array.from([1, 5, 5, 0]);
  assertEquals([...matchingAbove(matrix, 2, 5)!], [1, 0]);
  assertEquals(matchingAbove(matrix, 2, 6), undefined);
  assertEquals(matchingAbove(Float64Array.from([5, 0, 5, 0]), 2, 1), undefined);
});

/** What stages move in all, pair by pair; fails if a node has two partners on a side. */
function moved(stages: readonly { to: Int32Array; bytes: Float64Array }[], size: number) {
  const all = new Float64Array(size * size);
  for (const { to, bytes } of stages) {
    const partners = [...to].filter((column) => column >= 0);
    assertEquals(new Set(partners).size, partners.length);
    to.forEach((column, row) => {
      if (column >= 0) all[row * size + column] += bytes[row];
      else assertEquals(bytes[row], 0);
    });
  }
  return all;
}

Deno.test("birkhoff() moves the matrix in stages that take no longer than its largest row or column", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const size = 2 + seed % 7;
    const matrix = randomMatrix(size, seed);
    const { rows, columns } = marginals(matrix, size);
    const bound = Math.max(...rows, ...columns);
    const { stages, rest } = birkhoff(matrix, size, 10_000);
    moved(stages, size).forEach((bytes, i) => assertAlmostEquals(bytes, matrix[i], 1e-6 * bound));
    assert(rest.every((bytes) => bytes === 0));
    const time = stages.reduce((sum, { bytes }) => sum + Math.max(...bytes), 0);
    assert(time <= bound * (1 + 1e-6), `${time} ${bound}`);
    const capped = birkhoff(matrix, size, 2);
    assert(capped.stages.length <= 2);
    const sum = moved(capped.stages, size).map((bytes, i) => bytes + capped.rest[i]);
    sum.forEach((bytes, i) => assertAlmostEquals(bytes, matrix[i], 1e-6 * bound));
  }
});

Deno.test("heavyStages() takes each pair once, whole, the heaviest matching first", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const size = 2 + seed % 7;
    const matrix = randomMatrix(size, seed);
    for (const exact of [0, 2, 100]) {
      const stages = heavyStages(matrix, size, exact);
      assertEquals(moved(stages, size), matrix);
      assert(stages.length < 2 * size);
      if (exact) {
        const first = stages[0].bytes.reduce((a, b) => a + b);
        assertEquals(first, bestSum(matrix, size));
      }
    }
  }
});
