/** The tensors that a layer or a stack holds, and that only one pass at a time uses. @module */
import { AWAIT, during } from "../activity.ts";
import type { SafetensorsFile } from "../files/mod.ts";
import type { TensorTable } from "../memory/mod.ts";
import { buildProgram } from "../program/mod.ts";
import { sequential } from "../schedulers/mod.ts";
import { modelCosts } from "../costs/mod.ts";
import type { Engine, Program, RunOptions, Workspace } from "../engine.ts";
import { waitFor } from "../native/waiting.ts";
import { SchemoeError } from "../types.ts";
import { initialValues } from "./initialize.ts";
import { withSource } from "./not_finite.ts";
import { type LoadOptions, loadTensors } from "./load.ts";
import {
  readTensor,
  readTensorAsync,
  type TensorPlace,
  type TensorValues,
  writeTensor,
} from "./transfer.ts";
import { didYouMean, quoted } from "../words.ts";

/** Options of a store. */
export interface StoreOptions {
  readonly engine: Engine;
  readonly table: TensorTable;
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
  /** How often each tensor was overwritten by passes. */
  readonly #versions = new Map<string, number>();
  #running = false;
  #closed = false;
  #initializing = 0;
  /** Tensors being initialized, and writes to them meanwhile. */
  readonly #making = new Set<string>();
  readonly #late = new Map<string, Float32Array | Int32Array>();
  #ready?: Promise<void>;

  /** @throws {SchemoeError} for gradients that cannot be summed. */
  constructor(options: StoreOptions) {
    this.#options = options;
    this.workspace = options.engine.workspace();
    // After what the caller sets at once, which then needs no random values.
    queueMicrotask(() => this.#closed || this.ready().catch(() => {}));
  }

  get table(): TensorTable {
    return this.#options.table;
  }

  /** False on the simulator, where tensors have no values. */
  get computes(): boolean {
    return this.#options.engine.computes;
  }

  /** Names and shapes of the parameters. */
  get parameters(): Record<string, readonly number[]> {
    const { table } = this.#options;
    return Object.fromEntries(
      table.names("parameter").map((name) => [name, table.get(name).shape]),
    );
  }

  /** Resolves when all parameters, states and inputs of forward have values. */
  ready(): Promise<void> {
    const { table } = this;
    const given = table.names("input").filter((name) => {
      const { deviation, constant } = table.get(name);
      return name !== "dy" && (deviation !== undefined || constant !== undefined);
    });
    return this.#ready ??= this.initialize([...given, ...table.names("parameter", "state")]);
  }

  /** Pending initialization of these tensors, if any. */
  pending(...names: readonly string[]): Promise<void> | undefined {
    if (this.#initializing > 0) return this.ready().then(() => this.initialize(names));
    return this.#missing(names).length > 0 ? this.initialize(names) : undefined;
  }

  /**
   * Waits until these tensors have values, or all that there are, as long as a pass may take.
   * @throws {SchemoeError} when the signal of the pass is aborted, or its time limit passes.
   */
  async waitFor(
    names: readonly string[] | undefined,
    { timeLimit, signal }: Pick<RunOptions, "timeLimit" | "signal">,
  ): Promise<void> {
    const pending = names ? this.pending(...names) : this.ready();
    if (pending) {
      await waitFor(pending, {
        timeLimit,
        signal,
        what: "run the pass",
        because: `values of the ${this.#options.owner}'s tensors are still being made`,
      });
    }
    // those of others on the same engine too: no buffer can be allocated meanwhile
    await this.#options.engine.initialized?.({ timeLimit, signal });
  }

  /** Whether values are being made. */
  get initializing(): boolean {
    return this.#initializing > 0;
  }

  /** Whether a tensor has values, or is being given some. */
  has(name: string): boolean {
    return this.#written.has(name);
  }

  /**
   * Writes parameters, `x` or `dy`; true when any but `dy` changed.
   * @throws {SchemoeError} for an unknown name or a wrong number of values, and while a pass reads them.
   */
  set(tensors: Readonly<Record<string, Float32Array | Int32Array>>): boolean {
    this.#checkIdle("set the tensors", `a pass of this ${this.#options.owner}`);
    if (typeof tensors !== "object" || tensors === null) {
      throw new SchemoeError(
        `Cannot set the tensors: give an object of names and values, got ${quoted(tensors)}`,
      );
    }
    for (const [name, values] of Object.entries(tensors)) {
      this.checkSettable(name);
      this.write(name, values);
    }
    return Object.keys(tensors).some((name) => name !== "dy");
  }

  /** @throws {SchemoeError} for a name that cannot be set. */
  checkSettable(name: string): void {
    const settable = this.table.names("input", "parameter", "state");
    if (settable.includes(name)) return;
    const { owner } = this.#options;
    throw new SchemoeError(
      `Cannot set "${name}": the ${owner} has ${settable.join(", ")}${didYouMean(name, settable)}`,
    );
  }

  write(name: string, values: Float32Array | Int32Array): void {
    this.#written.add(name);
    writeTensor(this.#place(name), values);
    // Random values of this tensor are on their way, and would arrive later.
    if (this.#making.has(name)) this.#late.set(name, values.slice());
  }

  /** Tensors of a safetensors file, in pieces. @throws {SchemoeError} naming file and tensor. */
  async load(file: SafetensorsFile, options: LoadOptions): Promise<string[]> {
    return await this.exclusive(async () => {
      await this.waitFor(undefined, {}); // or random values would overwrite those of the file
      const names = await loadTensors(file, {
        options,
        table: this.table,
        workspace: this.workspace,
        check: (name) => this.checkSettable(name),
      });
      for (const name of names) this.#written.add(name);
      return names;
    });
  }

  read(name: string): Float32Array<ArrayBuffer> {
    this.#checkOpen(`read "${name}"`);
    return readTensor(this.#place(name)) as Float32Array<ArrayBuffer>;
  }

  async readAsync(name: string, { stored = false } = {}): Promise<TensorValues> {
    this.#checkOpen(`read "${name}"`);
    return await readTensorAsync(this.#place(name), stored);
  }

  /** A number that changes whenever a pass overwrites the tensor. */
  version(name: string): number {
    return this.#versions.get(name) ?? 0;
  }

  /** A pass is about to overwrite these tensors. */
  overwrite(names: readonly string[]): void {
    for (const name of names) this.#versions.set(name, this.version(name) + 1);
  }

  /**
   * Gives random values to tensors that have none, in a run of the engine that other runs wait for.
   * @throws {SchemoeError} when there is no memory for them.
   */
  async initialize(names: readonly string[]): Promise<void> {
    const { engine } = this.#options;
    const missing = this.#missing(names);
    if (missing.length === 0) return;
    for (const name of missing) {
      this.#written.add(name);
      this.#making.add(name);
    }
    this.#initializing++;
    try {
      await engine.run(this.#initialize(missing), this.workspace, { background: true });
      this.#writeLate(missing);
    } catch (error) {
      for (const name of missing) this.#written.delete(name);
      this.#ready = undefined;
      throw error;
    } finally {
      for (const name of missing) this.#making.delete(name);
      this.#initializing--;
      if (this.#closed) this.workspace.free();
    }
  }

  /**
   * Gives new random values to tensors, in a run of the engine: those of another seed, times `scale`.
   * @throws {SchemoeError} when there is no memory for them.
   */
  async renew(
    names: readonly string[],
    { seed, scale = 1 }: { readonly seed: number; readonly scale?: number },
  ): Promise<void> {
    if (names.length === 0 || !this.computes) return;
    const program = this.#initialize(names, { seed, scale });
    await this.#options.engine.run(program, this.workspace, { background: true });
  }

  /** Repeats writes that came while random values were made. */
  #writeLate(names: readonly string[]): void {
    for (const name of names) {
      const values = this.#late.get(name);
      if (values && !this.#closed) writeTensor(this.#place(name), values);
      this.#late.delete(name);
    }
  }

  /**
   * The same before it returns, for who cannot wait.
   * @returns false where that is not possible, because a run is in progress.
   */
  initializeNow(name: string): boolean {
    const { engine } = this.#options;
    const missing = this.#missing([name]);
    if (missing.length === 0) return this.#initializing === 0;
    if (!engine.runNow?.(this.#initialize(missing), this.workspace)) return false;
    this.#written.add(name);
    return true;
  }

  #missing(names: readonly string[]): string[] {
    const { computes } = this.#options.engine;
    return computes ? names.filter((name) => !this.#written.has(name)) : [];
  }

  /** A Program that gives values to tensors. */
  #initialize(
    names: readonly string[],
    given: { readonly seed?: number; readonly scale?: number } = {},
  ): Program {
    const { engine } = this.#options;
    const how = { names, seed: this.#options.seed, ...given };
    const graph = initialValues(engine.topology, this.table, how);
    const order = sequential.order(graph, modelCosts(engine.topology));
    return buildProgram(graph, order, "initialize");
  }

  /** Frees all tensors. @throws {SchemoeError} while a pass uses them. */
  close(): void {
    if (this.#running) this.#checkIdle(`close the ${this.#options.owner}`, "a pass of it");
    const pending = this.#initializing > 0;
    this.#closed = true;
    try {
      this.workspace.free();
    } catch (error) {
      // values are still being made: freed once they are
      if (!(pending && error instanceof SchemoeError && error.status === BUSY)) throw error;
    }
  }

  /** Runs a pass, alone: passes share the tensors. */
  async exclusive<T>(pass: () => Promise<T>): Promise<T> {
    this.#checkIdle("run the pass", `another one of this ${this.#options.owner}`);
    this.#running = true;
    try {
      return await during(this.#options.engine, pass());
    } finally {
      this.#running = false;
    }
  }

  /**
   * Runs a pass that changes none of its parameters and inputs, alone. Where it computed a NaN or an infinity, the
   * error says whether one of these held such a number before.
   */
  async reading<T>(pass: () => Promise<T>): Promise<T> {
    return await this.exclusive(async () => {
      try {
        return await pass();
      } catch (error) {
        throw await withSource(error, {
          workspace: this.workspace,
          table: this.table,
          written: (name) => this.#written.has(name),
        });
      }
    });
  }

  #checkIdle(what: string, which: string): void {
    this.#checkOpen(what);
    if (this.#running) throw new SchemoeError(`Cannot ${what}: ${which} is in progress, ${AWAIT}`);
  }

  #checkOpen(what: string): void {
    if (!this.#closed) return;
    throw new SchemoeError(`Cannot ${what}: the ${this.#options.owner} is closed`);
  }

  #place(name: string): TensorPlace {
    return { workspace: this.workspace, table: this.table, name };
  }
}

/** Status of what cannot be done while a run is in progress. */
const BUSY = 9;
