/** Ctrl+C as a signal that ends runs. @module */
import { SchemoeError } from "./types.ts";

/**
 * A signal that SIGINT, such as Ctrl+C in a terminal, aborts: the run that it is given to ends with an error of status
 * 3, and `using`, `finally` and what comes after do their work. The next SIGINT ends the process, as it
 * would without. `signal[Symbol.dispose]()` lets go of SIGINT at once.
 *
 * In a notebook the interrupt button sends no SIGINT, and Deno's kernel cannot interrupt a cell that
 * awaits: there `kill -INT` with the process id of the kernel, `Deno.pid`, aborts it.
 *
 * ```ts
 * import { createLayer, interruptSignal, openEngine } from "@schemoe/lab";
 * using signal = interruptSignal();
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 16, modelDim: 8, hiddenDim: 8, experts: 2 });
 * for (let step = 0; step < 3; step++) await layer.forward({ signal });
 * ```
 * @throws {Deno.errors.NotSupported} where the system has no such signal.
 */
export function interruptSignal(): AbortSignal & Disposable {
  const controller = new AbortController();
  const letGo = () => Deno.removeSignalListener("SIGINT", interrupted);
  const interrupted = () => {
    // So that the next one ends the process.
    letGo();
    controller.abort(new SchemoeError("Interrupted by SIGINT", { status: 3 }));
  };
  Deno.addSignalListener("SIGINT", interrupted);
  return Object.assign(controller.signal, { [Symbol.dispose]: letGo });
}
