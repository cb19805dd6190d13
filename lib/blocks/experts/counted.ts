/** Experts whose rows may be counted while a Program runs. @module */
import type { Expert } from "./types.ts";

/**
 * Says of an expert that its kernels need no numbers of rows but their sum. A copy with other kernels, such as
 * `{ ...swiglu(), forward }`, does not say so.
 */
export const countedExpert = (expert: Expert): Expert =>
  Object.defineProperty(expert, "counted", { value: true });
