/** Calls of kernels and transfers as 64-bit words (layout: `schemoe.h`). @module */
import { type KernelName, KERNELS, TRANSFERS } from "../kernels/table.ts";
import {
  type CountedRows,
  type HostFunction,
  type Kernel,
  SchemoeError,
  type SourceCode,
  type Transfer,
  type View,
} from "../types.ts";
import { didYouMean } from "../words.ts";

/** Where a buffer lies: a native buffer, or a part of one that kernels may not leave. */
export interface Place {
  /** Id of the native buffer, or of a region, from {@linkcode FIRST_REGION} on. */
  readonly id: number;
  /** Bytes of the buffer that a region may touch. */
  readonly part?: { readonly begin: number; readonly bytes: number };
}

/** `SCHEMOE_FIRST_REGION`: the id of a region in views and failures. */
export const FIRST_REGION = 0x80000000;
/** Memory of the words of a Program that was packed, for the next one: zeroing it anew takes longer. */
let spare: ArrayBuffer | undefined;

/** The growing list of 64-bit words, little-endian as all machines that Deno runs on. */
export class Words {
  #buffer: ArrayBuffer;
  #halves: Uint32Array;
  #floats: Float64Array;
  length = 0;
  /** Buffers that the task being packed has declared; undefined where it declares none. */
  uses?: ReadonlySet<string>;
  readonly hosts: HostFunction[] = [];
  readonly sources = new Set<SourceCode>();
  readonly #hosts = new Map<HostFunction, number>();
  readonly regions: { name: string; id: number; begin: number; bytes: number }[] = [];
  readonly #ids = new Map<string, number>();
  /** Where further integers of a kernel were written. */
  readonly #written = new Map<Int32Array, number>();
  /** Numbers of the rows that kernels have counted so far. */
  readonly #counted = new Map<CountedRows, number>();

  constructor(readonly place: (name: string) => Place) {
    this.#buffer = spare ?? new ArrayBuffer(1 << 16);
    spare = undefined;
    this.#halves = new Uint32Array(this.#buffer);
    this.#floats = new Float64Array(this.#buffer);
  }

  transfer({ kind, peer, bytes, from, to, counted }: Transfer): void {
    const views = kind === "copy" ? [from!, to!] : [kind === "send" ? from! : to!];
    const length = counted ? counted.rowBytes : bytes;
    const rows = counted ? [this.#table(kind, counted.rows), Number(counted.received)] : [];
    this.#call(
      kind,
      signature(kind),
      kind === "copy" ? [length, ...views, ...rows] : [peer, length, ...views, ...rows],
    );
  }

  kernel({ name, args, more, counted, run, source }: Kernel): void {
    if (!Object.hasOwn(KERNELS, name)) {
      throw new SchemoeError(
        `Cannot pack the kernel "${name}": unknown name, there are ${
          Object.keys(KERNELS).join(", ")
        }${didYouMean(name, Object.keys(KERNELS))}`,
      );
    }
    if (!Array.isArray(args)) {
      throw new SchemoeError(`Cannot pack the kernel "${name}": it has no array "args"`);
    }
    const known = signature(name as KernelName);
    if (name === "host") return this.#call(name, known, [this.#host(run)]);
    if (source) this.sources.add(source);
    if (!counted) return this.#call(name, known, args, more);
    if (name === "count_rows") {
      if (this.#counted.has(counted)) {
        throw new SchemoeError(`Cannot pack the kernel "${name}": its rows are counted twice`);
      }
      this.#counted.set(counted, this.#counted.size);
      return this.#call(name, known, [this.#counted.size - 1, ...args], more);
    }
    this.#call(name, known, [...args, this.#table(name, counted)]);
  }

  /** Number of rows that a kernel before has counted. */
  #table(name: string, counted: CountedRows): number {
    const table = this.#counted.get(counted);
    if (table !== undefined) return table;
    throw new SchemoeError(
      `Cannot pack the kernel "${name}": no kernel before it counts its rows`,
    );
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
    { code, letters, open }: Signature,
    args: readonly (number | View)[],
    more?: Int32Array,
  ): void {
    if (args.length < letters.length || (!open && (more || args.length > letters.length))) {
      throw new SchemoeError(
        `Cannot pack the kernel "${name}": it takes ${letters.length} arguments, got ${
          args.length + (more?.length ?? 0)
        }`,
      );
    }
    this.#reserve(1 + 2 * args.length + (more?.length ?? 0));
    const head = this.length++;
    for (let i = 0; i < args.length; i++) {
      this.#argument(name, i < letters.length ? letters[i] : "i", args[i]);
    }
    if (more) this.#integers(more);
    this.#halves[2 * head] = code;
    this.#halves[2 * head + 1] = this.length - head - 1;
  }

  #argument(name: string, letter: string, value: number | View): void {
    if (typeof value === "object") {
      if (letter !== "v") {
        throw new SchemoeError(`Cannot pack the kernel "${name}": a view where a number belongs`);
      }
      const { buffer, offset } = value;
      if (offset < 0) {
        throw new SchemoeError(
          `Cannot pack the kernel "${name}": offset ${offset} of the buffer "${buffer}" is negative`,
        );
      }
      if (!Number.isSafeInteger(offset)) {
        throw new SchemoeError(
          `Cannot pack the kernel "${name}": offset ${offset} of the buffer "${buffer}" is not an integer`,
        );
      }
      if (buffer === "") {
        this.#integer(-1);
        return this.#integer(0);
      }
      const id = this.#id(buffer);
      if (this.uses && !this.uses.has(buffer)) {
        throw new SchemoeError(
          `Cannot pack the kernel "${name}": its task does not declare that it uses the buffer "${buffer}"`,
        );
      }
      this.#integer(id);
      this.#integer(offset);
    } else if (letter === "i" && Number.isSafeInteger(value)) {
      this.#integer(value);
    } else if (letter === "f") {
      this.#floats[this.length++] = value;
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

  /** In two's complement, without a BigInt: a Program may have many thousands of them. */
  #integer(value: number): void {
    const at = 2 * this.length++;
    this.#halves[at] = value;
    this.#halves[at + 1] = Math.floor(value / 2 ** 32);
  }

  /** Kernels of an expert share the rows of its groups: what was written before is copied. */
  #integers(values: Int32Array): void {
    const before = this.#written.get(values);
    if (before === undefined) {
      this.#written.set(values, this.length);
      for (let i = 0; i < values.length; i++) this.#integer(values[i]);
      return;
    }
    this.#halves.copyWithin(2 * this.length, 2 * before, 2 * (before + values.length));
    this.length += values.length;
  }

  #reserve(words: number): void {
    const needed = 8 * (this.length + words);
    if (needed <= this.#buffer.byteLength) return;
    const larger = new ArrayBuffer(Math.max(needed, 2 * this.#buffer.byteLength));
    new Uint8Array(larger).set(this.bytes());
    this.#buffer = larger;
    this.#halves = new Uint32Array(larger);
    this.#floats = new Float64Array(larger);
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#buffer, 0, 8 * this.length);
  }

  /** Its memory may be used again. */
  close(): void {
    if (this.#buffer.byteLength <= MOST_SPARE) spare = this.#buffer;
  }
}

/** Memory that is kept from one Program to the next, at most. */
const MOST_SPARE = 1 << 22;

/** Signature of a kernel. */
interface Signature {
  readonly code: number;
  readonly letters: string;
  /** Whether any number of integers may follow. */
  readonly open: boolean;
}

const signatures = new Map<string, Signature>();

function signature(name: KernelName | Transfer["kind"]): Signature {
  let known = signatures.get(name);
  if (!known) {
    const { code, args } = name in TRANSFERS
      ? TRANSFERS[name as Transfer["kind"]]
      : KERNELS[name as KernelName];
    const open = args.endsWith("*");
    signatures.set(name, known = { code, open, letters: open ? args.slice(0, -1) : args });
  }
  return known;
}
