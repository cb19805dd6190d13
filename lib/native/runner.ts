/**
 * The Engine interface over a native engine: what the CPU and the CUDA engine share.
 * @module
 */
import { AWAIT, during, idle } from "../activity.ts";
import type { Engine, EventTable, Program, RunOptions, Workspace } from "../engine.ts";
import { memoryPlan } from "../memory/plan.ts";
import { SchemoeError, type Task, type Topology } from "../types.ts";
import type { NativeCalls } from "./engine.ts";
import { eventTable } from "./event_table.ts";
import { explain } from "./explain.ts";
import { closeForgotten, freeForgotten, reclaim, remember, watchWorkspace } from "./forgotten.ts";
import { HostLoop } from "./hosts.ts";
import { PreparedPrograms } from "./prepared.ts";
import { runProgram } from "./started.ts";
import { Status } from "./status.ts";
import { defaultTimeLimit, limitProblem, sayLimit } from "./time_limit.ts";
import { waitFor } from "./waiting.ts";
import { NativeWorkspace } from "./workspace.ts";

/** What an engine tells of where its ranks run. */
export interface RanksFacts {
  /** What captions say after links and computation; default: nothing. */
  readonly where?: string;
  /** See `Engine.clockError`; asked after each run. */
  readonly clockError?: () => number | undefined;
  /** See `Engine.processors`. */
  readonly processors?: readonly number[];
}

/** What tells one native engine from another. */
export interface RunnerOptions extends Omit<RanksFacts, "where"> {
  readonly kind: "cpu" | "cuda";
  readonly topology: Topology;
  readonly timing: string;
  readonly modelled: boolean;
  readonly counts?: boolean;
  readonly native: NativeCalls;
  /** Seconds an operation is paced to, or undefined for as fast as it goes. */
  readonly seconds: (task: Task, rank: number) => number | undefined;
  /** Whether all that runs shows as NVTX ranges; default false. See `wantsNvtx`. */
  readonly nvtx?: boolean;
}

const CANCEL_EVERY_MS = 5;

export class NativeRunner implements Engine {
  readonly kind: "cpu" | "cuda";
  readonly topology: Topology;
  readonly computes = true;
  /** Pacing is a minimum: what a task really takes must be measured. */
  readonly modelled: boolean;
  readonly counts: boolean;
  readonly processors?: readonly number[];
  readonly timing: string;
  readonly #clockError: RunnerOptions["clockError"];
  readonly #programs: PreparedPrograms;
  readonly #seconds: RunnerOptions["seconds"];
  readonly #paced = new WeakMap<Program, { readonly paced?: Float64Array }>();
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
    this.timing = options.timing;
    this.processors = options.processors;
    this.#clockError = options.clockError;
    this.modelled = options.modelled;
    this.counts = options.counts ?? false;
    this.#seconds = options.seconds;
    const { native, seconds, nvtx = false } = options;
    this.#programs = new PreparedPrograms(native, { nvtx, seconds });
    if (options.kind === "cpu") closeForgotten(this, this.#programs.owned);
  }

  get clockError(): number | undefined {
    return this.#clockError?.();
  }

  workspace(): NativeWorkspace {
    this.#open();
    const { owned } = this.#programs;
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
        this.#programs.release(freed);
        remember(freed);
      },
      reclaim: () => reclaim(owned),
    });
    const programs = this.#programs.add(workspace);
    watchWorkspace(workspace, { owned, buffers: workspace.buffers, programs });
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
      if (this.#background) await this.initialized(options); // else the run begins before this returns
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

  async initialized(
    { timeLimit, signal }: Pick<RunOptions, "timeLimit" | "signal"> = {},
  ): Promise<void> {
    while (this.#background) {
      await waitFor(this.#background, {
        timeLimit,
        signal,
        what: "run the Program",
        because: "values of tensors are still being made",
      });
    }
  }

  forget(program: Program, workspace: Workspace): void {
    if (!this.#closed) this.#programs.forget(program, workspace);
  }

  runNow(program: Program, workspace: Workspace): boolean {
    const native = this.#open();
    if (this.#used || this.#background || !native.runNow) return false;
    this.#check(program, workspace, {});
    const { own, arena } = memoryPlan(program);
    workspace.ensure(own);
    if (arena > 0) return false;
    const { prepared, hosts, regions } = this.#programs.prepare(program, workspace, {
      background: true,
    });
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
    const { prepared, hosts: functions, regions } = this.#programs.prepare(
      program,
      workspace,
      options,
    );
    const hosts = functions.length === 0 ? undefined : new HostLoop({
      ...{ native, program, functions },
      buffers: (workspace as NativeWorkspace).laidOut(plan),
    });
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
    const { owned } = this.#programs;
    owned.running = true;
    const run = runProgram(native, prepared, options.timeLimit ?? defaultTimeLimit());
    const running = hosts ? run.finally(() => hosts.end()) : run;
    const serving = hosts?.serve();
    try {
      const [events] = serving ? await Promise.all([running, serving]) : [await running];
      return eventTable(events, this.topology.ranks, this.#pacing(program).paced);
    } catch (error) {
      const explained = stopped ?? explain(error, { program, workspace, regions, hosts });
      // Nothing may be under way when the engine is used again or closed.
      await Promise.allSettled([running, serving]);
      const limited = options.timeLimit === undefined && explained instanceof SchemoeError &&
        explained.status === Status.timeLimit;
      throw limited ? sayLimit(explained) : explained;
    } finally {
      clearInterval(timer);
      options.signal?.removeEventListener("abort", abort);
      this.#stop = undefined;
      owned.running = false;
      freeForgotten(owned);
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
    if (!this.#programs.has(workspace)) {
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
    const problem = limitProblem(options.timeLimit ?? defaultTimeLimit());
    if (problem) throw new SchemoeError(`Cannot run the Program: ${problem}`);
  }

  #free(): void {
    remember(this);
    this.#programs.close();
  }

  #open(): NativeCalls {
    if (this.#closed) {
      throw new SchemoeError(
        "Cannot use the engine: it is closed; whatever was begun is to be awaited before " +
          "(await engine.idle() waits for all of it)",
      );
    }
    return this.#programs.owned.native;
  }
}
