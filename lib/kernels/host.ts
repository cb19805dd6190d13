/** The kernel that calls JavaScript. @module */
import { aFunction, aText, expect, maybe } from "../arguments/mod.ts";
import type { HostFunction, Kernel } from "../types.ts";

const HOST_LABEL = maybe(aText);

/**
 * Calls a function in JavaScript with the rank whose lane waits for it; all other lanes go on.
 *
 * ```ts
 * import { host } from "@schemoe/lab/kernels";
 * const kernel = host(({ rank, read }) => console.log(rank, read({ buffer: "x", offset: 0 }, 4)));
 * console.assert(kernel.name === "host");
 * ```
 */
export function host(run: HostFunction, label?: string): Kernel {
  expect("host", "run", run, aFunction);
  expect("host", "label", label, HOST_LABEL);
  return {
    name: "host",
    args: [],
    run,
    ...(label === undefined ? {} : { label }),
  };
}
