/**
 * The handle of a native engine: each method is one native call, checked.
 * @module
 */
import { ABI_VERSION } from "../program/pack.ts";
import { SchemoeError, type SourceCode } from "../types.ts";
import { libraryPath, type NativeSymbols, openLibrary } from "./library.ts";
import { FailureRecord } from "./failure.ts";
import { loadSource } from "./sources/load.ts";
import { Status } from "./status.ts";

/** Numbers of `schemoe_engine_kind`. */
export const ENGINE_KINDS = { cpu: 0, cuda: 1 } as const;

/** Numbers of `schemoe_flag`. */
export const FLAGS = { tf32: 1, noGraphs: 2, noTimes: 4, noTuning: 8 } as const;

/** Words of a `schemoe_event`: ready, start, end and wait. */
export const EVENT_WORDS = 4;

/** A Program that a native engine keeps. */
export interface PreparedProgram {
  readonly handle: Deno.PointerObject;
  readonly operations: number;
}

/** A run that was begun and goes on. */
export interface StartedRun {
  /** Its events, once it is over; the first call that gives them, or throws, ends it. */
  ended(): BigUint64Array<ArrayBuffer> | undefined;
  /** Waits for them off the event loop. */
  end(): Promise<BigUint64Array<ArrayBuffer>>;
}

/** A host kernel that waits for its function. */
export interface HostCall {
  readonly operation: number;
  readonly rank: number;
  readonly id: number;
}

/** Where bytes of a buffer begin on a rank. */
export interface BufferPlace {
  readonly id: number;
  readonly rank: number;
  readonly offset: number;
}

/** The function of a library that opens an engine. */
export type OpenNative = (library: NativeSymbols) => NativeSymbols["schemoe_open"];

/** What running Programs needs of a native engine, or of several that act as one. */
export type NativeCalls =
  & Pick<
    NativeEngine,
    | ("allocate" | "free" | "write" | "read" | "prepare" | "release" | "run" | "cancel")
    | ("allocateAsync" | "writeAsync" | "readAsync")
    | ("hostWait" | "hostDone" | "close")
  >
  & Partial<Pick<NativeEngine, "readAll" | "runNow" | "start">>;

/** Owns a native engine. Close it when no call is under way. */
export class NativeEngine {
  readonly #library: NativeSymbols;
  readonly #kind: keyof typeof ENGINE_KINDS;
  #handle: Deno.PointerValue;
  readonly #failure = new FailureRecord();

  constructor(
    shape: {
      kind: keyof typeof ENGINE_KINDS;
      nodes: number;
      ranksPerNode: number;
      /** `cuda`: products of float32 may round their factors to TF32. */
      tf32?: boolean;
      /** `cuda`: whether Programs run as one graph where they can; default true. */
      graphs?: boolean;
      /** `cuda`: whether events have times; default true. */
      times?: boolean;
      /** `cuda`: whether algorithms of large products are measured before a run; default true. */
      tune?: boolean;
      library?: NativeSymbols;
      /** Opens the engine in another way than `schemoe_open`. */
      open?: OpenNative;
    },
  ) {
    this.#library = shape.library ?? openLibrary(libraryPath(shape.kind));
    this.#kind = shape.kind;
    const config = new Uint32Array(8);
    const flags = (shape.tf32 ? FLAGS.tf32 : 0) | (shape.graphs === false ? FLAGS.noGraphs : 0) |
      (shape.times === false ? FLAGS.noTimes : 0) | (shape.tune === false ? FLAGS.noTuning : 0);
    config.set([ABI_VERSION, ENGINE_KINDS[shape.kind], shape.nodes, shape.ranksPerNode, flags]);
    const out = new BigUint64Array(1);
    const open: OpenNative = shape.open ?? ((library) => library.schemoe_open);
    this.#failure.unwrap(open(this.#library)(config, out, this.#failure.bytes));
    this.#handle = Deno.UnsafePointer.create(out[0]);
  }

  get closed(): boolean {
    return this.#handle === null;
  }

  close(): void {
    if (this.#handle === null) return;
    const handle = this.#handle;
    this.#handle = null;
    this.#failure.unwrap(this.#library.schemoe_close(handle, this.#failure.bytes));
  }

  /** Gives a buffer (a new one without `id`) that many bytes on each rank; returns its id. */
  allocate(bytes: readonly number[], id = 0xffff_ffff): number {
    const out = new Uint32Array([id]);
    const sizes = BigUint64Array.from(bytes, BigInt);
    this.#call((handle, failure) =>
      this.#library.schemoe_allocate(handle, sizes, bytes.length, out, failure)
    );
    return out[0];
  }

  free(id: number): void {
    this.#call((handle, failure) => this.#library.schemoe_free(handle, id, failure));
  }

  write(at: BufferPlace, data: Uint8Array<ArrayBuffer>): void {
    this.#call((handle, failure) =>
      this.#library.schemoe_write(handle, ...bytesAt(at, data), failure)
    );
  }

  read(at: BufferPlace, data: Uint8Array<ArrayBuffer>): void {
    this.#call((handle, failure) =>
      this.#library.schemoe_read(handle, ...bytesAt(at, data), failure)
    );
  }

  /** As many bytes of each rank, one after another; `data` has room for all of them. */
  readAll(
    { id, offset }: Omit<BufferPlace, "rank">,
    data: Uint8Array<ArrayBuffer>,
    bytes: number,
  ): void {
    this.#call((handle, failure) =>
      this.#library.schemoe_read_all(handle, id, BigInt(offset), data, BigInt(bytes), failure)
    );
  }

  /** As `allocate`, off the event loop: filling gigabytes takes a second. */
  async allocateAsync(bytes: readonly number[], id = 0xffff_ffff): Promise<number> {
    const out = new Uint32Array([id]);
    const sizes = BigUint64Array.from(bytes, BigInt);
    await this.#callAsync((handle, failure) =>
      this.#library.schemoe_allocate_async(handle, sizes, bytes.length, out, failure)
    );
    return out[0];
  }

  /** As `write`, off the event loop. The data must not change until it resolves. */
  async writeAsync(at: BufferPlace, data: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#callAsync((handle, failure) =>
      this.#library.schemoe_write_async(handle, ...bytesAt(at, data), failure)
    );
  }

  /** As `read`, off the event loop; resolves to `data`. */
  async readAsync(
    at: BufferPlace,
    data: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    await this.#callAsync((handle, failure) =>
      this.#library.schemoe_read_async(handle, ...bytesAt(at, data), failure)
    );
    return data;
  }

  /** Checks and keeps a packed Program of that many operations, once the code that it calls is loaded. */
  prepare(
    packed: Uint8Array<ArrayBuffer>,
    operations: number,
    sources: readonly SourceCode[] = [],
  ): PreparedProgram {
    for (const code of sources) loadSource({ library: this.#library, kind: this.#kind, code });
    const out = new BigUint64Array(1);
    this.#call((handle, failure) =>
      this.#library.schemoe_prepare(handle, packed, BigInt(packed.byteLength), out, failure)
    );
    return { handle: Deno.UnsafePointer.create(out[0])!, operations };
  }

  release(program: PreparedProgram): void {
    const { bytes } = this.#failure;
    this.#failure.unwrap(this.#library.schemoe_release(program.handle, bytes));
  }

  /** Runs a Program; resolves to its events, EVENT_WORDS nanoseconds each. */
  async run(program: PreparedProgram, timeLimit: number): Promise<BigUint64Array<ArrayBuffer>> {
    const events = new BigUint64Array(EVENT_WORDS * program.operations);
    await this.#callAsync((handle, failure) =>
      this.#library.schemoe_run(
        handle,
        program.handle,
        nanoseconds(timeLimit),
        events,
        BigInt(program.operations),
        failure,
      )
    );
    return events;
  }

  /** The same on this thread, for short Programs without host kernels. */
  runNow(program: PreparedProgram, timeLimit: number): void {
    const events = new BigUint64Array(EVENT_WORDS * program.operations);
    this.#call((handle, failure) =>
      this.#library.schemoe_run_now(
        handle,
        program.handle,
        nanoseconds(timeLimit),
        events,
        BigInt(program.operations),
        failure,
      )
    );
  }

  /**
   * Begins a run on this thread, where that takes no time; undefined where it may, and nothing has begun. It must be ended
   * before the engine does anything else but reading and writing buffers.
   */
  start(program: PreparedProgram, timeLimit: number): StartedRun | undefined {
    const said = new Uint32Array(1);
    this.#call((handle, failure) =>
      this.#library.schemoe_start(handle, program.handle, nanoseconds(timeLimit), said, failure)
    );
    if (said[0] === 0) return undefined;
    const events = new BigUint64Array(EVENT_WORDS * program.operations);
    const count = BigInt(program.operations);
    return {
      ended: () => {
        this.#call((handle, failure) =>
          this.#library.schemoe_end(handle, events, count, 0, said, failure)
        );
        return said[0] === 0 ? undefined : events;
      },
      end: async () => {
        await this.#callAsync((handle, failure) =>
          this.#library.schemoe_end_async(handle, events, count, 1, said, failure)
        );
        return events;
      },
    };
  }

  /** Nanoseconds by which times of different GPUs in the last run may be wrong to each other. */
  clockError(): number {
    const out = new BigUint64Array(1);
    this.#call((handle, failure) => this.#library.schemoe_clock_error(handle, out, failure));
    return Number(out[0]);
  }

  /** On which GPUs its ranks compute, numbered in the order in which they first use them; of the CPU all on 0. */
  processors(ranks: number): number[] {
    const of = new Uint32Array(ranks);
    this.#call((handle, failure) => this.#library.schemoe_processors(handle, of, ranks, failure));
    return [...of];
  }

  /** Ends a run in progress, or else the wait of one `hostWait`. */
  cancel(): void {
    this.#call((handle, failure) => this.#library.schemoe_cancel(handle, failure));
  }

  /** Resolves to the next host kernel that waits, or to undefined when a run has ended. */
  async hostWait(): Promise<HostCall | undefined> {
    const handle = this.#open();
    const failure = new FailureRecord();
    const [operation, rank, id] = [new Uint32Array(1), new Uint32Array(1), new Uint32Array(1)];
    const status = await this.#library.schemoe_host_wait(
      handle,
      operation,
      rank,
      id,
      failure.bytes,
    );
    if (status === Status.closed) return undefined;
    failure.unwrap(status);
    return { operation: operation[0], rank: rank[0], id: id[0] };
  }

  /**
   * Lets the lane of a host kernel go on, or ends the run with a message. Does nothing when the run
   * has ended meanwhile.
   */
  hostDone(operation: number, failed?: string): void {
    const message = new TextEncoder().encode(`${failed ?? ""}\0`);
    const status = this.#library.schemoe_host_done(
      this.#open(),
      operation,
      failed === undefined ? 0 : 1,
      message,
      this.#failure.bytes,
    );
    if (status !== Status.closed) this.#failure.unwrap(status);
  }

  /** For calls that only some engines have. */
  protected get library(): NativeSymbols {
    return this.#library;
  }
  protected get handle(): Deno.PointerObject {
    return this.#open();
  }

  #open(): Deno.PointerObject {
    if (this.#handle === null) throw new SchemoeError("Cannot use the engine: it is closed");
    return this.#handle;
  }

  #call(
    body: (handle: Deno.PointerObject, failure: Uint8Array<ArrayBuffer>) => number,
  ): void {
    this.#failure.unwrap(body(this.#open(), this.#failure.bytes));
  }

  /** Likewise off the event loop, with a record of its own: other calls are made while it is under way. */
  async #callAsync(
    body: (handle: Deno.PointerObject, failure: Uint8Array<ArrayBuffer>) => Promise<number>,
  ): Promise<void> {
    const failure = new FailureRecord();
    failure.unwrap(await body(this.#open(), failure.bytes));
  }
}

/** A time limit for the library, to which 0 would mean none. */
const nanoseconds = (seconds: number): bigint =>
  BigInt(Math.max(1, Math.round(Math.min(seconds, 1e9) * 1e9)));

/** Where in which buffer of which rank, and the bytes that go there or come from there. */
const bytesAt = ({ id, rank, offset }: BufferPlace, data: Uint8Array<ArrayBuffer>) =>
  [id, rank, BigInt(offset), data, BigInt(data.byteLength)] as const;
