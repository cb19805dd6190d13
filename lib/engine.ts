/** Programs, and the interface of engines, which run them. @module */
import type { Task, TaskGraph, Topology } from "./types.ts";

/** All operations of a graph in one total order, with the waits of each: pure data. */
export interface Program {
  /** The tasks with their dependencies. */
  readonly graph: TaskGraph;
  /** Name of the scheduler that made the order. */
  readonly scheduler: string;
  /** All tasks, in the order in which each lane takes its own. */
  readonly order: readonly Task[];
  /**
   * For each position in the order, the earlier positions it waits for on the same rank, reduced to
   * at most one a lane (a lane runs in order, so its own are implied).
   */
  readonly waits: readonly (readonly number[])[];
  /** Likewise before the reduction: dependencies of the graph and edges of the scheduler. */
  readonly dependencies: readonly (readonly number[])[];
}

/** Times of the operations of one run, in nanoseconds from its start. */
export interface EventTable {
  /** Position in the order of each event. */
  readonly position: Uint32Array;
  /** Rank of each event. */
  readonly rank: Uint32Array;
  /** When all that it depends on was done. */
  readonly ready: Float64Array;
  /** When it began. */
  readonly start: Float64Array;
  /** When it ended. */
  readonly end: Float64Array;
  /** How long of that it waited for a peer. */
  readonly wait: Float64Array;
  /** What it was paced to take without waiting, 0 for as fast as it goes; absent where none is. */
  readonly paced?: Float64Array;
}

/** Named buffers of all ranks, kept from run to run. */
export interface Workspace {
  /** Makes each buffer at least that large (bytes); one that grows loses its contents. */
  ensure(buffers: Readonly<Record<string, number>>): void;
  /** Copies an array's bytes into a buffer of a rank. */
  write(name: string, rank: number, data: ArrayBufferView, offset?: number): void;
  /** Copies bytes out of a buffer of a rank. */
  read(name: string, rank: number, bytes: number, offset?: number): Uint8Array<ArrayBuffer>;
  /** The same into bytes that are there: as many as they are. */
  readInto(name: string, rank: number, data: Uint8Array<ArrayBuffer>, offset?: number): void;
  /** As many bytes of the buffer of each rank, one after another. */
  readAll(name: string, bytes: number): Uint8Array<ArrayBuffer>;
  /** `ensure`, `write` and `readInto` off the event loop. What is written must not change meanwhile. */
  ensureAsync(buffers: Readonly<Record<string, number>>): Promise<void>;
  /** {@linkcode write} off the event loop. */
  writeAsync(name: string, rank: number, data: ArrayBufferView, offset?: number): Promise<void>;
  /** {@linkcode readInto} off the event loop. */
  readAsync(
    name: string,
    rank: number,
    data: Uint8Array<ArrayBuffer>,
    offset?: number,
  ): Promise<void>;
  /** Frees all buffers. */
  free(): void;
}

/** How a Program is run. */
export interface RunOptions {
  /** Seconds after which the run ends with an error; default 600, in a notebook 60. */
  readonly timeLimit?: number;
  /** Aborting it ends the run with an error. */
  readonly signal?: AbortSignal;
  /**
   * Looks at every number that a kernel computes: where one is NaN or infinite, or cannot be represented by a
   * codec, the run ends with an error that names the first task in the Program's order, its rank, the buffer and
   * the element. Default false, which costs nothing; true reads each result once more.
   */
  readonly checkNumbers?: boolean;
  /** Every compute operation alone on the machine, each task after the one before: for costs. */
  readonly isolated?: boolean;
  /**
   * For work outside of a pass: waits for the run in progress instead of being refused, other runs wait for
   * it, and it goes as fast as it can, whatever the engine emulates.
   */
  readonly background?: boolean;
}

/** Runs Programs. The only part with effects. */
export interface Engine {
  /** Simulated, on processors of this machine, or on GPUs. */
  readonly kind: "simulate" | "cpu" | "cuda";
  /** The world whose ranks it runs. */
  readonly topology: Topology;
  /** False for the simulator: workspaces hold no values. */
  readonly computes: boolean;
  /** How its times come about, for captions: `emulated links, paced computation`. */
  readonly timing: string;
  /** Seconds by which the clocks of its GPUs or processes may differ in the latest run; absent where one clock times all ranks. */
  readonly clockError?: number;
  /** Which processors each rank computes on, by number, as several GPUs; absent where all share the same. */
  readonly processors?: readonly number[];
  /** True when every task takes what the cost model says, so that nothing needs to be measured alone. */
  readonly modelled: boolean;
  /**
   * Whether rows that several ranks exchange may be counted as a Program runs, and a run that ended for want of room be
   * followed by another. Not where tasks last as long as their sizes say, nor over several processes. Default false.
   */
  readonly counts?: boolean;
  /** Costs of tasks alone, where they are not the topology's model. */
  readonly costs?: { readonly source: string; seconds(task: Task, rank?: number): number };
  /** The ranks whose operations it runs, all others doing as these; absent: every rank. */
  readonly representatives?: readonly number[];
  /** Buffers of its own for a layer or a model. */
  workspace(): Workspace;
  /**
   * Runs a Program to its end.
   * @throws {SchemoeError} naming the task and the rank that failed, or when a limit or a signal ended it.
   */
  run(program: Program, workspace: Workspace, options?: RunOptions): Promise<EventTable>;
  /**
   * Runs a short Program without host functions before it returns; false where it cannot, which changes nothing.
   */
  runNow?(program: Program, workspace: Workspace): boolean;
  /**
   * Waits until no initial values are being made on it any more, whoever asked for them.
   * @throws {SchemoeError} when the signal is aborted or the time limit passes.
   */
  initialized?(options?: Pick<RunOptions, "timeLimit" | "signal">): Promise<void>;
  /** Frees what it keeps of a Program that will hardly run again on these buffers; it may run all the same. */
  forget?(program: Program, workspace: Workspace): void;
  /** Resolves once no run and no pass of a layer is in progress, such as one whose `await` was forgotten. */
  idle(): Promise<void>;
  /** Frees everything; closing twice does nothing, use after closing throws. */
  close(): void;
  /** The same as `close`, for `using`. */
  [Symbol.dispose](): void;
}
