/**
 * Workers that are ended in the middle of runs, and the process that does so. Prints the threads before, during and
 * after. What is given says what a run waits for: a slow link (`link`), or a function that never answers (`host`).
 */
import { createLayer, openEngine, topology } from "../../mod.ts";
import { openCpuEngine } from "../../lib/engines/cpu.ts";
import { calling, never, pair } from "./programs.ts";

const WORKERS = 3;
/** Seconds, far longer than this takes. */
const LONG = 1000;

const threads = () =>
  Number(/Threads:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))![1]);
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function runForLong(what: string | null): Promise<void> {
  if (what === "host") {
    const engine = openCpuEngine({ topology: pair });
    engine.run(calling(pair, never), engine.workspace(), { timeLimit: LONG }).catch(() => {});
  } else {
    const inter = { alpha: LONG, beta: 0 };
    const world = topology({ nodes: 2, ranksPerNode: 1, inter });
    const engine = openEngine({ kind: "cpu", topology: world });
    const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 4 });
    await layer.ready();
    layer.forward({ timeLimit: LONG }).catch(() => {});
  }
  await later(100);
}

const of = new URL(import.meta.url).searchParams.get("worker");
if (of) {
  await runForLong(of);
  (globalThis as unknown as { postMessage(text: string): void }).postMessage("running");
} else {
  const first = threads();
  const workers: Worker[] = [];
  for (let i = 0; i < WORKERS; i++) {
    const worker = new Worker(`${import.meta.url}?worker=${Deno.args[0]}`, { type: "module" });
    await new Promise((running) => worker.onmessage = running);
    workers.push(worker);
  }
  const most = threads();
  for (const worker of workers) worker.terminate();
  let last = threads();
  // threads of Deno that wait for blocking calls stay for some seconds
  for (let i = 0; i < 600 && last > most - 6 * WORKERS; i++) {
    await later(50);
    last = threads();
  }
  console.log(JSON.stringify({ first, most, last }));
}
