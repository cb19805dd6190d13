/**
 * The Engine interface over a native engine: what the CPU and the CUDA engine share.
 * @module
 */
import { AWAIT, during, idle } from "../activity.ts";
import { memoryPlan } from "../memory/plan.ts";
import { pack, type PackedProgram } from "../program/pack.ts";
import { FIRST_REGION } from "../program/words.ts";
import type { Engine, EventTable, Program, RunOptions, Workspace } from "../engine.ts";
import { SchemoeError, type Task, type Topology } from "../types.ts";
import { EVENT_WORDS, type NativeCalls, type PreparedProgram } from "./engine.ts";
import { withNames } from "./failure.ts";
import { HostLoop } from "./hosts.ts";
import { Status } from "./status.ts";
import { defaultTimeLimit, sayLimit } from "./time_limit.ts";
import { NativeWorkspace } from "./workspace.ts";

/** What tells one native engine from another. */
export interface RunnerOptions {
  readonly kind: "cpu" | "cuda";
  readonly topology: Topology;
  /** Asked whenever it is shown, since it may say how a run went. */
  readonly timing: string | (() => string);
  readonly modelled: boolean;
  readonly native: NativeCalls;
  /** Seconds an operation is paced to, or undefined for as fast as it goes. */
  readonly seconds: (task: Task, rank: number) => number | undefined;
  /** Whether all that runs shows as NVTX ranges; default false. See `wantsNvtx`. */
  readonly nvtx?: boolean;
}

const CANCEL_EVERY_MS = 5;
/** Prepared Programs that a workspace keeps; others are packed again when they come back. */
const KEPT_PROGRAMS = 64;

/** A Program that an engine keeps, the functions of its host kernels and the names of its regions. */
interface Kept extends Pick<PackedProgram, "hosts" | "regions"> {
  readonly prepared: PreparedProgram;
}

/** Programs of one workspace, those of isolated and of checked runs apart. */
type Cache = Readonly<Record<"together" | "isolated" | "checked", Map<Program, Kept>>>;

/** What an engine has of the native library; knows nothing of the engine itself. */
interface Owned {
  readonly native: NativeCalls;
  readonly programs: Set<PreparedProgram>;
}

/**
 * Closes engines on the CPU that nobody can reach any more, such as those of a cell that was run again:
 * each has threads and buffers that the garbage collector does not see. `close` does it at once.
 */
const forgotten = new FinalizationRegistry<Owned>((owned) => {
  try {
    closeOwned(owned);
  } catch { /* nobody is left to be told */ }
});

function closeOwned({ native, programs }: Owned): void {
  for (const program of programs) native.release(program);
  programs.clear();
  native.close();
}

export class NativeRunner implements Engine {
  readonly kind: "cpu" | "cuda";
  readonly topology: Topology;
  readonly computes = true;
  /** Pacing is a minimum: what a task really takes must be measured. */
  readonly modelled: boolean;
  readonly #timing: RunnerOptions["timing"];
  readonly #native: NativeCalls;
  readonly #programs = new Set<PreparedProgram>();
  readonly #seconds: RunnerOptions["seconds"];
  readonly #paced = new WeakMap<Program, { readonly paced?: Float64Array }>();
  readonly #nvtx: boolean;
  readonly #caches = new Map<Workspace, Cache>();
  #closed = false;
  /** The latest run that others wait for, and the run in progress: settled when they have ended. */
  #background?: Promise<unknown>;
  #running?: Promise<unknown>;
  /** What the run in progress uses. */
  #used?: Workspace;
  /** Makes it end soon, once it has begun. */
  #stop?: (reason: SchemoeError) => void;

  constructor(options: RunnerOptions) {
    this.kind = options.kind;
    this.topology = options.topology;
    this.#timing = options.timing;
    this.modelled = options.modelled;
    this.#native = options.native;
    this.#seconds = options.seconds;
    this.#nvtx = options.nvtx ?? false;
    if (options.kind === "cpu") {
      forgotten.register(this, { native: this.#native, programs: this.#programs }, this);
    }
  }

  get timing(): string {
    return typeof this.#timing === "string" ? this.#timing : this.#timing();
  }

  workspace(): NativeWorkspace {
    this.#open();
    const workspace = new NativeWorkspace({
      native: () => this.#open(),
      ranks: this.topology.ranks,
      closed: () => this.#closed,
      freed: (freed) => {
        if (freed === this.#used) {
          throw new SchemoeError(`Cannot free the workspace: a run uses it, ${AWAIT}`, {
            status: 9,
          });
        }
        this.#release(freed);
        this.#caches.delete(freed);
      },
    });
    this.#caches.set(workspace, {
      ...{ together: new Map(), isolated: new Map(), checked: new Map() },
    });
    return workspace;
  }

  /**
   * Runs a Program to its end, with the buffers of its graph.
   *
   * @throws {SchemoeError} when it cannot be run, takes longer than its limit, is aborted, or a
   *   host function throws (its exception is the `cause`).
   */
  run(program: Program, workspace: Workspace, options: RunOptions = {}): Promise<EventTable> {
    return during(this, this.#inTurn(program, workspace, options));
  }

  /** Resolves once nothing runs on it any more, whoever began it; what failed is not told. */
  idle(): Promise<void> {
    return idle(this);
  }

  async #inTurn(program: Program, workspace: Workspace, options: RunOptions): Promise<EventTable> {
    if (!options.background) {
      while (this.#background) await this.#background;
      return await this.#alone(() => this.#run(program, workspace, options), workspace);
    }
    const before = [this.#background, this.#running];
    const run = Promise.allSettled(before)
      .then(() => this.#alone(() => this.#run(program, workspace, options), workspace));
    const ended = run.then(() => {}, () => {});
    this.#background = ended;
    try {
      return await run;
    } finally {
      if (this.#background === ended) this.#background = undefined;
    }
  }

  runNow(program: Program, workspace: Workspace): boolean {
    const native = this.#open();
    if (this.#used || this.#background || !native.runNow) return false;
    this.#check(program, workspace, {});
    const { own, arena } = memoryPlan(program);
    workspace.ensure(own);
    if (arena > 0) return false;
    const { prepared, hosts, regions } = this.#prepare(program, workspace, { background: true });
    if (hosts.length > 0) return false;
    try {
      native.runNow(prepared, defaultTimeLimit());
    } catch (error) {
      throw explain(error, { program, workspace, regions });
    }
    return true;
  }

  /** One run at a time. */
  async #alone(run: () => Promise<EventTable>, workspace: Workspace): Promise<EventTable> {
    if (this.#used) {
      throw new SchemoeError(`Cannot run the Program: a run is in progress, ${AWAIT}`, {
        status: 9,
      });
    }
    this.#used = workspace;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running = promise;
    try {
      return await run();
    } finally {
      this.#used = this.#running = undefined;
      resolve();
      if (this.#closed) this.#free();
    }
  }

  async #run(program: Program, workspace: Workspace, options: RunOptions): Promise<EventTable> {
    this.#check(program, workspace, options);
    const plan = memoryPlan(program);
    const providing = (workspace as NativeWorkspace).provide(plan);
    if (providing) {
      await providing;
      this.#check(program, workspace, options);
    }
    const native = this.#open();
    const { prepared, hosts: functions, regions } = this.#prepare(program, workspace, options);
    const buffers = (workspace as NativeWorkspace).laidOut(plan);
    const hosts = functions.length > 0
      ? new HostLoop({ native, program, functions, buffers })
      : undefined;
    const abort = () =>
      this.#stop?.(
        new SchemoeError("Cannot finish the run: it was aborted", {
          status: 3,
          cause: options.signal?.reason,
        }),
      );
    // First, because it throws when the signal is none, and then nothing runs.
    options.signal?.addEventListener("abort", abort);
    let stopped: SchemoeError | undefined;
    let timer: ReturnType<typeof setInterval> | undefined;
    this.#stop = (reason) => {
      if (stopped) return;
      stopped = reason;
      // Again and again, since the native run may not have begun yet.
      timer = setInterval(() => native.cancel(), CANCEL_EVERY_MS);
      native.cancel();
    };
    const running = native.run(prepared, options.timeLimit ?? defaultTimeLimit()).finally(() =>
      hosts?.end()
    );
    const serving = hosts?.serve();
    try {
      const [events] = await Promise.all([running, serving]);
      const { paced } = this.#pacing(program);
      return { ...table(events, this.topology.ranks), ...(paced ? { paced } : {}) };
    } catch (error) {
      const explained = stopped ?? explain(error, { program, workspace, regions, hosts });
      const limited = options.timeLimit === undefined && explained instanceof SchemoeError &&
        explained.status === Status.timeLimit;
      throw limited ? sayLimit(explained) : explained;
    } finally {
      // Nothing may be under way when the engine is used again or closed.
      await Promise.allSettled([running, serving]);
      clearInterval(timer);
      options.signal?.removeEventListener("abort", abort);
      this.#stop = undefined;
    }
  }

  /** What each operation of a Program is paced to, in nanoseconds, by position and then by rank. */
  #pacing(program: Program): { readonly paced?: Float64Array } {
    let known = this.#paced.get(program);
    if (!known) {
      const { ranks } = this.topology;
      const paced = new Float64Array(program.order.length * ranks).map((_, i) =>
        1e9 * (this.#seconds(program.order[Math.floor(i / ranks)], i % ranks) ?? 0)
      );
      known = paced.some((time) => time > 0) ? { paced } : {};
      this.#paced.set(program, known);
    }
    return known;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // A run in progress ends first, and then frees the engine.
    this.#stop?.(
      new SchemoeError("Cannot finish the run: the engine was closed", { status: 8 }),
    );
    if (!this.#used) this.#free();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @throws {SchemoeError} when a Program cannot be run here, or not now. */
  #check(program: Program, workspace: Workspace, options: RunOptions): void {
    this.#open();
    if (options.signal?.aborted) {
      throw new SchemoeError("Cannot run the Program: it was aborted", {
        status: 3,
        cause: options.signal.reason,
      });
    }
    if (!this.#caches.has(workspace)) {
      throw new SchemoeError(
        "Cannot run the Program: the workspace is not one of this engine, or was freed",
      );
    }
    const { ranks } = program.graph.topology;
    if (ranks !== this.topology.ranks) {
      throw new SchemoeError(
        `Cannot run the Program: it is for ${ranks} ranks, the engine has ${this.topology.ranks}`,
      );
    }
    const limit = options.timeLimit ?? defaultTimeLimit();
    if (!(limit > 0)) {
      throw new SchemoeError(`Cannot run the Program: the time limit ${limit} is not positive`);
    }
  }

  #prepare(program: Program, workspace: Workspace, options: RunOptions): Kept {
    const native = this.#open();
    const cache = this.#caches.get(workspace)!;
    const plan = memoryPlan(program);
    const isolated = options.isolated ?? false;
    const checked = options.checkNumbers === true && !isolated;
    const list = cache[isolated ? "isolated" : checked ? "checked" : "together"];
    let kept = list.get(program);
    if (!kept) {
      const place = (name: string) => (workspace as NativeWorkspace).place(name, plan);
      const operations = program.order.length * this.topology.ranks;
      const { bytes, hosts, regions } = pack(program, {
        ...{ place, isolated, checked, named: this.#nvtx },
        seconds: options.background ? () => undefined : this.#seconds,
      });
      try {
        const prepared = native.prepare(bytes, operations);
        this.#programs.add(prepared);
        kept = { prepared, hosts, regions };
      } catch (error) {
        throw explain(error, { program, workspace, regions });
      }
    }
    // the latest is the last, so that the first is the one not used for longest
    list.delete(program);
    list.set(program, kept);
    for (const [oldest, unused] of list) {
      if (list.size <= KEPT_PROGRAMS) break;
      this.#forget(unused.prepared);
      list.delete(oldest);
    }
    return kept;
  }

  #release(workspace: Workspace): void {
    const cache = this.#caches.get(workspace);
    if (!cache) return;
    for (const list of Object.values(cache)) {
      for (const { prepared } of list.values()) this.#forget(prepared);
      list.clear();
    }
  }

  #forget(prepared: PreparedProgram): void {
    this.#native.release(prepared);
    this.#programs.delete(prepared);
  }

  #free(): void {
    forgotten.unregister(this);
    this.#caches.clear();
    closeOwned({ native: this.#native, programs: this.#programs });
  }

  #open(): NativeCalls {
    if (this.#closed) throw new SchemoeError("Cannot use the engine: it is closed");
    return this.#native;
  }
}

/** Puts the names of tasks and buffers where the native library could only count, and the host's exception. */
function explain(
  error: unknown,
  { program, workspace, regions, hosts }: {
    program: Program;
    workspace: Workspace;
    regions: readonly string[];
    hosts?: HostLoop;
  },
): unknown {
  if (!(error instanceof SchemoeError)) return error;
  const { status } = error;
  if (hosts?.failure && status === 5) {
    const { task, rank, cause } = hosts.failure;
    const text = cause instanceof Error ? cause.message : String(cause);
    return new SchemoeError(
      `Cannot run task ${task} on rank ${rank}: its host function failed: ${text}`,
      {
        status,
        rank,
        cause,
      },
    );
  }
  return withNames(error, {
    task: (position) => program.order[position]?.name,
    buffer: (id) =>
      id >= FIRST_REGION ? regions[id - FIRST_REGION] : (workspace as NativeWorkspace).nameOf(id),
  });
}

/** Events in the order of operations, as columns. */
function table(events: BigUint64Array<ArrayBuffer>, ranks: number): EventTable {
  const count = events.length / EVENT_WORDS;
  // Halves of the words, low first: numbers from bigints would take ten times as long.
  const halves = new Uint32Array(events.buffer);
  const column = (word: number) => {
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const at = 2 * (EVENT_WORDS * i + word);
      values[i] = halves[at] + halves[at + 1] * 2 ** 32;
    }
    return values;
  };
  const [position, rank] = [new Uint32Array(count), new Uint32Array(count)];
  for (let i = 0; i < count; i++) {
    position[i] = Math.floor(i / ranks);
    rank[i] = i % ranks;
  }
  return {
    ...{ position, rank },
    ...{ ready: column(0), start: column(1), end: column(2), wait: column(3) },
  };
}
