/** Results of a pass, read on demand. @module */
import { SchemoeError } from "../types.ts";
import type { TensorStore } from "./store.ts";
import type { TensorValues } from "./transfer.ts";

/**
 * Results of one pass, in the buffers of its layer until a later pass overwrites them. What was read once is
 * kept.
 */
export class Results {
  readonly #store: TensorStore;
  readonly #run: string;
  readonly #versions: ReadonlyMap<string, number>;
  readonly #kept = new Map<string, Float32Array<ArrayBuffer>>();

  /**
   * Results in a store, as they are now.
   * @param names of the tensors that the pass wrote.
   */
  constructor(store: TensorStore, { run, names }: { run: string; names: readonly string[] }) {
    this.#store = store;
    this.#run = run;
    this.#versions = new Map(names.map((name) => [name, store.version(name)]));
  }

  /** Names of the tensors that the pass wrote. */
  get names(): string[] {
    return [...this.#versions.keys()];
  }

  /** Whether the pass wrote a tensor of this name. */
  has(name: string): boolean {
    return this.#versions.has(name);
  }

  /**
   * Values of a tensor, row-major, of all ranks in order.
   * @throws {SchemoeError} when a later pass has overwritten the values.
   */
  read(name: string): Float32Array<ArrayBuffer> {
    let values = this.#kept.get(name);
    if (!values) {
      this.#check(name);
      this.#kept.set(name, values = this.#store.read(name));
    }
    return values;
  }

  /** The same for a tensor of whole numbers. */
  readCounts(name: string): Int32Array<ArrayBuffer> {
    return this.read(name) as ArrayBufferView as Int32Array<ArrayBuffer>;
  }

  /** The same off the event loop; `stored`: bfloat16 as its bits. */
  async readAsync(name: string, options: { stored?: boolean } = {}): Promise<TensorValues> {
    const kept = this.#kept.get(name);
    if (kept && !options.stored) return kept;
    this.#check(name);
    const values = await this.#store.readAsync(name, options);
    this.#check(name);
    if (!(values instanceof Uint16Array)) {
      this.#kept.set(name, values as Float32Array<ArrayBuffer>);
    }
    return values;
  }

  /** Reads everything, so that nothing is lost to later passes. */
  async keep(): Promise<void> {
    for (const name of this.names) await this.readAsync(name);
  }

  #check(name: string): void {
    if (!this.has(name)) {
      throw new SchemoeError(
        `Cannot read "${name}": the run "${this.#run}" gives ${this.names.join(", ")}`,
      );
    }
    if (this.#store.version(name) === this.#versions.get(name)) return;
    throw new SchemoeError(
      `Cannot read "${name}" of the run "${this.#run}": a later pass has overwritten it; read it before, or run ` +
        "with results: true, which keeps a copy",
    );
  }
}

/**
 * Results of a pass in these tensors; undefined where there are no values.
 * @param options.results true keeps a copy of all of them, false gives none.
 */
export async function resultsOf(
  store: TensorStore,
  pass: { readonly run: string; readonly names: readonly string[] },
  options: { readonly results?: boolean },
): Promise<Results | undefined> {
  if (!store.computes || options.results === false) return undefined;
  const results = new Results(store, pass);
  if (options.results) await results.keep();
  return results;
}
