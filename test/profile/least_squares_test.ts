import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { relativeFit } from "../../lib/profile/least_squares.ts";

/** A start-up, and a size from 1 to 2^9. */
const features = Array.from({ length: 10 }, (_, i) => [1, 2 ** i]);
const times = (of: (size: number) => number) => features.map(([, size]) => of(size));

Deno.test("relativeFit() finds what made the times, whatever their units", () => {
  for (const unit of [1, 1e-9, 1e6]) {
    const [start, each] = relativeFit(features, times((size) => unit * (20 + 3 * size)));
    assertAlmostEquals(start / unit, 20, 1e-6);
    assertAlmostEquals(each / unit, 3, 1e-6);
  }
});

Deno.test("relativeFit() has no negative coefficient, and leaves out what explains nothing", () => {
  const [start, each] = relativeFit(features, times((size) => 1000 - size));
  assert(start > 0 && each === 0, `${start}, ${each}`);
  const unused = features.map((row) => [...row, 0]);
  assertEquals(relativeFit(unused, times((size) => 3 * size))[2], 0);
  assertEquals(relativeFit([], []), []);
});

Deno.test("relativeFit() is not moved by a run that something held up", () => {
  const seconds = times((size) => 20 + 3 * size);
  seconds[4] *= 50;
  seconds[7] /= 50;
  const [start, each] = relativeFit(features, seconds);
  assertAlmostEquals(start, 20, 0.5);
  assertAlmostEquals(each, 3, 0.1);
});
