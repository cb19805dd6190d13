/** Creates layers on one engine and forgets them; prints what is left of their bytes. Run with `--expose-gc`. */
import { createLayer, openEngine } from "../../mod.ts";

const LAYERS = 8;
// 64 MiB of weights
const config = { tokens: 16, modelDim: 512, hiddenDim: 2048, experts: 8 };
const collect = (globalThis as unknown as { gc: () => void }).gc;
const bytes = () =>
  1024 * Number(/VmRSS:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))![1]);

const engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
const kept = createLayer(engine, { ...config, modelDim: 8 });
const expected = (await kept.forward({ bound: false })).output!;

async function forget(): Promise<void> {
  const layer = createLayer(engine, config);
  await layer.ready();
  await layer.forward({ bound: false });
}

const first = bytes();
for (let i = 0; i < LAYERS; i++) await forget();
const most = bytes();
// a run during which the others are collected, and freed after it
const running = kept.forward({ bound: false });
collect();
await running;
let last = bytes();
for (let i = 0; i < 100 && last - first > (most - first) / 2; i++) {
  collect();
  await new Promise((resolve) => setTimeout(resolve, 20));
  last = bytes();
}
const { output } = await kept.forward({ bound: false });
console.log(
  JSON.stringify({ first, most, last, same: output!.every((y, i) => y === expected[i]) }),
);
Deno.exit();
