/**
 * The kernels of the CUDA engine, lane by lane on the CPU, against the CPU engine; ends with `N passed, M failed`.
 *
 * usage: deno task emulate
 * @module
 */
import { buildNative } from "./build/build_native.ts";
import { task, taskArguments } from "./build/command.ts";
import { summary, tell } from "./build/counts.ts";
import { ctest } from "./build/ctest.ts";
import { SchemoeError } from "../types.ts";

const USAGE = "usage: deno task emulate";

await task(async () => {
  const [foreign] = taskArguments(USAGE);
  if (foreign !== undefined) throw new SchemoeError(`Unknown argument "${foreign}"; ${USAGE}`);
  await buildNative();
  const counts = await ctest("cpu", { choice: ["-L", "emulated"] });
  await tell(counts);
  console.log(summary(counts));
  return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
});
