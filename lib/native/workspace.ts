/**
 * Named buffers on a native engine.
 * @module
 */
import type { MemoryPlan } from "../memory/plan.ts";
import type { Place } from "../program/pack.ts";
import { SchemoeError, type View, type Workspace } from "../types.ts";
import type { NativeCalls } from "./engine.ts";
import { NativeError } from "./failure.ts";
import type { HostBuffers } from "./hosts.ts";
import { Status } from "./status.ts";

/** Name of the buffer in which buffers share memory. */
export const ARENA = "(shared)";

/** What an engine lends a workspace. */
export interface WorkspaceOwner {
  /** The open engine; throws when it is closed. */
  readonly native: () => NativeCalls;
  readonly ranks: number;
  /** Whether the engine is closed, which frees all workspaces. */
  readonly closed: () => boolean;
  /** Called when the workspace is to be freed on an engine that is still open; throws while it is in use. */
  readonly freed: (workspace: NativeWorkspace) => void;
}

/** Native ids of named buffers, with their sizes. */
export class NativeWorkspace implements Workspace {
  readonly #owner: WorkspaceOwner;
  readonly #buffers = new Map<string, { id: number; bytes: number }>();
  #freed = false;

  constructor(owner: WorkspaceOwner) {
    this.#owner = owner;
  }

  ensure(buffers: Readonly<Record<string, number>>): void {
    const native = this.#open();
    for (const [name, bytes] of Object.entries(buffers)) {
      if (!Number.isSafeInteger(bytes) || bytes < 0) {
        throw new SchemoeError(
          `Cannot allocate the buffer "${name}": ${bytes} is not a number of bytes`,
        );
      }
      const buffer = this.#buffers.get(name);
      if (buffer && buffer.bytes >= bytes) continue;
      const sizes = new Array<number>(this.#owner.ranks).fill(bytes);
      const id = named(name, () => native.allocate(sizes, buffer?.id), () => this.#largest());
      this.#buffers.set(name, { id, bytes });
    }
  }

  write(name: string, rank: number, data: ArrayBufferView, offset = 0): void {
    const id = this.id(name);
    // Deno passes the bytes of the view itself, whatever its element type; shared memory too.
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const at = { id, rank: number(rank), offset: number(offset) };
    named(name, () => this.#open().write(at, bytes as Uint8Array<ArrayBuffer>));
  }

  read(name: string, rank: number, bytes: number, offset = 0): Uint8Array<ArrayBuffer> {
    const id = this.id(name);
    const data = new Uint8Array(bytes);
    const at = { id, rank: number(rank), offset: number(offset) };
    named(name, () => this.#open().read(at, data));
    return data;
  }

  /** Makes room for the buffers of a graph. */
  provide(plan: MemoryPlan): void {
    this.ensure(plan.own);
    if (plan.arena > 0) this.ensure({ [ARENA]: plan.arena });
  }

  /** Where a buffer of a graph lies. */
  place(name: string, { offsets }: MemoryPlan): Place {
    const offset = offsets.get(name);
    return offset === undefined ? { id: this.id(name), offset: 0 } : { id: this.id(ARENA), offset };
  }

  /** The buffers of a graph for its host functions. */
  laidOut({ offsets }: MemoryPlan): HostBuffers {
    const at = ({ buffer, offset }: View) => {
      const begin = offsets.get(buffer);
      return begin === undefined ? [buffer, offset] as const : [ARENA, begin + offset] as const;
    };
    return {
      read: (rank, view, bytes) => {
        const [name, offset] = at(view);
        return this.read(name, rank, bytes, offset);
      },
      write: (rank, view, data) => {
        const [name, offset] = at(view);
        this.write(name, rank, data, offset);
      },
    };
  }

  /** Native id of a buffer. */
  id(name: string): number {
    this.#open();
    const buffer = this.#buffers.get(name);
    if (!buffer) {
      throw new SchemoeError(
        `Cannot use the buffer "${name}": the workspace has none of that name`,
      );
    }
    return buffer.id;
  }

  /** Name of the buffer with a native id, if it is one of this workspace. */
  nameOf(id: number): string | undefined {
    for (const [name, buffer] of this.#buffers) if (buffer.id === id) return name;
  }

  /** @throws {SchemoeError} while a run uses it. */
  free(): void {
    if (this.#freed) return;
    if (!this.#owner.closed()) {
      const native = this.#open();
      this.#owner.freed(this);
      for (const { id } of this.#buffers.values()) native.free(id);
    }
    this.#freed = true;
    this.#buffers.clear();
  }

  /** `; largest: "x" with 8 bytes a rank, ...`, or nothing without buffers. */
  #largest(): string {
    const largest = [...this.#buffers].sort(([, a], [, b]) => b.bytes - a.bytes).slice(0, 3)
      .map(([name, { bytes }]) => `"${name}" with ${bytes} bytes a rank`);
    return largest.length > 0 ? `; largest: ${largest.join(", ")}` : "";
  }

  #open(): NativeCalls {
    if (this.#freed) throw new SchemoeError("Cannot use the workspace: it was freed");
    return this.#owner.native();
  }
}

/** Runs a native call about a buffer; its error names it, and where memory is exhausted what else there is. */
function named<Result>(name: string, call: () => Result, others: () => string = () => ""): Result {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof NativeError)) throw error;
    const { parts, cause } = error;
    const text = parts.status === Status.outOfMemory ? parts.text + others() : parts.text;
    // A new buffer has no number yet.
    const buffer = parts.buffer ?? 0;
    throw new NativeError({ ...parts, text, buffer }, { names: { buffer: () => name }, cause });
  }
}

/** FFI would wrap a negative number or cut a fraction silently. */
function number(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new SchemoeError(`Cannot use ${value} as a rank or an offset`);
}
