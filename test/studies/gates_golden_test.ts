/** The reference cases of gates, losses and shared experts, on every schedule and all-to-all. */
import { assert, assertEquals } from "@std/assert";
import { BUILT_IN, openEngine } from "../../mod.ts";
import { goldenErrors, parseGolden, runGolden } from "../../lib/studies/golden.ts";

const TOLERANCE = 1e-5;
const FOLDER = new URL("../golden/gates/", import.meta.url);
const files = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
  .filter((name) => name.endsWith(".safetensors")).toSorted();

/** All results as text, quick to compare. */
const bits = (results: ReadonlyMap<string, Float32Array>) =>
  [...results].map(([name, { buffer, byteOffset, byteLength }]) =>
    `${name} ${new TextDecoder("latin1").decode(new Uint8Array(buffer, byteOffset, byteLength))}`
  );

for (const file of files) {
  const golden = parseGolden(Deno.readFileSync(new URL(file, FOLDER)), file);
  Deno.test(`runGolden() of ${file} equals PyTorch's float64; schedules change no bit`, async () => {
    const nodes = golden.ranks / 2;
    using engine = openEngine({ kind: "cpu", nodes, ranksPerNode: 2, links: "plain" });
    for (const chunks of [1, 2, 3]) {
      let first: string[] | undefined;
      for (const scheduler of BUILT_IN.scheduler.filter((name) => name !== "exact")) {
        // all all-to-alls under one scheduler; they and schedulers do not meet in the results
        const all = scheduler === "optSche" ? BUILT_IN.allToAll : ["pipe"];
        for (const allToAll of all) {
          const results = await runGolden(engine, golden, { scheduler, allToAll, chunks });
          first ??= check(golden, results);
          if (scheduler === "fasterMoE") check(golden, results);
          else assertEquals(bits(results), first, `${scheduler} ${allToAll} ${chunks}`);
        }
      }
    }
  });
}

function check(
  golden: Parameters<typeof goldenErrors>[0],
  results: Parameters<typeof goldenErrors>[1],
): string[] {
  const errors = Object.entries(goldenErrors(golden, results));
  const wrong = errors.filter(([, error]) => !(error < TOLERANCE));
  assert(wrong.length === 0, wrong.map(([name, error]) => `${name} ${error}`).join(", "));
  const expected = [...golden.tensors.keys()].filter((name) => /^(loss|update)\./.test(name));
  assertEquals(expected.filter((name) => !results.has(name)), []);
  return bits(results);
}
