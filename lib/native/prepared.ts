/** Programs that a native engine keeps for each of its workspaces. @module */
import type { Program, RunOptions, Workspace } from "../engine.ts";
import { memoryPlan } from "../memory/plan.ts";
import { pack, type PackedProgram } from "../program/pack.ts";
import type { Task } from "../types.ts";
import type { NativeCalls, PreparedProgram } from "./engine.ts";
import { explain } from "./explain.ts";
import type { NativeWorkspace } from "./workspace.ts";

/** Prepared Programs that a workspace keeps; others are packed again when they come back. */
const KEPT_PROGRAMS = 64;

/** A Program that an engine keeps, the functions of its host kernels and the names of its regions. */
export interface Kept extends Pick<PackedProgram, "hosts" | "regions"> {
  readonly prepared: PreparedProgram;
}

/** Programs of one workspace, those of isolated and of checked runs apart. */
interface Cache {
  readonly lists: Readonly<Record<"together" | "isolated" | "checked", Map<Program, Kept>>>;
  /** All of them, without a reference to what their host functions reach. */
  readonly taken: Set<PreparedProgram>;
}

/** Native resources of an engine, without a reference to the engine itself. */
export interface Owned {
  readonly native: NativeCalls;
  readonly programs: Set<PreparedProgram>;
  /** Whether a run is in progress, during which nothing can be freed. */
  running: boolean;
  closed: boolean;
  /** Of workspaces that nobody reaches any more, to be freed. */
  readonly forgotten: Set<Taken>;
  /** How many such were freed. */
  freed: number;
}

/** What a workspace takes of its engine, without a reference to the workspace itself. */
export interface Taken {
  readonly owned: Owned;
  readonly buffers: ReadonlyMap<string, { readonly id: number }>;
  readonly programs: ReadonlySet<PreparedProgram>;
}

/** Releases all Programs and closes the engine. */
export function closeOwned(owned: Owned): void {
  const { native, programs } = owned;
  owned.closed = true;
  for (const program of programs) native.release(program);
  programs.clear();
  native.close();
}

/** How Programs are packed. */
interface PreparedOptions {
  /** Whether tasks have names for NVTX. */
  readonly nvtx: boolean;
  /** Seconds an operation is paced to, or undefined for as fast as it goes. */
  readonly seconds: (task: Task, rank: number) => number | undefined;
}

/** Programs of the workspaces of one engine, the latest of each. */
export class PreparedPrograms {
  readonly owned: Owned;
  readonly #options: PreparedOptions;
  /** Weak, so that a workspace can be forgotten while its engine lives. */
  #caches = new WeakMap<Workspace, Cache>();

  constructor(native: NativeCalls, options: PreparedOptions) {
    this.owned = {
      ...{ native, programs: new Set(), forgotten: new Set() },
      ...{ running: false, closed: false, freed: 0 },
    };
    this.#options = options;
  }

  /** Its Programs, however they are packed, while it has them. */
  add(workspace: Workspace): ReadonlySet<PreparedProgram> {
    const taken = new Set<PreparedProgram>();
    const lists = { together: new Map(), isolated: new Map(), checked: new Map() };
    this.#caches.set(workspace, { lists, taken });
    return taken;
  }

  has(workspace: Workspace): boolean {
    return this.#caches.has(workspace);
  }

  /** The Program as the library keeps it, packed if it is not yet or no longer there. */
  prepare(program: Program, workspace: Workspace, options: RunOptions): Kept {
    const { native } = this.owned;
    const cache = this.#caches.get(workspace)!;
    const plan = memoryPlan(program);
    const isolated = options.isolated ?? false;
    const checked = options.checkNumbers === true && !isolated;
    const list = cache.lists[isolated ? "isolated" : checked ? "checked" : "together"];
    let kept = list.get(program);
    if (!kept) {
      const place = (name: string) => (workspace as NativeWorkspace).place(name, plan);
      const operations = program.order.length * program.graph.topology.ranks;
      const { bytes, hosts, sources, regions } = pack(program, {
        place,
        isolated,
        checked,
        named: this.#options.nvtx,
        seconds: options.background ? () => undefined : this.#options.seconds,
      });
      try {
        const prepared = native.prepare(bytes, operations, sources);
        this.owned.programs.add(prepared);
        cache.taken.add(prepared);
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
      this.#forget(unused.prepared, cache);
      list.delete(oldest);
    }
    return kept;
  }

  /** Releases a Program of a workspace, however it was packed. */
  forget(program: Program, workspace: Workspace): void {
    const cache = this.#caches.get(workspace);
    if (!cache) return;
    for (const list of Object.values(cache.lists)) {
      const kept = list.get(program);
      if (!kept) continue;
      list.delete(program);
      this.#forget(kept.prepared, cache);
    }
  }

  /** Releases the Programs of a workspace whose buffers go away. */
  release(workspace: Workspace): void {
    const cache = this.#caches.get(workspace);
    if (!cache) return;
    for (const list of Object.values(cache.lists)) {
      for (const { prepared } of list.values()) this.#forget(prepared, cache);
      list.clear();
    }
    this.#caches.delete(workspace);
  }

  #forget(prepared: PreparedProgram, { taken }: Cache): void {
    this.owned.native.release(prepared);
    this.owned.programs.delete(prepared);
    taken.delete(prepared);
  }

  close(): void {
    this.#caches = new WeakMap();
    closeOwned(this.owned);
  }
}
