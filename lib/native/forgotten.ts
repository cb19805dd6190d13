/**
 * Engines and workspaces that nobody can reach any more, such as those of a cell that was run again: each has threads
 * and buffers that the garbage collector does not see. `close` and `free` do it at once.
 * @module
 */
import { turn } from "../turn.ts";
import { closeOwned, type Owned, type Taken } from "./prepared.ts";

const engines = new FinalizationRegistry<Owned>((owned) => {
  try {
    closeOwned(owned);
  } catch { /* nobody is left to be told */ }
});

const workspaces = new FinalizationRegistry<Taken>((taken) => {
  taken.owned.forgotten.add(taken);
  freeForgotten(taken.owned);
});

/** Closes an engine some time after nothing reaches it any more. */
export const closeForgotten = (engine: object, owned: Owned): void =>
  engines.register(engine, owned, engine);

/** Frees what a workspace takes of its engine some time after nothing reaches it any more. */
export const watchWorkspace = (workspace: object, taken: Taken): void =>
  workspaces.register(workspace, taken, workspace);

/** It was closed, or freed. */
export function remember(gone: object): void {
  engines.unregister(gone);
  workspaces.unregister(gone);
}

/** Frees what forgotten workspaces take, unless a run is in progress: then what ends it calls this again. */
export function freeForgotten(owned: Owned): void {
  if (owned.closed || owned.running) return;
  for (const { buffers, programs } of owned.forgotten) {
    owned.freed++;
    try {
      for (const program of programs) {
        owned.programs.delete(program);
        owned.native.release(program);
      }
      for (const { id } of buffers.values()) owned.native.free(id);
    } catch { /* nobody is left to be told */ }
  }
  owned.forgotten.clear();
}

/** Bytes that are asked for and never touched, at which the garbage collector looks for some to give back. */
const PRESSURE = 1 << 26;
const TRIES = 3;

/** Looks for forgotten workspaces at once, where there is no memory; whether some were freed. */
export async function reclaim(owned: Owned): Promise<boolean> {
  const before = owned.freed;
  for (let i = 0; i < TRIES && owned.freed === before; i++) {
    try {
      new ArrayBuffer(PRESSURE);
    } catch { /* not even that: it has looked */ }
    // finalizers are tasks of their own
    await turn();
    await turn();
  }
  return owned.freed > before;
}
