/** What the process that calls functions with wrong arguments tells. @module */

/** The name of a call before it, a fault after it, or the end. */
export type Told =
  | { readonly call: string }
  | { readonly fault: string }
  | { readonly functions: number; readonly calls: number };

/** Begins each line that is told, JSON after it. */
export const TOLD = "told ";
