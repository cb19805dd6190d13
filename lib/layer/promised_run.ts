/** Promises of runs. @module */
import { promised } from "../timeline/chart/promised.ts";
import { Run } from "./run.ts";

/** Own fields of a run. */
export const RUN_FIELDS = [
  "name",
  "pass",
  "setup",
  "ran",
] as const satisfies readonly (keyof Run)[];

/** A promise of a run of a layer or a stack. */
export const promisedRun: <T extends Run>(promise: Promise<T>) => Promise<T> = promised({
  of: Run,
  fields: RUN_FIELDS,
  what: "run",
  call: "const run = await layer.forward()",
});
