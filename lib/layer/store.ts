/** The tensors that a layer or a stack holds, and that only one pass at a time uses. @module */
import { type Engine, SchemoeError, type Workspace } from "../types.ts";
import { elements } from "../memory/mod.ts";
import { randomNormal } from "./random.ts";
import { readTensor, type TensorSpec, writeTensor } from "./tensors.ts";

/** Apart enough that the tensors of near seeds have nothing in common. */
const SEED_STEP = 7919;
const PARAMETER = /^(L\d+\.)?(gate|experts)\./;

/** What a store is made of. */
export interface StoreOptions {
  readonly engine: Engine;
  readonly specs: ReadonlyMap<string, TensorSpec>;
  /** Of the values that nobody sets. */
  readonly seed: number;
  /** Whose tensors they are, for errors: `layer` or `stack`. */
  readonly owner: string;
}

/** Tensors by name in a workspace of an engine. */
export class TensorStore {
  readonly workspace: Workspace;
  readonly #options: StoreOptions;
  readonly #written = new Set<string>();
  #running = false;

  /** @throws {SchemoeError} for a type that the engine does not compute in. */
  constructor(options: StoreOptions) {
    this.#options = options;
    const { engine, specs, owner } = options;
    if (engine.kind === "cpu" && [...specs.values()].some(({ dtype }) => dtype === "bfloat16")) {
      throw new SchemoeError(
        `Cannot make the ${owner}: dtype bfloat16 needs the cuda engine (or simulate); this one is cpu, ` +
          "which computes in float32",
      );
    }
    this.workspace = options.engine.workspace();
  }

  /** Names and shapes of the parameters. */
  get parameters(): Record<string, readonly number[]> {
    const found = [...this.#options.specs].filter(([name]) => PARAMETER.test(name));
    return Object.fromEntries(found.map(([name, { shape }]) => [name, shape]));
  }

  /**
   * Writes parameters, `x` or `dy`; true when any but `dy` changed.
   * @throws {SchemoeError} for an unknown name or a wrong number of values, and while a pass reads them.
   */
  set(tensors: Readonly<Record<string, Float32Array>>): boolean {
    if (this.#running) {
      throw new SchemoeError(
        `Cannot set the tensors: a pass of this ${this.#options.owner} is in progress, await it`,
      );
    }
    if (typeof tensors !== "object" || tensors === null) {
      throw new SchemoeError(
        `Cannot set the tensors: give an object of names and values, got ${tensors}`,
      );
    }
    const settable = ["x", "dy", ...Object.keys(this.parameters)];
    for (const [name, values] of Object.entries(tensors)) {
      if (!settable.includes(name)) {
        const { owner } = this.#options;
        throw new SchemoeError(`Cannot set "${name}": the ${owner} has ${settable.join(", ")}`);
      }
      this.write(name, values);
    }
    return Object.keys(tensors).some((name) => name !== "dy");
  }

  write(name: string, values: Float32Array): void {
    writeTensor(this.workspace, this.#ranks, name, this.#spec(name), values);
    this.#written.add(name);
  }

  read(name: string): Float32Array<ArrayBuffer> {
    return readTensor(this.workspace, this.#ranks, this.#spec(name));
  }

  /** Gives random values to tensors that have none: inputs of deviation 1, parameters of 1/sqrt(fan-in). */
  initialize(names: readonly string[]): void {
    const { engine, specs, seed } = this.#options;
    if (!engine.computes) return;
    const order = [...specs.keys()];
    for (const name of names.filter((name) => !this.#written.has(name))) {
      const { shape } = this.#spec(name);
      const scale = PARAMETER.test(name) ? 1 / Math.sqrt(shape[1]) : 1;
      const own = seed + SEED_STEP * order.indexOf(name);
      this.write(name, randomNormal(elements(shape), { seed: own, scale }));
    }
  }

  /** Frees all tensors. @throws {SchemoeError} while a pass uses them. */
  close(): void {
    if (this.#running) {
      throw new SchemoeError(
        `Cannot close the ${this.#options.owner}: a pass of it is in progress, await it`,
      );
    }
    this.workspace.free();
  }

  /** Runs a pass, alone: passes share the tensors. */
  async exclusive<T>(pass: () => Promise<T>): Promise<T> {
    if (this.#running) {
      throw new SchemoeError(
        `Cannot run the pass: another one of this ${this.#options.owner} is in progress, await it`,
      );
    }
    this.#running = true;
    try {
      return await pass();
    } finally {
      this.#running = false;
    }
  }

  get #ranks(): number {
    return this.#options.engine.topology.ranks;
  }

  #spec(name: string): TensorSpec {
    return this.#options.specs.get(name)!;
  }
}
