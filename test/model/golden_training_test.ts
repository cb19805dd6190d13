import { assert, assertEquals, assertLess } from "@std/assert";
import { BUILT_IN, openEngine } from "../../mod.ts";
import { largestError } from "../../lib/studies/golden.ts";
import {
  type GoldenTraining,
  parseGoldenTraining,
  runGoldenTraining,
} from "../../lib/studies/golden_training.ts";

const FOLDER = new URL("../golden/training/", import.meta.url);
const cases = [...Deno.readDirSync(FOLDER)].filter(({ name }) => name.endsWith(".safetensors"))
  .map(({ name }) => parseGoldenTraining(Deno.readFileSync(new URL(name, FOLDER)), name));

const open = ({ ranks }: GoldenTraining, nodes: number) =>
  openEngine({ kind: "cpu", nodes, ranksPerNode: ranks / nodes, links: "plain" });

const relative = (got: number, expected: number) => Math.abs(got - expected) / Math.abs(expected);

Deno.test("there are reference training runs", () => assertEquals(cases.length, 3));

for (const golden of cases) {
  Deno.test(`runGoldenTraining() of ${golden.name}: losses, norms, rates, gradients and parameters are the reference's`, async () => {
    using engine = open(golden, 1);
    const run = await runGoldenTraining(engine, golden, { scheduler: "optSche", chunks: 2 });
    assertEquals(run.steps.length, golden.steps);
    for (const { step, loss, gradNorm, rate } of run.steps) {
      assertLess(relative(loss!, golden.loss[step]), 2e-6, `loss of step ${step}: ${loss}`);
      assertLess(relative(gradNorm!, golden.gradNorm[step]), 5e-6, `norm of step ${step}`);
      assertLess(relative(rate, golden.rates[step]), 1e-12, `rate of step ${step}`);
    }
    for (const [name, expected] of Object.entries(golden.gradients)) {
      assertLess(largestError(run.gradients[name], expected), 1e-5, `gradient of ${name}`);
    }
    const tolerance = golden.model.optimizer!.name === "sgd" ? 1e-5 : 5e-4;
    for (const [name, expected] of Object.entries(golden.final)) {
      assertLess(largestError(run.final[name], expected), tolerance, `${name} at the end`);
    }
  });

  Deno.test(`runGoldenTraining() of ${golden.name}: schedulers and all-to-alls change no bit`, async () => {
    for (const nodes of [1, 2].filter((n) => golden.ranks % n === 0)) {
      using engine = open(golden, nodes);
      for (const chunks of [1, 3]) {
        const first = new Map<boolean, string>();
        for (const scheduler of BUILT_IN.scheduler) {
          const allToAlls = scheduler === "optSche" ? BUILT_IN.allToAll : ["linear"];
          for (const allToAll of allToAlls) {
            const run = await runGoldenTraining(engine, golden, {
              scheduler,
              allToAll,
              chunks,
              steps: 2,
            });
            const text = run.steps.map(({ loss, gradNorm }) => `${loss} ${gradNorm}`).join() +
              Object.values(run.final).map(bits).join();
            // groups of peers add up in another order
            const peers = scheduler === "fasterMoE";
            if (!first.has(peers)) first.set(peers, text);
            assert(text === first.get(peers), `${scheduler}, ${allToAll}, ${chunks} chunks`);
          }
        }
      }
    }
  });
}

/** Text of all bits, quick to compare. */
function bits(values: Float32Array): string {
  return new TextDecoder("latin1").decode(
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  );
}
