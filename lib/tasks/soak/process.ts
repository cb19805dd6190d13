/** What this process takes, as the system and V8 count it. @module */

/** One look at the process. */
export interface Usage {
  /** Bytes of resident memory. */
  readonly resident: number;
  /** Bytes of JavaScript objects, and of the array buffers that they hold. */
  readonly heap: number;
  readonly external: number;
  /** Open descriptors and threads. */
  readonly descriptors: number;
  readonly threads: number;
}

/** Kinds of usage, in the order in which they are shown. */
export const USAGES = ["resident", "heap", "external", "descriptors", "threads"] as const;

/**
 * Usage now, after a collection where the process was started with `--v8-flags=--expose-gc`: what is still
 * reachable, and not what the collector has not come to yet.
 */
export function usageNow(): Usage {
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed, external } = Deno.memoryUsage();
  const status = Deno.readTextFileSync("/proc/self/status");
  return {
    resident: rss,
    heap: heapUsed,
    external,
    descriptors: [...Deno.readDirSync("/proc/self/fd")].length,
    threads: Number(/Threads:\s+(\d+)/.exec(status)?.[1]),
  };
}
