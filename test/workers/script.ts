/** What a user starts with a launcher, in all processes or as the argument of the task `worker`. */
import { createLayer, gatherWorkers } from "../../mod.ts";

const workers = await gatherWorkers({ timeLimit: 30 });
const engine = await workers.openEngine({ ranksPerNode: 2, links: "plain" });
const layer = createLayer(engine, {
  tokens: 16,
  modelDim: 8,
  hiddenDim: 8,
  experts: engine.topology.ranks,
});
const run = await layer.forward({
  scheduler: "optSche",
  allToAll: "pipe",
  chunks: 2,
  bound: false,
});
console.log(`${workers.processes} processes, ${run.output?.length} values`);
await workers.close();
