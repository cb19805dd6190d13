/**
 * Named buffers on a native engine.
 * @module
 */
import type { MemoryPlan } from "../memory/plan.ts";
import type { Place } from "../program/words.ts";
import { SchemoeError, type View } from "../types.ts";
import type { Workspace } from "../engine.ts";
import type { NativeCalls } from "./engine.ts";
import { NativeError } from "./failure.ts";
import type { HostBuffers } from "./hosts.ts";
import { Status } from "./status.ts";

/** Name of the buffer in which buffers share memory. */
const ARENA = "(shared)";

/** Bytes from which a call leaves the event loop. */
const OFF_THE_LOOP = 1 << 20;

/** Bytes as people write them. */
function formatSize(bytes: number): string {
  const unit = [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]] as const;
  const [size, name] = unit.find(([size]) => bytes >= size) ?? [1, "bytes"];
  return `${Number((bytes / size).toPrecision(4))} ${name}`;
}

/** Services of an engine to a workspace. */
export interface WorkspaceOwner {
  /** The open engine; throws when it is closed. */
  readonly native: () => NativeCalls;
  readonly ranks: number;
  /** Whether the engine is closed, which frees all workspaces. */
  readonly closed: () => boolean;
  /** Called when the workspace is to be freed on an engine that is still open; throws while it is in use. */
  readonly freed: (workspace: NativeWorkspace) => void;
  /** Frees workspaces that nobody reaches any more; whether there were some. */
  readonly reclaim?: () => Promise<boolean>;
}

/** Native ids of named buffers, with their sizes. */
export class NativeWorkspace implements Workspace {
  readonly #owner: WorkspaceOwner;
  readonly #buffers = new Map<string, { id: number; bytes: number }>();
  /** Plans whose buffers are there: none ever shrinks. */
  readonly #provided = new WeakSet<MemoryPlan>();
  #freed = false;

  constructor(owner: WorkspaceOwner) {
    this.#owner = owner;
  }

  /** Its buffers by name. */
  get buffers(): ReadonlyMap<string, { readonly id: number }> {
    return this.#buffers;
  }

  ensure(buffers: Readonly<Record<string, number>>): void {
    const native = this.#open();
    for (const { name, bytes, sizes, id } of this.#missing(buffers)) {
      try {
        this.#buffers.set(name, { id: native.allocate(sizes, id), bytes });
      } catch (error) {
        throw this.#refused(error, name);
      }
    }
  }

  async ensureAsync(buffers: Readonly<Record<string, number>>): Promise<void> {
    const native = this.#open();
    for (const { name, bytes, sizes, id } of this.#missing(buffers)) {
      try {
        // below that a call of its own costs more than what it saves
        const allocate = () =>
          bytes < OFF_THE_LOOP ? native.allocate(sizes, id) : native.allocateAsync(sizes, id);
        this.#buffers.set(name, { id: await this.#patiently(allocate), bytes });
      } catch (error) {
        throw this.#refused(error, name);
      }
    }
  }

  /** Allocates once more where there is no memory, and forgotten workspaces give some back. */
  async #patiently(allocate: () => number | Promise<number>): Promise<number> {
    try {
      return await allocate();
    } catch (error) {
      const exhausted = error instanceof NativeError && error.status === Status.outOfMemory;
      if (!exhausted || !await this.#owner.reclaim?.()) throw error;
      return await allocate();
    }
  }

  /** Buffers that are not there or too small. @throws {SchemoeError} for what is no number of bytes. */
  #missing(buffers: Readonly<Record<string, number>>) {
    const missing: { name: string; bytes: number; sizes: number[]; id?: number }[] = [];
    for (const [name, bytes] of Object.entries(buffers)) {
      if (!Number.isSafeInteger(bytes) || bytes < 0) {
        throw new SchemoeError(
          `Cannot allocate the buffer "${name}": ${bytes} is not a number of bytes`,
        );
      }
      const buffer = this.#buffers.get(name);
      if (buffer && buffer.bytes >= bytes) continue;
      missing.push({ name, bytes, sizes: Array(this.#owner.ranks).fill(bytes), id: buffer?.id });
    }
    return missing;
  }

  /** The error of a buffer that was not allocated; where memory is exhausted, what takes most of it. */
  #refused(error: unknown, name: string): unknown {
    if (!(error instanceof NativeError)) return error;
    const { parts, cause } = error;
    const names = { buffer: () => name };
    // a new buffer has no number yet
    const buffer = parts.buffer ?? 0;
    if (parts.status !== Status.outOfMemory) {
      return new NativeError({ ...parts, buffer }, { names, cause });
    }
    const text =
      `${parts.text}${this.#largest(name)}; fewer tokens, experts or layers a rank, or ` +
      "bfloat16, take less";
    return new NativeError({ ...parts, text, buffer }, { names, cause });
  }

  write(name: string, rank: number, data: ArrayBufferView, offset = 0): void {
    const id = this.id(name);
    // Deno passes the bytes of the view itself, whatever its element type; shared memory too.
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const at = { id, rank: number(rank), offset: number(offset) };
    named(name, () => this.#open().write(at, bytes as Uint8Array<ArrayBuffer>));
  }

  read(name: string, rank: number, bytes: number, offset = 0): Uint8Array<ArrayBuffer> {
    const data = new Uint8Array(bytes);
    this.readInto(name, rank, data, offset);
    return data;
  }

  readInto(name: string, rank: number, data: Uint8Array<ArrayBuffer>, offset = 0): void {
    const id = this.id(name);
    const at = { id, rank: number(rank), offset: number(offset) };
    named(name, () => this.#open().read(at, data));
  }

  readAll(name: string, bytes: number): Uint8Array<ArrayBuffer> {
    const { ranks } = this.#owner;
    const data = new Uint8Array(ranks * number(bytes));
    const id = this.id(name);
    const native = this.#open();
    if (native.readAll) {
      named(name, () => native.readAll!({ id, offset: 0 }, data, bytes));
      return data;
    }
    for (let rank = 0; rank < ranks; rank++) {
      this.readInto(name, rank, data.subarray(rank * bytes, (rank + 1) * bytes));
    }
    return data;
  }

  async readAsync(
    name: string,
    rank: number,
    data: Uint8Array<ArrayBuffer>,
    offset = 0,
  ): Promise<void> {
    if (data.byteLength < OFF_THE_LOOP) return this.readInto(name, rank, data, offset);
    const id = this.id(name);
    const at = { id, rank: number(rank), offset: number(offset) };
    try {
      await this.#open().readAsync(at, data);
    } catch (error) {
      named(name, () => {
        throw error;
      });
    }
  }

  async writeAsync(name: string, rank: number, data: ArrayBufferView, offset = 0): Promise<void> {
    if (data.byteLength < OFF_THE_LOOP) return this.write(name, rank, data, offset);
    const id = this.id(name);
    const at = { id, rank: number(rank), offset: number(offset) };
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    try {
      await this.#open().writeAsync(at, bytes as Uint8Array<ArrayBuffer>);
    } catch (error) {
      named(name, () => {
        throw error;
      });
    }
  }

  /** Makes room for the buffers of a graph: at once where little is missing, else off the event loop. */
  provide(plan: MemoryPlan): Promise<void> | undefined {
    this.#open();
    if (this.#provided.has(plan)) return;
    const { own, arena } = plan;
    const buffers = arena > 0 ? { ...own, [ARENA]: arena } : own;
    const missing = this.#missing(buffers).reduce((sum, { bytes }) => sum + bytes, 0);
    if (missing >= OFF_THE_LOOP) {
      return this.ensureAsync(buffers).then(() => void this.#provided.add(plan));
    }
    this.ensure(buffers);
    this.#provided.add(plan);
  }

  /** Where a buffer of a graph lies. */
  place(name: string, { offsets, bytes }: MemoryPlan): Place {
    const begin = offsets.get(name);
    if (begin === undefined) return { id: this.id(name) };
    return { id: this.id(ARENA), part: { begin, bytes: bytes(name) } };
  }

  /** The buffers of a graph for its host functions. */
  laidOut({ offsets, bytes }: MemoryPlan): HostBuffers {
    const at = ({ buffer, offset }: View, count: number) => {
      const begin = offsets.get(buffer);
      if (begin === undefined) return [buffer, offset] as const;
      if (number(offset) + count > bytes(buffer)) {
        throw new SchemoeError(
          `Cannot use bytes ${offset} + ${count} of the buffer "${buffer}": it has ${
            bytes(buffer)
          }`,
        );
      }
      return [ARENA, begin + offset] as const;
    };
    return {
      read: (rank, view, count) => {
        const [name, offset] = at(view, count);
        return this.read(name, rank, count, offset);
      },
      write: (rank, view, data) => {
        const [name, offset] = at(view, data.byteLength);
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

  /** `; largest: "x" with 1.5 GiB a rank, ...`, or nothing without other buffers. */
  #largest(except: string): string {
    const largest = [...this.#buffers].filter(([name]) => name !== except)
      .sort(([, a], [, b]) => b.bytes - a.bytes).slice(0, 3)
      .map(([name, { bytes }]) => `"${name}" with ${formatSize(bytes)} a rank`);
    return largest.length > 0 ? `; largest: ${largest.join(", ")}` : "";
  }

  #open(): NativeCalls {
    if (this.#freed) throw new SchemoeError("Cannot use the workspace: it was freed");
    return this.#owner.native();
  }
}

/** Runs a native call about a buffer; its error names it. */
function named<Result>(name: string, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof NativeError)) throw error;
    const { parts, cause } = error;
    throw new NativeError({ ...parts, buffer: parts.buffer ?? 0 }, {
      names: { buffer: () => name },
      cause,
    });
  }
}

/** FFI would wrap a negative number or cut a fraction silently. */
function number(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new SchemoeError(`Cannot use ${value} as a rank or an offset`);
}
