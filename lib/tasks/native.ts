/** Builds the native library. */
import { buildNative } from "./build_native.ts";
import { task } from "./command.ts";

await task(buildNative);
