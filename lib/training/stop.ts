/** What may end a training run between two steps. @module */
import { interruptSignal } from "../interrupt.ts";
import { notebook } from "../notebook.ts";

/** A signal of the user's, SIGINT where this is a script, and a time. */
export class Stop implements Disposable {
  readonly #interrupt = notebook() ? undefined : interruptSignal();
  readonly #signal?: AbortSignal;
  readonly #end: number;

  constructor({ signal, seconds = Infinity }: { signal?: AbortSignal; seconds?: number }) {
    this.#signal = signal;
    this.#end = performance.now() + 1e3 * seconds;
  }

  /** The signal that is aborted, if one is. */
  get aborted(): AbortSignal | undefined {
    return [this.#signal, this.#interrupt].find((signal) => signal?.aborted);
  }

  /** Whether the time is over. */
  get late(): boolean {
    return performance.now() >= this.#end;
  }

  [Symbol.dispose](): void {
    this.#interrupt?.[Symbol.dispose]();
  }
}
