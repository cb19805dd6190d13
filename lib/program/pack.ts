/**
 * Writes a Program as the bytes that the native library runs (layout: `schemoe.h`).
 * @module
 */
import { aFunction, aProgram, expect, record } from "../arguments/mod.ts";
import { type HostFunction, LANES, SchemoeError, type SourceCode, type Task } from "../types.ts";
import type { Program } from "../engine.ts";
import { type Place, Words } from "./words.ts";

const PACK_OPTIONS = record("an object { place, seconds }", {
  place: aFunction,
  seconds: aFunction,
});

/** Version of the C interface that this side was written for. */
export const ABI_VERSION = 3;
/** Number of `SCHEMOE_PROGRAM_MAGIC`. */
export const MAGIC = 0x454f4d53;
const HEADER_BYTES = 32;
const OPERATION_BYTES = 40;
/** Number of `SCHEMOE_COMMUNICATION`. */
export const COMMUNICATION = 1;
/** Number of `SCHEMOE_CHECK_NUMBERS`. */
export const CHECK_NUMBERS = 2;

const REGION_BYTES = 24;

/** A Program as bytes, and the functions that its host kernels call, by their argument. */
export interface PackedProgram {
  /** What `schemoe_prepare` takes; see `schemoe.h`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Functions of host kernels; a kernel calls the one at its argument. */
  readonly hosts: readonly HostFunction[];
  /** Code that its kernels call, which must be loaded before the Program is. */
  readonly sources: readonly SourceCode[];
  /** Names of the buffers that are parts of others, by the number of their region. */
  readonly regions: readonly string[];
}

/** Parameters of the bytes of a Program besides itself. */
export interface PackOptions {
  /** Where the buffer of a name lies. */
  readonly place: (name: string) => Place;
  /** Seconds an operation is paced to, or undefined for as fast as it goes. */
  readonly seconds: (task: Task, rank: number) => number | undefined;
  /** Chain every task to the one before and compute operations of a task rank after rank. */
  readonly isolated?: boolean;
  /** Look at what each kernel computes: see `RunOptions.checkNumbers`. */
  readonly checked?: boolean;
  /** Add the names of the Program and its tasks, of which the native library makes NVTX ranges. */
  readonly named?: boolean;
}

/** Packs all operations, in total order and within a task in rank order. */
export function pack(program: Program, options: PackOptions): PackedProgram {
  expect("pack", "program", program, aProgram);
  expect("pack", "options", options, PACK_OPTIONS);
  const { ranks } = program.graph.topology;
  const { checked } = options;
  const operations = program.order.length * ranks;
  const waits: number[] = [];
  const words = new Words(options.place);
  const records = new ArrayBuffer(operations * OPERATION_BYTES);
  const [fields, seconds] = [new Uint32Array(records), new Float64Array(records)];
  for (let position = 0; position < program.order.length; position++) {
    const task = program.order[position];
    const lane = LANES.indexOf(task.lane);
    words.uses = task.uses && new Set(task.uses);
    for (let rank = 0; rank < ranks; rank++) {
      const firstWait = waits.length;
      const firstWord = words.length;
      if (options.isolated) waits.push(...isolatedWaits(program, position, rank));
      else for (const p of program.waits[position]) waits.push(p * ranks + rank);
      packTask(words, task, { rank, checked });
      const at = (position * ranks + rank) * OPERATION_BYTES / 4;
      fields[at] = position;
      fields[at + 1] = rank;
      fields[at + 2] = lane;
      fields[at + 3] = firstWait;
      fields[at + 4] = waits.length - firstWait;
      fields[at + 5] = firstWord;
      fields[at + 6] = words.length - firstWord;
      fields[at + 7] = task.transfers ? COMMUNICATION : checked ? CHECK_NUMBERS : 0;
      seconds[at / 2 + 4] = options.seconds(task, rank) ?? -1;
    }
  }
  const names = options.named ? namesOf(program) : new Uint8Array();
  const bytes = join({ ranks, operations, records, waits, words, names });
  words.close();
  const { hosts, sources, regions } = words;
  return { bytes, hosts, sources: [...sources], regions: regions.map(({ name }) => name) };
}

function packTask(
  words: Words,
  task: Task,
  { rank, checked }: { readonly rank: number; readonly checked?: boolean },
): void {
  try {
    if (task.transfers) {
      for (const transfer of task.transfers(rank)) words.transfer(transfer);
      return;
    }
    for (const kernel of task.kernels?.(rank) ?? []) {
      const own = Object(kernel);
      if (checked || own.name !== "check_numbers") words.kernel(own);
    }
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
  readonly records: ArrayBuffer;
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
  packed.set(new Uint8Array(records), HEADER_BYTES);
  new Uint32Array(packed.buffer, start, waits.length).set(waits);
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
