/**
 * Writes a Program as the bytes that the native library runs (layout: `schemoe.h`).
 * @module
 */
import { KERNELS, TRANSFERS } from "../kernels/table.ts";
import {
  type HostFunction,
  type Kernel,
  LANES,
  SchemoeError,
  type Task,
  type Transfer,
  type View,
} from "../types.ts";
import type { Program } from "../engine.ts";

/** Version of the C interface that this side was written for. */
export const ABI_VERSION = 3;
/** Number of `SCHEMOE_PROGRAM_MAGIC`. */
export const MAGIC = 0x454f4d53;
const HEADER_BYTES = 32;
const OPERATION_BYTES = 40;
/** Number of `SCHEMOE_COMMUNICATION`. */
export const COMMUNICATION = 1;

/** Where a buffer lies: a native buffer, or a part of one that kernels may not leave. */
export interface Place {
  readonly id: number;
  readonly part?: { readonly begin: number; readonly bytes: number };
}

/** `SCHEMOE_FIRST_REGION`: the id of a region in views and failures. */
export const FIRST_REGION = 0x80000000;
const REGION_BYTES = 24;

/** A Program as bytes, and the functions that its host kernels call, by their argument. */
export interface PackedProgram {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly hosts: readonly HostFunction[];
  /** Names of the buffers that are parts of others, by the number of their region. */
  readonly regions: readonly string[];
}

/** What the bytes of a Program depend on besides itself. */
export interface PackOptions {
  readonly place: (name: string) => Place;
  /** Seconds an operation is paced to, or undefined for as fast as it goes. */
  readonly seconds: (task: Task, rank: number) => number | undefined;
  /** Chain every task to the one before and compute operations of a task rank after rank. */
  readonly isolated?: boolean;
  /** Add the names of the Program and its tasks, of which the native library makes NVTX ranges. */
  readonly named?: boolean;
}

/** Packs all operations, in total order and within a task in rank order. */
export function pack(program: Program, options: PackOptions): PackedProgram {
  const { ranks } = program.graph.topology;
  const operations = program.order.length * ranks;
  const waits: number[] = [];
  const words = new Words(options.place);
  const records = new DataView(new ArrayBuffer(operations * OPERATION_BYTES));
  for (const [position, task] of program.order.entries()) {
    for (let rank = 0; rank < ranks; rank++) {
      const at = position * ranks + rank;
      const firstWait = waits.length;
      const firstWord = words.length;
      if (options.isolated) waits.push(...isolatedWaits(program, position, rank));
      else for (const p of program.waits[position]) waits.push(p * ranks + rank);
      packTask(words, task, rank);
      const fields = [
        position,
        rank,
        LANES.indexOf(task.lane),
        firstWait,
        waits.length - firstWait,
        firstWord,
        words.length - firstWord,
        task.transfers ? COMMUNICATION : 0,
      ];
      fields.forEach((v, i) => records.setUint32(at * OPERATION_BYTES + 4 * i, v, true));
      records.setFloat64(at * OPERATION_BYTES + 32, options.seconds(task, rank) ?? -1, true);
    }
  }
  const names = options.named ? namesOf(program) : new Uint8Array();
  const bytes = join({ ranks, operations, records, waits, words, names });
  return { bytes, hosts: words.hosts, regions: words.regions.map(({ name }) => name) };
}

function packTask(words: Words, task: Task, rank: number): void {
  try {
    words.uses = task.uses && new Set(task.uses);
    if (task.transfers) { for (const transfer of task.transfers(rank)) words.transfer(transfer); }
    else for (const kernel of (task.kernels?.(rank) ?? []).map(Object)) words.kernel(kernel);
  } catch (cause) {
    if (!(cause instanceof SchemoeError)) throw cause;
    throw new SchemoeError(`${cause.message}, in task ${task.name} on rank ${rank}`, {
      rank,
      cause,
    });
  }
}

/** Chains of an isolated run: communication of all ranks at once, computation rank after rank. */
function isolatedWaits(program: Program, position: number, rank: number): number[] {
  const { ranks } = program.graph.topology;
  if (rank > 0 && !program.order[position].transfers) return [position * ranks + rank - 1];
  if (position === 0) return [];
  const all = Array.from({ length: ranks }, (_, r) => (position - 1) * ranks + r);
  return program.order[position - 1].transfers ? all : all.slice(-1);
}

/** Zero-terminated and not empty. */
function namesOf({ graph, scheduler, order }: Program): Uint8Array {
  const names = [`${graph.pass} ${scheduler}`, ...order.map(({ name }) => name)];
  return new TextEncoder().encode(
    names.map((name) => `${name.replaceAll("\0", " ") || "task"}\0`).join(""),
  );
}

/** The sections of a packed Program. */
interface Sections {
  readonly ranks: number;
  readonly operations: number;
  readonly records: DataView;
  readonly waits: readonly number[];
  readonly words: Words;
  readonly names: Uint8Array;
}

function join(sections: Sections): Uint8Array<ArrayBuffer> {
  const { ranks, operations, records, waits, words, names } = sections;
  const nameBytes = Math.ceil(names.length / 8) * 8;
  const waitBytes = Math.ceil(waits.length / 2) * 8;
  const start = HEADER_BYTES + records.byteLength;
  const regionsAt = start + waitBytes + words.length * 8;
  const namesAt = regionsAt + words.regions.length * REGION_BYTES;
  const packed = new Uint8Array(namesAt + nameBytes);
  const view = new DataView(packed.buffer);
  const { regions } = words;
  [MAGIC, ABI_VERSION, ranks, operations, waits.length, words.length, nameBytes, regions.length]
    .forEach((value, i) => view.setUint32(4 * i, value, true));
  packed.set(new Uint8Array(records.buffer), HEADER_BYTES);
  waits.forEach((value, i) => view.setUint32(start + 4 * i, value, true));
  packed.set(words.bytes(), start + waitBytes);
  for (const [i, { id, begin, bytes }] of regions.entries()) {
    const at = regionsAt + i * REGION_BYTES;
    view.setUint32(at, id, true);
    view.setBigUint64(at + 8, BigInt(begin), true);
    view.setBigUint64(at + 16, BigInt(bytes), true);
  }
  packed.set(names, namesAt);
  return packed;
}

/** The growing list of 64-bit words. */
class Words {
  #view = new DataView(new ArrayBuffer(1 << 16));
  length = 0;
  /** Buffers that the task being packed has declared; undefined where it declares none. */
  uses?: ReadonlySet<string>;
  readonly hosts: HostFunction[] = [];
  readonly #hosts = new Map<HostFunction, number>();
  readonly regions: { name: string; id: number; begin: number; bytes: number }[] = [];
  readonly #ids = new Map<string, number>();
  constructor(readonly place: (name: string) => Place) {}

  transfer({ kind, peer, bytes, from, to }: Transfer): void {
    const views = kind === "copy" ? [from!, to!] : [kind === "send" ? from! : to!];
    this.#call(
      kind,
      TRANSFERS[kind],
      kind === "copy" ? [bytes, ...views] : [peer, bytes, ...views],
    );
  }

  kernel({ name, args, run }: Kernel): void {
    if (!Object.hasOwn(KERNELS, name)) {
      throw new SchemoeError(
        `Cannot pack the kernel "${name}": unknown name, there are ${
          Object.keys(KERNELS).join(", ")
        }`,
      );
    }
    if (!Array.isArray(args)) {
      throw new SchemoeError(`Cannot pack the kernel "${name}": it has no array "args"`);
    }
    if (name === "host") return this.#call(name, KERNELS.host, [this.#host(run)]);
    this.#call(name, KERNELS[name as keyof typeof KERNELS], args);
  }

  /** Number of a function; nobody would answer a kernel without one, and its lane would wait. */
  #host(run: HostFunction | undefined): number {
    if (typeof run !== "function") {
      throw new SchemoeError(
        `Cannot pack the kernel "host": it has no function "run"; host(function) makes one`,
      );
    }
    let number = this.#hosts.get(run);
    if (number === undefined) this.#hosts.set(run, number = this.hosts.push(run) - 1);
    return number;
  }

  #call(
    name: string,
    spec: { code: number; args: string },
    args: readonly (number | View)[],
  ): void {
    const open = spec.args.endsWith("*");
    const letters = open ? spec.args.slice(0, -1) : spec.args;
    if (args.length < letters.length || (!open && args.length > letters.length)) {
      throw new SchemoeError(
        `Cannot pack the kernel "${name}": it takes ${letters.length} arguments, got ${args.length}`,
      );
    }
    const head = this.length++;
    args.forEach((value, i) => this.#argument(name, i < letters.length ? letters[i] : "i", value));
    this.#set(head, BigInt(spec.code) | BigInt(this.length - head - 1) << 32n);
  }

  #argument(name: string, letter: string, value: number | View): void {
    if (typeof value === "object") {
      if (letter !== "v") {
        throw new SchemoeError(`Cannot pack the kernel "${name}": a view where a number belongs`);
      }
      const none = value.buffer === "";
      if (value.offset < 0) {
        throw new SchemoeError(
          `Cannot pack the kernel "${name}": offset ${value.offset} of the buffer "${value.buffer}" is negative`,
        );
      }
      if (none) {
        this.#set(this.length++, 0xffff_ffff_ffff_ffffn);
        return this.#integer(0);
      }
      const id = this.#id(value.buffer);
      if (this.uses && !this.uses.has(value.buffer)) {
        throw new SchemoeError(
          `Cannot pack the kernel "${name}": its task does not declare that it uses the buffer "${value.buffer}"`,
        );
      }
      this.#integer(id);
      this.#integer(value.offset);
    } else if (letter === "i" && Number.isSafeInteger(value)) {
      this.#integer(value);
    } else if (letter === "f") {
      this.#grow();
      this.#view.setFloat64(8 * this.length++, value, true);
    } else {
      throw new SchemoeError(
        `Cannot pack the kernel "${name}": ${value} where ${
          letter === "v" ? "a view" : "an integer"
        } belongs`,
      );
    }
  }

  /** Native id of a buffer, or that of its region. */
  #id(name: string): number {
    let known = this.#ids.get(name);
    if (known === undefined) {
      const { id, part } = this.place(name);
      known = part ? FIRST_REGION + this.regions.push({ name, id, ...part }) - 1 : id;
      this.#ids.set(name, known);
    }
    return known;
  }

  #set(at: number, word: bigint): void {
    this.#grow();
    this.#view.setBigUint64(8 * at, word, true);
  }

  /** Without a BigInt for what most words are: a Program may have many thousands of them. */
  #integer(value: number): void {
    if (!(value >= 0 && Number.isSafeInteger(value))) {
      return this.#set(this.length++, BigInt.asUintN(64, BigInt(value)));
    }
    this.#grow();
    const at = 8 * this.length++;
    this.#view.setUint32(at, value, true);
    this.#view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
  }

  #grow(): void {
    if (8 * (this.length + 1) <= this.#view.byteLength) return;
    const larger = new Uint8Array(2 * this.#view.byteLength);
    larger.set(new Uint8Array(this.#view.buffer));
    this.#view = new DataView(larger.buffer);
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#view.buffer, 0, 8 * this.length);
  }
}
