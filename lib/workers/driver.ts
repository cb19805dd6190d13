/**
 * Native calls of several processes that act as one engine: memory goes over the native connections,
 * Programs and runs over the control connections.
 * @module
 */
import {
  type BufferPlace,
  EVENT_WORDS,
  type HostCall,
  type NativeCalls,
  type PreparedProgram,
} from "../native/engine.ts";
import { NativeError } from "../native/failure.ts";
import { Status } from "../native/status.ts";
import { SchemoeError, type SourceCode } from "../types.ts";
import { blame, isFinding, type Outcome } from "./blame.ts";
import type { PartEngine, Span } from "./part.ts";
import type { Peers } from "./peers.ts";
import { settle } from "./settle.ts";

/** Nanoseconds after which a run begins in all processes, once all have been told. */
const LEAD_NS = 5_000_000n;
/** What {@linkcode PartsDriver} drives. */
export interface PartsOptions {
  /** The engine of this process, connected. */
  readonly part: PartEngine;
  readonly peers: Peers;
  /** Seconds after which a process that gives no sign of life is given up. */
  readonly patience: number;
}

/** A Program as the other processes know it. */
interface Sent {
  readonly program: number;
  /** Of each other process: resolves once it has the Program. */
  readonly agreed: readonly Promise<void>[];
}

export class PartsDriver implements NativeCalls {
  /** Seconds by which the clocks of the last run may differ. */
  clockError?: number;
  readonly #options: PartsOptions;
  readonly #sent = new Map<PreparedProgram, Sent>();
  #programs = 0;
  #runs = 0;
  #broken?: SchemoeError;
  /** Ends the run in progress in the other processes. */
  #cancelOthers?: () => void;
  /** Whether the run in progress was told to end. */
  #cancelled = false;

  constructor(options: PartsOptions) {
    this.#options = options;
  }

  /** Text on the GPUs' transport for captions; empty on the CPU. */
  get where(): string {
    const { nccl } = this.#part;
    return nccl === undefined ? "" : `, NCCL ${nccl}`;
  }

  allocate(bytes: readonly number[], id?: number): number {
    return this.#whole().allocate(bytes, id);
  }
  free(id: number): void {
    // What failed has nothing left to free.
    if (!this.#broken) this.#part.free(id);
  }
  write(at: BufferPlace, data: Uint8Array<ArrayBuffer>): void {
    this.#whole().write(at, data);
  }
  read(at: BufferPlace, data: Uint8Array<ArrayBuffer>): void {
    this.#whole().read(at, data);
  }
  // Each 4 MiB is a round trip to the process of the rank: the event loop must go on meanwhile.
  async allocateAsync(bytes: readonly number[], id?: number): Promise<number> {
    return await this.#whole().allocateAsync(bytes, id);
  }
  async writeAsync(at: BufferPlace, data: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#whole().writeAsync(at, data);
  }
  async readAsync(
    at: BufferPlace,
    data: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    return await this.#whole().readAsync(at, data);
  }
  hostWait(): Promise<HostCall | undefined> {
    return this.#part.hostWait();
  }
  hostDone(operation: number, failure?: string): void {
    this.#part.hostDone(operation, failure);
  }
  cancel(): void {
    this.#cancelled = true;
    this.#part.cancel();
    this.#cancelOthers?.();
  }

  prepare(
    packed: Uint8Array<ArrayBuffer>,
    operations: number,
    sources: readonly SourceCode[] = [],
  ): PreparedProgram {
    const prepared = this.#part.prepare(packed, operations, sources);
    const program = ++this.#programs;
    const agreed = this.#options.peers.agree(packed, { program, operations, sources });
    // Told at the run that needs it.
    for (const one of agreed) one.catch(() => {});
    this.#sent.set(prepared, { program, agreed });
    return prepared;
  }

  release(prepared: PreparedProgram): void {
    this.#part.release(prepared);
    this.#options.peers.tell({ kind: "release", program: this.#sent.get(prepared)?.program });
    this.#sent.delete(prepared);
  }

  /** @throws {SchemoeError} naming the process that is the cause; only closing is possible then. */
  async run(prepared: PreparedProgram, timeLimit: number): Promise<BigUint64Array<ArrayBuffer>> {
    this.#whole();
    this.#cancelled = false;
    try {
      return await this.#run(prepared, timeLimit);
    } catch (error) {
      // The run came to its end in every process.
      if (isFinding(error)) throw error;
      // Without numbers of tasks, which are those of this Program only.
      const text = error instanceof NativeError ? error.parts.text : messageOf(error);
      // what processes then say of each other is not the reason
      const what = this.#cancelled
        ? "was aborted; close it and open a new one"
        : `failed; close it and open a new one (${text})`;
      this.#broken = new SchemoeError(
        `Cannot use the engine: a run over several processes ${what}`,
        { status: Status.closed, cause: error },
      );
      throw error;
    }
  }

  close(): void {
    this.#part.close();
    this.#options.peers.tell({ kind: "close" });
  }

  get #part(): PartEngine {
    return this.#options.part;
  }

  /** @throws {SchemoeError} after a run that failed. */
  #whole(): PartEngine {
    if (this.#broken) throw this.#broken;
    return this.#part;
  }

  async #run(prepared: PreparedProgram, timeLimit: number): Promise<BigUint64Array<ArrayBuffer>> {
    const { part, peers, patience } = this.#options;
    const began = performance.now();
    const { program, agreed } = this.#sent.get(prepared)!;
    await peers.ready(agreed, Math.min(patience, timeLimit));
    const clocks = await this.#clocks();
    const { now } = await part.clock(0);
    const start = now + LEAD_NS;
    const run = ++this.#runs;
    const left = Math.max(1e-3, timeLimit - (performance.now() - began) / 1000);
    part.expect(run, start);
    const orders = peers.members.map((member, i) =>
      peers.ask(member, {
        kind: "run",
        program,
        run,
        timeLimit: left,
        start: String(start + clocks[i].offset),
      }).then(({ body }) => timesOf(body, peers.name(member)))
    );
    const outcomes: Outcome[] = peers.spans.map((span, process) => ({
      process,
      span,
      name: process === 0 ? "" : peers.name(peers.members[process - 1]),
    }));
    await this.#settle([part.run(prepared, left), ...orders], outcomes, left);
    const failure = blame(outcomes, timeLimit);
    if (failure) throw failure;
    const after = await this.#clocks();
    const errors = clocks.map((before, i) => {
      const drift = Math.abs(Number(after[i].offset - before.offset));
      return Math.max(before.error, drift + after[i].error);
    });
    this.clockError = Math.max(0, ...errors) / 1e9;
    return merge(outcomes, peers.spans);
  }

  async #settle(
    runs: Promise<BigUint64Array<ArrayBuffer>>[],
    outcomes: Outcome[],
    timeLimit: number,
  ): Promise<void> {
    const { part, peers, patience } = this.#options;
    let cancelled = false;
    const cancelOthers = this.#cancelOthers = () => {
      if (!cancelled) peers.tell({ kind: "cancel" });
      cancelled = true;
    };
    const cancelHere = () => part.cancel();
    await settle({ peers, runs, outcomes, patience, timeLimit, cancelHere, cancelOthers });
    this.#cancelOthers = undefined;
  }

  #clocks() {
    const { part, peers } = this.#options;
    return Promise.all(peers.members.map(({ process }) => part.clock(process)));
  }
}

/** Of another process. */
function timesOf(body: Uint8Array<ArrayBuffer>, name: string): BigUint64Array<ArrayBuffer> {
  if (body.byteLength % BigUint64Array.BYTES_PER_ELEMENT === 0) {
    return new BigUint64Array(body.buffer, body.byteOffset, body.byteLength / 8);
  }
  throw new SchemoeError(`Cannot read the times of ${name}: it sent ${body.byteLength} bytes`);
}

/** Each rank's events from the process that ran it. */
function merge(outcomes: readonly Outcome[], spans: readonly Span[]): BigUint64Array<ArrayBuffer> {
  const merged = new BigUint64Array(outcomes[0].events!);
  const row = EVENT_WORDS * spans.reduce((sum, { ranks }) => sum + ranks, 0);
  for (const [i, { first, ranks }] of spans.entries()) {
    if (outcomes[i].events!.length !== merged.length) {
      throw new SchemoeError(
        `Cannot read the times of ${outcomes[i].name}: it sent another number`,
      );
    }
    const [begin, end] = [EVENT_WORDS * first, EVENT_WORDS * (first + ranks)];
    for (let at = 0; at < merged.length; at += row) {
      merged.set(outcomes[i].events!.subarray(at + begin, at + end), at + begin);
    }
  }
  return merged;
}

const messageOf = (error: unknown) => error instanceof Error ? error.message : String(error);
