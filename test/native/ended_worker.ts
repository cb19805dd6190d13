/** A worker that is ended while a run of it goes on, and the process that does so. */
import { createLayer, openEngine, topology } from "../../mod.ts";

if (!import.meta.url.endsWith("?worker")) {
  const worker = new Worker(`${import.meta.url}?worker`, { type: "module" });
  await new Promise((running) => worker.onmessage = running);
  worker.terminate();
  // the run ends meanwhile
  await new Promise((later) => setTimeout(later, 2000));
  console.log("alive");
} else {
  const inter = { alpha: 0.4, beta: 0 };
  const engine = openEngine({
    kind: "cpu",
    topology: topology({ nodes: 2, ranksPerNode: 1, inter }),
  });
  const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 4 });
  await layer.ready();
  layer.forward().catch(() => {});
  await new Promise((later) => setTimeout(later, 100));
  (globalThis as unknown as { postMessage(text: string): void }).postMessage("running");
}
