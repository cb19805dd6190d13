/**
 * Which buffers of a Program share memory.
 *
 * Two buffers of life `pass` may lie over each other where every task that uses one is done before any task
 * that uses the other begins: by dependencies, by edges of the scheduler, or because one lane runs both. What
 * such buffers hold ends with the run, so that each Program has a plan of its own.
 * @module
 */
import { aProgram, expect } from "../arguments/mod.ts";
import type { Program } from "../engine.ts";

/** Buffers begin at multiples of it, in the arena too. */
const ALIGNMENT = 256;

/** Where the buffers of a Program lie. */
export interface MemoryPlan {
  /** Bytes of the arena that all buffers of life `pass` lie in, on every rank. */
  readonly arena: number;
  /** Byte of the arena at which each of them begins. */
  readonly offsets: ReadonlyMap<string, number>;
  /** Bytes of a buffer. */
  bytes(name: string): number;
  /** Bytes of each buffer that has memory of its own. */
  readonly own: Readonly<Record<string, number>>;
  /** Bytes of the buffers in the arena without sharing. */
  readonly apart: number;
  /** Most bytes of these buffers that are in use around any one task: the least that an arena could have. */
  readonly floor: number;
}

const plans = new WeakMap<Program, MemoryPlan>();

/** The plan of a Program, made once. */
export function memoryPlan(program: Program): MemoryPlan {
  expect("memoryPlan", "program", program, aProgram);
  let plan = plans.get(program);
  if (!plan) plans.set(program, plan = makePlan(program));
  return plan;
}

function makePlan(program: Program): MemoryPlan {
  const { buffers, lives = {} } = program.graph;
  const users = usersOf(program);
  const own: Record<string, number> = {};
  const shared: { name: string; bytes: number }[] = [];
  for (const [name, bytes] of Object.entries(buffers)) {
    if (users && lives[name] === "pass") shared.push({ name, bytes: aligned(bytes) });
    else own[name] = bytes;
  }
  const bytesOf = (name: string) => buffers[name];
  const apart = shared.reduce((sum, { bytes }) => sum + bytes, 0);
  if (shared.length === 0) {
    return { arena: 0, offsets: new Map(), own, apart, floor: 0, bytes: bytesOf };
  }
  const orders = new Order(program, shared.map(({ name }) => users!.get(name) ?? []));
  const { offsets, arena } = placeAll(shared.map(({ bytes }) => bytes), orders);
  let floor: number | undefined;
  return {
    arena,
    own,
    apart,
    bytes: bytesOf,
    offsets: new Map(shared.map(({ name }, i) => [name, offsets[i]])),
    // for reports alone, and it takes longer than all of the plan
    get floor() {
      return floor ??= orders.floor(shared.map(({ bytes }) => bytes));
    },
  };
}

const aligned = (bytes: number): number => Math.max(1, Math.ceil(bytes / ALIGNMENT)) * ALIGNMENT;

/**
 * Positions of the tasks that use each buffer; undefined where a task that does something does not say what it
 * uses.
 */
function usersOf({ order }: Program): Map<string, number[]> | undefined {
  const users = new Map<string, number[]>();
  for (const [position, { uses, kernels, transfers }] of order.entries()) {
    if (!uses && (kernels || transfers)) return undefined;
    for (const name of uses ?? []) {
      const list = users.get(name);
      if (list) list.push(position);
      else users.set(name, [position]);
    }
  }
  return users;
}

/** Largest first, each at the lowest offset where it meets nothing that may be alive with it. */
function placeAll(bytes: readonly number[], orders: Order): { offsets: number[]; arena: number } {
  const offsets = bytes.map(() => 0);
  /** By offset. */
  const placed: number[] = [];
  let arena = 0;
  for (const i of bytes.map((_, i) => i).sort((a, b) => bytes[b] - bytes[a] || a - b)) {
    let offset = 0;
    for (const j of placed) {
      if (offset + bytes[i] <= offsets[j]) break;
      if (offset < offsets[j] + bytes[j] && !orders.apart(i, j)) offset = offsets[j] + bytes[j];
    }
    offsets[i] = offset;
    arena = Math.max(arena, offset + bytes[i]);
    const after = placed.findIndex((j) => offsets[j] > offset);
    placed.splice(after < 0 ? placed.length : after, 0, i);
  }
  return { offsets, arena };
}

/** Which buffers a Program keeps apart, by sets of positions as bits. */
class Order {
  readonly #words: number;
  /** Of each buffer: the common ancestors of its users. */
  readonly #before: Uint32Array[];
  readonly #users: readonly (readonly number[])[];
  readonly #ancestors: Uint32Array;
  readonly #tasks: number;

  constructor({ order, dependencies }: Program, users: readonly (readonly number[])[]) {
    this.#tasks = order.length;
    const words = this.#words = (order.length + 31) >> 5;
    const ancestors = this.#ancestors = new Uint32Array(order.length * words);
    const latest = new Map<string, number>();
    for (const [id, { lane }] of order.entries()) {
      const row = ancestors.subarray(id * words, (id + 1) * words);
      const before = latest.get(lane);
      latest.set(lane, id);
      for (
        const earlier of before === undefined ? dependencies[id] : [...dependencies[id], before]
      ) {
        const other = ancestors.subarray(earlier * words, (earlier + 1) * words);
        for (let w = 0; w < words; w++) row[w] |= other[w];
        row[earlier >> 5] |= 1 << (earlier & 31);
      }
    }
    this.#users = users;
    this.#before = users.map((ids) => {
      const common = new Uint32Array(words).fill(ids.length ? 0xffffffff : 0);
      for (const id of ids) {
        for (let w = 0; w < words; w++) common[w] &= ancestors[id * words + w];
      }
      return common;
    });
  }

  /** Whether all users of one buffer come before all users of the other. */
  apart(a: number, b: number): boolean {
    return this.#precedes(a, b) || this.#precedes(b, a);
  }

  #precedes(a: number, b: number): boolean {
    const before = this.#before[b];
    for (const id of this.#users[a]) if ((before[id >> 5] >>> (id & 31) & 1) === 0) return false;
    return true;
  }

  /**
   * Most bytes that must be alive at once: at a task, the buffers that it uses, and those that have a user
   * before it and another after it.
   */
  floor(bytes: readonly number[]): number {
    let most = 0;
    const words = this.#words;
    const has = (task: number, id: number) =>
      (this.#ancestors[task * words + (id >> 5)] >>> (id & 31) & 1) === 1;
    for (let task = 0; task < this.#tasks; task++) {
      let sum = 0;
      for (const [i, ids] of this.#users.entries()) {
        const used = ids.includes(task);
        if (used || (ids.some((id) => has(task, id)) && ids.some((id) => has(id, task)))) {
          sum += bytes[i];
        }
      }
      most = Math.max(most, sum);
    }
    return most;
  }
}
