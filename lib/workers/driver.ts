/**
 * Native calls of several processes that act as one engine: memory goes over the native connections,
 * Programs and runs over the control connections.
 * @module
 */
import {
  EVENT_WORDS,
  type HostCall,
  type NativeCalls,
  type PreparedProgram,
} from "../native/engine.ts";
import { Status } from "../native/status.ts";
import { SchemoeError } from "../types.ts";
import { blame, type Outcome } from "./blame.ts";
import { digest } from "./digest.ts";
import type { Fields, Frame } from "./frames.ts";
import type { Member } from "./member.ts";
import type { PartEngine, Span } from "./part.ts";

/** Nanoseconds after which a run begins in all processes, once all have been told. */
const LEAD_NS = 5_000_000n;
/** Milliseconds between signs of life in a run, and for the others to say why theirs ended. */
const PING_MS = 500;
const GRACE_MS = 1000;
/** Seconds of silence that a busy machine may cause. */
const LEAST_PATIENCE = 2;
const CANCEL_EVERY_MS = 5;

/** What {@linkcode PartsDriver} drives. */
export interface PartsOptions {
  /** Number of the engine in all processes. */
  readonly engine: number;
  /** The engine of this process, connected. */
  readonly part: PartEngine;
  readonly members: readonly Member[];
  /** Ranks of each process, this one first. */
  readonly spans: readonly Span[];
  /** Seconds after which a process that gives no sign of life is given up. */
  readonly patience: number;
}

/** A Program as the other processes know it. */
interface Sent {
  readonly program: number;
  readonly agreed: Promise<void>;
}

export class PartsDriver implements NativeCalls {
  /** Nanoseconds by which the clocks of the last run may differ. */
  clockError?: number;
  readonly #options: PartsOptions;
  readonly #sent = new Map<PreparedProgram, Sent>();
  #programs = 0;
  #runs = 0;
  #broken?: SchemoeError;
  /** Ends the run in progress in the other processes. */
  #cancelOthers?: () => void;

  constructor(options: PartsOptions) {
    this.#options = options;
  }

  allocate(bytes: readonly number[], id?: number): number {
    return this.#whole().allocate(bytes, id);
  }
  free(id: number): void {
    // What failed has nothing left to free.
    if (!this.#broken) this.#part.free(id);
  }
  write(at: { id: number; rank: number; offset: number }, data: Uint8Array<ArrayBuffer>): void {
    this.#whole().write(at, data);
  }
  read(at: { id: number; rank: number; offset: number }, data: Uint8Array<ArrayBuffer>): void {
    this.#whole().read(at, data);
  }
  hostWait(): Promise<HostCall | undefined> {
    return this.#part.hostWait();
  }
  hostDone(operation: number, failure?: string): void {
    this.#part.hostDone(operation, failure);
  }
  cancel(): void {
    this.#part.cancel();
    this.#cancelOthers?.();
  }

  prepare(packed: Uint8Array<ArrayBuffer>, operations: number): PreparedProgram {
    const prepared = this.#part.prepare(packed, operations);
    const program = ++this.#programs;
    const agreed = this.#agree(packed, { program, operations });
    // Told at the run that needs it.
    agreed.catch(() => {});
    this.#sent.set(prepared, { program, agreed });
    return prepared;
  }

  release(prepared: PreparedProgram): void {
    this.#part.release(prepared);
    this.#tell({ kind: "release", program: this.#sent.get(prepared)?.program });
    this.#sent.delete(prepared);
  }

  /** @throws {SchemoeError} naming the process that is the cause; only closing is possible then. */
  async run(prepared: PreparedProgram, timeLimit: number): Promise<BigUint64Array<ArrayBuffer>> {
    this.#whole();
    try {
      return await this.#run(prepared, timeLimit);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#broken = new SchemoeError(
        `Cannot use the engine: a run over several processes failed; close it and open a new one (${text})`,
        { status: Status.closed, cause: error },
      );
      throw error;
    }
  }

  close(): void {
    this.#part.close();
    this.#tell({ kind: "close" });
  }

  get #part(): PartEngine {
    return this.#options.part;
  }

  /** @throws {SchemoeError} after a run that failed. */
  #whole(): PartEngine {
    if (this.#broken) throw this.#broken;
    return this.#part;
  }

  /** Sends without waiting; an answer that it failed is dropped, since a later message shows it too. */
  #tell(fields: { readonly kind: string } & Record<string, unknown>): void {
    const { members, engine } = this.#options;
    for (const member of members) member.ask({ ...fields, engine }).catch(() => {});
  }

  /** Sends a Program to all and compares what they got with what was sent. */
  async #agree(packed: Uint8Array<ArrayBuffer>, program: { program: number; operations: number }) {
    const { members, engine } = this.#options;
    const own = await digest(packed);
    await Promise.all(members.map(async (member) => {
      const { fields } = await this.#ask(member, { kind: "prepare", engine, ...program }, packed);
      if (fields.digest === own) return;
      throw new SchemoeError(`Cannot run the Program: ${this.#name(member)} has another one`, {
        status: Status.peer,
      });
    }));
  }

  async #run(prepared: PreparedProgram, timeLimit: number): Promise<BigUint64Array<ArrayBuffer>> {
    const { members, engine, part, spans } = this.#options;
    const began = performance.now();
    const { program, agreed } = this.#sent.get(prepared)!;
    await this.#answering(Promise.all([agreed, ...this.#pings()]), timeLimit);
    const clocks = await this.#clocks();
    const { now } = await part.clock(0);
    const start = now + LEAD_NS;
    const run = ++this.#runs;
    const left = Math.max(1e-3, timeLimit - (performance.now() - began) / 1000);
    part.expect(run, start);
    const outcomes: Outcome[] = spans.map((span, process) => ({
      ...{ process, span, name: process === 0 ? "" : this.#name(members[process - 1]) },
    }));
    const orders = members.map((member, i) =>
      member.ask({
        ...{ kind: "run", engine, program, run, timeLimit: left },
        start: String(start + clocks[i].offset),
      }).then(({ body }) => new BigUint64Array(body.buffer))
    );
    await this.#settle([part.run(prepared, left), ...orders], outcomes, left);
    const failure = blame(outcomes, timeLimit);
    if (failure) throw failure;
    const after = await this.#clocks();
    this.clockError = Math.max(
      0,
      ...clocks.map((before, i) => {
        const drift = Math.abs(Number(after[i].offset - before.offset));
        return Math.max(before.error, drift + after[i].error);
      }),
    );
    return merge(outcomes, spans);
  }

  #clocks() {
    return Promise.all(this.#options.members.map(({ process }) => this.#part.clock(process)));
  }

  #pings(): Promise<unknown>[] {
    return this.#options.members.map((member) => this.#ask(member, { kind: "ping" }));
  }

  /** @throws {SchemoeError} that names the ranks of a process that is gone. */
  async #ask(member: Member, fields: Fields, body?: Uint8Array): Promise<Frame> {
    try {
      return await member.ask(fields, body);
    } catch (error) {
      if (member.gone === undefined) throw error;
      throw new SchemoeError(`Cannot reach ${this.#name(member)}: ${member.gone}`, {
        ...{ status: Status.peer, rank: this.#options.spans[member.process].first, cause: error },
      });
    }
  }

  /** Rejects naming those that do not answer within their patience, or the time limit. */
  async #answering(answers: Promise<unknown>, timeLimit: number): Promise<void> {
    const seconds = Math.min(this.#options.patience, timeLimit);
    const asked = performance.now();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const silent = this.#options.members.find(({ heard }) => heard < asked);
      late.reject(
        new SchemoeError(
          silent
            ? `Cannot begin the run: ${this.#name(silent)} does not answer for ${seconds} s`
            : `Cannot begin the run within ${seconds} s: the processes are not done preparing it`,
          { status: Status.peer },
        ),
      );
    }, seconds * 1000);
    try {
      await Promise.race([answers, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Fills in how the run ended in each process; a failure in one ends it in all. */
  async #settle(
    runs: Promise<BigUint64Array>[],
    outcomes: Outcome[],
    timeLimit: number,
  ): Promise<void> {
    const { members } = this.#options;
    // So that who is silent is found before the time limit, unless that is very short.
    const patience = Math.min(this.#options.patience, Math.max(LEAST_PATIENCE, timeLimit / 2));
    const failed = Promise.withResolvers<void>();
    const settled = runs.map((run, i) =>
      run.then((events) => {
        outcomes[i].events = events;
      }, (error) => {
        outcomes[i].error = error;
        failed.resolve();
      })
    );
    let [since, tick] = [performance.now(), performance.now()];
    const watch = setInterval(() => {
      const now = performance.now();
      // Where this process itself was held up, answers may lie unread.
      if (now - tick > 2 * PING_MS) since = now;
      tick = now;
      for (const [i, member] of members.entries()) {
        if (outcomes[i + 1].events || outcomes[i + 1].error) continue;
        const silence = (now - Math.max(since, member.heard)) / 1000;
        if (silence > patience) {
          outcomes[i + 1].silent = silence;
          failed.resolve();
        } else member.ask({ kind: "ping" }).catch(() => {});
      }
    }, PING_MS);
    let cancelled = false;
    this.#cancelOthers = () => {
      if (!cancelled) this.#tell({ kind: "cancel" });
      cancelled = true;
    };
    await Promise.race([Promise.all(settled), failed.promise]);
    clearInterval(watch);
    if (outcomes.some((outcome) => !outcome.events)) await this.#stop(settled, outcomes);
    this.#cancelOthers = undefined;
  }

  /** Ends what still runs, and gives the others a moment to say why theirs ended. */
  async #stop(settled: Promise<void>[], outcomes: Outcome[]): Promise<void> {
    const asked = performance.now();
    const pings = this.#pings();
    pings.forEach((ping) => ping.catch(() => {}));
    // The others first: what this process breaks off, they would report as its loss.
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(() => grace.resolve(), GRACE_MS);
    this.#cancelOthers?.();
    await Promise.race([Promise.all(settled.slice(1)), grace.promise]);
    clearTimeout(timer);
    // Again and again, since it may not have begun yet.
    const cancelling = setInterval(() => this.#part.cancel(), CANCEL_EVERY_MS);
    await settled[0];
    clearInterval(cancelling);
    for (const [i, member] of this.#options.members.entries()) {
      const outcome = outcomes[i + 1];
      if (member.gone !== undefined) outcome.gone = member.gone;
      else if (!outcome.events && !outcome.error && member.heard < asked) {
        outcome.silent ??= (performance.now() - member.heard) / 1000;
      }
    }
  }

  #name(member: Member): string {
    const { first, ranks } = this.#options.spans[member.process];
    const who = ranks === 1 ? `rank ${first}` : `ranks ${first} to ${first + ranks - 1}`;
    return `process ${member.process} (pid ${member.pid} on ${member.host}, ${who})`;
  }
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
