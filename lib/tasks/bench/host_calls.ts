/** When an engine calls the native library, and how long that takes. @module */
import type { NativeCalls, StartedRun } from "../../native/engine.ts";

/** A Program that ran; times by `performance.now()`. */
export interface ObservedProgram {
  /** When its beginning was asked for. */
  readonly first: number;
  /** Milliseconds until that returned. */
  readonly begin: number;
  /** Whether the caller's thread began it; else another one ran it. */
  readonly begun: boolean;
  /** Milliseconds of the call that found its end; 0 where another thread waited for it. */
  last: number;
  /** When its events were there. */
  end: number;
}

/** What has been called since it was cleared. */
export interface HostCalls {
  readonly programs: readonly ObservedProgram[];
  /** Milliseconds of reads. */
  readonly reads: number;
  clear(): void;
}

/** The same calls, watched. */
export function observed(native: NativeCalls): { calls: NativeCalls; seen: HostCalls } {
  let programs: ObservedProgram[] = [];
  let reads = 0;
  const now = () => performance.now();
  const read =
    <Args extends unknown[], Result>(call: (...args: Args) => Result) => (...args: Args) => {
      const first = now();
      try {
        return call(...args);
      } finally {
        reads += now() - first;
      }
    };
  const start: NativeCalls["start"] = (program, timeLimit) => {
    const first = now();
    const run = native.start?.(program, timeLimit);
    const observed = { first, begin: now() - first, begun: run !== undefined, last: 0, end: NaN };
    programs.push(observed);
    return run && watched(run, observed);
  };
  const run: NativeCalls["run"] = async (program, timeLimit) => {
    const events = await native.run(program, timeLimit);
    programs.at(-1)!.end = now(); // `start` was asked before
    return events;
  };
  const own: Partial<NativeCalls> = {
    ...{ start, run, read: read(native.read.bind(native)) },
    ...(native.readAll ? { readAll: read(native.readAll.bind(native)) } : {}),
  };
  const calls = new Proxy(native, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return own[name as keyof NativeCalls];
      const value = target[name as keyof NativeCalls];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const seen: HostCalls = {
    get programs() {
      return programs;
    },
    get reads() {
      return reads;
    },
    clear() {
      [programs, reads] = [[], 0];
    },
  };
  return { calls, seen };
}

function watched(run: StartedRun, observed: ObservedProgram): StartedRun {
  return {
    ended() {
      const first = performance.now();
      const events = run.ended();
      if (events) {
        observed.end = performance.now();
        observed.last = observed.end - first;
      }
      return events;
    },
    async end() {
      const events = await run.end();
      observed.end = performance.now();
      return events;
    },
  };
}
