/** Built-in schedulers that split a pass by capacity where only a number of chunks is given. @module */
import { BUILT_IN, type Scheduler } from "../../mod.ts";
import * as schedulers from "../../lib/schedulers/mod.ts";

/** Names of all but those with a way of their own, such as groups of peers. */
export const byCapacity: readonly string[] = BUILT_IN.scheduler.filter((name) =>
  (schedulers as unknown as Record<string, Scheduler>)[name].chunking === undefined
);
