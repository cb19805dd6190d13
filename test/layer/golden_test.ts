import { assert, assertEquals, assertLess } from "@std/assert";
import { BUILT_IN, capacitySlices, openEngine, type Scheduler } from "../../mod.ts";
import * as builtIn from "../../lib/schedulers/mod.ts";
import { largestError, runGolden } from "../../lib/studies/golden.ts";
import { goldenCases } from "./golden_cases.ts";

const TOLERANCE = 1e-5;
const schedulers = builtIn as unknown as Record<string, Scheduler>;

Deno.test("there are reference cases", () => assert(goldenCases.length >= 7));

for (const golden of goldenCases) {
  for (const nodes of [1, 2, 4].filter((n) => golden.ranks % n === 0)) {
    Deno.test(`runGolden() of ${golden.name} on ${nodes} nodes equals the reference; schedules change no bit`, async () => {
      using engine = openEngine({
        kind: "cpu",
        nodes,
        ranksPerNode: golden.ranks / nodes,
        links: "plain",
      });
      for (const chunks of [1, 2, 3, 5]) {
        /** Results by way of splitting: other splits may round otherwise. */
        const first = new Map<string, Map<string, Float32Array>>();
        for (const scheduler of BUILT_IN.scheduler) {
          for (const allToAll of BUILT_IN.allToAll) {
            const results = await runGolden(engine, golden, { scheduler, allToAll, chunks });
            const where = `${scheduler}, ${allToAll}, ${chunks} chunks`;
            for (const [name, { data }] of golden.tensors) {
              const got = results.get(name);
              if (got) assertLess(largestError(got, data), TOLERANCE, `${name}: ${where}`);
              else {assert(
                  /^(x|dy|gate\.weight|experts\.\w+)$/.test(name),
                  `${name} is not compared`,
                );}
            }
            const split = (schedulers[scheduler].chunking?.(chunks) ?? capacitySlices(chunks)).name;
            if (!first.has(split)) first.set(split, results);
            for (const [name, values] of first.get(split)!) {
              assertEquals(bits(results.get(name)!), bits(values), `${name}: ${where}`);
            }
          }
        }
      }
    });
  }
}

/** Text of all bits, quick to compare. */
function bits(values: Float32Array): string {
  return new TextDecoder("latin1").decode(
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  );
}
