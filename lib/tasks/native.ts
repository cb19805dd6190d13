/** Builds the native library: `deno task native`, or with the CUDA engine `deno task native --cuda`. */
import { SchemoeError } from "../types.ts";
import { buildCuda, buildNative } from "./build_native.ts";
import { task } from "./command.ts";

await task(async () => {
  const foreign = Deno.args.find((arg) => arg !== "--cuda");
  if (foreign) throw new SchemoeError(`Unknown argument "${foreign}": there is --cuda`);
  await (Deno.args.includes("--cuda") ? buildCuda() : buildNative());
});
