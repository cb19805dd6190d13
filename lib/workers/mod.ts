/**
 * Workers: further processes, on this machine or others, that run a part of an engine's ranks.
 *
 * ```ts
 * import { spawnWorkers } from "@schemoe/lab/workers";
 * import { createLayer, topK } from "@schemoe/lab";
 * await using workers = await spawnWorkers(1);
 * const engine = await workers.openEngine({ nodes: 2, ranksPerNode: 2, links: "plain" });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8, gate: topK({ k: 2 }) });
 * console.log((await layer.forward()).verdict);
 * ```
 * @module
 */
export { type GatherOptions, gatherWorkers } from "./gather.ts";
export { serveWorker } from "./join.ts";
export { type Launcher, launcher } from "./launcher.ts";
export { newToken } from "./token.ts";
export { spawnWorkers } from "./spawn.ts";
export { type WorkerEngineOptions, Workers } from "./workers.ts";
