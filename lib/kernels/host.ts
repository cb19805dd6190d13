/** The kernel that calls JavaScript. @module */
import type { HostFunction, Kernel } from "../types.ts";

/**
 * Calls a function in JavaScript with the rank whose lane waits for it; all other lanes go on.
 *
 * ```ts
 * import { host } from "@schemoe/lab/kernels";
 * const kernel = host(({ rank, read }) => console.log(rank, read({ buffer: "x", offset: 0 }, 4)));
 * console.assert(kernel.name === "host");
 * ```
 */
export const host = (run: HostFunction, label?: string): Kernel => ({
  name: "host",
  args: [],
  run,
  ...(label === undefined ? {} : { label }),
});
