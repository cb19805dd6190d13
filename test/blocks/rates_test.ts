import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { cosineRate } from "../../lib/blocks/mod.ts";

Deno.test("cosineRate() rises to its peak, decays to a part of it and stays there", () => {
  const { at } = cosineRate({ peak: 0.8, warmup: 4, steps: 12, final: 0.25 });
  const rates = Array.from({ length: 16 }, (_, step) => at(step));
  const rise = [0.2, 0.4, 0.6, 0.8, 0.8];
  rise.forEach((rate, step) => assertAlmostEquals(rates[step], rate, 1e-12));
  // in the middle of the decay half of the way
  assertAlmostEquals(rates[8], (0.8 + 0.2) / 2, 1e-12);
  for (const rate of rates.slice(12)) assertAlmostEquals(rate, 0.2, 1e-12);
  for (let step = 4; step < 12; step++) assert(rates[step + 1] < rates[step], `${step}`);
});

Deno.test("cosineRate() refuses a warm-up that leaves nothing to decay in", () => {
  for (const [warmup, steps] of [[5, 5], [6, 5], [-1, 5], [0, 0]]) {
    assertThrows(
      () => cosineRate({ peak: 1, warmup, steps }),
      SchemoeError,
      `a warm-up of ${warmup} of ${steps} steps leaves nothing to decay in`,
    );
  }
});
