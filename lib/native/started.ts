/**
 * Runs that need no thread of their own. Handing a run to another thread and being woken by it takes as long as a short
 * run on a GPU, so that this thread begins it, and looks from turn to turn of its event loop whether it has ended.
 * @module
 */
import { turn } from "../turn.ts";
import type { NativeCalls, PreparedProgram, StartedRun } from "./engine.ts";

/** Milliseconds for which a run is looked at; then a thread waits for its end. */
const LOOKED_AT_MS = 20;

/** Runs a Program to its end; resolves to its events. */
export async function runProgram(
  native: Pick<NativeCalls, "run" | "start">,
  program: PreparedProgram,
  timeLimit: number,
): Promise<BigUint64Array<ArrayBuffer>> {
  const started = native.start?.(program, timeLimit);
  return started ? await endOf(started) : await native.run(program, timeLimit);
}

async function endOf(run: StartedRun): Promise<BigUint64Array<ArrayBuffer>> {
  const until = performance.now() + LOOKED_AT_MS;
  for (let events = run.ended();; events = run.ended()) {
    if (events) return events;
    if (performance.now() > until) return await run.end();
    await turn();
  }
}
