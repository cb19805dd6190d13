/** Builds the native library: `deno task native`, or with the CUDA engine `deno task native --cuda`. */
import { SchemoeError } from "../types.ts";
import { buildCuda, buildNative } from "./build/build_native.ts";
import { task, taskArguments } from "./build/command.ts";

const USAGE = "usage: deno task native [--cuda]";

await task(async () => {
  const args = taskArguments(USAGE);
  const foreign = args.find((arg) => arg !== "--cuda");
  if (foreign) throw new SchemoeError(`Unknown argument "${foreign}"; ${USAGE}`);
  await (args.includes("--cuda") ? buildCuda() : buildNative());
});
