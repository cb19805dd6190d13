/**
 * One process of mpirun, srun or torchrun: processes 1, 2, ... serve process 0 until it ends. Process 0
 * runs the script that is given, which calls `gatherWorkers()`; without one it is not started here, a
 * notebook is process 0.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SchemoeError } from "../types.ts";
import { environment } from "../workers/gather.ts";
import { serveWorker } from "../workers/join.ts";
import { launcher } from "../workers/launcher.ts";
import { task, taskArguments } from "./build/command.ts";

await task(async () => {
  const place = launcher(environment);
  if (!place) {
    throw new SchemoeError(
      "Cannot start a worker: no launcher's variables are set; use mpirun, srun or torchrun, or set " +
        "RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT and SCHEMOE_TOKEN",
    );
  }
  if (place.process > 0) return await serveWorker(place);
  const [script] = taskArguments("usage: deno task worker [SCRIPT]");
  if (script === undefined) {
    throw new SchemoeError(
      "Cannot start process 0 as a worker: it drives the others; name the script that it runs, or " +
        "leave it out and call gatherWorkers() in a notebook",
    );
  }
  await import(pathToFileURL(resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), script)).href);
});
