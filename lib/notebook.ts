/** Whether this is a notebook. @module */

/** Deno's interface to Jupyter in its kernel; undefined elsewhere. */
export function notebook(): typeof Deno.jupyter | undefined {
  try {
    return Deno.jupyter;
  } catch {
    // Deno throws on access outside a notebook, and has no other way to ask
    return undefined;
  }
}
