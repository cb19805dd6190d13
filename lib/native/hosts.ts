/**
 * Calls JavaScript functions for the host kernels of a run.
 * @module
 */
import type { HostContext, HostFunction, View } from "../types.ts";
import type { Program } from "../engine.ts";
import type { HostCall, NativeCalls } from "./engine.ts";

/** Reads and writes the buffers of a Program on a rank. */
export interface HostBuffers {
  read(rank: number, view: View, bytes: number): Uint8Array<ArrayBuffer>;
  write(rank: number, view: View, data: Uint8Array): void;
}

/** What host functions of a run need. */
export interface HostedRun {
  readonly native: NativeCalls;
  readonly program: Program;
  /** By the number that the native library knows each by. */
  readonly functions: readonly HostFunction[];
  readonly buffers: HostBuffers;
}

/** An error of a host function, and where it was thrown. */
export interface HostFailure {
  readonly task: string;
  readonly rank: number;
  readonly cause: unknown;
}

/** The functions of one run; several may be under way at the same time. */
export class HostLoop {
  /** The first failure, which ended the run. */
  failure?: HostFailure;
  #over = false;
  #waiting = false;
  readonly #native: NativeCalls;
  readonly #run: HostedRun;

  constructor(run: HostedRun) {
    this.#native = run.native;
    this.#run = run;
  }

  /** Serves until `end`. */
  async serve(): Promise<void> {
    while (!this.#over) {
      this.#waiting = true;
      const call = await this.#native.hostWait();
      this.#waiting = false;
      // Not awaited: other lanes may ask while this function is under way.
      if (call && !this.#over) this.#answer(call);
    }
  }

  /** To be called when the run is over: late answers are dropped, and `serve` returns. */
  end(): void {
    this.#over = true;
    // A wait that began after the run ended would last until the next one.
    if (this.#waiting) this.#native.cancel();
  }

  async #answer({ operation, rank, id }: HostCall): Promise<void> {
    try {
      const run = this.#run.functions[id];
      if (!run) throw new Error(`There is no host function ${id}`);
      await run(this.#context(rank));
      if (!this.#over) this.#native.hostDone(operation);
    } catch (cause) {
      if (this.#over) return;
      const { ranks } = this.#run.program.graph.topology;
      const task = this.#run.program.order[Math.floor(operation / ranks)].name;
      this.failure ??= { task, rank, cause };
      this.#native.hostDone(operation, cause instanceof Error ? cause.message : String(cause));
    }
  }

  #context(rank: number): HostContext {
    const check = () => {
      if (this.#over) throw new Error("The run of this host function is over");
    };
    return {
      rank,
      read: (view: View, bytes: number) => {
        check();
        return this.#run.buffers.read(rank, view, bytes);
      },
      write: (view: View, data: Uint8Array) => {
        check();
        this.#run.buffers.write(rank, view, data);
      },
    };
  }
}
