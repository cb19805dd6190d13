/** Whether this is a notebook. @module */

let known: { readonly jupyter: typeof Deno.jupyter | undefined } | undefined;

/** Deno's interface to Jupyter in its kernel; undefined elsewhere. Asked once: each run asks several times. */
export function notebook(): typeof Deno.jupyter | undefined {
  return (known ??= { jupyter: ask() }).jupyter;
}

function ask(): typeof Deno.jupyter | undefined {
  try {
    return Deno.jupyter;
  } catch {
    // Deno throws on access outside a notebook, which takes 20 us, and has no other way to ask
    return undefined;
  }
}
