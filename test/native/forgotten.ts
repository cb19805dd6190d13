/** Opens engines and forgets them; prints what is left of their threads. Run with `--expose-gc`. */
import { createLayer, openEngine } from "../../mod.ts";

const ENGINES = 12;
const config = { tokens: 16, modelDim: 8, hiddenDim: 16, experts: 4 };
const collect = (globalThis as unknown as { gc: () => void }).gc;
const threads = () =>
  Number(/Threads:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))![1]);
const open = () => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 4, links: "plain" });

/** Of a layer whose engine nothing else reaches. */
const kept = createLayer(open(), config);
const expected = (await kept.forward({ bound: false })).output!;

async function forget(): Promise<void> {
  const layer = createLayer(open(), config);
  await layer.forward({ bound: false });
  await layer.backward({ bound: false });
}

const first = threads();
for (let i = 0; i < ENGINES; i++) await forget();
const most = threads();
// a run during which all others are collected
const running = kept.forward({ bound: false });
let last = most;
for (let i = 0; i < 100 && last > first; i++) {
  collect();
  await new Promise((resolve) => setTimeout(resolve, 20));
  last = threads();
}
const outputs = [(await running).output!, (await kept.forward({ bound: false })).output!];
const same = outputs.every((output) => output.every((value, i) => value === expected[i]));
console.log(JSON.stringify({ first, most, last, same }));
