import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { cpuRunner } from "../../lib/engines/cpu.ts";
import { createLayer } from "../../lib/layer/mod.ts";
import { type NativeCalls, NativeEngine } from "../../lib/native/engine.ts";
import { benchSeveralHost, hostParts } from "../../lib/tasks/bench/gpu_host.ts";
import { observed } from "../../lib/tasks/bench/host_calls.ts";
import { SchemoeError, topK, topology } from "../../mod.ts";

const world = topology({ nodes: 1, ranksPerNode: 2 });
const sizes = { tokens: 8, modelDim: 4, hiddenDim: 8, experts: 4, gate: topK({ k: 2 }) };

/** The CPU engine's calls; `begins` makes the caller's thread begin runs, as on GPUs. */
function native(begins: boolean): NativeCalls {
  const engine = new NativeEngine({ kind: "cpu", ...world });
  if (!begins) return engine;
  return new Proxy(engine, {
    get(target, name) {
      if (name === "start") {
        return (program: Parameters<NativeEngine["run"]>[0], limit: number) => {
          let [events, failed] = [undefined, undefined] as unknown[];
          const run = target.run(program, limit);
          run.then((ended) => events = ended, (error) => failed = error);
          return {
            ended() {
              if (failed) throw failed;
              return events;
            },
            end: () => run, // of a run that takes long, as on a loaded machine
          };
        };
      }
      const value = target[name as keyof NativeEngine] as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

for (const begins of [false, true]) {
  Deno.test(`hostParts() adds up to the time of a pass, with Programs ${begins ? "begun by" : "not begun by"} the caller's thread`, async () => {
    const { calls, seen } = observed(native(begins));
    using engine = cpuRunner({ topology: world, links: "plain" }, calls);
    using layer = createLayer(engine, { ...sizes, routing: { dropless: true } });
    await layer.ready();
    await layer.read("dy"); // has values then, which are made by a Program of their own
    for (const [pass, count] of [["forward", 2], ["backward", 1], ["forward", 2]] as const) {
      const parts = await hostParts(seen, () => layer[pass]({ results: false }));
      const { wall, gpu, host, before, between, after, around, begin, reads, begun } = parts;
      assertAlmostEquals(host, before + between + around + after, 1e-6);
      assertAlmostEquals(wall, gpu + host, 1e-6);
      assertEquals(begun, begins ? count : 0);
      assertEquals(seen.programs.length, count);
      assertEquals(reads > 0, pass === "forward");
      assert(between >= reads && before > 0 && after > 0 && begin >= 0, JSON.stringify(parts));
    }
  });
}

Deno.test("benchSeveralHost() refuses names of shapes", async () => {
  const reports = benchSeveralHost({ gpus: 2, shapes: ["qwen3"] });
  await assertRejects(() => reports.next(), SchemoeError, "--shapes is no option of host");
});
